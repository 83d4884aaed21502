package kyctest

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// IssueToken makes an opaque bearer token that lives for the given time. Tokens
// are numbered: "fake-token-0001" is the first.
func (s *Server) IssueToken(life time.Duration) (token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.issued++
	token = fmt.Sprintf("fake-token-%04d", s.issued)
	s.tokens[token] = time.Now().Add(life)
	return token
}

// AddToken makes token a bearer token that lives until end; the zero time means
// for ever.
func (s *Server) AddToken(token string, end time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[token] = end
}

// Living reports whether token would be accepted now.
func (s *Server) Living(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	end, known := s.tokens[token]
	return known && (end.IsZero() || time.Now().Before(end))
}

// Revoke makes one token worthless.
func (s *Server) Revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tokens, token)
}

// RevokeTokens makes every token worthless that was issued so far.
func (s *Server) RevokeTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// Bearer returns the token of a request's one Authorization header, "" when
// there is none or the header has another form.
func Bearer(r *http.Request) string {
	values := r.Header["Authorization"]
	if len(values) != 1 {
		return ""
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") || strings.ContainsAny(token, " \t") {
		return ""
	}
	return token
}
