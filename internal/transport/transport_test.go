package transport_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/transport"
	"github.com/kyckit/kyckit/kyctest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake answers GET /thing and POST /start with what they need.
func fake(t *testing.T, o kyctest.Options) *kyctest.Server {
	t.Helper()
	s := kyctest.NewServer(o)
	t.Cleanup(s.Close)
	ok := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", "req-1")
		body, _ := io.ReadAll(r.Body)
		_ = json.NewEncoder(w).Encode(map[string]string{"echo": string(body)})
	}
	s.Handle("GET /thing/{id}", "thing", ok)
	s.Handle("POST /start", "start", ok)
	return s
}

func newClient(t *testing.T, s *kyctest.Server, h kyckit.HTTP) *transport.Client {
	t.Helper()
	h.Client = s.Client()
	c, err := transport.New(transport.Config{Provider: "test", BaseURL: s.URL + "/", HTTP: h, Explain: explain})
	require.NoError(t, err)
	return c
}

func explain(_ int, body []byte) transport.Explanation {
	var e struct{ Code, Message string }
	_ = json.Unmarshal(body, &e)
	return transport.Explanation{Code: e.Code, Message: e.Message}
}

func read(id string) *transport.Call {
	return &transport.Call{Op: "thing", Method: http.MethodGet, Path: "/thing/{id}", Args: []string{id}, Repeatable: true}
}

func start() *transport.Call {
	return &transport.Call{Op: "start", Method: http.MethodPost, Path: "/start", Body: transport.Body{ContentType: "text/plain", Bytes: []byte("hello")}}
}

func asError(t *testing.T, err error) *kyckit.Error {
	t.Helper()
	var e *kyckit.Error
	require.ErrorAs(t, err, &e)
	return e
}

// net/http waits for a Read of the body in progress even when the time is over,
// also of a body that it opened anew, or whose Close the caller's transport hides.
func TestABodyThatHangsEndsWithItsTry(t *testing.T) {
	for name, change := range map[string]func(*http.Request){
		"as it is": func(*http.Request) {},
		"anew":     func(r *http.Request) { r.Body, _ = r.GetBody() },
		"hidden":   func(r *http.Request) { r.Body = io.NopCloser(r.Body) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := fake(t, kyctest.Options{InMemory: true})
				hc := *s.Client()
				base := hc.Transport
				hc.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
					r = r.Clone(r.Context())
					change(r)
					return base.RoundTrip(r)
				})
				c, err := transport.New(transport.Config{Provider: "test", BaseURL: s.URL, HTTP: kyckit.HTTP{Client: &hc}})
				require.NoError(t, err)
				start := time.Now()
				_, err = c.Do(t.Context(), &transport.Call{
					Op: "start", Method: http.MethodPost, Path: "/start", Timeout: 5 * time.Second,
					Body: transport.Body{Length: -1, Open: func() (io.ReadCloser, error) {
						r, w := io.Pipe() // its Read ends with Close only
						t.Cleanup(func() { _ = w.Close() })
						return r, nil
					}},
				})
				require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
				assert.Equal(t, 5*time.Second, time.Since(start))
			})
		})
	}
}

func TestAMiddlewaresBodyThatHangsEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fake(t, kyctest.Options{InMemory: true})
		hangs := func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				resp, err := next.RoundTrip(r)
				if err == nil {
					_ = resp.Body.Close()
					resp.Body, _ = io.Pipe()
				}
				return resp, err
			})
		}
		c := newClient(t, s, kyckit.HTTP{Middleware: []func(http.RoundTripper) http.RoundTripper{hangs}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		_, err := c.Do(ctx, read("a"))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Minute, time.Since(began))

		ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err = c.Do(ctx, start())
		require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestLogHoldsMetadataOnly(t *testing.T) {
	var buf bytes.Buffer
	s := fake(t, kyctest.Options{})
	logger := slog.New(slog.NewTextHandler(&buf, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c := newClient(t, s, kyckit.HTTP{Logger: logger})
	call := read("1000000008")
	call.Query = map[string][]string{"secret": {"s3cret"}}
	_, err := c.Do(t.Context(), call)
	require.NoError(t, err)
	s.Fail("thing", 0, kyctest.Fault{Hangup: true})
	_, err = c.Do(t.Context(), call)
	require.Error(t, err)
	out := buf.String()
	assert.Contains(t, out, "path=/thing/{id}")
	assert.Contains(t, out, "status=200")
	assert.Contains(t, out, "request_id=req-1")
	assert.Contains(t, out, "attempt=3")
	assert.NotContains(t, out, "1000000008")
	assert.NotContains(t, out, "s3cret")
	assert.NotContains(t, out, "127.0.0.1")
}

func TestMiddlewareSeesACallOnceAndNoBearer(t *testing.T) {
	s := fake(t, kyctest.Options{})
	calls := 0
	m := func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			calls++
			resp, err := next.RoundTrip(r)
			assert.Empty(t, r.Header.Get("Authorization"))
			return resp, err
		})
	}
	c, err := transport.New(transport.Config{
		Provider: "test", BaseURL: s.URL,
		HTTP: kyckit.HTTP{Client: s.Client(), Middleware: []func(http.RoundTripper) http.RoundTripper{m}, Retry: kyckit.Retry{MinWait: 1, MaxWait: 1}},
		Authorize: func(rt http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				r.Header.Set("Authorization", "Bearer t0ken")
				return rt.RoundTrip(r)
			})
		},
	})
	require.NoError(t, err)
	s.Fail("thing", 1, kyctest.Fault{Status: 502})
	_, err = c.Do(t.Context(), read("a"))
	require.NoError(t, err)
	assert.Equal(t, 1, calls)
	assert.Equal(t, 2, s.Count("thing"))
	assert.Equal(t, "Bearer t0ken", s.Requests("thing")[1].Header.Get("Authorization"))
}

func TestMiddlewareCannotRepeatACall(t *testing.T) {
	s := fake(t, kyctest.Options{})
	twice := func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			if resp, err := next.RoundTrip(r); err == nil {
				_ = resp.Body.Close()
			}
			return next.RoundTrip(r)
		})
	}
	c := newClient(t, s, kyckit.HTTP{Middleware: []func(http.RoundTripper) http.RoundTripper{twice}})
	_, err := c.Do(t.Context(), start())
	require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
	assert.Equal(t, 1, s.Count("start"))
	_, err = c.Do(t.Context(), read("a"))
	require.NoError(t, err)
	assert.Equal(t, 2, s.Count("thing"))
	counted := read("a")
	counted.Once = true
	_, err = c.Do(t.Context(), counted)
	require.ErrorIs(t, err, kyckit.ErrUnavailable)
	assert.Equal(t, 3, s.Count("thing"))
}

// A middleware that asks twice to have the first answer, and does not wait for
// the other one.
func TestMiddlewareCannotRepeatACallAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fake(t, kyctest.Options{InMemory: true})
		hedge := func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				answers := make(chan *http.Response, 2)
				for range 2 {
					r := r.Clone(r.Context())
					go func() {
						if resp, err := next.RoundTrip(r); err == nil {
							answers <- resp
						}
					}()
				}
				return <-answers, nil
			})
		}
		c := newClient(t, s, kyckit.HTTP{Middleware: []func(http.RoundTripper) http.RoundTripper{hedge}})
		for range 20 {
			before := s.Count("start")
			_, err := c.Do(t.Context(), start())
			require.NoError(t, err)
			assert.Equal(t, before+1, s.Count("start"))
			s.Fail("thing", 1, kyctest.Fault{Status: 503})
			s.Fail("thing", 2, kyctest.Fault{Status: 503})
			_, err = c.Do(t.Context(), read("a"))
			require.NoError(t, err)
			synctest.Wait()
		}
	})
}

// What a middleware says of a call that was sent, or is being sent, cannot make
// it one that was not.
func TestMiddlewareCannotMakeACallUnsent(t *testing.T) {
	audit := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	synctest.Test(t, func(t *testing.T) {
		s := fake(t, kyctest.Options{InMemory: true})
		for name, fail := range map[string]error{
			"another service":       audit,
			"another service's DNS": &net.DNSError{IsNotFound: true},
			"this module's type":    &kyckit.Error{Provider: "audit", Kind: kyckit.ErrUnavailable},
		} {
			after := func(next http.RoundTripper) http.RoundTripper {
				return roundTrip(func(r *http.Request) (*http.Response, error) {
					resp, err := next.RoundTrip(r)
					if err == nil {
						_ = resp.Body.Close()
					}
					return nil, fail
				})
			}
			before := s.Count("start")
			_, err := newClient(t, s, kyckit.HTTP{Middleware: []func(http.RoundTripper) http.RoundTripper{after}}).Do(t.Context(), start())
			require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown, name)
			assert.Equal(t, 1, asError(t, err).Attempts)
			assert.Equal(t, before+1, s.Count("start"))

			instead := func(http.RoundTripper) http.RoundTripper {
				return roundTrip(func(*http.Request) (*http.Response, error) { return nil, fail })
			}
			_, err = newClient(t, s, kyckit.HTTP{Middleware: []func(http.RoundTripper) http.RoundTripper{instead}}).Do(t.Context(), start())
			require.ErrorIs(t, err, kyckit.ErrUnavailable, name)
			require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown, "it never left")
			assert.Equal(t, before+1, s.Count("start"))
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		hasty := func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				go func() {
					if resp, err := next.RoundTrip(r); err == nil {
						_ = resp.Body.Close()
					}
				}()
				synctest.Wait()
				return nil, errors.New("too slow")
			})
		}
		c := newClient(t, s, kyckit.HTTP{Middleware: []func(http.RoundTripper) http.RoundTripper{hasty}})
		s.Fail("start", 0, kyctest.Fault{Delay: time.Minute})
		_, err := c.Do(ctx, start())
		require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
		assert.Equal(t, 1, asError(t, err).Attempts)
		cancel()
		synctest.Wait()

		late := func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				go func() {
					time.Sleep(time.Second)
					_, _ = next.RoundTrip(r)
				}()
				return nil, errors.New("not now")
			})
		}
		before := s.Count("start")
		_, err = newClient(t, s, kyckit.HTTP{Middleware: []func(http.RoundTripper) http.RoundTripper{late}}).Do(t.Context(), start())
		require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
		time.Sleep(time.Minute)
		assert.Equal(t, before, s.Count("start"), "it was told that nothing was sent")
	})
}

func TestMiddlewareSeesNoBearerAfterARedirect(t *testing.T) {
	s := fake(t, kyctest.Options{})
	s.Fail("thing", 1, kyctest.Fault{Status: 302, Header: http.Header{"Location": {"/thing/b"}}})
	s.Fail("thing", 2, kyctest.Fault{Status: 307, Header: http.Header{"Location": {"/thing/c"}}})
	hops := 0
	look := func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			for hop := resp; hop != nil; hop = hop.Request.Response {
				hops++
				assert.Empty(t, hop.Request.Header.Get("Authorization"))
			}
			return resp, err
		})
	}
	c, err := transport.New(transport.Config{
		Provider: "test", BaseURL: s.URL,
		HTTP: kyckit.HTTP{Client: s.Client(), Middleware: []func(http.RoundTripper) http.RoundTripper{look}},
		Authorize: func(rt http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				r.Header.Set("Authorization", "Bearer t0ken")
				return rt.RoundTrip(r)
			})
		},
	})
	require.NoError(t, err)
	_, err = c.Do(t.Context(), read("a"))
	require.NoError(t, err)
	assert.Equal(t, 3, hops)
	assert.Equal(t, "Bearer t0ken", s.Requests("thing")[2].Header.Get("Authorization"))
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestCodesAreFiltered(t *testing.T) {
	for in, want := range map[string]string{
		"LOGIN_BAD_CREDENTIALS": "LOGIN_BAD_CREDENTIALS", "400-034-051": "400-034-051", "5004": "5004",
		"1000000008": "", "Noura Sample": "", "<b>": "", strings.Repeat("a", 65): "",
	} {
		assert.Equal(t, want, transport.Code(in))
	}
}

func TestRequestIDsAreFiltered(t *testing.T) {
	for in, want := range map[string]string{
		"req-1": "req-1", "4bf92f3577b34da6a3ce929d0e0e4736": "4bf92f3577b34da6a3ce929d0e0e4736", "a:b.c_d": "a:b.c_d",
		"0c1fae94-2b7d-4e55-a716-446655440000": "0c1fae94-2b7d-4e55-a716-446655440000", "8a1b2c3d4e5f6a7b-RUH": "8a1b2c3d4e5f6a7b-RUH",
		"req-1000000008": "", "verify:706.550.210-70": "", "a_19900101": "", "00000000-0000-0000-0000-001000000008": "",
		"1000000008": "", "706.550.210-70": "", "": "", "a b": "", "a\nb": "", "Noura Sample": "", strings.Repeat("a", 129): "",
	} {
		assert.Equal(t, want, transport.RequestID(in), in)
	}
}
