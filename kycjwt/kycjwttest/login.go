package kycjwttest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/kyckit/kyckit/kyctest"
)

// audience is what FastAPI-Users writes into its tokens.
const audience = "fastapi-users:auth"

// claims are the contents of a token. There is no iat, iss or jti.
type claims struct {
	Subject  string   `json:"sub"`
	Audience []string `json:"aud"`
	Expiry   int64    `json:"exp,omitempty"`
}

func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		refuse(w, http.StatusMethodNotAllowed, "Method Not Allowed")
		return
	}
	form := formOf(r)
	username, password, grant := last(form, "username"), last(form, "password"), last(form, "grant_type")
	var problems []fieldProblem
	if grant != "" && grant != "password" {
		problems = append(problems, fieldProblem{
			loc:   []any{"body", "grant_type"},
			older: [2]string{`string does not match regex "password"`, "value_error.str.regex"},
			newer: [2]string{"String should match pattern '^password$'", "string_pattern_mismatch"},
			input: grant,
			ctx:   [2]any{map[string]string{"pattern": "password"}, map[string]string{"pattern": "^password$"}},
		})
	}
	if username == "" {
		problems = append(problems, missing("body", "username"))
	}
	if password == "" {
		problems = append(problems, missing("body", "password"))
	}
	if len(problems) > 0 {
		s.unprocessable(w, problems...)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	user := s.users[strings.ToLower(username)]
	switch {
	case user == nil || user.Password != password || user.Inactive:
		refuse(w, http.StatusBadRequest, "LOGIN_BAD_CREDENTIALS")
	case user.Unverified && s.config.RequireVerified:
		refuse(w, http.StatusBadRequest, "LOGIN_USER_NOT_VERIFIED")
	default:
		kyctest.WriteJSON(w, http.StatusOK, map[string]string{"access_token": s.issue(user), "token_type": "bearer"})
	}
}

// logout answers like the real one, which leaves the token valid.
func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		refuse(w, http.StatusMethodNotAllowed, "Method Not Allowed")
		return
	}
	if s.bearer(r) == nil {
		refuse(w, http.StatusUnauthorized, "Unauthorized")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// formOf reads a form in either encoding; anything else is an empty form.
func formOf(r *http.Request) url.Values {
	switch kyctest.ContentType(r) {
	case "multipart/form-data":
		if r.ParseMultipartForm(1<<20) == nil {
			return url.Values(r.MultipartForm.Value)
		}
	case kyctest.Form:
		if r.ParseForm() == nil {
			return r.PostForm
		}
	}
	return nil
}

// last returns the last value of a field: a second one wins.
func last(form url.Values, name string) string {
	values := form[name]
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

// issue returns a token for user; the caller holds the lock. Two logins within
// one second give the same JWT.
func (s *Server) issue(user *User) string {
	c := claims{Subject: user.Username, Audience: []string{audience}}
	var end time.Time // by the local clock
	if s.config.TokenLifetime > 0 {
		c.Expiry = s.now().Add(s.config.TokenLifetime).Unix() // the fraction is lost, as in real servers
		end = time.Unix(c.Expiry, 0).Add(-s.config.ClockSkew)
	}
	token := rand.Text()
	if !s.config.Opaque {
		token = s.jwt(c)
	}
	s.subjects[token] = strings.ToLower(user.Username)
	s.AddToken(token, end)
	return token
}

func (s *Server) jwt(c claims) string {
	payload, _ := json.Marshal(c) // strings and a number can be encoded
	enc := base64.RawURLEncoding
	signed := enc.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + enc.EncodeToString(payload)
	mac := hmac.New(sha256.New, s.tokenKey)
	mac.Write([]byte(signed))
	return signed + "." + enc.EncodeToString(mac.Sum(nil))
}

// bearer returns a copy of the user whose living token the request carries, or
// nil. An expired token, a tampered one and an inactive user look alike.
func (s *Server) bearer(r *http.Request) *User {
	token := kyctest.Bearer(r)
	if !s.Living(token) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	user := s.users[s.subjects[token]]
	if user == nil || user.Inactive {
		return nil
	}
	found := *user
	return &found
}

// protected lets a request pass that carries a valid token.
func (s *Server) protected(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		user := s.bearer(r)
		switch {
		case user == nil:
			refuse(w, http.StatusUnauthorized, "Unauthorized")
		case user.Unverified && s.config.RequireVerified:
			refuse(w, http.StatusForbidden, "Forbidden")
		default:
			h(w, r)
		}
	}
}
