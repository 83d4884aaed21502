package faceki

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/internal/credential"
	"github.com/kyckit/kyckit/internal/lenient"
	"github.com/kyckit/kyckit/internal/transport"
	"github.com/kyckit/kyckit/internal/upload"
)

const (
	provider = "faceki"

	defaultBaseURL       = "https://sdk.faceki.com" // documented
	defaultMaxImageBytes = 32 << 20

	// uploadTimeout is for one try of a call with images: FACEKI's Android and
	// iOS SDKs allow 120 s too.
	uploadTimeout = 120 * time.Second
)

// Config says how to reach FACEKI. ClientID and ClientSecret are required, or
// Auth in their place.
type Config struct {
	// ClientID and ClientSecret come from the portal, under Integrations. What
	// begins with a byte order mark or ends in a line break or blank is
	// refused: a file or an editor has changed it.
	ClientID     string
	ClientSecret kyckit.Secret
	// Auth supplies the bearer token instead of the credentials, for tokens
	// that are obtained elsewhere. Wrap it with auth.NewCache unless it is
	// cheap.
	Auth auth.Source
	// BaseURL is what the paths are appended to, https (http on loopback
	// only). Empty means "https://sdk.faceki.com"; no sandbox is known.
	BaseURL string
	// HTTP tunes the calls; the zero value is a good default. Its Timeout
	// limits one try and defaults to 30 s, or 120 s for calls with images.
	HTTP kyckit.HTTP
	// TokenMode says how the credentials are sent; the default is right unless
	// FACEKI says otherwise.
	TokenMode TokenMode
	// Token tunes the cache of the token; Early is how long before its end it
	// is renewed.
	Token auth.Tuning
	// Paths overrides the endpoints.
	Paths Paths
	// MaxImageBytes is the size limit of one image. FACEKI documents none, but
	// its SDKs meet 413 with pictures straight from a camera. Zero means
	// 32 MiB.
	MaxImageBytes int64
	// BufferReaders holds images whose Reader is no io.Seeker in memory before
	// they are sent, so that the one repetition after a 401 works for them too
	// and the request announces its length. Otherwise such a 401 is returned
	// as ErrUnauthorized, nothing having been verified, and the next call has
	// a new token.
	BufferReaders bool
}

// Paths are the endpoints below BaseURL. An empty field means the documented
// path.
type Paths struct {
	// Token makes tokens. Default "/auth/api/generate-token", and
	// "/auth/api/access-token" with TokenLegacyQuery.
	Token string
	// Link makes KYC links. Default "/kycverify/api/kycverify/kyc-verify-link".
	Link string
	// Verify takes images. Default "/api/v3/kyc_verification".
	Verify string
	// Records reads verifications. Default "/api/v3/kyc_verification"; another
	// part of the documentation prints "/kycverify/api/kycverify/records".
	Records string
	// SearchByFace finds verifications by a face. Default
	// "/api/v3/kyc_verification/search-by-face".
	SearchByFace string
	// WorkflowRules reads a workflow. Default "/api/v3/workflows/rules".
	WorkflowRules string
}

func (p Paths) validate(mode TokenMode) (Paths, error) {
	token := pathTokenPost
	if mode == TokenLegacyQuery {
		token = pathTokenGet
	}
	for _, f := range []struct {
		name  string
		value *string
		def   string
	}{
		{"Paths.Token", &p.Token, token},
		{"Paths.Link", &p.Link, "/kycverify/api/kycverify/kyc-verify-link"},
		{"Paths.Verify", &p.Verify, "/api/v3/kyc_verification"},
		{"Paths.Records", &p.Records, "/api/v3/kyc_verification"},
		{"Paths.SearchByFace", &p.SearchByFace, "/api/v3/kyc_verification/search-by-face"},
		{"Paths.WorkflowRules", &p.WorkflowRules, "/api/v3/workflows/rules"},
	} {
		*f.value = cmp.Or(*f.value, f.def)
		if err := transport.CheckPath(provider, f.name, *f.value, 0); err != nil {
			return p, err
		}
	}
	return p, nil
}

// Client calls FACEKI. It is safe for concurrent use and not changed after New;
// its calls share one token.
type Client struct {
	kyckit.Redacted
	http     *transport.Client
	paths    Paths
	maxImage int64
	buffer   bool
	confirms *confirmations
}

// New validates cfg and returns a Client. Nothing is sent until the first call.
// The error is a *kyckit.Error of kind ErrInvalid that names the field.
func New(cfg Config) (*Client, error) {
	base, err := transport.CheckURL(provider, "BaseURL", cmp.Or(cfg.BaseURL, defaultBaseURL))
	if err != nil {
		return nil, err
	}
	switch {
	case cfg.TokenMode != TokenPost && cfg.TokenMode != TokenLegacyQuery:
		return nil, transport.ConfigError(provider, "TokenMode", "is not known")
	case cfg.MaxImageBytes < 0:
		return nil, transport.ConfigError(provider, "MaxImageBytes", "must not be negative")
	case cfg.Token.Early < 0:
		return nil, transport.ConfigError(provider, "Token.Early", "must not be negative")
	case cfg.Token.Timeout < 0:
		return nil, transport.ConfigError(provider, "Token.Timeout", "must not be negative")
	case cfg.Auth != nil && transport.Missing(cfg.Auth):
		return nil, transport.ConfigError(provider, "Auth", "must not be a nil pointer or function")
	case cfg.Auth != nil && (cfg.ClientID != "" || !cfg.ClientSecret.IsZero()):
		return nil, transport.ConfigError(provider, "Auth", "must not be combined with ClientID and ClientSecret")
	}
	if cfg.Auth == nil {
		if reason := credential.UTF8Text(cfg.ClientID); reason != "" {
			return nil, transport.ConfigError(provider, "ClientID", reason)
		}
		if reason := credential.UTF8Text(cfg.ClientSecret.Reveal()); reason != "" {
			return nil, transport.ConfigError(provider, "ClientSecret", reason)
		}
	}
	if cfg.Paths, err = cfg.Paths.validate(cfg.TokenMode); err != nil {
		return nil, err
	}
	source := cfg.Auth
	if source == nil {
		if source, err = newTokens(cfg, base); err != nil {
			return nil, err
		}
	}
	c, err := transport.New(transport.Config{
		Provider: provider, BaseURL: base, HTTP: cfg.HTTP,
		Authorize: func(rt http.RoundTripper) http.RoundTripper { return auth.NewTransport(rt, source) },
		Explain:   explain, Refused: saysUnauthorized,
	})
	if err != nil {
		return nil, err
	}
	return &Client{http: c, paths: cfg.Paths, maxImage: cmp.Or(cfg.MaxImageBytes, defaultMaxImageBytes), buffer: cfg.BufferReaders, confirms: newConfirmations()}, nil
}

// made refuses a client that was not made by New.
func (c *Client) made(op string) error {
	if c == nil || c.http == nil {
		return transport.InputError(provider, op, "the Client was not made by New")
	}
	return nil
}

// answer is a 2xx whose envelope says success.
type answer struct {
	*transport.Response
	envelope envelope
}

// do makes a call and opens the envelope.
func (c *Client) do(ctx context.Context, call *transport.Call) (*answer, error) {
	resp, err := c.http.Do(ctx, call)
	if err != nil {
		return nil, classify(err, call.Body.Open != nil)
	}
	e, ok := parseEnvelope(resp.Body)
	if !ok {
		return nil, resp.Fail(kyckit.ErrDecode, "the answer has none of the known envelopes", transport.Explanation{})
	}
	if !e.success {
		reason, kind := e.failure()
		return nil, classify(resp.Fail(kind, reason, e.explanation()), false)
	}
	return &answer{resp, e}, nil
}

// readGrace is how long a Read of an image in progress is waited for after its
// call. Readers of memory and of files need microseconds.
const readGrace = time.Second

// upload makes a call with images, which is never repeated: it costs money and
// FACEKI has no idempotency key.
func (c *Client) upload(ctx context.Context, op, path string, form *upload.Form) (*answer, error) {
	a, err := c.do(ctx, &transport.Call{
		Op: op, Method: http.MethodPost, Path: path, Body: form.Body(), Timeout: uploadTimeout,
	})
	err = form.Verdict(ctx, readGrace, err, func(failed *upload.ReaderError) *kyckit.Error {
		return unreadable(op, failed, "; the request was not completed")
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

func (a *answer) fail(reason string) error {
	return a.Fail(kyckit.ErrDecode, reason, transport.Explanation{})
}

// minRecord is the mean length in bytes below which a long list is none of
// records. It keeps a list of "{}" from taking hundreds of times its length.
const minRecord = 32

// records reads an array of records, or one alone. False means that the payload
// is neither.
func (e envelope) records() ([]Record, bool) {
	raw := e.payload
	if lenient.IsNull(raw) {
		return nil, true // as empty as an empty list
	}
	var one Record
	if one.UnmarshalJSON(raw) == nil {
		if isEmptyObject(raw) {
			return nil, true
		}
		return []Record{one}, true
	}
	if n, _ := lenient.Items(raw); n > maxItems && len(raw)/n < minRecord {
		return nil, false
	}
	var list []Record
	if json.Unmarshal(raw, &list) != nil || list == nil {
		return nil, false
	}
	return list, true
}

func isEmptyObject(raw json.RawMessage) bool {
	var keys map[string]json.RawMessage
	return json.Unmarshal(raw, &keys) == nil && len(keys) == 0
}
