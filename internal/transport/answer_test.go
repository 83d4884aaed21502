package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// madeUp is a client over a transport as callers write them for their tests.
func madeUp(t *testing.T, h kyckit.HTTP, f roundTrip) *transport.Client {
	t.Helper()
	h.Client = &http.Client{Transport: f}
	h.Retry.MinWait, h.Retry.MaxWait = 1, 1
	c, err := transport.New(transport.Config{Provider: "test", BaseURL: "https://kyckit.invalid", HTTP: h})
	require.NoError(t, err)
	return c
}

func TestAnswersThatCallersMakeUp(t *testing.T) {
	const body = `{"a":"b"}`
	for name, tc := range map[string]struct {
		length int64
		body   io.ReadCloser
		limit  int64
		want   string
	}{
		"no length":          {0, io.NopCloser(strings.NewReader(body)), 0, body},
		"unknown length":     {-1, io.NopCloser(strings.NewReader(body)), 0, body},
		"right length":       {int64(len(body)), io.NopCloser(strings.NewReader(body)), int64(len(body)), body},
		"length before gzip": {3, io.NopCloser(strings.NewReader(body)), 0, body},
		"no limit":           {-1, io.NopCloser(strings.NewReader(body)), math.MaxInt64, body},
		"no body":            {0, nil, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := madeUp(t, kyckit.HTTP{MaxResponseBytes: tc.limit}, func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: 200, ContentLength: tc.length, Body: tc.body}, nil
			})
			resp, err := c.Do(t.Context(), start())
			require.NoError(t, err)
			assert.Equal(t, tc.want, string(resp.Body))
		})
	}
	for _, length := range []int64{-1, 0, 3, 10} {
		c := madeUp(t, kyckit.HTTP{MaxResponseBytes: 8}, func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, ContentLength: length, Body: io.NopCloser(strings.NewReader(body))}, nil
		})
		_, err := c.Do(t.Context(), read("a"))
		require.ErrorIs(t, err, kyckit.ErrDecode, "length %d is above the limit", length)
	}
}

func TestNoAnswerAndNoErrorIsAnError(t *testing.T) {
	c := madeUp(t, kyckit.HTTP{}, func(*http.Request) (*http.Response, error) { return nil, nil })
	_, err := c.Do(t.Context(), start())
	require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
	_, err = c.Do(t.Context(), read("a"))
	require.ErrorIs(t, err, kyckit.ErrUnavailable)

	nothing := func(http.RoundTripper) http.RoundTripper {
		return roundTrip(func(*http.Request) (*http.Response, error) { return nil, nil })
	}
	c = madeUp(t, kyckit.HTTP{Middleware: []func(http.RoundTripper) http.RoundTripper{nothing}}, func(*http.Request) (*http.Response, error) {
		return nil, errors.New("not reached")
	})
	_, err = c.Do(t.Context(), read("a"))
	require.ErrorIs(t, err, kyckit.ErrUnavailable)
}

// These announce the length of a body that does not follow, or are followed by
// what does not end.
func TestAnswersWithoutABody(t *testing.T) {
	s := fake(t, kyctest.Options{})
	s.Handle("HEAD /thing/{id}", "head", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "7") })
	s.Handle("GET /raw/{status}", "raw", func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			t.Cleanup(func() { _ = conn.Close() }) // not before the test is over
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 %s X\r\nConnection: close\r\nContent-Length: 7\r\n\r\n", r.PathValue("status"))
		}
	})
	c := newClient(t, s, kyckit.HTTP{Timeout: time.Minute})
	head := read("a")
	head.Method = http.MethodHead
	resp, err := c.Do(t.Context(), head)
	require.NoError(t, err)
	assert.Equal(t, 1, resp.Attempts)

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for _, status := range []string{"204", "304", "101"} {
		call := read(status)
		call.Path = "/raw/{status}"
		resp, err = c.Do(ctx, call)
		if status == "204" {
			require.NoError(t, err)
			require.ErrorIs(t, resp.Decode(new(any)), kyckit.ErrDecode)
			continue
		}
		require.ErrorIs(t, err, kyckit.ErrDecode)
		assert.NotContains(t, err.Error(), "redirect", "%s is none", status)
	}
}
