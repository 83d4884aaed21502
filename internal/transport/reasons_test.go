package transport_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"syscall"
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

// quiet drops what servers say about clients that fail on purpose.
var quiet = log.New(io.Discard, "", 0)

// A server that refuses the client's certificate has handled nothing, also where
// it says so after the request was sent, as with TLS 1.3.
func TestARefusedClientCertificate(t *testing.T) {
	certificate, pool := selfSigned(t)
	foreign, _ := selfSigned(t)
	for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		for shown, mine := range map[string][]tls.Certificate{"no certificate": nil, "another's": {foreign}} {
			for _, h2 := range []bool{false, true} {
				t.Run(name+", "+shown, func(t *testing.T) {
					var handled atomic.Int32
					s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { handled.Add(1) }))
					s.Config.ErrorLog = quiet
					s.EnableHTTP2 = h2
					s.TLS = &tls.Config{
						Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
						MinVersion: version, MaxVersion: version,
					}
					s.StartTLS()
					defer s.Close()
					told := 0
					for range 10 {
						base := &http.Transport{ForceAttemptHTTP2: h2, TLSClientConfig: &tls.Config{
							RootCAs: pool,
							// Shown whatever the server asks for.
							GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
								if mine == nil {
									return &tls.Certificate{}, nil
								}
								return &mine[0], nil
							},
						}}
						c := over(t, s.URL, base, kyckit.HTTP{Retry: quick})
						for _, call := range []*transport.Call{start(), read("a")} {
							_, err := c.Do(t.Context(), call)
							if asError(t, err).Attempts > 1 || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
								continue // closed by net/http before it read the alert
							}
							told++
							require.ErrorIs(t, err, kyckit.ErrUnavailable)
							require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
							assert.Contains(t, err.Error(), "client certificate, nothing was handled")
							var alert tls.AlertError
							require.ErrorAs(t, err, &alert)
							assert.Contains(t, []tls.AlertError{40, 42, 46, 48, 116}, alert)
							assert.Equal(t, 1, asError(t, err).Attempts, "it will be refused again")
						}
						base.CloseIdleConnections()
					}
					assert.Zero(t, handled.Load())
					assert.NotZero(t, told)
				})
			}
		}
	}
}

func TestAProxyThatAsksForCredentials(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Proxy-Authenticate", "Basic")
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	defer proxy.Close()
	address, err := url.Parse(proxy.URL)
	require.NoError(t, err)
	base := &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return address, nil }}
	defer base.CloseIdleConnections()
	_, err = over(t, "https://kyckit.invalid", base, kyckit.HTTP{}).Do(t.Context(), start())
	require.ErrorIs(t, err, kyckit.ErrUnavailable)
	require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
	assert.Contains(t, err.Error(), "the proxy asks for credentials, nothing was sent")
	_, err = over(t, "http://127.0.0.1:1", base, kyckit.HTTP{}).Do(t.Context(), start())
	require.ErrorIs(t, err, kyckit.ErrInvalid)
	assert.Contains(t, err.Error(), "the proxy asks for credentials (http 407)")
}

// The token is replaced while the body of the refusal still comes.
func TestARefusalThatNeverEndsIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go func() {
				defer func() { _ = server.Close() }()
				in := bufio.NewReader(server)
				for {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					if r.Header.Get("Authorization") == "Bearer new" {
						_, _ = server.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"))
						continue
					}
					_, _ = server.Write([]byte("HTTP/1.1 401 No\r\nContent-Length: 1000000\r\n\r\n{"))
					for err == nil {
						time.Sleep(100 * time.Millisecond)
						_, err = server.Write([]byte(" "))
					}
				}
			}()
			return client, nil
		}}
		defer base.CloseIdleConnections()
		tokens := []string{"old", "new"}
		c, err := transport.New(transport.Config{
			Provider: "test", BaseURL: "http://127.0.0.1", HTTP: kyckit.HTTP{Client: &http.Client{Transport: base}},
			Authorize: func(rt http.RoundTripper) http.RoundTripper {
				return auth.NewTransport(rt, auth.SourceFunc(func(context.Context) (auth.Token, error) {
					token := tokens[0]
					tokens = tokens[1:]
					return auth.Token{Access: kyckit.NewSecret(token)}, nil
				}))
			},
		})
		require.NoError(t, err)
		began := time.Now()
		resp, err := c.Do(t.Context(), start())
		require.NoError(t, err)
		assert.Equal(t, 2, resp.Attempts)
		assert.LessOrEqual(t, time.Since(began), 2*time.Second)
		time.Sleep(time.Second) // for the server's last Write
	})
}

// A date is meant by the clock of whoever wrote it.
func TestRetryAfterIsJudgedByTheAnswersDate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fake(t, kyctest.Options{InMemory: true})
		c := newClient(t, s, kyckit.HTTP{})
		theirs := time.Now().Add(-time.Hour).UTC()
		s.Fail("thing", 0, kyctest.Fault{Status: 429, Header: http.Header{
			"Date":        {theirs.Format(http.TimeFormat)},
			"Retry-After": {theirs.Add(40 * time.Second).Format(http.TimeFormat)},
		}})
		_, err := c.Do(t.Context(), read("a"))
		require.ErrorIs(t, err, kyckit.ErrRateLimited)
		assert.Equal(t, 40*time.Second, asError(t, err).RetryAfter)
	})
}

// The network swallows the packets of a connection that served before.
func TestADeadHTTP2ConnectionIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		certificate, pool := selfSigned(t)
		var dead atomic.Bool
		var dials int
		l := &memoryListener{conns: make(chan net.Conn)}
		server := &http.Server{
			Handler:   http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }),
			TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}},
			ErrorLog:  quiet,
		}
		served := make(chan struct{})
		go func() { defer close(served); _ = server.ServeTLS(l, "", "") }()
		base := transport.NewBase()
		base.TLSClientConfig = &tls.Config{RootCAs: pool, Time: nil}
		base.DialContext = func(context.Context, string, string) (net.Conn, error) {
			dials++
			near, far := net.Pipe()
			through := &swallowing{Conn: near, dead: &dead}
			if dials > 1 {
				through.dead = new(atomic.Bool)
			}
			l.conns <- far
			return through, nil
		}
		c := over(t, "https://127.0.0.1", base, kyckit.HTTP{Retry: kyckit.Retry{MaxAttempts: 1}})
		_, err := c.Do(t.Context(), read("a"))
		require.NoError(t, err)
		dead.Store(true)
		failed := 0
		for range 12 {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			if _, err := c.Do(ctx, read("a")); err != nil {
				failed++
			}
			cancel()
		}
		assert.LessOrEqual(t, failed, 3)
		assert.Equal(t, 2, dials)
		base.CloseIdleConnections()
		_ = server.Close()
		<-served
	})
}

// swallowing is a connection that says and hears nothing any more.
type swallowing struct {
	net.Conn
	dead *atomic.Bool
}

func (s *swallowing) Write(p []byte) (int, error) {
	if s.dead.Load() {
		return len(p), nil
	}
	return s.Conn.Write(p)
}

type memoryListener struct{ conns chan net.Conn }

func (l *memoryListener) Accept() (net.Conn, error) {
	conn, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}
func (l *memoryListener) Close() error   { close(l.conns); return nil }
func (l *memoryListener) Addr() net.Addr { return &net.TCPAddr{} }

func TestAClientWithoutATransportIsNetHTTPs(t *testing.T) {
	s := fake(t, kyctest.Options{})
	was := http.DefaultTransport
	defer func() { http.DefaultTransport = was }()
	used := 0
	http.DefaultTransport = roundTrip(func(r *http.Request) (*http.Response, error) {
		used++
		return s.Client().Transport.RoundTrip(r)
	})
	for want, hc := range map[int]*http.Client{1: {}, 0: nil} {
		used = 0
		c, err := transport.New(transport.Config{Provider: "test", BaseURL: s.URL, HTTP: kyckit.HTTP{Client: hc}})
		require.NoError(t, err)
		_, err = c.Do(t.Context(), read("a"))
		require.NoError(t, err)
		assert.Equal(t, want, used)
	}
}

func TestAByteOrderMarkIsSkipped(t *testing.T) {
	s := fake(t, kyctest.Options{})
	c := newClient(t, s, kyckit.HTTP{})
	s.Fail("thing", 1, kyctest.Fault{Status: 200, Body: "\uFEFF {\"a\":1}\n"})
	resp, err := c.Do(t.Context(), read("a"))
	require.NoError(t, err)
	var got map[string]int
	require.NoError(t, resp.Decode(&got))
	assert.Equal(t, map[string]int{"a": 1}, got)
	s.Fail("start", 1, kyctest.Fault{Status: 400, Body: "\uFEFF{\"code\":\"E-1\"}"})
	_, err = c.Do(t.Context(), start())
	assert.Equal(t, "E-1", asError(t, err).Code)
	s.Fail("thing", 1, kyctest.Fault{Status: 200, Body: "\uFEFF\n"})
	resp, err = c.Do(t.Context(), read("a"))
	require.NoError(t, err)
	require.ErrorIs(t, resp.Decode(&got), kyckit.ErrDecode)
}
