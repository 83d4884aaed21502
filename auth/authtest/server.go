package authtest

import (
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/kyctest"
)

// The operations of the server, for Fail, Count and Requests.
const (
	OpToken    = "token"
	OpJSON     = "json"
	OpLogin    = "login"
	OpResource = "resource"
)

const (
	tokenPath    = "/oauth/token"
	jsonPath     = "/auth/api/generate-token"
	loginPath    = "/auth/jwt/login"
	resourcePath = "/resource"
)

// The credentials that a Server accepts whose Config names none.
const (
	ClientID     = "test-client"
	ClientSecret = "test-secret"
	Username     = "tester@example.test"
	Password     = "test-password"
)

// Config configures a [Server]. The zero value is a server of opaque tokens
// that live for an hour.
type Config struct {
	// Options says how to listen.
	kyctest.Options
	// ClientID, ClientSecret, Username and Password are the credentials that are
	// accepted. Empty means the constants of these names.
	ClientID, ClientSecret, Username, Password string
	// Lifetime of a token. Zero means an hour.
	Lifetime time.Duration
	// JWT issues HS256 JWTs with sub, aud and exp, whose exp is cut to the
	// second as real servers do. Otherwise tokens are opaque.
	JWT bool
	// IAT adds the claim iat to JWTs.
	IAT bool
	// ExpClaim replaces the exp claim of JWTs by this raw JSON; "-" leaves it
	// out. The token still dies after Lifetime.
	ExpClaim string
	// OmitExpiresIn leaves expires_in out of the answers. The login never has it.
	OmitExpiresIn bool
	// ClockSkew is how far the server's clock is ahead of the local one: it
	// shifts exp, iat and the Date header alike.
	ClockSkew time.Duration
	// Latency is how long each exchange takes.
	Latency time.Duration
	// Unverified makes the login refuse the right password with
	// LOGIN_USER_NOT_VERIFIED.
	Unverified bool
}

// Server is a token server. All methods are safe for concurrent use.
type Server struct {
	*kyctest.Server

	config Config

	mu       sync.Mutex
	key      int // of JWTs; changes with RevokeTokens
	serial   int
	accepted int
	refused  int
}

// NewServer starts a server. Close it when done.
func NewServer(cfg Config) *Server {
	for _, d := range []struct {
		field *string
		value string
	}{
		{&cfg.ClientID, ClientID},
		{&cfg.ClientSecret, ClientSecret},
		{&cfg.Username, Username},
		{&cfg.Password, Password},
	} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	if cfg.Lifetime == 0 {
		cfg.Lifetime = time.Hour
	}
	s := &Server{Server: kyctest.NewServer(cfg.Options), config: cfg}
	s.Handle(tokenPath, OpToken, s.dated(s.token))
	s.Handle(jsonPath, OpJSON, s.dated(s.json))
	s.Handle(loginPath, OpLogin, s.dated(s.login))
	s.Handle(loginPath+"/{$}", OpLogin, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, s.LoginURL(), http.StatusTemporaryRedirect)
	})
	s.Handle(resourcePath, OpResource, s.dated(s.resource))
	return s
}

// TokenURL is the endpoint for client credentials.
func (s *Server) TokenURL() string { return s.URL + tokenPath }

// JSONURL is the endpoint that takes the credentials as JSON fields clientId
// and clientSecret, or as query parameters of a GET.
func (s *Server) JSONURL() string { return s.URL + jsonPath }

// LoginURL is the endpoint for a password login.
func (s *Server) LoginURL() string { return s.URL + loginPath }

// ResourceURL demands a living token and echoes the request's body.
func (s *Server) ResourceURL() string { return s.URL + resourcePath }

// HTTP is the configuration that reaches the server.
func (s *Server) HTTP() kyckit.HTTP { return kyckit.HTTP{Client: s.Client()} }

// ClientCredentials returns a source with the right credentials.
func (s *Server) ClientCredentials(t auth.Tuning) (*auth.Cache, error) {
	return auth.NewClientCredentials(auth.ClientCredentialsConfig{
		TokenURL: s.TokenURL(), ClientID: s.config.ClientID, ClientSecret: kyckit.NewSecret(s.config.ClientSecret),
		HTTP: s.HTTP(), Tuning: t,
	})
}

// PasswordLogin returns a source with the right credentials.
func (s *Server) PasswordLogin(t auth.Tuning) (*auth.Cache, error) {
	return auth.NewPasswordLogin(auth.PasswordLoginConfig{
		LoginURL: s.LoginURL(), Username: s.config.Username, Password: kyckit.NewSecret(s.config.Password),
		HTTP: s.HTTP(), Tuning: t,
	})
}

// JSONExchange returns a source with the right credentials.
func (s *Server) JSONExchange(t auth.Tuning) (*auth.Cache, error) {
	return auth.NewJSONExchange(auth.JSONExchangeConfig{
		URL: s.JSONURL(),
		Fields: map[string]kyckit.Secret{
			"clientId": kyckit.NewSecret(s.config.ClientID), "clientSecret": kyckit.NewSecret(s.config.ClientSecret),
		},
		Decode: DecodeJSON, HTTP: s.HTTP(), Tuning: t,
	})
}

// RevokeTokens ends all tokens, as a server does whose signing key changes.
func (s *Server) RevokeTokens() {
	s.mu.Lock()
	s.key++
	s.mu.Unlock()
	s.Server.RevokeTokens()
}

// Exchanges is how many requests for a token arrived, failed ones included.
func (s *Server) Exchanges() int { return s.Count(OpToken) + s.Count(OpJSON) + s.Count(OpLogin) }

// Accepted is how many requests to the resource brought a living token.
func (s *Server) Accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// Refused is how many requests to the resource were answered with 401.
func (s *Server) Refused() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// now is the time by the server's clock.
func (s *Server) now() time.Time { return time.Now().Add(s.config.ClockSkew) }

// dated makes h answer with the server's clock in the Date header, after the
// latency.
func (s *Server) dated(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.config.Latency > 0 && r.URL.Path != resourcePath {
			timer := time.NewTimer(s.config.Latency)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-r.Context().Done():
				return
			}
		}
		w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
		h(w, r)
	}
}

func (s *Server) resource(w http.ResponseWriter, r *http.Request) {
	ok := s.Living(kyctest.Bearer(r))
	s.mu.Lock()
	if ok {
		s.accepted++
	} else {
		s.refused++
	}
	s.mu.Unlock()
	if !ok {
		kyctest.WriteJSON(w, http.StatusUnauthorized, map[string]any{"detail": "Unauthorized"})
		return
	}
	if ct := r.Header.Get("Content-Type"); ct != "" {
		w.Header().Set("Content-Type", ct)
	}
	_, _ = io.Copy(w, r.Body)
}
