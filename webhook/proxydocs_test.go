package webhook_test

import (
	"bytes"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/webhook"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

// documented returns the configuration of a proxy out of its guide.
func documented(t *testing.T, language string) string {
	t.Helper()
	page, err := os.ReadFile("../docs/webhooks-behind-a-proxy.md")
	require.NoError(t, err)
	_, block, found := strings.Cut(string(page), "\n```"+language+"\n")
	block, _, ended := strings.Cut(block, "\n```\n")
	require.True(t, found && ended, language)
	return block + "\n"
}

// documentedProxies are the proxies whose documented configurations run here:
// each with the language of its block and how to start the program with it.
var documentedProxies = map[string]struct {
	language string
	cfg      webhook.ProxyCertConfig
	start    func(t *testing.T, p *realProxy, path, conf string)
}{
	"nginx": {"nginx", webhook.ProxyCertConfig{Format: webhook.ProxyNginx}, func(t *testing.T, p *realProxy, path, conf string) {
		p.startNginxText(t, path, strings.Replace(conf, "listen 443 ssl", "listen "+p.addr+" ssl", 1))
	}},
	"haproxy": {"haproxy", webhook.ProxyCertConfig{Format: webhook.ProxyHAProxy, ChainHeader: "X-SSL-Client-Chain"}, func(t *testing.T, p *realProxy, path, conf string) {
		p.start(t, path, "-db", "-f", p.file(t, "haproxy.cfg", []byte(strings.Replace(conf, "bind :443", "bind "+p.addr, 1))))
	}},
	"apache2": {"apache", webhook.ProxyCertConfig{Format: webhook.ProxyApache, ChainHeader: "X-SSL-Client-Chain"}, func(t *testing.T, p *realProxy, path, conf string) {
		p.start(t, path, "-X", "-f", p.file(t, "apache.conf", []byte(p.apacheMain(t)), []byte(strings.Replace(conf, "*:443", p.addr, 1))))
	}},
	"caddy": {"caddyfile", webhook.ProxyCertConfig{Format: webhook.ProxyDER}, func(t *testing.T, p *realProxy, path, conf string) {
		p.startCaddy(t, path, strings.Replace(conf, "example.com {", p.url("")+" {", 1))
	}},
}

// startDocumented runs a proxy as the guide says, but in a folder and on ports of
// the test's own, in front of a.
func (p *realProxy) startDocumented(t *testing.T, name string, backend *httptest.Server, change ...string) {
	t.Helper()
	path := program(t, name)
	proxy := documentedProxies[name]
	before := documented(t, proxy.language)
	conf := strings.NewReplacer(append([]string{
		"/etc/hooks/provider-ca.pem", p.dir + "/ca.pem", "/etc/hooks", p.dir,
		"hooks.example.com", "example.com", "127.0.0.1:8080", backend.Listener.Addr().String(),
	}, change...)...).Replace(before)
	require.Equal(t, strings.Count(before, "/etc/hooks"), strings.Count(conf, p.dir))
	proxy.start(t, p, path, conf)
}

// TestDocumentedProxies runs the configurations of the guide.
func TestDocumentedProxies(t *testing.T) {
	for name, proxy := range documentedProxies {
		t.Run(name, func(t *testing.T) {
			p := newRealProxy(t)
			below := p.sender.Intermediate("issuing")
			cfg := proxy.cfg
			cfg.Trusted = loopback()
			cfg.Certificate = webhook.ClientCertConfig{CA: append(p.sender.PEM(), below.PEM()...), DNSNames: []string{"hooks.provider.example"}}
			a, err := webhook.NewProxyCert(cfg)
			require.NoError(t, err)
			var mu sync.Mutex
			var seen http.Header
			p.startDocumented(t, name, behindHandle(t, a, func(d *webhook.Delivery) {
				mu.Lock()
				defer mu.Unlock()
				seen = d.Header
			}, nil))
			url, names := p.url("/webhooks/provider"), webhooktest.Leaf{DNSNames: []string{"hooks.provider.example"}}
			good := p.client(p.sender.Issue(names))
			assert.Equal(t, 200, send(good, url))
			mu.Lock()
			for header := range seen {
				assert.NotContains(t, header, "Ssl", "Handle sees none of it")
			}
			mu.Unlock()
			assert.Equal(t, 200, send(p.client(below.Issue(names)), url), "below an intermediate")
			assert.NotEqual(t, 200, send(p.client(p.sender.Issue(webhooktest.Leaf{DNSNames: []string{"other.example"}})), url), "a name that is not pinned")
			assert.NotEqual(t, 200, send(p.client(nil), url))
			for _, kind := range webhooktest.BadCerts() {
				assert.NotEqual(t, 200, send(p.client(p.sender.Bad(kind, names)), url), kind)
			}
			forged := webhooktest.Forward(cfg.Format, p.sender.Issue(names).Certificate)
			forged.Set("X-SSL-Client-Chain", "forged")
			stranger := webhooktest.NewTestCA(t, "stranger").Issue(names)
			for what, c := range map[string]*http.Client{"without a certificate": p.client(nil), "with a stranger's": p.client(stranger)} {
				sender := &webhooktest.Sender{URL: url, Client: c, Header: forged}
				assert.NotEqual(t, 200, sender.Send(t.Context(), webhooktest.Event{Body: []byte("{}")}).Status, what)
			}
			sender := &webhooktest.Sender{URL: url, Client: good, Header: forged}
			assert.Equal(t, 200, sender.Send(t.Context(), webhooktest.Event{Body: []byte("{}")}).Status, "the proxy overwrites what is forged")
		})
	}
}

// TestDocumentedProxiesAcceptASelfSignedSender: its certificate is the proxy's
// CA file, and pinned here.
func TestDocumentedProxiesAcceptASelfSignedSender(t *testing.T) {
	for name, proxy := range documentedProxies {
		t.Run(name, func(t *testing.T) {
			p := newRealProxy(t)
			id := p.sender.Bad(webhooktest.SelfSigned, webhooktest.Leaf{CommonName: "sender"})
			p.file(t, "ca.pem", id.PEM())
			cfg := proxy.cfg
			cfg.Trusted = loopback()
			cfg.Certificate = webhook.ClientCertConfig{Fingerprints: []string{id.Fingerprint()}}
			a, err := webhook.NewProxyCert(cfg)
			require.NoError(t, err)
			p.startDocumented(t, name, behind(t, a))
			assert.Equal(t, 200, send(p.client(id), p.url("/")))
			assert.NotEqual(t, 200, send(p.client(p.sender.Bad(webhooktest.SelfSigned, webhooktest.Leaf{CommonName: "sender"})), p.url("/")))
			assert.NotEqual(t, 200, send(p.client(nil), p.url("/")))
		})
	}
}

// TestResumedSessionsOfHAProxyCarryNoChain: so a process that has forgotten the
// sender refuses it, and says why; both documented cures help.
func TestResumedSessionsOfHAProxyCarryNoChain(t *testing.T) {
	for name, c := range map[string]struct {
		change        []string
		intermediates bool
		resumes, want bool
	}{
		"as documented":              {resumes: true},
		"intermediates in the store": {intermediates: true, resumes: true, want: true},
		"resumption is forbidden":    {change: []string{"verify required", "verify required no-tls-tickets", "maxconn 1000", "maxconn 1000\n\ttune.ssl.cachesize 0"}, want: true},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(name+" "+tls.VersionName(version), func(t *testing.T) {
				p := newRealProxy(t)
				issuing := p.sender.Intermediate("issuing")
				cfg := documentedProxies["haproxy"].cfg
				cfg.Trusted, cfg.Certificate.CA = loopback(), p.sender.PEM()
				if c.intermediates {
					cfg.Certificate.CA = bytes.Join([][]byte{p.sender.PEM(), issuing.PEM()}, nil)
				}
				a, err := webhook.NewProxyCert(cfg)
				require.NoError(t, err)
				var mu sync.Mutex
				var last error
				p.startDocumented(t, "haproxy", behindHandle(t, a, func(*webhook.Delivery) {}, func(r webhook.Result) {
					mu.Lock()
					defer mu.Unlock()
					last = r.Err
				}), c.change...)
				sender := p.client(issuing.Issue(webhooktest.Leaf{}))
				transport := sender.Transport.(*http.Transport)
				transport.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(4)
				transport.TLSClientConfig.MinVersion, transport.TLSClientConfig.MaxVersion = version, version
				again := func() (status int, resumed bool) {
					sender.CloseIdleConnections()
					ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{TLSHandshakeDone: func(s tls.ConnectionState, _ error) { resumed = s.DidResume }})
					r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url("/"), strings.NewReader("{}"))
					require.NoError(t, err)
					resp, err := sender.Do(r)
					require.NoError(t, err)
					require.NoError(t, resp.Body.Close())
					return resp.StatusCode, resumed
				}
				status, resumed := again()
				require.Equal(t, 200, status)
				require.False(t, resumed)
				status, resumed = again()
				require.Equal(t, 200, status, "this process remembers")
				require.Equal(t, c.resumes, resumed)
				require.NoError(t, a.Replace(cfg), "forget, as a restart does")
				status, resumed = again()
				require.Equal(t, c.resumes, resumed)
				require.Equal(t, c.want, status == 200)
				mu.Lock()
				defer mu.Unlock()
				if !c.want {
					require.ErrorContains(t, last, "no configured CA signed it directly, and no chain came along")
				}
			})
		}
	}
}
