package transport_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
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
		"overflow":     {"99999999999999999999999999", 2, 0},
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

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{"code":"A"}`, "", "<html>", `{"code":1}`, `{"code":"1000000008"}`} {
		f.Add([]byte(seed), 400)
	}
	s := kyctest.NewServer(kyctest.Options{})
	f.Cleanup(s.Close)
	var status int
	var body []byte
	s.Handle("GET /thing/{id}", "thing", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write(body)
	})
	c, err := transport.New(transport.Config{Provider: "test", BaseURL: s.URL, HTTP: kyckit.HTTP{Client: s.Client(), Retry: kyckit.Retry{MaxAttempts: 1}}, Explain: explain})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, b []byte, st int) {
		body, status = b, 400+((st%200)+200)%200
		_, err := c.Do(t.Context(), read("a"))
		var e *kyckit.Error
		if !errors.As(err, &e) || !bytes.Equal(e.Body(), b) {
			t.Fatalf("no typed error with the body: %v", err)
		}
		if len(b) > 70 && strings.Contains(err.Error(), string(b)) {
			t.Fatal("the error quotes the body")
		}
	})
}
