package webhook_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/webhook"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

// program finds a server program. A machine without it skips the test; one
// that builds releases, where CI is "true", must have it.
func program(t *testing.T, name string) string {
	t.Helper()
	for _, candidate := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed, and CI is true", name)
	}
	t.Skipf("%s is not installed: on Debian, apt-get install %s", name, name)
	return ""
}

// realProxy is a proxy process and what stands behind it.
type realProxy struct {
	ca, sender *webhooktest.TestCA
	dir, addr  string
	rule       webhook.ClientCertConfig
	revoked    *webhooktest.Identity
}

func newRealProxy(t *testing.T) *realProxy {
	t.Helper()
	p := &realProxy{ca: webhooktest.NewTestCA(t, "server CA"), sender: webhooktest.NewTestCA(t, "sender CA"), dir: t.TempDir()}
	server := p.ca.Issue(webhooktest.Leaf{DNSNames: []string{"example.com"}, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	p.file(t, "server.pem", server.PEM(), server.KeyPEM())
	p.file(t, "ca.pem", p.sender.PEM())
	p.revoked = p.sender.Issue(webhooktest.Leaf{})
	p.rule = webhook.ClientCertConfig{CA: p.sender.PEM(), CRL: p.sender.CRL(webhooktest.CRL{Revoked: []*x509.Certificate{p.revoked.Certificate}})}
	// The program binds the port itself, so it must be free a moment later too:
	// not one of those that the system hands out to others meanwhile.
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(10000)))
		if err != nil {
			continue
		}
		p.addr = l.Addr().String()
		require.NoError(t, l.Close())
		return p
	}
	t.Fatal("no free port")
	return nil
}

func (p *realProxy) file(t *testing.T, name string, parts ...[]byte) string {
	t.Helper()
	path := filepath.Join(p.dir, name)
	require.NoError(t, os.WriteFile(path, bytes.Join(parts, nil), 0o600))
	return path
}

// start runs the program until the test ends.
func (p *realProxy) start(t *testing.T, path string, args ...string) {
	t.Helper()
	var output bytes.Buffer
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, &output, &output
	cmd.Env = append(os.Environ(), "HOME="+p.dir, "XDG_CONFIG_HOME="+p.dir, "XDG_DATA_HOME="+p.dir)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 3 * time.Second
	require.NoError(t, cmd.Start())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() { cancel(); <-done })
	for range 600 {
		if conn, err := net.DialTimeout("tcp", p.addr, time.Second); err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-done:
			t.Fatalf("%s ended: %s", path, output.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatalf("%s does not listen", path)
}

// url has the name that is in the proxy's certificate: Caddy answers to no other.
func (p *realProxy) url(path string) string {
	_, port, _ := strings.Cut(p.addr, ":")
	return "https://example.com:" + port + path
}

// client is a sender that finds the proxy under that name.
func (p *realProxy) client(id *webhooktest.Identity) *http.Client {
	c := client(p.ca, id, nil, tls.VersionTLS13)
	c.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, p.addr)
	}
	return c
}

// check sends good and bad deliveries through the proxy.
func (p *realProxy) check(t *testing.T, forged http.Header) {
	t.Helper()
	url, with := p.url("/hook"), p.client
	good := with(p.sender.Issue(webhooktest.Leaf{}))
	assert.Equal(t, 200, send(good, url))
	assert.Equal(t, 401, send(with(p.revoked), url), "the proxy knows no list, so the rule here must refuse")
	for _, kind := range webhooktest.BadCerts() {
		assert.NotEqual(t, 200, send(with(p.sender.Bad(kind, webhooktest.Leaf{})), url), kind)
	}
	assert.Equal(t, 401, send(with(nil), url))
	sender := &webhooktest.Sender{URL: url, Client: with(nil), Header: forged}
	assert.Equal(t, 401, sender.Send(t.Context(), webhooktest.Event{Body: []byte("{}")}).Status, "headers written by a stranger")
	sender.Client = good
	assert.Equal(t, 200, sender.Send(t.Context(), webhooktest.Event{Body: []byte("{}")}).Status, "the proxy overwrites them")
	sender.Header = http.Header{"X_SSL_Client_Cert": {"x"}}
	assert.Equal(t, 401, sender.Send(t.Context(), webhooktest.Event{Body: []byte("{}")}).Status, "a twin that the proxy lets through")
}

func TestRealNginx(t *testing.T) {
	path := program(t, "nginx")
	p := newRealProxy(t)
	socket := filepath.Join(p.dir, "hook.sock")
	a, err := webhook.NewProxyCert(webhook.ProxyCertConfig{Format: webhook.ProxyNginx, TrustUnixSocket: true, Certificate: p.rule})
	require.NoError(t, err)
	backend := behind(t, a)
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: backend.Config.Handler, ReadHeaderTimeout: 30 * time.Second}}
	server.Start()
	t.Cleanup(server.Close)
	p.startNginx(t, path, fmt.Sprintf(`
		ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate %[1]s/server.pem; ssl_certificate_key %[1]s/server.pem;
		ssl_client_certificate %[1]s/ca.pem; ssl_verify_client optional_no_ca; ssl_verify_depth 3;
		location / {
			proxy_pass http://unix:%[2]s;
			proxy_set_header X-SSL-Client-Cert $ssl_client_escaped_cert;
			proxy_set_header X-SSL-Client-Verify $ssl_client_verify;
		}`, p.dir, socket))
	p.check(t, webhooktest.Forward(webhook.ProxyNginx, p.sender.Issue(webhooktest.Leaf{}).Certificate))
}

func TestRealHAProxy(t *testing.T) {
	path := program(t, "haproxy")
	p := newRealProxy(t)
	cfg := webhook.ProxyCertConfig{Format: webhook.ProxyHAProxy, ChainHeader: "X-SSL-Client-Chain", Trusted: loopback(), Certificate: p.rule}
	a, err := webhook.NewProxyCert(cfg)
	require.NoError(t, err)
	backend := behind(t, a)
	conf := p.file(t, "haproxy.cfg", fmt.Appendf(nil, `
global
	maxconn 50
defaults
	mode http
	timeout connect 30s
	timeout client 30s
	timeout server 30s
frontend hooks
	bind %[2]s ssl crt %[1]s/server.pem ca-file %[1]s/ca.pem verify optional crt-ignore-err all ca-ignore-err all
	http-request set-header X-SSL-Client-Cert %%[ssl_c_der,base64]
	http-request set-header X-SSL-Client-Verify %%[ssl_c_verify]
	http-request del-header X-SSL-Client-Chain
	http-request set-header X-SSL-Client-Chain %%[ssl_c_chain_der,base64] if { ssl_c_chain_der -m found }
	default_backend app
backend app
	server app %[3]s
`, p.dir, p.addr, backend.Listener.Addr()))
	p.start(t, path, "-db", "-f", conf)
	p.check(t, webhooktest.Forward(webhook.ProxyHAProxy, p.sender.Issue(webhooktest.Leaf{}).Certificate))
	t.Run("forwards the chain", func(t *testing.T) {
		// A list is configured, so the issuing CA needs one too; accept by a
		// rule without lists.
		cfg.Certificate = webhook.ClientCertConfig{CA: p.sender.PEM()}
		require.NoError(t, a.Replace(cfg))
		below := p.sender.Intermediate("issuing").Issue(webhooktest.Leaf{})
		assert.Equal(t, 200, send(p.client(below), p.url("/")))
	})
}
