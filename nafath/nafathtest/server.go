package nafathtest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"sync"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
)

// The credentials that the fake's token endpoint accepts.
const (
	ClientID     = "fake-client"
	ClientSecret = "fake-client-secret"
)

const (
	defaultLifetime      = 180 * time.Second
	defaultTokenLifetime = time.Hour
)

// Config says how the fake behaves. The zero value is the documented provider.
type Config struct {
	// InMemory serves on pipes, for use inside a testing/synctest bubble.
	InMemory bool
	// Discard keeps no headers and bodies in the record, for long simulations.
	Discard bool
	// Limits per minute and operation. Zero fields mean 10, 60 and 30; negative
	// ones mean no limit.
	Limits nafath.Limits
	// FixedWindow counts calls in whole minutes instead of the last 60 s.
	FixedWindow bool
	// RetryAfter is sent with each 429, rounded up to seconds; 0 sends none.
	RetryAfter time.Duration
	// Lifetime is how long a person has to answer. Zero means 180 s.
	Lifetime time.Duration
	// TokenLifetime is the expires_in of tokens. Zero means one hour.
	TokenLifetime time.Duration
	// OneOpen refuses a second open transaction of the same person, with 400 and
	// the code that the service behind the provider is reported to use.
	OneOpen bool
	// Prefixes are the first digits of national ids that are accepted. Empty
	// means "12", citizens and residents.
	Prefixes string
	// EnvelopeDetails wraps details in the envelope of the other calls.
	EnvelopeDetails bool
	// NumericRandom sends the code as a JSON number.
	NumericRandom bool
	// Webhook receives an event on every change of status.
	Webhook Webhook
}

// Server is a running fake. All methods are safe for concurrent use.
type Server struct {
	*kyctest.Server

	config Config
	sender sender

	mu      sync.Mutex
	tokens  map[string]time.Time
	open    map[string]*transaction
	byID    map[string]string // national id to its last transaction
	order   []*transaction
	people  map[string]nafath.Details
	windows map[string]*window
	codes   int
}

// NewServer starts a fake.
func NewServer(cfg Config) *Server {
	if cfg.Lifetime == 0 {
		cfg.Lifetime = defaultLifetime
	}
	if cfg.TokenLifetime == 0 {
		cfg.TokenLifetime = defaultTokenLifetime
	}
	if cfg.Prefixes == "" {
		cfg.Prefixes = "12"
	}
	s := &Server{
		Server: kyctest.NewServer(kyctest.Options{InMemory: cfg.InMemory, Discard: cfg.Discard}),
		config: cfg,
		tokens: map[string]time.Time{},
		open:   map[string]*transaction{},
		byID:   map[string]string{},
		people: map[string]nafath.Details{},
		windows: map[string]*window{
			"request": newWindow(cfg.Limits.Requests, 10, cfg.FixedWindow),
			"status":  newWindow(cfg.Limits.StatusChecks, 60, cfg.FixedWindow),
			"details": newWindow(cfg.Limits.Details, 30, cfg.FixedWindow),
		},
	}
	s.sender.config = cfg.Webhook
	s.Handle("POST /oauth/token", "token", s.token)
	s.Handle("POST /ExtNafath/request", "request", s.guarded("request", s.request))
	s.Handle("POST /ExtNafath/status", "status", s.guarded("status", s.status))
	s.Handle("GET /ExtNafath/details/{transId}", "details", s.guarded("details", s.details))
	for _, without := range []string{"GET /ExtNafath/details", "GET /ExtNafath/details/{$}"} {
		s.Handle(without, "details", s.guarded("details", func(w http.ResponseWriter, _ *http.Request) { failNoTransID(w) }))
	}
	return s
}

// Close stops the fake and waits for webhooks that are on their way, their
// delay included. What happens afterwards sends none.
func (s *Server) Close() {
	s.mu.Lock()
	for _, tx := range s.open {
		tx.stop()
	}
	s.mu.Unlock()
	s.sender.close()
	s.Server.Close()
}

// TokenConfig returns the configuration of a token source for the fake.
func (s *Server) TokenConfig() auth.ClientCredentialsConfig {
	return auth.ClientCredentialsConfig{
		TokenURL:     s.URL + "/oauth/token",
		ClientID:     ClientID,
		ClientSecret: kyckit.NewSecret(ClientSecret),
		HTTP:         kyckit.HTTP{Client: s.Client()},
	}
}

// ClientConfig returns the configuration of a client for the fake.
func (s *Server) ClientConfig() nafath.Config {
	cfg := nafath.Config{BaseURL: s.URL, HTTP: kyckit.HTTP{Client: s.Client()}}
	if source, err := auth.NewClientCredentials(s.TokenConfig()); err == nil { // nafath.New tells of a missing one
		cfg.Auth = source
	}
	return cfg
}

// RevokeTokens makes every token issued so far worthless.
func (s *Server) RevokeTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// Limited returns how many calls of op were refused with 429.
func (s *Server) Limited(op string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.windows[op]; w != nil {
		return w.refused
	}
	return 0 // an operation without a limit
}

// Spend uses up n calls of op's limit, as another process of the same tenant
// would.
func (s *Server) Spend(op string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.windows[op]
	for range n {
		if w == nil || !w.take(time.Now()) {
			return
		}
	}
}

// token takes the credentials in the form alone, as documented. The errors are
// those of RFC 6749; the provider documents none.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, code string) { writeJSON(w, status, map[string]string{"error": code}) }
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "application/x-www-form-urlencoded" || r.ParseForm() != nil || len(r.PostForm["grant_type"]) != 1 {
		refuse(http.StatusBadRequest, "invalid_request")
		return
	}
	for _, values := range r.PostForm {
		if len(values) > 1 {
			refuse(http.StatusBadRequest, "invalid_request")
			return
		}
	}
	switch {
	case r.PostForm.Get("client_id") != ClientID || r.PostForm.Get("client_secret") != ClientSecret:
		refuse(http.StatusUnauthorized, "invalid_client")
		return
	case r.PostForm.Get("grant_type") != "client_credentials":
		refuse(http.StatusBadRequest, "unsupported_grant_type")
		return
	}
	token := "fake-token-" + rand.Text()
	s.mu.Lock()
	s.tokens[token] = time.Now().Add(s.config.TokenLifetime)
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{
		"access_token": token, "token_type": "Bearer", "expires_in": int(s.config.TokenLifetime.Seconds()),
	})
}

// guarded checks the bearer and the tenant's limit before a call.
func (s *Server) guarded(op string, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		now := time.Now()
		s.mu.Lock()
		expiry, known := s.tokens[bearer(r)]
		living := known && now.Before(expiry)
		allowed := living && s.windows[op].allow(now)
		s.mu.Unlock()
		switch {
		case !living:
			fail(w, http.StatusUnauthorized, "Unauthorized")
		case !allowed:
			if after := s.config.RetryAfter; after > 0 {
				w.Header().Set("Retry-After", fmt.Sprint(int((after+time.Second-1)/time.Second)))
			}
			fail(w, http.StatusTooManyRequests, "Too many requests")
		default:
			h(w, r)
		}
	}
}

func bearer(r *http.Request) string {
	const prefix = "Bearer "
	if h := r.Header.Get("Authorization"); len(h) > len(prefix) && h[:len(prefix)] == prefix {
		return h[len(prefix):]
	}
	return ""
}

// answer is the envelope of request, status and every failure.
type answer struct {
	Version    *string  `json:"version"`
	StatusCode int      `json:"statusCode"`
	Messages   []string `json:"messages"`
	Result     any      `json:"result"`
}

func succeed(w http.ResponseWriter, result any) {
	writeJSON(w, http.StatusOK, answer{StatusCode: http.StatusOK, Messages: []string{"Processed successfully"}, Result: result})
}

func fail(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, answer{StatusCode: status, Messages: []string{message}})
}

func failNoTransID(w http.ResponseWriter) {
	fail(w, http.StatusBadRequest, "Bad Request - TransId is required")
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
