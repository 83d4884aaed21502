package kycjwt

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/internal/transport"
)

const (
	provider = "kycjwt"

	defaultLoginPath = "/auth/jwt/login"
	defaultAPIPrefix = "/api/v1"
	defaultMaxPages  = 1000
)

// Config says which API to call and as whom. It is read once, by New.
type Config struct {
	kyckit.Redacted
	// BaseURL is the address that the provider gives privately, for example
	// "https://kyc.example.com". Required; https, or http on loopback.
	BaseURL string
	// Username and Password are the login, sent as they are. What begins with
	// a byte order mark or ends in a line break or blank is refused: a file or
	// an editor has changed it. Required, or Auth in their place.
	Username string
	Password kyckit.Secret
	// Auth supplies the bearer token instead of the login, for tokens that are
	// obtained elsewhere or shared by replicas. Wrap it with auth.NewCache unless
	// it is cheap.
	Auth auth.Source
	// LoginPath is where credentials are exchanged for a token. Empty means
	// "/auth/jwt/login", as documented. APIPrefix is not put before it.
	LoginPath string
	// APIPrefix stands before every resource path. Empty means "/api/v1", as
	// in the documented samples; "/" means no prefix.
	APIPrefix string
	// OmitGrantType leaves grant_type=password out of the login. The documented
	// samples differ; servers of this kind take both.
	OmitGrantType bool
	// TokenLifetime is assumed for tokens that are no JWT with an expiry. Zero
	// means unknown: such a token serves until the provider refuses it.
	TokenLifetime time.Duration
	// Token tunes the cache of the token; Early is how long before its end the
	// login is repeated.
	Token auth.Tuning
	// EntitlementLists is the form of the entitlement list. The zero value is
	// the newer one.
	EntitlementLists EntitlementLists
	// MaxPages stops a list that never ends. Zero means 1,000 pages.
	MaxPages int
	// HTTP says how to talk to the provider. The login uses it too, without its
	// Middleware, which would see the password, and its Retry: logins are paced
	// so that none can lock the account.
	HTTP kyckit.HTTP
}

// Client calls one KYC API. It is immutable and safe for concurrent use; all
// calls share one token. Use New.
type Client struct {
	kyckit.Redacted
	http         *transport.Client
	prefix       string
	entitlements EntitlementLists
	maxPages     int
}

// New validates cfg and returns a Client. Nothing is sent until the first
// call. A refused setting is a *kyckit.Error of kind ErrInvalid that names it.
func New(cfg Config) (*Client, error) {
	base, err := transport.CheckURL(provider, "BaseURL", cfg.BaseURL)
	if err != nil {
		return nil, err
	}
	login, err := configPath("LoginPath", cfg.LoginPath, defaultLoginPath)
	if err != nil {
		return nil, err
	}
	prefix, err := configPath("APIPrefix", cfg.APIPrefix, defaultAPIPrefix)
	if err != nil {
		return nil, err
	}
	switch {
	case login == "":
		return nil, transport.ConfigError(provider, "LoginPath", "must name a path")
	case cfg.TokenLifetime < 0:
		return nil, transport.ConfigError(provider, "TokenLifetime", "must not be negative")
	case cfg.MaxPages < 0:
		return nil, transport.ConfigError(provider, "MaxPages", "must not be negative")
	case cfg.EntitlementLists != EntitlementsByQuery && cfg.EntitlementLists != EntitlementsByPath:
		return nil, transport.ConfigError(provider, "EntitlementLists", "is not a known form")
	case cfg.Token.Early < 0:
		return nil, transport.ConfigError(provider, "Token.Early", "must not be negative")
	case cfg.Token.Timeout < 0:
		return nil, transport.ConfigError(provider, "Token.Timeout", "must not be negative")
	case cfg.Auth != nil && transport.Missing(cfg.Auth):
		return nil, transport.ConfigError(provider, "Auth", "must not be a nil pointer or function")
	case cfg.Auth != nil && (cfg.Username != "" || !cfg.Password.IsZero()):
		return nil, transport.ConfigError(provider, "Auth", "must not be combined with Username and Password")
	}
	tokens := cfg.Auth
	if tokens == nil {
		if tokens, err = newTokens(cfg, base+login); err != nil {
			return nil, ownError(err)
		}
	}
	c := &Client{prefix: prefix, entitlements: cfg.EntitlementLists, maxPages: cmp.Or(cfg.MaxPages, defaultMaxPages)}
	c.http, err = transport.New(transport.Config{
		Provider:  provider,
		BaseURL:   base,
		HTTP:      cfg.HTTP,
		Authorize: func(rt http.RoundTripper) http.RoundTripper { return auth.NewTransport(rt, tokens) },
		Explain:   explain,
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// newTokens returns the cache of this client's token.
func newTokens(cfg Config, login string) (auth.Source, error) {
	h, tuning := cfg.HTTP, cfg.Token
	h.Middleware = nil // it would see the password
	tuning.Name = cmp.Or(tuning.Name, provider)
	return auth.NewPasswordLogin(auth.PasswordLoginConfig{
		LoginURL:        login,
		Username:        cfg.Username,
		Password:        cfg.Password,
		OmitGrantType:   cfg.OmitGrantType,
		DefaultLifetime: cfg.TokenLifetime,
		HTTP:            h,
		Tuning:          tuning,
	})
}

// configPath accepts a plain path without a trailing slash, because servers of
// this kind redirect those; "/" is no path at all.
func configPath(field, path, def string) (string, error) {
	switch path {
	case "":
		return def, nil
	case "/":
		return "", nil
	}
	if !strings.HasPrefix(path, "/") {
		return "", transport.ConfigError(provider, field, "must begin with a slash")
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		if !plainSegment(segment) {
			return "", transport.ConfigError(provider, field, "must be plain names between single slashes, without one at the end")
		}
	}
	return path, nil
}
