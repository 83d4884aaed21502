package transport

import (
	"net/http"
)

// maxRefusal bounds the bodies that are looked at: a refusal has no payload.
const maxRefusal = 16 << 10

// Refusal returns what tells that an answer refuses the token: a 401, or a 2xx
// whose body says so by Config.Refused of the client whose innermost layer rt is.
// It leaves the body as it was.
func Refusal(rt http.RoundTripper) func(*http.Response) bool {
	t, _ := rt.(*try)
	if t == nil || t.client.refused == nil {
		return func(resp *http.Response) bool { return resp.StatusCode == http.StatusUnauthorized }
	}
	refused := t.client.refused
	return func(resp *http.Response) bool {
		if resp.StatusCode < 200 || resp.StatusCode > 299 {
			return resp.StatusCode == http.StatusUnauthorized
		}
		body, ok := resp.Body.(*buffered) // the innermost layer has read it to its end
		return ok && len(body.data) <= maxRefusal && refused(body.data)
	}
}
