package auth

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/credential"
	"github.com/kyckit/kyckit/internal/transport"
)

// PasswordLoginConfig configures [NewPasswordLogin].
type PasswordLoginConfig struct {
	kyckit.Redacted
	// LoginURL is the login endpoint, https (http on loopback only). A
	// trailing slash is dropped, because the provider redirects it. Required.
	LoginURL string
	// Username and Password are the credentials, used as they are: what begins
	// with a byte order mark or ends in a blank is refused. Required.
	Username string
	Password kyckit.Secret
	// OmitGrantType leaves out the field grant_type=password, which the
	// provider's samples partly send and partly do not.
	OmitGrantType bool
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

// NewPasswordLogin returns a cached source for a login that takes a form with
// username and password and answers with a bearer token, but with neither a
// lifetime nor a refresh token: the shape of FastAPI-Users. Nothing is sent
// until the first token is needed.
//
// When the token is a JWT, its exp is read, unverified, as a hint for when to
// log in again; the answer's Date header and the token's iat correct a clock
// that differs from ours. A hint that cannot be believed is ignored. Without a
// hint the token serves until the provider refuses it.
//
// Errors of Token: [kyckit.ErrUnauthorized] for 400 LOGIN_…, with Error.Code
// set (wrong credentials, inactive or unverified user); [kyckit.ErrInvalid] for
// 422 and other refusals. Both are remembered and not repeated for 1 s, doubling
// to 60 s. [kyckit.ErrDecode] for an answer without a usable bearer token,
// [kyckit.ErrUnavailable] otherwise.
func NewPasswordLogin(cfg PasswordLoginConfig) (*Cache, error) {
	if reason := credential.Text(cfg.Username); reason != "" {
		return nil, transport.ConfigError(provider, "Username", reason)
	}
	if reason := credential.Text(cfg.Password.Reveal()); reason != "" {
		return nil, transport.ConfigError(provider, "Password", reason)
	}
	username, password, omit := cfg.Username, cfg.Password, cfg.OmitGrantType
	prepare := func(call *transport.Call) error {
		form := url.Values{"username": {username}, "password": {password.Reveal()}}
		if !omit {
			form.Set("grant_type", "password")
		}
		call.Body = transport.FormBody(form)
		return nil
	}
	return newExchange(exchangeConfig{
		provider: provider, field: "LoginURL", url: cfg.LoginURL,
		http: cfg.HTTP, tuning: cfg.Tuning, method: http.MethodPost, fallback: cfg.DefaultLifetime,
		explain: explainLogin, prepare: prepare, decode: oauthAnswer,
	})
}

// explainLogin reads the error body of FastAPI: detail is a code, a list of
// validation errors, which may echo what was sent, or an object.
func explainLogin(status int, body []byte) transport.Explanation {
	var e struct {
		Detail json.RawMessage `json:"detail"`
	}
	if json.Unmarshal(body, &e) != nil {
		return transport.Explanation{}
	}
	var ex transport.Explanation
	switch detail := bytes.TrimSpace(e.Detail); {
	case len(detail) == 0:
	case detail[0] == '"':
		_ = json.Unmarshal(detail, &ex.Message)
		ex.Code = ex.Message
	case detail[0] == '{':
		var o struct {
			Code string `json:"code"`
		}
		_ = json.Unmarshal(detail, &o)
		ex.Code = o.Code
	}
	if !loginCode(ex.Code) {
		ex.Code = ""
	}
	if (status == http.StatusBadRequest || status/100 == 2) && strings.HasPrefix(ex.Code, "LOGIN_") {
		ex.Kind = kyckit.ErrUnauthorized
	}
	return ex
}

// loginCode reports whether s is a code in the provider's style, such as
// LOGIN_BAD_CREDENTIALS. Free text must not pass for one.
func loginCode(s string) bool {
	for i := range len(s) {
		if (s[i] < 'A' || s[i] > 'Z') && s[i] != '_' {
			return false
		}
	}
	return strings.Contains(s, "_")
}
