package authtest

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/kyckit/kyckit/kyctest"
)

// token is the endpoint of RFC 6749, section 4.4.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	fail := func(status int, code string) {
		w.Header().Set("Cache-Control", "no-store")
		kyctest.WriteJSON(w, status, map[string]any{"error": code, "error_description": "described for " + r.PostForm.Get("client_id")})
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		kyctest.WriteJSON(w, http.StatusMethodNotAllowed, map[string]any{"error": "invalid_request"})
		return
	}
	if kyctest.ContentType(r) != kyctest.Form || r.ParseForm() != nil || credentialsInQuery(r) || repeated(r.PostForm) {
		fail(http.StatusBadRequest, "invalid_request")
		return
	}
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if user, password, ok := r.BasicAuth(); ok {
		if secret != "" {
			fail(http.StatusBadRequest, "invalid_request") // two ways at once
			return
		}
		var err1, err2 error
		id, err1 = url.QueryUnescape(user)
		secret, err2 = url.QueryUnescape(password)
		if err1 != nil || err2 != nil {
			fail(http.StatusBadRequest, "invalid_request")
			return
		}
	}
	switch {
	case id != s.config.ClientID || secret != s.config.ClientSecret:
		if r.Header.Get("Authorization") != "" {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		}
		fail(http.StatusUnauthorized, "invalid_client")
	case r.PostForm.Get("grant_type") != "client_credentials":
		fail(http.StatusBadRequest, "unsupported_grant_type")
	default:
		g := s.granted()
		if scope := r.PostForm.Get("scope"); scope != "" {
			g["scope"] = scope
		}
		w.Header().Set("Cache-Control", "no-store")
		kyctest.WriteJSON(w, http.StatusOK, g)
	}
}

// credentialsInQuery reports fields of the body in the query, where they have no
// place; a query that belongs to the address is none of the server's business.
func credentialsInQuery(r *http.Request) bool {
	query := r.URL.Query()
	return slices.ContainsFunc([]string{"grant_type", "client_id", "client_secret", "clientId", "clientSecret"}, query.Has)
}

func repeated(form url.Values) bool {
	for _, v := range form {
		if len(v) > 1 {
			return true
		}
	}
	return false
}
