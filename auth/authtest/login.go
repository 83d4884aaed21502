package authtest

import (
	"net/http"
	"strings"

	"github.com/kyckit/kyckit/kyctest"
)

// login answers as FastAPI-Users does.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		kyctest.WriteJSON(w, http.StatusMethodNotAllowed, map[string]any{"detail": "Method Not Allowed"})
		return
	}
	if kyctest.ContentType(r) != kyctest.Form || r.ParseForm() != nil {
		r.PostForm = nil // a JSON body is no form: both fields are missing
	}
	last := func(field string) string { // of a field sent twice, the last counts
		if v := r.PostForm[field]; len(v) > 0 {
			return v[len(v)-1]
		}
		return ""
	}
	var missing []any
	for _, field := range []string{"username", "password"} {
		if last(field) == "" {
			missing = append(missing, map[string]any{
				"type": "missing", "loc": []any{"body", field}, "msg": "Field required", "input": nil,
			})
		}
	}
	if grant := last("grant_type"); grant != "" && grant != "password" {
		missing = append(missing, map[string]any{
			"type": "string_pattern_mismatch", "loc": []any{"body", "grant_type"},
			"msg": "String should match pattern '^password$'", "input": grant, "ctx": map[string]any{"pattern": "^password$"},
		})
	}
	switch {
	case len(missing) > 0:
		kyctest.WriteJSON(w, http.StatusUnprocessableEntity, map[string]any{"detail": missing})
	case !strings.EqualFold(last("username"), s.config.Username) || last("password") != s.config.Password:
		kyctest.WriteJSON(w, http.StatusBadRequest, map[string]any{"detail": "LOGIN_BAD_CREDENTIALS"})
	case s.config.Unverified:
		kyctest.WriteJSON(w, http.StatusBadRequest, map[string]any{"detail": "LOGIN_USER_NOT_VERIFIED"})
	default:
		kyctest.WriteJSON(w, http.StatusOK, map[string]any{"access_token": s.issue(), "token_type": "bearer"})
	}
}
