package transport_test

import (
	"context"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/internal/transport"
	"github.com/kyckit/kyckit/kyctest"
)

// bearing returns a client that attaches a token, over base.
func bearing(t *testing.T, url string, base http.RoundTripper, h kyckit.HTTP) *transport.Client {
	t.Helper()
	h.Client = &http.Client{Transport: base}
	c, err := transport.New(transport.Config{
		Provider: "test", BaseURL: url, HTTP: h,
		Authorize: func(rt http.RoundTripper) http.RoundTripper {
			return auth.NewTransport(rt, auth.Static(kyckit.NewSecret("t0ken")))
		},
	})
	require.NoError(t, err)
	return c
}

// many makes calls from six goroutines at once.
func many(calls int, f func(i int)) {
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for i := range calls {
				f(i)
			}
		})
	}
	wg.Wait()
}

// A server that answers before it has read everything leaves net/http reading the
// headers while the call goes on: to its next try, or to its end, where a
// middleware may do with its request as it likes.
func TestHeadersBelongToNetHTTPAfterAnEarlyAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				_, _ = conn.Read(make([]byte, 1))
				_, _ = conn.Write([]byte("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
				_ = conn.(*net.TCPConn).CloseWrite()
				_ = conn.SetDeadline(time.Now().Add(10 * time.Millisecond))
				_, _ = conn.Read(make([]byte, 4096))
				_ = conn.Close()
			})
		}
	})
	defer wg.Wait()
	defer func() { _ = l.Close() }()
	meddles := func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err == nil {
				_ = resp.Body.Close()
			}
			r.Header.Set("X-Later", "y")
			return resp, err
		})
	}
	for name, middleware := range map[string][]func(http.RoundTripper) http.RoundTripper{
		"none": nil, "one that changes its request afterwards": {meddles},
	} {
		t.Run(name, func(t *testing.T) {
			base := &http.Transport{}
			defer base.CloseIdleConnections()
			c := bearing(t, "http://"+l.Addr().String(), base, kyckit.HTTP{Retry: quick, Middleware: middleware})
			call := read("a")
			call.Header = http.Header{"X-Long": {strings.Repeat("x", 8<<10)}}
			many(50, func(int) {
				_, err := c.Do(t.Context(), call)
				assert.Error(t, err)
			})
		})
	}
}

// The end of a context leaves the HTTP/2 code of net/http encoding headers.
func TestHeadersBelongToNetHTTPAfterCancellation(t *testing.T) {
	s := newRawHTTP2(t, func(c h2conn, stream uint32, n int) {
		if n%2 == 0 {
			c.ok(stream)
		}
	})
	c := bearing(t, s.URL, s.client, kyckit.HTTP{Retry: quick})
	call := read("a")
	call.Header = make(http.Header)
	for i := range 50 {
		call.Header.Set("X-Header-"+string(rune('a'+i%26))+string(rune('a'+i/26)), strings.Repeat("x", 200))
	}
	many(100, func(i int) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%20)*50*time.Microsecond)
		defer cancel()
		_, _ = c.Do(ctx, call)
	})
}

func TestEveryTryHasTheHeadersOfTheCall(t *testing.T) {
	s := fake(t, kyctest.Options{})
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	u, err := url.Parse(s.URL)
	require.NoError(t, err)
	jar.SetCookies(u, []*http.Cookie{{Name: "lb", Value: "1"}})
	adds := func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			r = r.Clone(r.Context())
			r.AddCookie(&http.Cookie{Name: "own", Value: "2"})
			return next.RoundTrip(r)
		})
	}
	hc := *s.Client()
	hc.Jar = jar
	c, err := transport.New(transport.Config{
		Provider: "test", BaseURL: s.URL,
		HTTP: kyckit.HTTP{Client: &hc, Retry: quick, Middleware: []func(http.RoundTripper) http.RoundTripper{adds}},
	})
	require.NoError(t, err)
	s.Fail("start", 1, kyctest.Fault{Status: 503, Header: http.Header{"Set-Cookie": {"lb=3"}}})
	s.Fail("start", 2, kyctest.Fault{Status: 503, Header: http.Header{"Set-Cookie": {"lb=; Max-Age=0"}}})
	call := start()
	call.Repeatable = true
	call.Header = http.Header{"X-Of-The-Call": {"x"}}
	_, err = c.Do(t.Context(), call)
	require.NoError(t, err)
	for i, want := range []string{"own=2; lb=1", "own=2; lb=3", "own=2"} {
		r := s.Requests("start")[i]
		assert.Equal(t, want, r.Header.Get("Cookie"))
		assert.Equal(t, "x", r.Header.Get("X-Of-The-Call"))
		assert.Equal(t, "hello", string(r.Body))
	}
	assert.Equal(t, http.Header{"X-Of-The-Call": {"x"}}, call.Header)
}
