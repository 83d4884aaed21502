package kycjwttest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/kycjwt"
	"github.com/kyckit/kyckit/kyctest"
)

// The operations, for Fail, Count and Requests. They are called as in kycjwt's
// errors.
const (
	OpCreatePerson       = "create person"
	OpDeleteWebhook      = "delete webhook"
	OpDocument           = "document"
	OpDocumentLink       = "document link"
	OpDocuments          = "documents"
	OpEntitlements       = "entitlements"
	OpGetPerson          = "get person"
	OpLogin              = "login"
	OpLogout             = "logout"
	OpQuestionnaire      = "questionnaire"
	OpQuestionnaires     = "questionnaires"
	OpRegisterWebhook    = "register webhook"
	OpRespond            = "respond"
	OpTriggerEntitlement = "trigger entitlement"
	OpUploadDocument     = "upload document"
	OpWebhooks           = "webhooks"
)

// The user that exists when Config.Users is empty. The password holds
// everything that a careless form encoding breaks.
const (
	Username = "backend+kyc@client.example"
	Password = "käse & brot = 100% + §ünlü señal 密码"
)

// User is a login.
type User struct {
	Username string
	Password string
	// Inactive users are refused like wrong passwords.
	Inactive bool
	// Unverified users are refused where Config.RequireVerified is set.
	Unverified bool
}

// Config says how the fake behaves. The zero value is a provider of today.
type Config struct {
	// Options says how to listen. Deliveries are signed with the fake's own key
	// unless Options.Webhook has a Signer.
	kyctest.Options
	// Users may log in. Empty means one user, Username with Password.
	Users []User
	// RequireVerified refuses unverified users: at the login with
	// LOGIN_USER_NOT_VERIFIED, at resources with 403.
	RequireVerified bool
	// TokenLifetime is how long a token lives. Zero means one hour; negative
	// means for ever, without an exp.
	TokenLifetime time.Duration
	// Opaque issues tokens that are no JWTs.
	Opaque bool
	// ClockSkew is how far the server's clock is ahead of ours.
	ClockSkew time.Duration
	// Pydantic1 writes validation errors as the older generation did. The
	// newer one echoes the input.
	Pydantic1 bool
	// OlderLists answers entitlements by path instead of by query, and leaves
	// total and pages out of every list.
	OlderLists bool
	// PageSize is the default size of a page. Zero means 50.
	PageSize int
}

// Server is the fake. All methods are safe for concurrent use.
type Server struct {
	*kyctest.Server

	config  Config
	paths   *http.ServeMux      // every path, whatever the method
	allowed map[string][]string // methods by path
	public  ed25519.PublicKey
	signing ed25519.PrivateKey

	mu        sync.Mutex
	users     map[string]*User
	tokenKey  []byte
	subjects  map[string]string // tokens and whose they are
	lastID    int
	owners    map[string]bool // "persons/<id>", "corporates/<id>"
	persons   map[string]json.RawMessage
	documents []document
	responses []Response
	webhooks  []map[string]any
	triggers  int
	things    things
}

// things are what the fake lists and does not create.
type things struct {
	entitlements   []kycjwt.Entitlement
	questionnaires []kycjwt.Questionnaire
}

// NewServer starts a fake. Close it.
func NewServer(cfg Config) *Server {
	if len(cfg.Users) == 0 {
		cfg.Users = []User{{Username: Username, Password: Password}}
	}
	if cfg.TokenLifetime == 0 {
		cfg.TokenLifetime = time.Hour
	}
	if cfg.PageSize <= 0 {
		cfg.PageSize = 50
	}
	s := &Server{
		config:   cfg,
		paths:    http.NewServeMux(),
		allowed:  map[string][]string{},
		users:    map[string]*User{},
		subjects: map[string]string{},
		owners:   map[string]bool{},
		persons:  map[string]json.RawMessage{},
	}
	for _, u := range cfg.Users {
		s.users[strings.ToLower(u.Username)] = &u
	}
	seed := make([]byte, ed25519.SeedSize)
	_, _ = rand.Read(seed) // never fails
	s.signing = ed25519.NewKeyFromSeed(seed)
	s.public, _ = s.signing.Public().(ed25519.PublicKey)
	if cfg.Webhook.Signer == nil {
		cfg.Webhook.Signer = skewed{s}
	}
	s.Server = kyctest.NewServer(cfg.Options)
	s.RevokeTokens()
	s.things = sampleThings()
	s.routes()
	return s
}

// ClientConfig returns a configuration that reaches the fake as its first
// user.
func (s *Server) ClientConfig() kycjwt.Config {
	user := s.config.Users[0]
	return kycjwt.Config{
		BaseURL:  s.URL,
		Username: user.Username,
		Password: kyckit.NewSecret(user.Password),
		HTTP:     kyckit.HTTP{Client: s.Client()},
	}
}

// SetActive makes a user active or inactive. Tokens of inactive users are
// refused at once.
func (s *Server) SetActive(username string, active bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.users[strings.ToLower(username)]; u != nil {
		u.Inactive = !active
	}
}

// SetVerified makes a user verified or not.
func (s *Server) SetVerified(username string, verified bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.users[strings.ToLower(username)]; u != nil {
		u.Unverified = !verified
	}
}

// RevokeTokens changes the server's key: all tokens so far are refused.
func (s *Server) RevokeTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokenKey = make([]byte, 32)
	_, _ = rand.Read(s.tokenKey) // never fails
	clear(s.subjects)
	s.Server.RevokeTokens()
}

// Reset forgets the customers, their documents and answers, the registrations,
// the faults and the record. Users, tokens and questionnaires stay.
func (s *Server) Reset() {
	s.mu.Lock()
	clear(s.owners)
	clear(s.persons)
	s.documents, s.responses, s.webhooks, s.triggers = nil, nil, nil, 0
	s.mu.Unlock()
	s.Server.Reset()
}

func (s *Server) now() time.Time { return time.Now().Add(s.config.ClockSkew) }

// newID returns the next id; the caller holds the lock.
func (s *Server) newID() string {
	s.lastID++
	return fmt.Sprintf("00000000-0000-4000-8000-%012d", s.lastID)
}

func (s *Server) stamp() string { return s.now().UTC().Format("2006-01-02T15:04:05.000000") }

// unhurried lets h finish, and give up its locks, before anything is sent: a
// client that reads slowly must not hold up the others.
func unhurried(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		held := &held{header: w.Header(), status: http.StatusOK}
		h(held, r)
		w.WriteHeader(held.status)
		_, _ = w.Write(held.body.Bytes())
	}
}

// held is an answer that is not sent yet.
type held struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (h *held) Header() http.Header         { return h.header }
func (h *held) WriteHeader(status int)      { h.status = status }
func (h *held) Write(b []byte) (int, error) { return h.body.Write(b) }

// refuse writes an error whose detail is a string.
func refuse(w http.ResponseWriter, status int, detail string) {
	kyctest.WriteJSON(w, status, map[string]any{"detail": detail})
}

// fieldProblem is one refused field.
type fieldProblem struct {
	loc   []any
	older [2]string // msg and type of pydantic 1
	newer [2]string // msg and type of pydantic 2
	input any       // what the newer generation echoes
	ctx   [2]any    // of both generations, nil for none
}

func missing(loc ...any) fieldProblem {
	return fieldProblem{
		loc:   loc,
		older: [2]string{"field required", "value_error.missing"},
		newer: [2]string{"Field required", "missing"},
	}
}

// unprocessable writes a 422 in the configured generation.
func (s *Server) unprocessable(w http.ResponseWriter, problems ...fieldProblem) {
	list := make([]map[string]any, 0, len(problems))
	for _, p := range problems {
		item, ctx := map[string]any{"loc": p.loc, "msg": p.newer[0], "type": p.newer[1], "input": p.input}, p.ctx[1]
		if s.config.Pydantic1 {
			item, ctx = map[string]any{"loc": p.loc, "msg": p.older[0], "type": p.older[1]}, p.ctx[0]
		}
		if ctx != nil {
			item["ctx"] = ctx
		}
		list = append(list, item)
	}
	kyctest.WriteJSON(w, http.StatusUnprocessableEntity, map[string]any{"detail": list})
}
