package auth

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/credential"
	"github.com/kyckit/kyckit/internal/transport"
)

// JSONToken is what a provider's answer to a JSON exchange says.
type JSONToken struct {
	kyckit.Redacted
	// Access is the token.
	Access kyckit.Secret
	// Type is the token type as it was sent; empty counts as bearer. Any other
	// than bearer is refused.
	Type string
	// ExpiresIn is the lifetime in seconds as it was sent: a number or a string
	// that holds one. Anything else, and what is not positive, counts as absent.
	ExpiresIn json.RawMessage
}

// JSONExchangeConfig configures [NewJSONExchange].
type JSONExchangeConfig struct {
	kyckit.Redacted
	// Provider names the caller in errors and logs. Empty means "auth".
	Provider string
	// URL is the token endpoint, https (http on loopback only). Required.
	URL string
	// Method is the HTTP method. Empty means POST.
	Method string
	// Fields are sent as the string fields of a JSON object. Each must be UTF-8;
	// what begins with a byte order mark or ends in a blank is refused. Required.
	Fields map[string]kyckit.Secret
	// Header holds further request headers, if any.
	Header http.Header
	// LegacyQueryCredentials sends the fields as query parameters of a GET
	// instead. Servers and proxies write queries to their logs: choose it only
	// for a provider that knows nothing else.
	LegacyQueryCredentials bool
	// Decode reads the body of a 2xx answer. When the body says that the
	// exchange failed, it returns a *kyckit.Error with Kind and Code; the rest
	// is filled in. Any other error means that the answer is not the
	// documented one, and its text is dropped. Decode also gets the bodies of
	// other answers, where only the Kind, Code and Message of such an error
	// count. It must not panic on any input. Required.
	Decode func(body []byte) (JSONToken, error)
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

// NewJSONExchange returns a cached source for a token endpoint that takes its
// credentials as a JSON object and answers in an envelope of its own. Nothing
// is sent until the first token is needed. The errors of Token follow the HTTP
// status and what Decode says.
func NewJSONExchange(cfg JSONExchangeConfig) (*Cache, error) {
	name := cmp.Or(cfg.Provider, provider)
	method := cmp.Or(cfg.Method, http.MethodPost)
	if cfg.LegacyQueryCredentials {
		method = cmp.Or(cfg.Method, http.MethodGet)
	}
	switch {
	case len(cfg.Fields) == 0:
		return nil, transport.ConfigError(name, "Fields", "is required")
	case cfg.Decode == nil:
		return nil, transport.ConfigError(name, "Decode", "is required")
	case cfg.LegacyQueryCredentials && method != http.MethodGet:
		return nil, transport.ConfigError(name, "Method", "must be GET with LegacyQueryCredentials")
	case !cfg.LegacyQueryCredentials && method != http.MethodPost && method != http.MethodPut:
		return nil, transport.ConfigError(name, "Method", "must be POST or PUT")
	}
	for k, values := range cfg.Header {
		for _, v := range values {
			if !transport.ValidHeader(k, v) {
				return nil, transport.ConfigError(name, "Header", "must hold names and values as HTTP allows them")
			}
		}
	}
	for _, k := range slices.Sorted(maps.Keys(cfg.Fields)) {
		reason := credential.UTF8Text(cfg.Fields[k].Reveal())
		if cfg.LegacyQueryCredentials {
			reason = credential.Text(cfg.Fields[k].Reveal())
		}
		if reason != "" {
			return nil, transport.ConfigError(name, "Fields", strconv.Quote(k)+" "+reason)
		}
	}
	j := &jsonExchange{
		provider: name, fields: maps.Clone(cfg.Fields), header: cfg.Header.Clone(),
		query: cfg.LegacyQueryCredentials, read: cfg.Decode,
	}
	return newExchange(exchangeConfig{
		provider: name, field: "URL", url: cfg.URL, exact: true,
		http: cfg.HTTP, tuning: cfg.Tuning, method: method, fallback: cfg.DefaultLifetime,
		explain: j.explain, prepare: j.prepare, decode: j.decode,
	})
}

type jsonExchange struct {
	provider string
	fields   map[string]kyckit.Secret
	header   http.Header
	query    bool
	read     func([]byte) (JSONToken, error)
}

func (j *jsonExchange) prepare(call *transport.Call) error {
	call.Header = j.header
	if j.query {
		if call.Query == nil {
			call.Query = make(url.Values, len(j.fields))
		}
		for k, v := range j.fields {
			call.Query.Set(k, v.Reveal())
		}
		return nil
	}
	clear := make(map[string]string, len(j.fields))
	for k, v := range j.fields {
		clear[k] = v.Reveal()
	}
	body, err := transport.JSONBody(clear)
	if err != nil {
		return transport.InputError(j.provider, opToken, "the credentials cannot be encoded")
	}
	call.Body = body
	return nil
}

func (j *jsonExchange) decode(resp *transport.Response) (answer, error) {
	t, err := j.read(resp.Body)
	if err == nil {
		return answer{access: t.Access.Reveal(), kind: t.Type, expiresIn: t.ExpiresIn}, nil
	}
	var told *kyckit.Error
	if !errors.As(err, &told) || told.Kind == nil {
		return answer{}, resp.Fail(kyckit.ErrDecode, "the answer is not the documented one", transport.Explanation{})
	}
	return answer{}, resp.Fail(told.Kind, told.Reason, transport.Explanation{Code: told.Code, Message: told.Message()})
}

// explain lets Decode name the failure of an answer outside 2xx. A failing
// server stays one, whatever its body says.
func (j *jsonExchange) explain(status int, body []byte) transport.Explanation {
	_, err := j.read(body)
	var told *kyckit.Error
	if !errors.As(err, &told) {
		return transport.Explanation{}
	}
	ex := transport.Explanation{Code: told.Code, Message: told.Message()}
	if status >= 400 && status < 500 && status != http.StatusTooManyRequests && !errors.Is(told, kyckit.ErrDecode) {
		ex.Kind = told.Kind
	}
	return ex
}
