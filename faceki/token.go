package faceki

import (
	"cmp"
	"encoding/json"
	"net/http"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
)

// TokenMode says how the credentials are sent to the token endpoint. There is
// no fallback from one to the other, which would send the secret twice.
type TokenMode string

const (
	// TokenPost sends them in a JSON body with POST. It is the default.
	TokenPost TokenMode = ""
	// TokenLegacyQuery sends them in the query of a GET, as FACEKI's older
	// documentation and SDKs do. Servers and proxies write queries to their
	// logs: choose it only if the other way is refused.
	TokenLegacyQuery TokenMode = "legacy query"
)

const (
	pathTokenPost = "/auth/api/generate-token" //nolint:gosec // a path
	pathTokenGet  = "/auth/api/access-token"   //nolint:gosec // a path

	tokenLifetime = time.Hour // documented
)

// newTokens returns the cache of this client's token. Token calls can be
// billed, so no call has one of its own.
func newTokens(cfg Config, base string) (auth.Source, error) {
	h := cfg.HTTP
	h.Middleware = nil // it would see the credentials
	tuning := cfg.Token
	tuning.Name = cmp.Or(tuning.Name, provider)
	return auth.NewJSONExchange(auth.JSONExchangeConfig{
		Provider:               provider,
		URL:                    base + cfg.Paths.Token,
		LegacyQueryCredentials: cfg.TokenMode == TokenLegacyQuery,
		Fields: map[string]kyckit.Secret{
			"clientId":     kyckit.NewSecret(cfg.ClientID),
			"clientSecret": cfg.ClientSecret,
		},
		Decode:          decodeToken,
		DefaultLifetime: tokenLifetime,
		HTTP:            h,
		Tuning:          tuning,
	})
}

// decodeToken reads the answer of the token endpoint: envelope A with a token
// in it, or any of the failing ones.
func decodeToken(body []byte) (auth.JSONToken, error) {
	e, ok := parseEnvelope(body)
	if !ok {
		return auth.JSONToken{}, errNotObject
	}
	if !e.success {
		reason, kind := e.failure()
		ex := e.explanation()
		return auth.JSONToken{}, (&kyckit.Error{Kind: kind, Code: ex.Code, Reason: reason}).WithText(ex.Message, nil)
	}
	var data struct {
		Access    string          `json:"access_token"`
		Type      string          `json:"token_type"`
		ExpiresIn json.RawMessage `json:"expires_in"`
	}
	if !decodeLenient(e.payload, &data) || data.Access == "" {
		return auth.JSONToken{}, errNotObject
	}
	return auth.JSONToken{Access: kyckit.NewSecret(data.Access), Type: data.Type, ExpiresIn: data.ExpiresIn}, nil
}

// saysUnauthorized reports that the body of a 2xx refuses the token, by code 1
// or 401. Code 1 also stands for a wrong path, where no token helps and each new
// one may be billed: package auth bounds what that can cost.
func saysUnauthorized(body []byte) bool {
	e, ok := parseEnvelope(body)
	return ok && !e.success && e.hasCode && (e.code == codeUnauthorized || e.code == http.StatusUnauthorized)
}
