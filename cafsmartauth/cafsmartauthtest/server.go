package cafsmartauthtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/cafsmartauth"
	"github.com/kyckit/kyckit/kyctest"
)

// Operations of the fake, for [kyctest.Server.Fail] and its record.
const (
	OpAuthentication = "authentication"
	OpIdentity       = "identity"
)

// The credentials that a Server accepts whose Config names none.
const (
	ClientID     = "fake-client-id"
	ClientSecret = "fake-client-secret-of-at-least-32-bytes"
)

// Config configures a [Server]. The zero value is a server on loopback.
type Config struct {
	// Options says how to listen. Smart Auth sends no webhooks, but Deliver sends
	// those of Caf Connect when Options.Webhook has a Signer for them.
	kyctest.Options
	// ClientID and ClientSecret are the credentials that are accepted. Empty
	// means the constants of these names.
	ClientID, ClientSecret string
}

// Server is a fake of the provider's two calls, see the package's documentation
// for what it refuses.
//
// All methods are safe for concurrent use.
type Server struct {
	*kyctest.Server

	clientID string
	secret   kyckit.Secret

	mu         sync.Mutex
	attempts   map[string]json.RawMessage
	identities []Identity
	next       int
}

// Identity is what the fake was asked to create.
type Identity struct {
	ID       string `json:"-"`
	Name     string `json:"name"`
	PersonID string `json:"personId"`
	ImageURL string `json:"imageUrl"`
	Email    string `json:"email"`
	// Phone is the JSON that was sent: a string in quotes or a bare number.
	Phone json.RawMessage `json:"phone"`
}

// NewServer starts a server. Close it.
func NewServer(cfg Config) *Server {
	s := &Server{
		Server:   kyctest.NewServer(cfg.Options),
		clientID: cfg.ClientID,
		secret:   kyckit.NewSecret(cfg.ClientSecret),
		attempts: map[string]json.RawMessage{},
	}
	if s.clientID == "" {
		s.clientID = ClientID
	}
	if s.secret.IsZero() {
		s.secret = kyckit.NewSecret(ClientSecret)
	}
	s.Handle("GET /authentications/{attemptId}", OpAuthentication, s.authentication)
	s.Handle("POST /identities", OpIdentity, s.identity)
	return s
}

// ClientConfig returns the configuration of a client of this server.
func (s *Server) ClientConfig() cafsmartauth.Config {
	return cafsmartauth.Config{
		ClientID:     s.clientID,
		ClientSecret: s.secret,
		BaseURL:      s.URL,
		HTTP:         kyckit.HTTP{Client: s.Client()},
	}
}

// SDK returns a simulator of the SDK whose attempts this server knows.
func (s *Server) SDK() *SDK {
	return &SDK{secret: s.secret, server: s}
}

// SetAuthentication makes the server answer the details of an attempt with
// body, which is sent as it is.
func (s *Server) SetAuthentication(attemptID string, body json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts[attemptID] = body
}

// Attempts returns the ids of the attempts the server knows, sorted.
func (s *Server) Attempts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.attempts))
}

// Identities returns the identities that were created, in order.
func (s *Server) Identities() []Identity {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.identities)
}

// Reset forgets the attempts, the identities, the faults and the record.
func (s *Server) Reset() {
	s.mu.Lock()
	clear(s.attempts)
	s.identities = nil
	s.mu.Unlock()
	s.Server.Reset()
}

// newID returns ids of 24 hexadecimal digits, as the provider's are.
func (s *Server) newID(kind int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	return fmt.Sprintf("fa%02xe%019x", kind, s.next)
}

// authorized checks the bearer and answers 401 if it is wrong.
func (s *Server) authorized(w http.ResponseWriter, r *http.Request) bool {
	claims, err := readToken(kyctest.Bearer(r), s.secret)
	if err == nil && claims.Iss == s.clientID {
		return true
	}
	s.answer(w, http.StatusUnauthorized, map[string]any{"message": "Unauthorized"})
	return false
}

func (s *Server) authentication(w http.ResponseWriter, r *http.Request) {
	if !s.authorized(w, r) {
		return
	}
	s.mu.Lock()
	body, ok := s.attempts[r.PathValue("attemptId")]
	s.mu.Unlock()
	if !ok {
		s.answer(w, http.StatusNotFound, nil)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}

func (s *Server) identity(w http.ResponseWriter, r *http.Request) {
	if !s.authorized(w, r) {
		return
	}
	in, ok := readIdentity(r)
	if !ok {
		s.answer(w, http.StatusBadRequest, nil)
		return
	}
	in.ID = s.newID(2)
	s.mu.Lock()
	s.identities = append(s.identities, in)
	s.mu.Unlock()
	s.answer(w, http.StatusOK, map[string]any{"id": in.ID})
}

// answer writes fields and the requestId that every answer has.
func (s *Server) answer(w http.ResponseWriter, status int, fields map[string]any) {
	body := map[string]any{"requestId": "req-" + s.newID(3)}
	maps.Copy(body, fields)
	kyctest.WriteJSON(w, status, body)
}

// readIdentity reads a body without a field that is unknown, missing or of a
// wrong form.
func readIdentity(r *http.Request) (in Identity, ok bool) {
	var raw json.RawMessage
	if !kyctest.ReadJSON(r, &raw) {
		return in, false
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if d.Decode(&in) != nil {
		return in, false
	}
	image, err := url.Parse(in.ImageURL)
	return in, err == nil && (image.Scheme == "https" || image.Scheme == "http") && image.Host != "" &&
		in.Name != "" && cpfForm(in.PersonID) && phoneForm(in.Phone)
}

// phoneForm reports whether raw is absent, or digits in quotes or bare: the
// documents show both.
func phoneForm(raw json.RawMessage) bool {
	text := string(raw)
	if strings.HasPrefix(text, `"`) {
		text = strings.Trim(text, `"`) // JSON already, so the quotes are two
	}
	return text == "" || digits(text) == text
}

// cpfForm reports whether s is a CPF, bare or punctuated.
func cpfForm(s string) bool {
	if len(s) == 14 && s[3] == '.' && s[7] == '.' && s[11] == '-' {
		s = s[:3] + s[4:7] + s[8:11] + s[12:]
	}
	if len(s) != 11 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
