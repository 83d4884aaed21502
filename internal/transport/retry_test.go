package transport_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/transport"
	"github.com/kyckit/kyckit/kyctest"
)

func TestReadIsRetriedAndStartIsNot(t *testing.T) {
	for _, fault := range []kyctest.Fault{{Status: 503}, {Hangup: true}, {LoseAnswer: true}, {Status: 200, Truncate: true}} {
		t.Run(fmt.Sprintf("%+v", fault), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := fake(t, kyctest.Options{InMemory: true})
				c := newClient(t, s, kyckit.HTTP{})

				s.Fail("thing", 1, fault)
				s.Fail("thing", 2, fault)
				resp, err := c.Do(t.Context(), read("a"))
				require.NoError(t, err)
				assert.Equal(t, 3, resp.Attempts)
				assert.Equal(t, "req-1", resp.RequestID)

				s.Fail("start", 1, fault)
				_, err = c.Do(t.Context(), start())
				require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
				assert.Equal(t, fault.Status == 503, errors.Is(err, kyckit.ErrUnavailable))
				assert.Equal(t, 1, s.Count("start"))
			})
		})
	}
}

func TestEveryTryCarriesTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fake(t, kyctest.Options{InMemory: true})
		c := newClient(t, s, kyckit.HTTP{})
		call := start()
		call.Repeatable = true
		s.Fail("start", 1, kyctest.Fault{Status: 500})
		s.Fail("start", 2, kyctest.Fault{Hangup: true})
		_, err := c.Do(t.Context(), call)
		require.NoError(t, err)
		require.Equal(t, 3, s.Count("start"))
		for _, r := range s.Requests("start") {
			assert.Equal(t, "hello", string(r.Body))
			assert.Equal(t, "5", r.Header.Get("Content-Length"))
		}
	})
}

func TestRetriesEndAfterMaxAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fake(t, kyctest.Options{InMemory: true})
		c := newClient(t, s, kyckit.HTTP{Retry: kyckit.Retry{MaxAttempts: 5}})
		s.Fail("thing", 0, kyctest.Fault{Status: 500, Body: `{"code":"E-1","message":"Noura failed"}`})
		_, err := c.Do(t.Context(), read("a"))
		e := asError(t, err)
		assert.Equal(t, 5, e.Attempts)
		assert.Equal(t, 5, s.Count("thing"))
		assert.Equal(t, "E-1", e.Code)
		assert.Equal(t, "Noura failed", e.Message())
		assert.NotContains(t, fmt.Sprintf("%+v %#v", err, *e), "Noura")
	})
}

func TestRetryAfter(t *testing.T) {
	for name, tc := range map[string]struct {
		header string
		calls  int
		wait   time.Duration
	}{
		"seconds":      {"3", 2, 3 * time.Second},
		"above cap":    {"60", 1, 60 * time.Second},
		"absurd":       {"99999999999999", 1, 24 * time.Hour},
		"overflow":     {"99999999999999999999999999", 1, 24 * time.Hour},
		"negative":     {"-5", 2, 0},
		"not a number": {"NaN", 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := fake(t, kyctest.Options{InMemory: true})
				c := newClient(t, s, kyckit.HTTP{})
				s.Fail("thing", 1, kyctest.Fault{Status: 429, Header: http.Header{"Retry-After": {tc.header}}})
				began := time.Now()
				_, err := c.Do(t.Context(), read("a"))
				assert.Equal(t, tc.calls, s.Count("thing"))
				if tc.calls == 1 {
					require.ErrorIs(t, err, kyckit.ErrRateLimited)
					assert.Equal(t, tc.wait, asError(t, err).RetryAfter)
					return
				}
				require.NoError(t, err)
				assert.GreaterOrEqual(t, time.Since(began), tc.wait)
			})
		})
	}
	t.Run("date", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := fake(t, kyctest.Options{InMemory: true})
			c := newClient(t, s, kyckit.HTTP{})
			at := time.Now().Add(4 * time.Second)
			s.Fail("thing", 1, kyctest.Fault{Status: 503, Header: http.Header{"Retry-After": {at.UTC().Format(http.TimeFormat)}}})
			_, err := c.Do(t.Context(), read("a"))
			require.NoError(t, err)
			assert.False(t, time.Now().Before(at.Truncate(time.Second)))
		})
	})
}

func TestNoWaitOutlastsTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fake(t, kyctest.Options{InMemory: true})
		c := newClient(t, s, kyckit.HTTP{})
		s.Fail("thing", 0, kyctest.Fault{Status: 429, Header: http.Header{"Retry-After": {"4"}}})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		began := time.Now()
		_, err := c.Do(ctx, read("a"))
		require.ErrorIs(t, err, kyckit.ErrRateLimited)
		assert.Less(t, time.Since(began), time.Second)
	})
}

func TestNothingSentIsSaid(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	url := "http://" + l.Addr().String()
	require.NoError(t, l.Close())
	c, err := transport.New(transport.Config{Provider: "test", BaseURL: url})
	require.NoError(t, err)
	_, err = c.Do(t.Context(), start())
	require.ErrorIs(t, err, kyckit.ErrUnavailable)
	require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
	assert.Contains(t, err.Error(), "nothing was sent")

	c, err = transport.New(transport.Config{Provider: "test", BaseURL: "https://kyckit.invalid"})
	require.NoError(t, err)
	_, err = c.Do(t.Context(), start())
	require.ErrorIs(t, err, kyckit.ErrUnavailable)
	require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
}

func TestUntrustedCertificate(t *testing.T) {
	s := fake(t, kyctest.Options{TLS: true})
	c, err := transport.New(transport.Config{Provider: "test", BaseURL: s.URL})
	require.NoError(t, err)
	_, err = c.Do(t.Context(), start())
	require.ErrorIs(t, err, kyckit.ErrUnavailable)
	require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
	_, err = c.Do(t.Context(), read("a"))
	assert.Equal(t, 1, asError(t, err).Attempts, "trust does not come with time")
}

func TestCancelledCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fake(t, kyctest.Options{InMemory: true})
		c := newClient(t, s, kyckit.HTTP{})
		s.Fail("start", 0, kyctest.Fault{Delay: time.Minute})
		s.Fail("thing", 0, kyctest.Fault{Delay: time.Minute})

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.Do(ctx, start())
		require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = c.Do(ctx, start()) // the context is over already
		require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
		require.ErrorIs(t, err, context.DeadlineExceeded)

		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = c.Do(ctx, read("a"))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
	})
}

func TestTryTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fake(t, kyctest.Options{InMemory: true})
		c := newClient(t, s, kyckit.HTTP{Timeout: time.Second})
		s.Fail("thing", 1, kyctest.Fault{Delay: time.Minute})
		_, err := c.Do(t.Context(), read("a"))
		require.NoError(t, err, "the second try is quick")

		s.Fail("start", 1, kyctest.Fault{Delay: time.Minute})
		_, err = c.Do(t.Context(), start())
		require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
	})
}

func TestHugeAnswer(t *testing.T) {
	s := fake(t, kyctest.Options{})
	c := newClient(t, s, kyckit.HTTP{MaxResponseBytes: 1 << 20})
	s.Fail("thing", 0, kyctest.Fault{Status: 200, Body: strings.Repeat("x", 10<<20)})
	_, err := c.Do(t.Context(), read("a"))
	require.ErrorIs(t, err, kyckit.ErrDecode)
	assert.Equal(t, 1, s.Count("thing"))
	s.Fail("start", 0, kyctest.Fault{Status: 200, Body: strings.Repeat("x", 10<<20)})
	_, err = c.Do(t.Context(), start())
	require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
	require.ErrorIs(t, err, kyckit.ErrDecode)
}

// The status of a refusal counts, however long the page that comes with it.
func TestHugeRefusal(t *testing.T) {
	s := fake(t, kyctest.Options{})
	c := newClient(t, s, kyckit.HTTP{MaxResponseBytes: 1 << 20, Retry: kyckit.Retry{MinWait: 1, MaxWait: 1}})
	for _, length := range []string{"10485760", ""} {
		header := http.Header{"Content-Length": {length}}
		if length == "" {
			header = http.Header{"Transfer-Encoding": {"chunked"}}
		}
		s.Fail("thing", 1, kyctest.Fault{Status: 503, Header: header, Body: strings.Repeat("x", 10<<20)})
		_, err := c.Do(t.Context(), read("a"))
		require.NoError(t, err, "a 503 is tried again")
		s.Fail("start", 1, kyctest.Fault{Status: 400, Header: header, Body: strings.Repeat("x", 10<<20)})
		_, err = c.Do(t.Context(), start())
		require.ErrorIs(t, err, kyckit.ErrInvalid)
		require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
		assert.Len(t, asError(t, err).Body(), 1<<20)
	}
}
