package transport_test

import (
	"context"
	"math"
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

	counted := read("a")
	counted.Once = true
	before = s.Count("thing")
	s.Fail("thing", 1, moved(302, "/thing/b"))
	_, err = c.Do(t.Context(), counted)
	require.ErrorIs(t, err, kyckit.ErrDecode, "the caller counts one request")
	assert.Equal(t, before+1, s.Count("thing"))

	again := start()
	again.Repeatable = true
	s.Fail("start", 1, moved(308, "/start"))
	resp, err := c.Do(t.Context(), again)
	require.NoError(t, err)
	assert.Contains(t, string(resp.Body), "hello", "the body goes along")
	s.Fail("start", 1, moved(303, "/thing/a"))
	_, err = c.Do(t.Context(), again)
	require.ErrorIs(t, err, kyckit.ErrDecode, "a POST must not turn into a GET")

	for _, nowhere := range []string{"%zz", "http://[::1", ":"} {
		before = s.Count("thing")
		s.Fail("thing", 1, moved(302, nowhere))
		_, err = c.Do(t.Context(), read("a"))
		require.ErrorIs(t, err, kyckit.ErrDecode)
		assert.Equal(t, before+1, s.Count("thing"), "an answer, and no reason to ask again")
	}

	s.Fail("thing", 0, moved(302, "/thing/a"))
	_, err = c.Do(t.Context(), read("a"))
	require.ErrorIs(t, err, kyckit.ErrDecode, "a loop ends")
}

func TestConfiguredPaths(t *testing.T) {
	for _, path := range []string{"/a/{id}/b", "/{id}", "/a%20b/{id}", "/a-{id}"} {
		require.NoError(t, transport.CheckPath("test", "Path", path, 1), path)
	}
	for _, path := range []string{"", "a/{id}", "/a", "/{id}/{id}", "/}{", "/{{id}}", "/{id", "/../{id}", "/./{id}", "/%2e%2e/{id}", "/%zz/{id}", "/{id}?a=b", "/{id}#", "/a b/{id}"} {
		err := transport.CheckPath("test", "Path", path, 1)
		require.ErrorIs(t, err, kyckit.ErrInvalid, path)
		assert.Contains(t, err.Error(), "Path")
	}
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
		"BaseURL must have a":    {"https://api.example.com:65536", kyckit.HTTP{}},
		"BaseURL must not have":  {"https://api.example.com?x=1", kyckit.HTTP{}},
		"HTTP.Retry.MaxAttempts": {good, kyckit.HTTP{Retry: kyckit.Retry{MaxAttempts: -1}}},
		"HTTP.Retry.MinWait":     {good, kyckit.HTTP{Retry: kyckit.Retry{MinWait: time.Minute}}},
		"HTTP.MaxResponseBytes":  {good, kyckit.HTTP{MaxResponseBytes: -1}},
		"HTTP.Timeout":           {good, kyckit.HTTP{Timeout: -1}},
		"HTTP.UserAgent":         {good, kyckit.HTTP{UserAgent: "a\r\nb"}},
		"HTTP.RequestIDHeader":   {good, kyckit.HTTP{RequestIDHeader: "X Id"}},
		"HTTP.Middleware":        {good, kyckit.HTTP{Middleware: []func(http.RoundTripper) http.RoundTripper{nil}}},
		"HTTP.Middleware must not return nil": {good, kyckit.HTTP{Middleware: []func(http.RoundTripper) http.RoundTripper{
			func(http.RoundTripper) http.RoundTripper { return nil },
		}}},
		"HTTP.Client": {good, kyckit.HTTP{Client: &http.Client{Transport: (*http.Transport)(nil)}}},
	} {
		_, err := transport.New(transport.Config{Provider: "test", BaseURL: tc.url, HTTP: tc.http})
		require.ErrorIs(t, err, kyckit.ErrInvalid, name)
		assert.Contains(t, err.Error(), name)
	}
	for _, h := range []kyckit.HTTP{
		{Retry: kyckit.Retry{MaxWait: time.Millisecond}}, // below the default MinWait
		{Retry: kyckit.Retry{MinWait: math.MaxInt64, MaxWait: math.MaxInt64}},
		{Client: &http.Client{Timeout: -1}},
		{MaxResponseBytes: math.MaxInt64},
	} {
		s := fake(t, kyctest.Options{})
		if h.Client != nil {
			h.Client.Transport = s.Client().Transport
		}
		c, err := transport.New(transport.Config{Provider: "test", BaseURL: s.URL, HTTP: h})
		require.NoError(t, err)
		_, err = c.Do(t.Context(), read("a"))
		require.NoError(t, err)
		s.Fail("thing", 1, kyctest.Fault{Status: 503})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_, err = c.Do(ctx, read("a")) // with a wait as configured, or none for want of time
		cancel()
		if h.Retry.MaxWait != math.MaxInt64 && h.Retry.MaxWait != 0 {
			require.NoError(t, err)
		}
	}
	for _, url := range []string{good, "http://localhost:8080", "http://127.0.0.1", "http://[::1]:1"} {
		_, err := transport.New(transport.Config{Provider: "test", BaseURL: url})
		require.NoError(t, err, url)
	}
}
