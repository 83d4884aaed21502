package transport

import (
	"cmp"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kyckit/kyckit"
)

const (
	defaultMaxAttempts      = 3
	defaultMinWait          = 200 * time.Millisecond
	defaultMaxWait          = 5 * time.Second
	defaultTimeout          = 30 * time.Second
	defaultMaxResponseBytes = 4 << 20
	defaultRequestIDHeader  = "X-Request-Id"

	// pingAfter is how long an HTTP/2 connection may be silent before it is
	// pinged, and pingTimeout how long the answer may take: together less than
	// a try, so that the next one finds a new connection.
	pingAfter   = 10 * time.Second
	pingTimeout = 10 * time.Second

	userAgent = "kyckit-go"
)

// Config says how to build a Client.
type Config struct {
	// Provider names the package in errors and logs.
	Provider string
	// TraceAs names the package to HTTP.Trace, where that name is another.
	TraceAs string
	// BaseURL is what every call's path is appended to.
	BaseURL string
	// BaseURLField names the setting that BaseURL came from, for the error.
	BaseURLField string
	// HTTP is the caller's configuration.
	HTTP kyckit.HTTP
	// Authorize wraps each try with the credentials; nil for none.
	Authorize func(http.RoundTripper) http.RoundTripper
	// Explain reads a provider's error body; nil for none.
	Explain func(status int, body []byte) Explanation
	// Refused reports that the body of a 2xx says that the token was refused;
	// nil for never. Such an answer is then treated as a 401 is, and returned as
	// it came when no new token helps. See Refusal.
	Refused func(body []byte) bool
}

// Explanation is what a provider's error body says.
type Explanation struct {
	Code    string // machine-readable, shown in errors when it looks like a code
	Message string // free text, possibly personal, never shown
	Kind    error  // overrides the kind that the HTTP status implies
}

// Client makes calls to one provider. It is immutable and safe for concurrent
// use.
type Client struct {
	provider        string
	base            string
	chain           http.RoundTripper
	retry           kyckit.Retry
	timeout         time.Duration
	maxBytes        int64
	requestIDHeader string
	agent           []string
	logger          *slog.Logger
	explain         func(int, []byte) Explanation
	hooks           *hooks // nil for none
	refused         func([]byte) bool
}

// New validates cfg and returns a Client.
func New(cfg Config) (*Client, error) {
	field := cfg.BaseURLField
	if field == "" {
		field = "BaseURL"
	}
	base, err := CheckURL(cfg.Provider, field, cfg.BaseURL)
	if err != nil {
		return nil, err
	}
	h := cfg.HTTP
	switch {
	case h.Retry.MaxAttempts < 0:
		return nil, ConfigError(cfg.Provider, "HTTP.Retry.MaxAttempts", "must not be negative")
	case h.Retry.MinWait < 0:
		return nil, ConfigError(cfg.Provider, "HTTP.Retry.MinWait", "must not be negative")
	case h.Retry.MaxWait < 0:
		return nil, ConfigError(cfg.Provider, "HTTP.Retry.MaxWait", "must not be negative")
	case h.MaxResponseBytes < 0:
		return nil, ConfigError(cfg.Provider, "HTTP.MaxResponseBytes", "must not be negative")
	case h.Timeout < 0:
		return nil, ConfigError(cfg.Provider, "HTTP.Timeout", "must not be negative")
	case !printable(h.RequestIDHeader) || strings.ContainsAny(h.RequestIDHeader, " :"):
		return nil, ConfigError(cfg.Provider, "HTTP.RequestIDHeader", "must be the name of a header")
	case h.Client != nil && h.Client.Transport != nil && Missing(h.Client.Transport):
		return nil, ConfigError(cfg.Provider, "HTTP.Client", "must not hold a nil Transport of some type")
	case !printable(h.UserAgent):
		return nil, ConfigError(cfg.Provider, "HTTP.UserAgent", "must be printable ASCII")
	}
	for _, m := range h.Middleware {
		if m == nil {
			return nil, ConfigError(cfg.Provider, "HTTP.Middleware", "must not hold nil")
		}
	}

	c := &Client{
		provider: cfg.Provider,
		base:     base,
		retry: kyckit.Retry{
			MaxAttempts: cmp.Or(h.Retry.MaxAttempts, defaultMaxAttempts),
			MinWait:     cmp.Or(h.Retry.MinWait, defaultMinWait),
			MaxWait:     cmp.Or(h.Retry.MaxWait, defaultMaxWait),
		},
		timeout:         h.Timeout,
		maxBytes:        min(cmp.Or(h.MaxResponseBytes, defaultMaxResponseBytes), math.MaxInt64-1),
		requestIDHeader: cmp.Or(h.RequestIDHeader, defaultRequestIDHeader),
		agent:           []string{userAgent},
		logger:          h.Logger,
		explain:         cfg.Explain,
		hooks:           newHooks(h.Trace, cmp.Or(cfg.TraceAs, cfg.Provider), base),
		refused:         cfg.Refused,
	}
	if h.Retry.MinWait == 0 {
		c.retry.MinWait = min(c.retry.MinWait, c.retry.MaxWait)
	}
	if c.retry.MinWait > c.retry.MaxWait {
		return nil, ConfigError(cfg.Provider, "HTTP.Retry.MinWait", "must not exceed MaxWait")
	}
	if h.UserAgent != "" {
		c.agent[0] = h.UserAgent + " " + userAgent
	}

	// The caller's client is copied: its transport and jar are kept, its
	// redirect rule is replaced, its timeout becomes the timeout of one try.
	hc := http.Client{Transport: newBase()}
	if h.Client != nil {
		hc = *h.Client
		if hc.Transport == nil {
			hc.Transport = http.DefaultTransport
		}
		if c.timeout == 0 {
			c.timeout = max(hc.Timeout, 0) // negative is none, too
		}
		hc.Timeout = 0
	}
	hc.Transport = &try{client: c, base: hc.Transport}
	if cfg.Authorize != nil {
		hc.Transport = cfg.Authorize(hc.Transport)
	}
	hc.CheckRedirect = checkRedirect
	c.chain = newRetrier(&hc, c.retry, len(h.Middleware) > 0)
	for _, middleware := range slices.Backward(h.Middleware) {
		if c.chain = middleware(c.chain); Missing(c.chain) {
			return nil, ConfigError(cfg.Provider, "HTTP.Middleware", "must not return nil")
		}
	}
	return c, nil
}

// newBase returns the module's own transport: like net/http's default, without
// reading proxy settings from the environment. Its pings find out about HTTP/2
// connections that the network swallowed, which nothing else ends.
func newBase() *http.Transport {
	return &http.Transport{
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          100,
		MaxIdleConnsPerHost:   32,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
		HTTP2:                 &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
	}
}

// CheckURL accepts an absolute https URL, or http on loopback, without
// credentials, query or fragment, and returns it without trailing slashes.
func CheckURL(provider, field, raw string) (string, error) {
	if raw == "" {
		return "", ConfigError(provider, field, "is required")
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		return "", ConfigError(provider, field, "must be an absolute URL")
	case !validPort(u.Port()):
		return "", ConfigError(provider, field, "must have a port from 1 to 65535")
	case !SecureURL(u):
		return "", ConfigError(provider, field, "must be https (http only on loopback)")
	case u.User != nil:
		return "", ConfigError(provider, field, "must not hold credentials")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", ConfigError(provider, field, "must not have a query or a fragment")
	}
	s := u.String()
	for s[len(s)-1] == '/' {
		s = s[:len(s)-1]
	}
	return s, nil
}

// validPort accepts the number of a port, or none.
func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && n > 0
}

// SecureURL reports whether credentials may be sent to u: https anywhere, http
// on loopback only.
func SecureURL(u *url.URL) bool {
	if u.Scheme == "https" {
		return true
	}
	if u.Scheme != "http" {
		return false
	}
	host := u.Hostname()
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// ConfigError is the error of a constructor that refuses a setting.
func ConfigError(provider, field, reason string) *kyckit.Error {
	return &kyckit.Error{Provider: provider, Op: "config", Kind: kyckit.ErrInvalid, Reason: field + " " + reason}
}

// InputError is the error of a call whose input is refused before anything is
// sent.
func InputError(provider, op, reason string) *kyckit.Error {
	return &kyckit.Error{Provider: provider, Op: op, Kind: kyckit.ErrInvalid, Reason: reason}
}

// Missing reports whether an interface holds nothing that can be called: nil, a
// nil pointer, as a constructor returns it beside its error, or a nil function.
func Missing(v any) bool {
	r := reflect.ValueOf(v)
	switch r.Kind() { // others are never nil, or can be used all the same
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Func:
		return r.IsNil()
	}
	return false
}

// ValidHeader reports whether net/http would send such a header.
func ValidHeader(name, value string) bool {
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return name != ""
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
