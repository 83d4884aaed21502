package kyctest

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/kyckit/kyckit/webhook"
)

// The media types of requests.
const (
	JSON = "application/json"
	Form = "application/x-www-form-urlencoded"
)

// ContentType returns the media type that a request is labelled with, in lower
// case and without parameters. A label that cannot be read, or that names
// another charset than UTF-8, is "".
func ContentType(r *http.Request) string {
	label := r.Header.Get("Content-Type")
	if label == JSON || label == Form {
		return label // quickly, for simulations
	}
	kind, params, err := mime.ParseMediaType(label)
	if charset := params["charset"]; err != nil || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return ""
	}
	return kind
}

// ReadJSON decodes a request's body into v and reports whether the body is one
// JSON value that is labelled as such, in UTF-8, without a key that comes twice,
// and with the types of v.
func ReadJSON(r *http.Request, v any) bool {
	if ContentType(r) != JSON {
		return false
	}
	body, err := io.ReadAll(r.Body)
	return err == nil && webhook.DecodeStrict(body, v) == nil
}

// WriteJSON answers with a status and v as JSON.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", JSON)
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
}
