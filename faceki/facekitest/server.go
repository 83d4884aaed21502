package facekitest

import (
	"net/http"
	"sync"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/faceki"
	"github.com/kyckit/kyckit/kyctest"
)

// The operations, for Fail, Count and Requests.
const (
	OpToken   = "token"
	OpLink    = "link"
	OpVerify  = "verify"
	OpRecords = "records"
	OpSearch  = "search by face"
	OpRules   = "workflow rules"
)

// The credentials that a Server accepts whose Config names none.
const (
	ClientID     = "fake-client"
	ClientSecret = "fake-secret-for-tests"
)

// Config configures a [Server].
type Config struct {
	// Options says how to listen. FACEKI signs no webhooks, so the fake does not
	// either unless Options.Webhook has a Signer.
	kyctest.Options
	// ClientID and ClientSecret are the credentials that are accepted. Empty
	// means the constants of these names.
	ClientID, ClientSecret string
	// TokenLifetime is told as expires_in. Zero means an hour.
	TokenLifetime time.Duration
	// MaxImageBytes is the largest image that is taken; a larger one is answered
	// with 413 and a page of HTML. Zero means 64 MiB. FACEKI documents no limit.
	MaxImageBytes int64
	// OnPrompt is the person to whom a link is given: it is called with the id of
	// each link that is created, before the answer is sent, and may complete the
	// link at once or later. The answer waits for it. Nil is nobody.
	OnPrompt func(linkID string)
}

// Server is a fake FACEKI. Its methods are safe for concurrent use.
type Server struct {
	*kyctest.Server

	cfg Config

	mu       sync.Mutex
	softDeny bool
	decision faceki.Decision
	shape    Shape
	links    map[string]*link
	order    []*link
	records  []map[string]any
	uploads  []Upload
	rules    map[string]any
}

type linkRequest struct {
	WorkflowID    string `json:"workflowId"`
	ExpiryTime    *int   `json:"expiryTime"`
	ApplicationID string `json:"applicationId"`
	RedirectURL   string `json:"redirect_url"`
}

// link is a KYC link that was handed out.
type link struct {
	linkRequest

	id     string
	status string
}

// NewServer starts a fake.
func NewServer(cfg Config) *Server {
	if cfg.ClientID == "" {
		cfg.ClientID = ClientID
	}
	if cfg.ClientSecret == "" {
		cfg.ClientSecret = ClientSecret
	}
	if cfg.TokenLifetime == 0 {
		cfg.TokenLifetime = time.Hour
	}
	if cfg.MaxImageBytes == 0 {
		cfg.MaxImageBytes = 64 << 20
	}
	s := &Server{
		Server: kyctest.NewServer(cfg.Options), cfg: cfg,
		links:    map[string]*link{},
		decision: faceki.DecisionAccepted, shape: ShapeObject, rules: defaultRules(),
	}
	s.Handle("POST /auth/api/generate-token", OpToken, s.serveTokenPost)
	s.Handle("POST /auth/api/access-token", OpToken, s.serveTokenPost)
	s.Handle("GET /auth/api/access-token", OpToken, s.serveTokenGet)
	s.Handle("POST /kycverify/api/kycverify/kyc-verify-link", OpLink, s.authorized(s.serveLink))
	s.Handle("POST /api/v3/kyc_verification", OpVerify, s.authorized(s.serveVerify))
	s.Handle("GET /api/v3/kyc_verification", OpRecords, s.authorized(s.serveRecords))
	s.Handle("GET /kycverify/api/kycverify/records", OpRecords, s.authorized(s.serveRecordsV2))
	s.Handle("POST /api/v3/kyc_verification/search-by-face", OpSearch, s.authorized(s.serveSearch))
	s.Handle("GET /api/v3/workflows/rules", OpRules, s.authorized(s.serveRules))
	return s
}

// ClientConfig returns the configuration of a client of this server.
func (s *Server) ClientConfig() faceki.Config {
	return faceki.Config{
		ClientID:     s.cfg.ClientID,
		ClientSecret: kyckit.NewSecret(s.cfg.ClientSecret),
		BaseURL:      s.URL,
		HTTP:         kyckit.HTTP{Client: s.Client()},
	}
}

// RefuseInBody makes the server refuse a token by code 1 in an answer with
// status 200 instead of by a 401.
func (s *Server) RefuseInBody(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.softDeny = on
}

// SetDecision says what verifications give from now on. The default is
// ACCEPTED.
func (s *Server) SetDecision(d faceki.Decision) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.decision = d
}

// Shape is what the result of a verification looks like.
type Shape string

// The shapes that FACEKI's sources show or suggest.
const (
	ShapeObject Shape = "object" // five fields, as in the iOS SDK
	ShapeArray  Shape = "array"  // the whole record, as in the React Native SDK
	ShapeString Shape = "string" // ""
	ShapeNull   Shape = "null"
	ShapeNumber Shape = "number" // of no known source
)

// SetShape says what the result of a verification looks like from now on. The
// default is ShapeObject.
func (s *Server) SetShape(shape Shape) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shape = shape
}

// SetRules replaces the workflow's rules.
func (s *Server) SetRules(rules map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = rules
}

func (s *Server) serveTokenPost(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ClientID     string `json:"clientId"`
		ClientSecret string `json:"clientSecret"`
	}
	if !kyctest.ReadJSON(r, &in) {
		in.ClientID = "" // a body that is not understood has no fields
	}
	s.serveToken(w, in.ClientID, in.ClientSecret)
}

func (s *Server) serveTokenGet(w http.ResponseWriter, r *http.Request) {
	s.serveToken(w, r.URL.Query().Get("clientId"), r.URL.Query().Get("clientSecret"))
}

func (s *Server) serveToken(w http.ResponseWriter, id, secret string) {
	switch {
	case id == "":
		kyctest.WriteJSON(w, http.StatusUnprocessableEntity, envelopeC(422, "client id is required"))
		return
	case secret == "":
		kyctest.WriteJSON(w, http.StatusUnprocessableEntity, envelopeC(422, ""))
		return
	case id != s.cfg.ClientID || secret != s.cfg.ClientSecret:
		kyctest.WriteJSON(w, http.StatusUnauthorized, envelopeC(401, "unknown client"))
		return
	}
	kyctest.WriteJSON(w, http.StatusOK, map[string]any{"responseCode": 0, "data": map[string]any{
		"access_token": s.IssueToken(s.cfg.TokenLifetime), "expires_in": int(s.cfg.TokenLifetime / time.Second), "token_type": "Bearer",
	}})
}

// authorized lets only living tokens through.
func (s *Server) authorized(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		living := s.Living(kyctest.Bearer(r))
		s.mu.Lock()
		soft := s.softDeny
		s.mu.Unlock()
		switch {
		case living:
			next(w, r)
		case soft:
			kyctest.WriteJSON(w, http.StatusOK, envelopeB(1, "UNAUTHORIZED", nil))
		default:
			kyctest.WriteJSON(w, http.StatusUnauthorized, envelopeB(1, "UNAUTHORIZED", nil))
		}
	}
}
