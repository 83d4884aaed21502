package transport_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
)

// haproxy runs HAProxy with one frontend that speaks HTTP/2 and HTTP/1.1 over TLS
// and passes everything on to the backend. It returns the address of the frontend.
func haproxy(t *testing.T, certificate tls.Certificate, backend, options string) string {
	t.Helper()
	program, err := exec.LookPath("haproxy")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("haproxy is not installed")
		}
		t.Skip("haproxy is not installed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())

	dir := t.TempDir()
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	require.NoError(t, err)
	var bundle bytes.Buffer
	require.NoError(t, pem.Encode(&bundle, &pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}))
	require.NoError(t, pem.Encode(&bundle, &pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	pemFile, conf := filepath.Join(dir, "server.pem"), filepath.Join(dir, "haproxy.cfg")
	require.NoError(t, os.WriteFile(pemFile, bundle.Bytes(), 0o600))
	require.NoError(t, os.WriteFile(conf, fmt.Appendf(nil, `
global
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    http-reuse always
frontend in
    bind %s ssl crt %s alpn h2,http/1.1
    default_backend out
backend out
    server s1 %s %s
`, address, pemFile, backend, options), 0o600))

	var said bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, "-db", "-f", conf)
	cmd.Stdout, cmd.Stderr = &said, &said
	require.NoError(t, cmd.Start())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, time.Minute, 10*time.Millisecond, "haproxy does not listen")
	return address
}

// A backend that acts and then ends the connection makes HAProxy say over HTTP/2
// that the request was refused, and over HTTP/1.1 nothing at all. Both times
// net/http would send it again.
func TestThroughHAProxyACallIsOneRequest(t *testing.T) {
	certificate, pool := selfSigned(t)
	for _, upstream := range []string{"HTTP/1.1", "HTTP/2"} {
		for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
			t.Run(protocol+" to HAProxy, "+upstream+" behind", func(t *testing.T) {
				var acted, spoken atomic.Int32
				var down atomic.Bool
				backend := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/warm" {
						_, _ = w.Write([]byte("{}"))
						return
					}
					acted.Add(1)
					if r.ProtoMajor == 2 {
						spoken.Add(1)
					}
					if down.Load() {
						conn, _ := r.Context().Value(connKey{}).(net.Conn)
						_ = conn.Close()
					}
				}))
				backend.Config.ConnContext = withConn
				options := ""
				if upstream == "HTTP/2" {
					backend.Config.Protocols = new(http.Protocols)
					backend.Config.Protocols.SetUnencryptedHTTP2(true)
					options = "proto h2"
				}
				backend.Start()
				defer backend.Close()

				address := haproxy(t, certificate, backend.Listener.Addr().String(), options)
				base := &http.Transport{
					ForceAttemptHTTP2: protocol == "HTTP/2.0",
					TLSClientConfig:   &tls.Config{RootCAs: pool},
				}
				defer base.CloseIdleConnections()
				c := over(t, "https://"+address, roundTrip(func(r *http.Request) (*http.Response, error) {
					resp, err := base.RoundTrip(r)
					if err == nil {
						assert.Equal(t, protocol, resp.Proto)
					}
					return resp, err
				}), kyckit.HTTP{Retry: quick})

				warm := read("a")
				warm.Path, warm.Args = "/warm", nil
				for range 5 {
					down.Store(false)
					_, err := c.Do(t.Context(), warm) // so that all connections are idle ones
					require.NoError(t, err)
					down.Store(true)
					acted.Store(0)
					_, err = c.Do(t.Context(), start())
					require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
					assert.EqualValues(t, 1, acted.Load())
					assert.Equal(t, 1, asError(t, err).Attempts)

					down.Store(false)
					_, err = c.Do(t.Context(), warm)
					require.NoError(t, err)
					down.Store(true)
					acted.Store(0)
					_, err = c.Do(t.Context(), read("a"))
					require.ErrorIs(t, err, kyckit.ErrUnavailable)
					assert.EqualValues(t, asError(t, err).Attempts, acted.Load(), "what the backend saw")
				}
				assert.Equal(t, upstream == "HTTP/2", spoken.Load() > 0)
			})
		}
	}
}

type connKey struct{}

func withConn(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, conn)
}
