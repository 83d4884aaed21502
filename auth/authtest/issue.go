package authtest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"time"
)

// issue makes a token that lives from now on.
func (s *Server) issue() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	now := s.now()
	death := now.Add(s.config.Lifetime)
	access := fmt.Sprintf("test-token-%d-%d", s.key, s.serial)
	if s.config.JWT {
		exp := death.Unix() // the fraction is lost, as in real servers
		access = s.jwt(now, exp)
		death = time.Unix(exp, 0)
	}
	s.AddToken(access, death.Add(-s.config.ClockSkew))
	return access
}

// jwt builds the token of FastAPI-Users: two within one second are identical.
func (s *Server) jwt(now time.Time, exp int64) string {
	claims := `{"sub":"6f1c2a5e-0000-4000-8000-000000000001","aud":["fastapi-users:auth"]`
	switch s.config.ExpClaim {
	case "":
		claims += `,"exp":` + strconv.FormatInt(exp, 10)
	case "-":
	default:
		claims += `,"exp":` + s.config.ExpClaim
	}
	if s.config.IAT {
		claims += `,"iat":` + strconv.FormatInt(now.Unix(), 10)
	}
	claims += "}"
	enc := base64.RawURLEncoding
	signed := enc.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + enc.EncodeToString([]byte(claims))
	mac := hmac.New(sha256.New, fmt.Appendf(nil, "test-signing-key-%d", s.key))
	_, _ = io.WriteString(mac, signed)
	return signed + "." + enc.EncodeToString(mac.Sum(nil))
}

// granted is the answer with a new token.
func (s *Server) granted() map[string]any {
	g := map[string]any{"access_token": s.issue(), "token_type": "Bearer"}
	if !s.config.OmitExpiresIn {
		g["expires_in"] = int64(s.config.Lifetime / time.Second)
	}
	return g
}
