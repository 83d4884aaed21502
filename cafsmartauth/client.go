package cafsmartauth

import (
	"cmp"
	"context"
	"crypto"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/internal/credential"
	"github.com/kyckit/kyckit/internal/transport"
)

const (
	provider = "cafsmartauth"

	// productionURL is the only host the provider documents; its SDKs also hold
	// a beta and a dev host.
	productionURL = "https://api.identity.combateafraude.com"

	defaultMaxTTL  = 24 * time.Hour
	defaultCallTTL = 5 * time.Minute
	minCallTTL     = 10 * time.Second
	defaultLeeway  = 30 * time.Second
	maxLeeway      = 60 * time.Second
)

// Config configures a [Client]. ClientID and ClientSecret are one pair of the
// portal's Smart Auth tokens page; a second pair needs a second Client.
type Config struct {
	// ClientID is the iss claim of every token. Required.
	ClientID string
	// ClientSecret signs tokens and attestations, used as its raw UTF-8 bytes:
	// it is not decoded from base64. What begins with a byte order mark or ends
	// in a blank is refused, and in FIPS 140-only mode what is shorter than 14
	// bytes. Required.
	ClientSecret kyckit.Secret
	// BaseURL is the provider's address, https (http on loopback only). Empty
	// means the documented production host,
	// "https://api.identity.combateafraude.com".
	BaseURL string
	// MaxTTL is the longest lifetime Mint accepts, at least a second. Zero
	// means 24 h.
	MaxTTL time.Duration
	// CallTTL is the lifetime of the tokens this client mints for its own two
	// calls, at least 10 s and at most MaxTTL. It must exceed the difference
	// between the local and the provider's clock. Zero means 5 minutes, or
	// MaxTTL where that is less, but never below 10 s.
	CallTTL time.Duration
	// Leeway is how far the provider's clock may differ when an attestation's
	// exp, iat and nbf are checked, from 0 to 60 s. Zero means 30 s.
	Leeway time.Duration
	// CheckCPF refuses CPFs with wrong check digits in Mint and CreateIdentity.
	// The provider's own samples have wrong ones, so the default is off.
	CheckCPF bool
	// CPFForm is how CPFs are sent. The zero value means 11 bare digits.
	CPFForm CPFForm
	// PhoneAsNumber sends the phone of a new identity as a JSON number. The
	// provider's table says string and its sample shows a number; the default
	// is a string.
	PhoneAsNumber bool
	// AllowAllUsersTestToken lets MintAllUsersTestToken mint. Whoever holds
	// such a token acts as any person, so leave it off in production.
	AllowAllUsersTestToken bool
	// HTTP says how the two calls are made.
	HTTP kyckit.HTTP
}

// Client mints tokens, verifies attestations and makes the two calls. It is
// immutable, safe for concurrent use, and cannot be printed with its secrets.
type Client struct {
	kyckit.Redacted
	minter   *auth.Minter
	checkCPF bool
	cpfForm  CPFForm
	asNumber bool
	allUsers bool

	macs   *macs
	parser *jwt.Parser
	times  *jwt.Validator

	calls *transport.Client
}

// New returns a Client. A bad setting is a *kyckit.Error of kind
// [kyckit.ErrInvalid] that names the field. New makes no calls.
func New(cfg Config) (*Client, error) {
	maxTTL := cmp.Or(cfg.MaxTTL, defaultMaxTTL)
	callTTL := cmp.Or(cfg.CallTTL, min(defaultCallTTL, max(maxTTL, minCallTTL)))
	leeway := cmp.Or(cfg.Leeway, defaultLeeway)
	secret := cfg.ClientSecret.Reveal()
	if reason := cmp.Or(credential.Text(secret), credential.HMAC(crypto.SHA256, len(secret))); reason != "" {
		return nil, transport.ConfigError(provider, "ClientSecret", reason)
	}
	if reason := credential.Text(cfg.ClientID); reason != "" {
		return nil, transport.ConfigError(provider, "ClientID", reason)
	}
	switch {
	case maxTTL < time.Second:
		return nil, transport.ConfigError(provider, "MaxTTL", "must be at least a second")
	case callTTL < minCallTTL:
		return nil, transport.ConfigError(provider, "CallTTL", "must be at least 10 s")
	case cfg.CallTTL > maxTTL:
		return nil, transport.ConfigError(provider, "CallTTL", "must not exceed MaxTTL")
	case leeway < 0 || leeway > maxLeeway:
		return nil, transport.ConfigError(provider, "Leeway", "must be from 0 to 60 s")
	case cfg.CPFForm < CPFDigits || cfg.CPFForm > CPFAsGiven:
		return nil, transport.ConfigError(provider, "CPFForm", "must be one of the constants")
	}
	minter, err := newMinter(cfg, maxTTL)
	if err != nil {
		return nil, err
	}
	own, err := newMinter(cfg, callTTL)
	if err != nil {
		return nil, err
	}
	// Minting cannot fail for lack of a network, so this cache never waits.
	tokens, err := auth.NewCache(auth.CacheConfig{Source: auth.SourceFunc(func(context.Context) (auth.Token, error) {
		return own.MintUnbound(callTTL)
	})})
	if err != nil {
		return nil, err
	}
	calls, err := transport.New(transport.Config{
		Provider:  provider,
		BaseURL:   cmp.Or(cfg.BaseURL, productionURL),
		HTTP:      cfg.HTTP,
		Authorize: func(base http.RoundTripper) http.RoundTripper { return auth.NewTransport(base, tokens) },
	})
	if err != nil {
		return nil, err
	}
	return &Client{
		minter:   minter,
		checkCPF: cfg.CheckCPF,
		cpfForm:  cfg.CPFForm,
		asNumber: cfg.PhoneAsNumber,
		allUsers: cfg.AllowAllUsersTestToken,
		macs:     newMACs([]byte(secret)),
		parser:   jwt.NewParser(jwt.WithStrictDecoding()),
		times:    newTimes(leeway),
		calls:    calls,
	}, nil
}

// made refuses a Client that New did not make, which has no key.
func (c *Client) made(op string) error {
	if c == nil || c.calls == nil {
		return transport.InputError(provider, op, "the Client was not made by New")
	}
	return nil
}

// newMinter names this package's own fields in the errors of auth.
func newMinter(cfg Config, maxTTL time.Duration) (*auth.Minter, error) {
	m, err := auth.NewMinter(auth.MinterConfig{Issuer: cfg.ClientID, Secret: cfg.ClientSecret, MaxTTL: maxTTL})
	if err != nil {
		return nil, transport.ConfigError(provider, "ClientID", "must be UTF-8 of at most 1,024 bytes")
	}
	return m, nil
}
