package transport_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/transport"
	"github.com/kyckit/kyckit/kyctest"
)

func TestRedirects(t *testing.T) {
	other := fake(t, kyctest.Options{})
	s := fake(t, kyctest.Options{})
	c := newClient(t, s, kyckit.HTTP{})
	moved := func(status int, to string) kyctest.Fault {
		return kyctest.Fault{Status: status, Header: http.Header{"Location": {to}}}
	}

	s.Fail("thing", 1, moved(302, "/thing/b"))
	_, err := c.Do(t.Context(), read("a"))
	require.NoError(t, err, "the same host is fine")

	for _, to := range []string{other.URL + "/thing/a", "https://kyckit.invalid/", "ftp://x/", "http://127.0.0.1:1/"} {
		s.Fail("thing", 1, moved(307, to))
		_, err = c.Do(t.Context(), read("a"))
		require.ErrorIs(t, err, kyckit.ErrDecode)
		assert.Contains(t, err.Error(), "redirect refused")
		assert.NotContains(t, err.Error(), "invalid/")

		s.Fail("start", 1, moved(307, to))
		_, err = c.Do(t.Context(), start())
		require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
	}
	s.Fail("start", 1, moved(302, "/thing/a"))
	_, err = c.Do(t.Context(), start())
	require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown, "a POST must not turn into a GET")
	assert.Zero(t, other.Count("thing")+other.Count("start"))

	before := s.Count("start")
	s.Fail("start", 1, moved(307, "/start"))
	_, err = c.Do(t.Context(), start())
	require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown, "not even to the same place")
	assert.Equal(t, before+1, s.Count("start"))

	s.Fail("thing", 0, moved(302, "/thing/a"))
	_, err = c.Do(t.Context(), read("a"))
	require.ErrorIs(t, err, kyckit.ErrDecode, "a loop ends")
}

func TestHostileIDs(t *testing.T) {
	s := fake(t, kyctest.Options{})
	c := newClient(t, s, kyckit.HTTP{})
	for _, id := range []string{"", ".", "..", "a/b", "/", "..\\..", "a\x00", "a\nb", "%2e%2e", "%2Fetc", "a%5Cb", "\xff", strings.Repeat("x", 1000)} {
		_, err := c.Do(t.Context(), read(id))
		require.ErrorIs(t, err, kyckit.ErrInvalid, "%q", id)
	}
	assert.Zero(t, s.Count("thing"))
	for _, id := range []string{"a b", "ä?x=1#y", "a;b", "{x}", "100%", "x:y@z"} {
		_, err := c.Do(t.Context(), read(id))
		require.NoError(t, err, "%q", id)
		all := s.Requests("thing")
		assert.Equal(t, "/thing/"+id, all[len(all)-1].Path)
		assert.Empty(t, all[len(all)-1].Query)
	}
}

func TestConfigurationIsRefused(t *testing.T) {
	good := "https://api.example.com/v1/"
	for name, tc := range map[string]struct {
		url  string
		http kyckit.HTTP
	}{
		"BaseURL":                {"", kyckit.HTTP{}},
		"BaseURL must be https":  {"http://api.example.com", kyckit.HTTP{}},
		"BaseURL must be an":     {"/relative", kyckit.HTTP{}},
		"BaseURL must not hold":  {"https://u:p@api.example.com", kyckit.HTTP{}},
		"BaseURL must not have":  {"https://api.example.com?x=1", kyckit.HTTP{}},
		"HTTP.Retry.MaxAttempts": {good, kyckit.HTTP{Retry: kyckit.Retry{MaxAttempts: -1}}},
		"HTTP.Retry.MinWait":     {good, kyckit.HTTP{Retry: kyckit.Retry{MinWait: time.Minute}}},
		"HTTP.MaxResponseBytes":  {good, kyckit.HTTP{MaxResponseBytes: -1}},
		"HTTP.Timeout":           {good, kyckit.HTTP{Timeout: -1}},
		"HTTP.UserAgent":         {good, kyckit.HTTP{UserAgent: "a\r\nb"}},
		"HTTP.Middleware":        {good, kyckit.HTTP{Middleware: []func(http.RoundTripper) http.RoundTripper{nil}}},
	} {
		_, err := transport.New(transport.Config{Provider: "test", BaseURL: tc.url, HTTP: tc.http})
		require.ErrorIs(t, err, kyckit.ErrInvalid, name)
		assert.Contains(t, err.Error(), name)
	}
	for _, url := range []string{good, "http://localhost:8080", "http://127.0.0.1", "http://[::1]:1"} {
		_, err := transport.New(transport.Config{Provider: "test", BaseURL: url})
		require.NoError(t, err, url)
	}
}
