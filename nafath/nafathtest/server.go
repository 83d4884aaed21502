package nafathtest

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
)

// The operations, for Fail, Count and Requests.
const (
	OpToken   = "token"
	OpRequest = "request"
	OpStatus  = "status"
	OpDetails = "details"
)

// The credentials that a Server accepts whose Config names none.
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
	// Options says how to listen, and where webhooks go. An event is sent on
	// every change to a terminal status.
	kyctest.Options
	// ClientID and ClientSecret are the credentials that are accepted. Empty
	// means the constants of these names.
	ClientID, ClientSecret string
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
	// MagicIDs makes the people of these national ids act by themselves, so that
	// nobody need answer for them. The ids pass the check digit.
	//
	//	1090000017   approves after 3 s
	//	1090000025   rejects after 3 s
	//	1090000033   expires after 3 s
	//	1090000041   ends with the status ERROR after 3 s
	//	1090000058   approves late: 5 s before the Lifetime ends
	//	1090000066   approves after 3 s, but the request is answered after 10 s
	//	1090000074   approves after 3 s, and the webhook is lost
	//	1090000082   approves after 3 s, and the details name somebody else
	MagicIDs bool
	// OnPrompt is the person whose phone rings: it is called with each
	// verification that starts, before the answer is sent, and may approve or
	// reject it at once or later. The answer waits for it. Nil is nobody.
	OnPrompt func(nafath.Transaction)
}

// Server is a running fake. All methods are safe for concurrent use.
type Server struct {
	*kyctest.Server

	config Config

	mu      sync.Mutex
	open    map[string]*transaction
	byID    map[string]string // national id to its last transaction
	order   []*transaction
	people  map[string]nafath.Details
	windows map[string]*window
	codes   int
}

// NewServer starts a fake.
func NewServer(cfg Config) *Server {
	if cfg.ClientID == "" {
		cfg.ClientID = ClientID
	}
	if cfg.ClientSecret == "" {
		cfg.ClientSecret = ClientSecret
	}
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
		Server:  kyctest.NewServer(cfg.Options),
		config:  cfg,
		open:    map[string]*transaction{},
		byID:    map[string]string{},
		people:  map[string]nafath.Details{},
		windows: cfg.windows(),
	}
	s.Handle("POST /oauth/token", OpToken, s.token)
	s.Handle("POST /ExtNafath/request", OpRequest, s.guarded(OpRequest, s.request))
	s.Handle("POST /ExtNafath/status", OpStatus, s.guarded(OpStatus, s.status))
	s.Handle("GET /ExtNafath/details/{transId}", OpDetails, s.guarded(OpDetails, s.details))
	for _, without := range []string{"GET /ExtNafath/details", "GET /ExtNafath/details/{$}"} {
		s.Handle(without, OpDetails, s.guarded(OpDetails, func(w http.ResponseWriter, _ *http.Request) { failNoTransID(w) }))
	}
	return s
}

func (c Config) windows() map[string]*window {
	return map[string]*window{
		OpRequest: newWindow(c.Limits.Requests, 10, c.FixedWindow),
		OpStatus:  newWindow(c.Limits.StatusChecks, 60, c.FixedWindow),
		OpDetails: newWindow(c.Limits.Details, 30, c.FixedWindow),
	}
}

// Close stops the fake and waits for webhooks that are on their way, their
// delay included. What happens afterwards sends none.
func (s *Server) Close() {
	s.mu.Lock()
	for _, tx := range s.open {
		tx.stop()
	}
	s.mu.Unlock()
	s.Server.Close()
}

// TokenConfig returns the configuration of a token source for the fake.
func (s *Server) TokenConfig() auth.ClientCredentialsConfig {
	return auth.ClientCredentialsConfig{
		TokenURL:     s.URL + "/oauth/token",
		ClientID:     s.config.ClientID,
		ClientSecret: kyckit.NewSecret(s.config.ClientSecret),
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
	refuse := func(status int, code string) { kyctest.WriteJSON(w, status, map[string]string{"error": code}) }
	if kyctest.ContentType(r) != kyctest.Form || r.ParseForm() != nil || len(r.PostForm["grant_type"]) != 1 {
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
	case r.PostForm.Get("client_id") != s.config.ClientID || r.PostForm.Get("client_secret") != s.config.ClientSecret:
		refuse(http.StatusUnauthorized, "invalid_client")
		return
	case r.PostForm.Get("grant_type") != "client_credentials":
		refuse(http.StatusBadRequest, "unsupported_grant_type")
		return
	}
	kyctest.WriteJSON(w, http.StatusOK, map[string]any{
		"access_token": s.IssueToken(s.config.TokenLifetime), "token_type": "Bearer", "expires_in": int(s.config.TokenLifetime.Seconds()),
	})
}

// guarded checks the bearer and the tenant's limit before a call.
func (s *Server) guarded(op string, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		living := s.Living(kyctest.Bearer(r))
		now := time.Now()
		s.mu.Lock()
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

// answer is the envelope of request, status and every failure.
type answer struct {
	Version    *string  `json:"version"`
	StatusCode int      `json:"statusCode"`
	Messages   []string `json:"messages"`
	Result     any      `json:"result"`
}

func succeed(w http.ResponseWriter, result any) {
	kyctest.WriteJSON(w, http.StatusOK, answer{StatusCode: http.StatusOK, Messages: []string{"Processed successfully"}, Result: result})
}

func fail(w http.ResponseWriter, status int, message string) {
	kyctest.WriteJSON(w, status, answer{StatusCode: status, Messages: []string{message}})
}

func failNoTransID(w http.ResponseWriter) {
	fail(w, http.StatusBadRequest, "Bad Request - TransId is required")
}
