package auth

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/credential"
	"github.com/kyckit/kyckit/internal/transport"
)

// ClientCredentialsConfig configures [NewClientCredentials].
type ClientCredentialsConfig struct {
	kyckit.Redacted
	// TokenURL is the token endpoint, https (http on loopback only), with the
	// query that belongs to its address, if any. Required.
	TokenURL string
	// ClientID and ClientSecret are the credentials, used as they are: what
	// begins with a byte order mark or ends in a blank is refused. Required.
	ClientID     string
	ClientSecret kyckit.Secret
	// BasicAuth sends the credentials in an Authorization header instead of
	// the form. They are never sent in both.
	BasicAuth bool
	// Scopes are asked for, if any.
	Scopes []string
	// Params are further form fields, for example "audience". They cannot
	// replace those that the grant itself defines.
	Params url.Values
	// DefaultLifetime is assumed for tokens that come without a lifetime and
	// are no JWT with an expiry. Zero means unknown: such a token serves until
	// it is refused.
	DefaultLifetime time.Duration
	// HTTP is how to reach the endpoint. Its Middleware sees the credentials and
	// the token. Of its Retry only MaxAttempts counts, for callers who wait for a
	// first token; the cache paces the attempts. Timeout defaults to 10 s and
	// MaxResponseBytes to 1 MiB.
	HTTP kyckit.HTTP
	// Tuning is the cache's.
	Tuning Tuning
}

// NewClientCredentials returns a cached source for the OAuth 2.0 client
// credentials grant (RFC 6749, section 4.4): a form POST. Nothing is sent
// until the first token is needed.
//
// Errors of Token: [kyckit.ErrUnauthorized] for wrong credentials
// (invalid_client, 401), [kyckit.ErrForbidden] for a client that may not do
// this, [kyckit.ErrInvalid] for other refusals, [kyckit.ErrDecode] for an
// answer without a usable bearer token, [kyckit.ErrUnavailable] otherwise. The
// OAuth error code is in Error.Code.
func NewClientCredentials(cfg ClientCredentialsConfig) (*Cache, error) {
	if reason := credential.Text(cfg.ClientID); reason != "" {
		return nil, transport.ConfigError(provider, "ClientID", reason)
	}
	if reason := credential.Text(cfg.ClientSecret.Reveal()); reason != "" {
		return nil, transport.ConfigError(provider, "ClientSecret", reason)
	}
	params := make(url.Values, len(cfg.Params)+1)
	for k, v := range cfg.Params {
		switch k {
		case "grant_type", "client_id", "client_secret", "scope":
			return nil, transport.ConfigError(provider, "Params", "must not hold a field of the grant itself")
		}
		params[k] = append([]string(nil), v...)
	}
	params.Set("grant_type", "client_credentials")
	if len(cfg.Scopes) > 0 {
		for _, s := range cfg.Scopes {
			if !sendable(s) { // RFC 6749, section 3.3
				return nil, transport.ConfigError(provider, "Scopes", "must be visible ASCII without spaces")
			}
		}
		params.Set("scope", strings.Join(cfg.Scopes, " "))
	}
	id, secret, basic := cfg.ClientID, cfg.ClientSecret, cfg.BasicAuth
	prepare := func(call *transport.Call) error {
		form := make(url.Values, len(params)+2)
		maps.Copy(form, params)
		if basic {
			// RFC 6749, section 2.3.1: both halves are form-encoded first.
			pair := url.QueryEscape(id) + ":" + url.QueryEscape(secret.Reveal())
			call.Header = http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(pair))}}
		} else {
			form.Set("client_id", id)
			form.Set("client_secret", secret.Reveal())
		}
		call.Body = transport.FormBody(form)
		return nil
	}
	return newExchange(exchangeConfig{
		provider: provider, field: "TokenURL", url: cfg.TokenURL, exact: true,
		http: cfg.HTTP, tuning: cfg.Tuning, method: http.MethodPost, fallback: cfg.DefaultLifetime,
		explain: explainOAuth, prepare: prepare, decode: oauthAnswer,
	})
}

// explainOAuth reads the error body of RFC 6749, section 5.2.
func explainOAuth(status int, body []byte) transport.Explanation {
	var e struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(body, &e) != nil {
		return transport.Explanation{}
	}
	ex := transport.Explanation{Message: e.Description}
	if oauthCode(e.Error) {
		ex.Code = e.Error
	}
	if status < 500 && status != http.StatusTooManyRequests { // also in a 2xx
		switch e.Error {
		case "invalid_client", "invalid_grant":
			ex.Kind = kyckit.ErrUnauthorized
		case "unauthorized_client", "access_denied":
			ex.Kind = kyckit.ErrForbidden
		case "server_error", "temporarily_unavailable":
			ex.Kind = kyckit.ErrUnavailable
		}
	}
	return ex
}

// oauthCode reports whether s is in the style of all registered error codes,
// such as invalid_client. Nothing that echoes a credential must pass for one.
func oauthCode(s string) bool {
	for i := range len(s) {
		if (s[i] < 'a' || s[i] > 'z') && s[i] != '_' {
			return false
		}
	}
	return len(s) <= 40
}
