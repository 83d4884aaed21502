package transport_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/transport"
	"github.com/kyckit/kyckit/kyctest"
)

// What refuses a token is a 401, or what the provider's package says of a 2xx;
// the body stays as it was.
func TestRefusal(t *testing.T) {
	s := kyctest.NewServer(kyctest.Options{})
	defer s.Close()
	var status int
	var body string
	s.Handle("/x", "x", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
	var said []bool
	c, err := transport.New(transport.Config{
		Provider: "test", BaseURL: s.URL, HTTP: kyckit.HTTP{Client: s.Client(), Retry: kyckit.Retry{MaxAttempts: 1}},
		Refused: func(b []byte) bool { return strings.HasPrefix(string(b), "refused") },
		Authorize: func(rt http.RoundTripper) http.RoundTripper {
			refuses := transport.Refusal(rt)
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				resp, err := rt.RoundTrip(r)
				if err == nil {
					said = append(said, refuses(resp))
				}
				return resp, err
			})
		},
	})
	require.NoError(t, err)
	for _, tc := range []struct {
		status int
		body   string
		want   bool
	}{
		{200, "refused", true},
		{201, "refused", true},
		{200, "", false},
		{200, "fine", false},
		{401, "anything", true},
		{403, "refused", false},
		{500, "refused", false},
		{200, "refused" + strings.Repeat(" ", 16<<10-7), true},
		{200, "refused" + strings.Repeat(" ", 16<<10-6), false},
	} {
		said, status, body = nil, tc.status, tc.body
		resp, err := c.Do(t.Context(), &transport.Call{Op: "x", Method: http.MethodGet, Path: "/x", Repeatable: true})
		assert.Equal(t, []bool{tc.want}, said, "%d %.20q", tc.status, tc.body)
		if tc.status < 300 {
			require.NoError(t, err)
			assert.Equal(t, tc.body, string(resp.Body))
		}
	}
	// Any other layer knows the status alone.
	refuses := transport.Refusal(http.DefaultTransport)
	assert.True(t, refuses(&http.Response{StatusCode: 401}))
	assert.False(t, refuses(&http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader("refused"))}))
}
