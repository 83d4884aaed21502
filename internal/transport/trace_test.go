package transport_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/internal/transport"
	"github.com/kyckit/kyckit/kyctest"
)

// recorder keeps what a Trace is told.
type recorder struct {
	mu    sync.Mutex
	lines []string
	calls []kyckit.CallEnd
	tries []kyckit.TryEnd
	infos []kyckit.CallInfo
	add   http.Header
}

type markKey struct{}

func (r *recorder) say(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

func (r *recorder) trace() *kyckit.Trace {
	return &kyckit.Trace{
		Call: func(ctx context.Context, info kyckit.CallInfo) (context.Context, func(kyckit.CallEnd)) {
			r.say("call %s %s", info.Provider, info.Op)
			r.mu.Lock()
			r.infos = append(r.infos, info)
			r.mu.Unlock()
			return context.WithValue(ctx, markKey{}, "call"), func(end kyckit.CallEnd) {
				r.say("end of call: %d, %d tries, %v", end.StatusCode, end.Tries, end.Err != nil)
				r.mu.Lock()
				r.calls = append(r.calls, end)
				r.mu.Unlock()
			}
		},
		Try: func(ctx context.Context, info kyckit.CallInfo, try kyckit.TryInfo) (context.Context, func(kyckit.TryEnd)) {
			r.say("try %d of %s, in %v, %d headers", try.Resend, info.Op, ctx.Value(markKey{}), len(try.Header))
			maps.Copy(try.Header, r.add)
			return context.WithValue(ctx, markKey{}, "try"), func(end kyckit.TryEnd) {
				r.say("end of try: %d over %q, %v", end.StatusCode, end.Protocol, end.Err != nil)
				r.mu.Lock()
				r.tries = append(r.tries, end)
				r.mu.Unlock()
			}
		},
	}
}

func TestTraceIsToldOfEveryCallAndRequest(t *testing.T) {
	s := fake(t, kyctest.Options{})
	var r recorder
	var wire []any
	hc := *s.Client()
	base := hc.Transport
	hc.Transport = roundTrip(func(req *http.Request) (*http.Response, error) {
		wire = append(wire, req.Context().Value(markKey{}))
		return base.RoundTrip(req)
	})
	n := 0
	c, err := transport.New(transport.Config{
		Provider: "test", BaseURL: s.URL + "/", HTTP: kyckit.HTTP{Client: &hc, Retry: quick, Trace: r.trace()},
		Authorize: func(rt http.RoundTripper) http.RoundTripper {
			return auth.NewTransport(rt, auth.SourceFunc(func(context.Context) (auth.Token, error) {
				n++
				return auth.Token{Access: kyckit.NewSecret(fmt.Sprintf("t0ken-%d", n))}, nil
			}))
		},
	})
	require.NoError(t, err)
	s.Fail("thing", 1, kyctest.Fault{Status: 401})
	s.Fail("thing", 2, kyctest.Fault{Status: 503})
	s.Fail("thing", 3, kyctest.Fault{Hangup: true})
	call := read("1000000008")
	call.Query = map[string][]string{"q": {"s3cret"}}
	_, err = c.Do(t.Context(), call)
	require.Error(t, err)
	assert.Equal(t, []string{
		"call test thing",
		"try 0 of thing, in call, 0 headers", `end of try: 401 over "1.1", false`,
		"try 1 of thing, in call, 0 headers", `end of try: 503 over "1.1", false`,
		"try 2 of thing, in call, 0 headers", `end of try: 0 over "", true`,
		"end of call: 503, 3 tries, true",
	}, r.lines)
	assert.Equal(t, []any{"try", "try", "try"}, wire)
	assert.Equal(t, err, r.calls[0].Err)
	assert.Equal(t, 3, asError(t, err).Attempts)
	info := r.infos[0]
	assert.Equal(t, kyckit.CallInfo{
		Provider: "test", Op: "thing", Method: "GET", Path: "/thing/{id}", URL: s.URL + "/thing/{id}", Server: "127.0.0.1", Port: info.Port,
	}, info)
	assert.Contains(t, s.URL, fmt.Sprint(":", info.Port))
	told := fmt.Sprintf("%+v %+v %v %v", r.infos, r.lines, r.tries[2].Err, r.calls[0].Err)
	for _, secret := range []string{"1000000008", "s3cret", "t0ken"} {
		assert.NotContains(t, told, secret)
	}
}

// What is wrong with an answer belongs to the call when its maker says so.
func TestACallEndsWithTheFunctionThatMakesIt(t *testing.T) {
	s := fake(t, kyctest.Options{})
	var r recorder
	c := newClient(t, s, kyckit.HTTP{Trace: r.trace()})
	wrong := errors.New("not what was asked for")
	get := func() (err error) {
		ctx, end := c.Scope(t.Context())
		defer end(&err)
		if _, err = c.Do(ctx, read("a")); err != nil {
			return err
		}
		if _, err := c.Do(ctx, read("b")); err != nil { // another call, on its own
			return err
		}
		return wrong
	}
	require.ErrorIs(t, get(), wrong)
	require.Len(t, r.calls, 2)
	require.NoError(t, r.calls[0].Err)
	assert.Equal(t, wrong, r.calls[1].Err)
	assert.Equal(t, 200, r.calls[1].StatusCode)
	assert.Equal(t, 1, r.calls[1].Tries)

	_, end := c.Scope(t.Context()) // nothing is called
	end(new(error))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Do(ctx, read("a"))
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, r.calls, 3)
	assert.Zero(t, r.calls[2].Tries)
	assert.Zero(t, r.calls[2].StatusCode)
	assert.Equal(t, err, r.calls[2].Err)
}

func TestATraceAddsHeadersAndChangesNone(t *testing.T) {
	s := fake(t, kyctest.Options{})
	r := recorder{add: http.Header{
		"traceparent": {"00-1"}, "Baggage": {"a=1", "b=2"}, "User-Agent": {"mine"}, "Content-Type": {"x"}, "X-Of-The-Call": {"not mine"},
		"Authorization": {"Bearer mine"}, "Accept-Encoding": {"br"}, "Connection": {"close"}, "Bad Name": {"x"}, "X-Bad-Value": {"a\r\nb: c"},
	}}
	var seen http.Header
	look := func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(req *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(req)
			seen = req.Header
			return resp, err
		})
	}
	c := newClient(t, s, kyckit.HTTP{Trace: r.trace(), Retry: quick, Middleware: []func(http.RoundTripper) http.RoundTripper{look}})
	s.Fail("start", 1, kyctest.Fault{Status: 503})
	call := start()
	call.Repeatable = true
	call.Header = http.Header{"X-Of-The-Call": {"x"}}
	_, err := c.Do(t.Context(), call)
	require.NoError(t, err)
	require.Equal(t, 2, s.Count("start"))
	for _, got := range s.Requests("start") {
		assert.Equal(t, []string{"00-1"}, got.Header["Traceparent"])
		assert.Equal(t, []string{"a=1", "b=2"}, got.Header["Baggage"])
		assert.Equal(t, "kyckit-go", got.Header.Get("User-Agent"))
		assert.Equal(t, "text/plain", got.Header.Get("Content-Type"))
		assert.Equal(t, []string{"x"}, got.Header["X-Of-The-Call"])
		assert.Equal(t, "gzip", got.Header.Get("Accept-Encoding"))
		for _, name := range []string{"Authorization", "Connection", "Bad Name", "X-Bad-Value"} {
			assert.Empty(t, got.Header[name], name)
		}
	}
	assert.Empty(t, seen.Get("Traceparent"))
	assert.Equal(t, http.Header{"X-Of-The-Call": {"x"}}, call.Header)
}

// Ends come exactly once, whatever panics, and no hook can harm a call.
func TestATraceHarmsNothing(t *testing.T) {
	boom := func() { panic("boom") }
	for name, change := range map[string]func(*kyckit.Trace){
		"Call panics": func(tr *kyckit.Trace) {
			tr.Call = func(context.Context, kyckit.CallInfo) (context.Context, func(kyckit.CallEnd)) { panic("boom") }
		},
		"Try panics": func(tr *kyckit.Trace) {
			tr.Try = func(context.Context, kyckit.CallInfo, kyckit.TryInfo) (context.Context, func(kyckit.TryEnd)) {
				panic("boom")
			}
		},
		"the ends panic": func(tr *kyckit.Trace) {
			tr.Call = func(ctx context.Context, _ kyckit.CallInfo) (context.Context, func(kyckit.CallEnd)) {
				return ctx, func(kyckit.CallEnd) { boom() }
			}
			tr.Try = func(ctx context.Context, _ kyckit.CallInfo, _ kyckit.TryInfo) (context.Context, func(kyckit.TryEnd)) {
				return ctx, func(kyckit.TryEnd) { boom() }
			}
		},
		"nil for everything": func(tr *kyckit.Trace) {
			tr.Call = func(context.Context, kyckit.CallInfo) (context.Context, func(kyckit.CallEnd)) { return nil, nil }
			tr.Try = func(context.Context, kyckit.CallInfo, kyckit.TryInfo) (context.Context, func(kyckit.TryEnd)) {
				return nil, nil
			}
		},
		"another context": func(tr *kyckit.Trace) {
			ended, cancel := context.WithCancel(context.Background())
			cancel()
			tr.Call = func(context.Context, kyckit.CallInfo) (context.Context, func(kyckit.CallEnd)) { return ended, nil }
			tr.Try = func(context.Context, kyckit.CallInfo, kyckit.TryInfo) (context.Context, func(kyckit.TryEnd)) {
				return ended, nil
			}
		},
		"Call alone": func(tr *kyckit.Trace) { tr.Try = nil },
		"Try alone":  func(tr *kyckit.Trace) { tr.Call = nil },
		"neither":    func(tr *kyckit.Trace) { tr.Call, tr.Try = nil, nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := fake(t, kyctest.Options{InMemory: true})
				trace := new(recorder).trace()
				change(trace)
				c := newClient(t, s, kyckit.HTTP{Trace: trace})
				s.Fail("thing", 1, kyctest.Fault{Status: 503})
				resp, err := c.Do(t.Context(), read("a"))
				require.NoError(t, err)
				assert.Equal(t, 2, resp.Attempts)
				s.Fail("start", 1, kyctest.Fault{Delay: time.Minute})
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err = c.Do(ctx, start())
				require.ErrorIs(t, err, context.DeadlineExceeded, "the call ends with its own context")
			})
		})
	}
}

func TestEveryEndComesOnce(t *testing.T) {
	s := fake(t, kyctest.Options{})
	for name, h := range map[string]kyckit.HTTP{
		"the transport panics": {Client: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) { panic("boom") })}},
		"no answer":            {Client: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) { return nil, nil })}}, // a bad one
		"a middleware panics": {Client: s.Client(), Middleware: []func(http.RoundTripper) http.RoundTripper{func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				_, _ = next.RoundTrip(r)
				panic("boom 1000000008")
			})
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			var r recorder
			h.Trace, h.Retry = r.trace(), kyckit.Retry{MaxAttempts: 1}
			c, err := transport.New(transport.Config{Provider: "test", BaseURL: s.URL, HTTP: h})
			require.NoError(t, err)
			_, err = c.Do(t.Context(), start())
			require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
			assert.NotContains(t, err.Error(), "boom")
			count := func(prefix string) int {
				return len(slices.DeleteFunc(slices.Clone(r.lines), func(l string) bool { return !strings.HasPrefix(l, prefix) }))
			}
			for _, prefix := range []string{"call", "end of call", "try", "end of try"} {
				assert.Equal(t, 1, count(prefix), prefix)
			}
		})
	}
}
