package webhook_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/webhook"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

// apacheMain is what stands around the virtual hosts of a real configuration.
func (p *realProxy) apacheMain(t *testing.T) string {
	t.Helper()
	const modules = "/usr/lib/apache2/modules"
	if _, err := os.Stat(modules); err != nil {
		t.Skipf("no Apache modules in %s", modules)
	}
	conf := fmt.Sprintf("ServerRoot %[1]s\nListen %[2]s\nServerName example.com\nPidFile %[1]s/apache.pid\nErrorLog %[1]s/error.log\nDefaultRuntimeDir %[1]s\nMutex file:%[1]s default\nSSLSessionCache none\n", p.dir, p.addr)
	load := ""
	for _, name := range []string{"mpm_event", "authz_core", "headers", "proxy", "proxy_http", "ssl", "socache_shmcb"} {
		load += fmt.Sprintf("LoadModule %[1]s_module %[2]s/mod_%[1]s.so\n", name, modules)
	}
	return load + conf
}

func TestRealApache(t *testing.T) {
	path := program(t, "apache2")
	p := newRealProxy(t)
	cfg := webhook.ProxyCertConfig{Format: webhook.ProxyApache, ChainHeader: "X-SSL-Client-Chain", Trusted: loopback(), Certificate: p.rule}
	a, err := webhook.NewProxyCert(cfg)
	require.NoError(t, err)
	backend := behind(t, a)
	conf := p.file(t, "apache.conf", []byte(p.apacheMain(t)), fmt.Appendf(nil, `
<VirtualHost *:*>
	SSLEngine on
	SSLCertificateFile %[1]s/server.pem
	SSLCACertificateFile %[1]s/ca.pem
	SSLVerifyClient optional_no_ca
	SSLVerifyDepth 3
	RequestHeader set X-SSL-Client-Cert "%%{SSL_CLIENT_CERT}s"
	RequestHeader set X-SSL-Client-Verify "%%{SSL_CLIENT_VERIFY}s"
	RequestHeader set X-SSL-Client-Chain "%%{SSL_CLIENT_CERT_CHAIN_0}s"
	ProxyPass / %[2]s/
</VirtualHost>
`, p.dir, backend.URL))
	p.start(t, path, "-X", "-f", conf)
	p.check(t, webhooktest.Forward(webhook.ProxyApache, p.sender.Issue(webhooktest.Leaf{}).Certificate))
	t.Run("forwards the chain", func(t *testing.T) {
		cfg.Certificate = webhook.ClientCertConfig{CA: p.sender.PEM()}
		require.NoError(t, a.Replace(cfg))
		below := p.sender.Intermediate("issuing").Issue(webhooktest.Leaf{})
		assert.Equal(t, 200, send(p.client(below), p.url("/")))
	})
}

// TestRealNginxBeforeEscaping: $ssl_client_cert, which old versions had alone,
// becomes a header of several lines, which arrive as one with blanks.
func TestRealNginxBeforeEscaping(t *testing.T) {
	path := program(t, "nginx")
	p := newRealProxy(t)
	a, err := webhook.NewProxyCert(webhook.ProxyCertConfig{Format: webhook.ProxyApache, Trusted: loopback(), Certificate: p.rule})
	require.NoError(t, err)
	p.startNginx(t, path, fmt.Sprintf(`
		ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate %[1]s/server.pem; ssl_certificate_key %[1]s/server.pem;
		ssl_client_certificate %[1]s/ca.pem; ssl_verify_client optional_no_ca; ssl_verify_depth 3;
		location / {
			proxy_pass %[2]s;
			proxy_set_header X-SSL-Client-Cert $ssl_client_cert;
			proxy_set_header X-SSL-Client-Verify $ssl_client_verify;
		}`, p.dir, behind(t, a).URL))
	p.check(t, webhooktest.Forward(webhook.ProxyApache, p.sender.Issue(webhooktest.Leaf{}).Certificate))
}

func TestRealCaddy(t *testing.T) {
	path := program(t, "caddy")
	p := newRealProxy(t)
	a, err := webhook.NewProxyCert(webhook.ProxyCertConfig{Format: webhook.ProxyDER, Trusted: loopback(), Certificate: p.rule})
	require.NoError(t, err)
	p.startCaddy(t, path, fmt.Sprintf(`
%[1]s {
	tls %[2]s/server.pem %[2]s/server.pem {
		client_auth {
			mode request
		}
	}
	reverse_proxy %[3]s {
		header_up X-SSL-Client-Cert {http.request.tls.client.certificate_der_base64}
	}
}
`, strings.TrimSuffix(p.url("/"), "/"), p.dir, behind(t, a).URL))
	p.check(t, webhooktest.Forward(webhook.ProxyDER, p.sender.Issue(webhooktest.Leaf{}).Certificate))
}

// startNginx runs nginx with one server block.
func (p *realProxy) startNginx(t *testing.T, path, server string) {
	t.Helper()
	p.startNginxText(t, path, fmt.Sprintf(`
events {}
http {
	underscores_in_headers on;
	server {
		listen %s ssl;
		%s
	}
}
`, p.addr, server))
}

// startNginxText runs nginx with a whole configuration, but as no service: in
// front, with all files in the test's folder.
func (p *realProxy) startNginxText(t *testing.T, path, text string) {
	t.Helper()
	before, after, found := strings.Cut(text, "http {")
	require.True(t, found)
	conf := p.file(t, "nginx.conf", fmt.Appendf(nil, `daemon off; master_process off; pid %[1]s/nginx.pid; error_log %[1]s/error.log;
%[2]shttp {
	access_log off;
	client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;%[3]s`, p.dir, before, after))
	p.start(t, path, "-p", p.dir, "-e", filepath.Join(p.dir, "start.log"), "-c", conf)
}

// startCaddy runs Caddy with sites, without its admin interface.
func (p *realProxy) startCaddy(t *testing.T, path, sites string) {
	t.Helper()
	conf := p.file(t, "Caddyfile", fmt.Appendf(nil, `
{
	admin off
	auto_https disable_redirects
	default_bind 127.0.0.1
	skip_install_trust
	storage file_system %s
	servers {
		protocols h1 h2
	}
}
%s
`, p.dir, sites))
	p.start(t, path, "run", "--config", conf, "--adapter", "caddyfile")
}
