package transport_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/transport"
	"github.com/kyckit/kyckit/kyctest"
)

// quick is a policy that hardly waits.
var quick = kyckit.Retry{MinWait: time.Millisecond, MaxWait: time.Millisecond}

func over(t *testing.T, url string, base http.RoundTripper, h kyckit.HTTP) *transport.Client {
	t.Helper()
	h.Client = &http.Client{Transport: base}
	c, err := transport.New(transport.Config{Provider: "test", BaseURL: url, HTTP: h})
	require.NoError(t, err)
	return c
}

// bare is a call without a body that must not be repeated.
func bare() *transport.Call {
	return &transport.Call{Op: "start", Method: http.MethodGet, Path: "/start"}
}

// keyed is a call that net/http repeats over HTTP/1.1, whatever its method.
func keyed() *transport.Call {
	call := start()
	call.Header = http.Header{"Idempotency-Key": {"k"}}
	return call
}

// net/http sends a request again after each of these, up to seven times, for as
// long as it has the body or there is none.
func TestOverHTTP2ACallIsOneRequest(t *testing.T) {
	for name, fail := range map[string]func(c h2conn, stream uint32){
		"reset, protocol error":  func(c h2conn, stream uint32) { c.reset(stream, codeProtocol) },
		"reset, refused stream":  func(c h2conn, stream uint32) { c.reset(stream, codeRefused) },
		"reset, internal error":  func(c h2conn, stream uint32) { c.reset(stream, codeInternal) },
		"reset, cancel":          func(c h2conn, stream uint32) { c.reset(stream, codeCancel) },
		"goaway before":          func(c h2conn, stream uint32) { c.goAway(stream-1, codeNone); _ = c.Close() },
		"goaway before, staying": func(c h2conn, stream uint32) { c.goAway(stream-1, codeNone) },
		"goaway with an error":   func(c h2conn, stream uint32) { c.goAway(stream-1, codeInternal); _ = c.Close() },
		"goaway after":           func(c h2conn, stream uint32) { c.goAway(stream, codeNone); _ = c.Close() },
		"hangup":                 func(c h2conn, _ uint32) { _ = c.Close() },
		"no place to dial": func(c h2conn, stream uint32) {
			_ = c.s.listener.Close()
			c.goAway(stream-1, codeNone)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for what, call := range map[string]*transport.Call{"with a body": start(), "without": bare(), "streamed": upload()} {
				s := newRawHTTP2(t, func(c h2conn, stream uint32, _ int) { fail(c, stream) })
				c := over(t, s.URL, s.client, kyckit.HTTP{Retry: quick})
				_, err := c.Do(t.Context(), call)
				require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown, what)
				assert.EqualValues(t, 1, s.requests.Load(), what)
				assert.Equal(t, 1, asError(t, err).Attempts, what)
				assert.NotContains(t, err.Error(), "nothing was sent")
			}
			if name == "no place to dial" {
				return
			}
			// A repeatable call is repeated by this module alone.
			s := newRawHTTP2(t, func(c h2conn, stream uint32, n int) {
				if n == 3 {
					c.ok(stream)
					return
				}
				fail(c, stream)
			})
			c := over(t, s.URL, s.client, kyckit.HTTP{Retry: quick})
			resp, err := c.Do(t.Context(), read("a"))
			require.NoError(t, err)
			assert.Equal(t, 3, resp.Attempts)
			assert.EqualValues(t, 3, s.requests.Load())
			counted := read("a")
			counted.Once = true
			s = newRawHTTP2(t, func(c h2conn, stream uint32, _ int) { fail(c, stream) })
			_, err = over(t, s.URL, s.client, kyckit.HTTP{Retry: quick}).Do(t.Context(), counted)
			require.ErrorIs(t, err, kyckit.ErrUnavailable)
			assert.EqualValues(t, 1, s.requests.Load(), "the caller counts requests")
		})
	}
}

// Other calls on the connection go on when one is not repeated.
func TestACallThatIsNotRepeatedHarmsNoOther(t *testing.T) {
	var held atomic.Uint32
	arrived := make(chan struct{})
	s := newRawHTTP2(t, func(c h2conn, stream uint32, n int) {
		switch n {
		case 1:
			held.Store(stream)
			close(arrived)
		case 2:
			c.reset(stream, codeRefused)
		default:
			c.ok(stream)
			c.ok(held.Load())
		}
	})
	c := over(t, s.URL, s.client, kyckit.HTTP{Retry: quick})
	first := make(chan error, 1)
	go func() {
		_, err := c.Do(t.Context(), start())
		first <- err
	}()
	<-arrived
	_, err := c.Do(t.Context(), start())
	require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
	_, err = c.Do(t.Context(), start())
	require.NoError(t, err)
	require.NoError(t, <-first)
	assert.EqualValues(t, 3, s.requests.Load())
	assert.EqualValues(t, 1, s.conns.Load())
}

// stale is an HTTP/1.1 server that answers the first request of a connection,
// and of any other only closes the connection once it has read it.
func stale(t *testing.T) (url string, requests *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	requests = new(atomic.Int32)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				in := bufio.NewReader(conn)
				for n := range 2 {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					requests.Add(1)
					if n == 0 {
						_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"))
					}
				}
			}()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return "http://" + l.Addr().String(), requests
}

func TestOverAStaleConnectionACallIsOneRequest(t *testing.T) {
	for name, tc := range map[string]struct {
		call *transport.Call
		want error
		sent int
	}{
		"GET that must not be repeated": {bare(), kyckit.ErrOutcomeUnknown, 1},
		"POST":                          {start(), kyckit.ErrOutcomeUnknown, 1},
		"POST with a key":               {keyed(), kyckit.ErrOutcomeUnknown, 1},
		"GET":                           {read("a"), nil, 2},
	} {
		t.Run(name, func(t *testing.T) {
			url, requests := stale(t)
			base := &http.Transport{}
			defer base.CloseIdleConnections()
			c := over(t, url, base, kyckit.HTTP{Retry: quick})
			_, err := c.Do(t.Context(), read("a"))
			require.NoError(t, err)
			requests.Store(0)
			resp, err := c.Do(t.Context(), tc.call)
			assert.EqualValues(t, tc.sent, requests.Load())
			if tc.want == nil {
				require.NoError(t, err)
				assert.Equal(t, tc.sent, resp.Attempts)
				return
			}
			require.ErrorIs(t, err, tc.want)
			assert.Equal(t, 1, asError(t, err).Attempts)
		})
	}
	t.Run("a single try", func(t *testing.T) {
		url, requests := stale(t)
		base := &http.Transport{}
		defer base.CloseIdleConnections()
		c := over(t, url, base, kyckit.HTTP{Retry: kyckit.Retry{MaxAttempts: 1}})
		for n := range int32(2) {
			_, err := c.Do(t.Context(), read("a"))
			assert.Equal(t, n > 0, err != nil)
			assert.Equal(t, n+1, requests.Load())
		}
	})
}

// restless writes each request into two connections, as net/http does when the first
// one fails, and gets no answer.
type restless struct{}

func (restless) RoundTrip(r *http.Request) (*http.Response, error) {
	hooks := httptrace.ContextClientTrace(r.Context())
	for range 2 {
		conn, other := net.Pipe()
		_ = other.Close()
		hooks.GetConn("")
		hooks.GotConn(httptrace.GotConnInfo{Conn: conn})
		hooks.WroteHeaders()
	}
	return nil, io.ErrUnexpectedEOF
}

// What is written into a connection that was closed to stop it costs no try.
func TestAStoppedRequestIsNoAttempt(t *testing.T) {
	c := over(t, "http://127.0.0.1:1", restless{}, kyckit.HTTP{Retry: quick})
	_, err := c.Do(t.Context(), bare())
	assert.Equal(t, 1, asError(t, err).Attempts)
	_, err = c.Do(t.Context(), read("a"))
	assert.Equal(t, 3, asError(t, err).Attempts, "one for each try")
}

// A transport of the caller's that retries by itself is stopped, over new
// connections and idle ones, HTTP/1.1 and HTTP/2.
func TestARetryingTransportIsStopped(t *testing.T) {
	for name, o := range map[string]kyctest.Options{"HTTP/1.1": {}, "TLS": {TLS: true}} {
		for _, keep := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				s := fake(t, o)
				base := s.Client().Transport.(*http.Transport).Clone()
				base.DisableKeepAlives = !keep
				defer base.CloseIdleConnections()
				retrying := retryablehttp.NewClient()
				retrying.HTTPClient = &http.Client{Transport: base}
				retrying.Logger, retrying.RetryWaitMin, retrying.RetryWaitMax = nil, time.Millisecond, time.Millisecond
				c := over(t, s.URL, retrying.StandardClient().Transport, kyckit.HTTP{Retry: kyckit.Retry{
					MaxAttempts: 10, MinWait: time.Millisecond, MaxWait: time.Millisecond,
				}})
				for _, fault := range []kyctest.Fault{{Status: 503}, {Hangup: true}, {LoseAnswer: true}} {
					for range 10 { // an idle connection is a matter of chance
						for _, call := range []*transport.Call{start(), keyed()} {
							s.Fail("start", 1, fault)
							before := s.Count("start")
							_, err := c.Do(t.Context(), call)
							require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
							require.Equal(t, before+1, s.Count("start"))
						}
					}
					s.Fail("thing", 1, fault)
					s.Fail("thing", 2, fault)
					before := s.Count("thing")
					resp, err := c.Do(t.Context(), read("a"))
					require.NoError(t, err)
					assert.Equal(t, 3, resp.Attempts)
					assert.Equal(t, before+3, s.Count("thing"))
				}
			})
		}
	}
}

// A failure to dial says that nothing was sent only as long as nothing was.
func TestAFailingDialAfterARequestIsNotUnsent(t *testing.T) {
	s := fake(t, kyctest.Options{})
	s.Fail("start", 0, kyctest.Fault{Status: 503})
	base := &http.Transport{DisableKeepAlives: true}
	dials := 0
	base.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if dials++; dials > 1 {
			return nil, &net.OpError{Op: "dial", Err: errors.New("no way")}
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	twice := roundTrip(func(r *http.Request) (*http.Response, error) {
		resp, err := base.RoundTrip(r)
		if err == nil {
			_ = resp.Body.Close()
		}
		again, _ := http.NewRequestWithContext(context.WithoutCancel(r.Context()), r.Method, r.URL.String(), http.NoBody)
		return base.RoundTrip(again)
	})
	_, err := over(t, s.URL, twice, kyckit.HTTP{}).Do(t.Context(), start())
	require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
	assert.NotContains(t, err.Error(), "nothing was sent")
	assert.NotContains(t, err.Error(), "refused")
	assert.Equal(t, 1, s.Count("start"))
}
