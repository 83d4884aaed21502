package kycjwttest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
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
		answer(w, http.StatusOK, map[string]string{"access_token": s.issue(user), "token_type": "bearer"})
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
	contentType := r.Header.Get("Content-Type")
	switch {
	case strings.HasPrefix(contentType, "multipart/form-data"):
		if r.ParseMultipartForm(1<<20) == nil {
			return url.Values(r.MultipartForm.Value)
		}
	case strings.HasPrefix(contentType, "application/x-www-form-urlencoded"):
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
	if s.config.TokenLifetime > 0 {
		c.Expiry = s.now().Add(s.config.TokenLifetime).Unix()
	}
	if s.config.Opaque {
		token := rand.Text()
		s.opaque[token] = c
		return token
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "" // cannot happen: strings and a number
	}
	enc := base64.RawURLEncoding
	token := enc.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + enc.EncodeToString(payload)
	return token + "." + enc.EncodeToString(s.mac(token))
}

func (s *Server) mac(signed string) []byte {
	h := hmac.New(sha256.New, s.tokenKey)
	h.Write([]byte(signed))
	return h.Sum(nil)
}

var bearerHeader = regexp.MustCompile(`(?i)^bearer +(\S+)$`)

// bearer returns a copy of the user whose valid token the request carries, or
// nil. An expired token, a tampered one and an inactive user look alike.
func (s *Server) bearer(r *http.Request) *User {
	match := bearerHeader.FindStringSubmatch(r.Header.Get("Authorization"))
	if match == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.read(match[1])
	if !ok || !slices.Contains(c.Audience, audience) || c.Expiry != 0 && s.now().Unix() >= c.Expiry {
		return nil
	}
	user := s.users[strings.ToLower(c.Subject)]
	if user == nil || user.Inactive {
		return nil
	}
	found := *user
	return &found
}

// read checks a token's signature and returns its claims; the caller holds the
// lock.
func (s *Server) read(token string) (c claims, ok bool) {
	if c, ok = s.opaque[token]; ok {
		return c, true
	}
	dot := strings.LastIndexByte(token, '.')
	if dot < 0 {
		return c, false
	}
	mac, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	if err != nil || !hmac.Equal(mac, s.mac(token[:dot])) {
		return c, false
	}
	_, payload, _ := strings.Cut(token[:dot], ".")
	raw, err := base64.RawURLEncoding.DecodeString(payload)
	return c, err == nil && json.Unmarshal(raw, &c) == nil
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
