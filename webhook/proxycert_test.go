package webhook_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/webhook"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

func formats() map[string]webhook.ProxyFormat {
	return map[string]webhook.ProxyFormat{
		"nginx": webhook.ProxyNginx, "Envoy": webhook.ProxyEnvoy, "ALB": webhook.ProxyALB,
		"RFC 9440": webhook.ProxyRFC9440, "Traefik": webhook.ProxyTraefik, "HAProxy": webhook.ProxyHAProxy,
		"Apache": webhook.ProxyApache, "DER": webhook.ProxyDER,
	}
}

func loopback() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}

func proxyCert(t testing.TB, format webhook.ProxyFormat, ca *webhooktest.TestCA) *webhook.ProxyCert {
	t.Helper()
	p, err := webhook.NewProxyCert(webhook.ProxyCertConfig{Format: format, Trusted: loopback(), Certificate: webhook.ClientCertConfig{CA: ca.PEM()}})
	require.NoError(t, err)
	return p
}

// forwarded is a delivery as a proxy on this machine forwards it.
func forwarded(h http.Header) *webhook.Delivery {
	return &webhook.Delivery{Method: "POST", Header: h, RemoteAddr: "127.0.0.1:40000"}
}

func TestProxyFormats(t *testing.T) {
	ca := webhooktest.NewTestCA(t, "CA")
	id := ca.Issue(webhooktest.Leaf{CommonName: `quo"te, inc`})
	for name, format := range formats() {
		t.Run(name, func(t *testing.T) {
			p := proxyCert(t, format, ca)
			good := forwarded(webhooktest.Forward(format, id.Certificate))
			require.NoError(t, p.Authenticate(good))
			assert.Equal(t, id.Certificate.Raw, good.Certificate.Raw)
			require.ErrorIs(t, p.Authenticate(forwarded(http.Header{})), webhook.ErrCertificate)
			require.ErrorIs(t, p.Authenticate(forwarded(webhooktest.Forward(format))), webhook.ErrCertificate, "no certificate")
			for _, kind := range webhooktest.BadCerts() {
				d := forwarded(webhooktest.Forward(format, ca.Bad(kind, webhooktest.Leaf{}).Certificate))
				require.ErrorIs(t, p.Authenticate(d), webhook.ErrCertificate, kind)
			}
			for header := range webhooktest.Forward(format, id.Certificate) {
				for what, spoil := range map[string]func(http.Header, string){
					"twice":          func(h http.Header, v string) { h[header] = []string{v, v} },
					"twin":           func(h http.Header, v string) { h[strings.ReplaceAll(header, "-", "_")] = []string{v} },
					"one underscore": func(h http.Header, v string) { h[strings.Replace(header, "-", "_", 1)] = []string{"x"} },
					"other case":     func(h http.Header, v string) { h[strings.ToLower(header)] = []string{v} },
					"empty":          func(h http.Header, v string) { h[header] = []string{""} },
					"gone":           func(h http.Header, v string) { delete(h, header) },
					"longer":         func(h http.Header, v string) { h[header] = []string{v + "x"} },
					"huge":           func(h http.Header, v string) { h[header] = []string{strings.Repeat(v, 1000)} },
				} {
					h := webhooktest.Forward(format, id.Certificate)
					spoil(h, h.Get(header))
					require.ErrorIs(t, p.Authenticate(forwarded(h)), webhook.ErrCertificate, "%s %s", header, what)
				}
			}
			for _, remote := range []string{"10.0.0.1:1", "[2001:db8::1]:1", "", "@", "127.0.0.1", "127.0.0.1:x", "[::ffff:10.0.0.1]:1"} {
				d := forwarded(webhooktest.Forward(format, id.Certificate))
				d.RemoteAddr = remote
				d.Header.Set("X-Forwarded-For", "127.0.0.1")
				require.ErrorIs(t, p.Authenticate(d), webhook.ErrUntrustedProxy, remote)
			}
			for _, remote := range []string{"[::ffff:127.0.0.1]:1", "[::1]:1", "127.9.9.9:1"} {
				d := forwarded(webhooktest.Forward(format, id.Certificate))
				d.RemoteAddr = remote
				require.NoError(t, p.Authenticate(d), remote)
			}
		})
	}
}

func TestForwardedChainsAreIntermediatesOnly(t *testing.T) {
	ca, evil := webhooktest.NewTestCA(t, "CA"), webhooktest.NewTestCA(t, "evil")
	below := ca.Intermediate("issuing").Issue(webhooktest.Leaf{})
	forged := evil.Issue(webhooktest.Leaf{})
	chain := func(c *x509.Certificate) string { return ":" + base64.StdEncoding.EncodeToString(c.Raw) + ":" }
	for name, format := range formats() {
		p := proxyCert(t, format, ca)
		with := webhooktest.Forward(format, append([]*x509.Certificate{below.Certificate}, below.Chain...)...)
		withRoot := webhooktest.Forward(format, forged.Certificate, evil.Certificate)
		switch format {
		case webhook.ProxyNginx, webhook.ProxyHAProxy, webhook.ProxyApache, webhook.ProxyDER:
			require.Error(t, p.Authenticate(forwarded(with)), "this proxy forwards the leaf alone")
			continue
		case webhook.ProxyALB: // passthrough mode
			var err error
			p, err = webhook.NewProxyCert(webhook.ProxyCertConfig{Format: format, Header: "x-amzn-mtls-clientcert", Trusted: loopback(), Certificate: webhook.ClientCertConfig{CA: ca.PEM()}})
			require.NoError(t, err)
			envoy := webhooktest.Forward(webhook.ProxyEnvoy, append([]*x509.Certificate{below.Certificate}, below.Chain...)...).Get("X-Forwarded-Client-Cert")
			_, text, _ := strings.Cut(envoy, `Chain="`)
			text, _, _ = strings.Cut(text, `"`)
			with = http.Header{"X-Amzn-Mtls-Clientcert": {text}}
		}
		require.NoError(t, p.Authenticate(forwarded(with)), name)
		require.ErrorIs(t, p.Authenticate(forwarded(withRoot)), webhook.ErrCertificate, name)
	}
	p := proxyCert(t, webhook.ProxyRFC9440, ca)
	h := webhooktest.Forward(webhook.ProxyRFC9440, below.Certificate)
	for _, bad := range []string{"", ":", "::", ":AA==", chain(below.Chain[0]) + ",", chain(below.Chain[0]) + ";a=1", strings.Repeat(chain(below.Chain[0])+",", 12) + chain(below.Chain[0])} {
		h["Client-Cert-Chain"] = []string{bad}
		require.ErrorIs(t, p.Authenticate(forwarded(h)), webhook.ErrCertificate, bad)
	}
	h["Client-Cert-Chain"] = []string{chain(below.Chain[0]), chain(below.Chain[0])}
	require.ErrorIs(t, p.Authenticate(forwarded(h)), webhook.ErrCertificate, "two lines")

	p, err := webhook.NewProxyCert(webhook.ProxyCertConfig{Format: webhook.ProxyHAProxy, ChainHeader: "X-SSL-Chain", Trusted: loopback(), Certificate: webhook.ClientCertConfig{CA: ca.PEM()}})
	require.NoError(t, err)
	h = webhooktest.Forward(webhook.ProxyHAProxy, below.Certificate)
	der := append(append([]byte(nil), below.Chain[0].Raw...), below.Chain[0].Raw...)
	h.Set("X-SSL-Chain", base64.StdEncoding.EncodeToString(der))
	require.NoError(t, p.Authenticate(forwarded(h)))
	h.Set("X-SSL-Chain", base64.StdEncoding.EncodeToString(der[:len(der)-1]))
	require.ErrorIs(t, p.Authenticate(forwarded(h)), webhook.ErrCertificate)
}

func TestVerifyHeaderIsDemanded(t *testing.T) {
	ca := webhooktest.NewTestCA(t, "CA")
	id := ca.Issue(webhooktest.Leaf{})
	for format, bad := range map[webhook.ProxyFormat][]string{
		webhook.ProxyApache:  {"NONE", "GENEROUS", "FAILED:expired", "(null)", "success", "0"},
		webhook.ProxyNginx:   {"NONE", "FAILED:expired", "success", "SUCCESS ", "SUCCESS,SUCCESS", "0"},
		webhook.ProxyHAProxy: {"1", "00", "", "SUCCESS", "10"},
	} {
		for _, value := range bad {
			h := webhooktest.Forward(format, id.Certificate)
			h["X-Ssl-Client-Verify"] = []string{value}
			require.ErrorIs(t, proxyCert(t, format, ca).Authenticate(forwarded(h)), webhook.ErrCertificate, value)
		}
	}
}

// TestVerifyHeaderOfOnesOwn: a format that has no verify header can be given one.
func TestVerifyHeaderOfOnesOwn(t *testing.T) {
	ca := webhooktest.NewTestCA(t, "CA")
	p, err := webhook.NewProxyCert(webhook.ProxyCertConfig{
		Format: webhook.ProxyRFC9440, VerifyHeader: "X-Verified", VerifyValue: "yes",
		Trusted: loopback(), Certificate: webhook.ClientCertConfig{CA: ca.PEM()},
	})
	require.NoError(t, err)
	h := webhooktest.Forward(webhook.ProxyRFC9440, ca.Issue(webhooktest.Leaf{}).Certificate)
	require.ErrorIs(t, p.Authenticate(forwarded(h)), webhook.ErrCertificate)
	h.Set("X-Verified", "YES")
	require.ErrorIs(t, p.Authenticate(forwarded(h)), webhook.ErrCertificate)
	h.Set("X-Verified", "yes")
	require.NoError(t, p.Authenticate(forwarded(h)))
}

func TestXFCC(t *testing.T) {
	ca := webhooktest.NewTestCA(t, "CA")
	id, other := ca.Issue(webhooktest.Leaf{}), webhooktest.NewTestCA(t, "other").Issue(webhooktest.Leaf{})
	element := func(id *webhooktest.Identity) string {
		return webhooktest.Forward(webhook.ProxyEnvoy, id.Certificate).Get("X-Forwarded-Client-Cert")
	}
	good, bad := element(id), element(other)
	_, cert, _ := strings.Cut(good, `Cert="`)
	cert, _, _ = strings.Cut(cert, `"`)
	p := proxyCert(t, webhook.ProxyEnvoy, ca)
	for _, value := range []string{
		good, bad + "," + good, `By=spiffe://x;Hash=00;URI=a;URI=b,` + good, `Subject="a,b;Cert=\"x\""` + "," + good,
		"Cert=" + cert, `Subject="";cert="` + cert + `"`, bad + ", " + good, `URI=;Cert="` + cert + `"`,
	} {
		require.NoError(t, p.Authenticate(forwarded(http.Header{"X-Forwarded-Client-Cert": {value}})), value)
	}
	for _, value := range []string{
		good + "," + bad, // only the last one counts
		good + ",", good + ";", "," + good, good + `"`, `Subject="open;` + good, good + `,Subject="open`, good + `,Subject="x"y`, `x"y=1,` + good,
		`Subject=a"b;Cert="` + cert + `"`, `Subject="a\`, `Cert="` + cert + `";Cert="` + cert + `"`, `Cert="` + cert + `";cert="` + cert + `"`,
		`Cert="";Chain="` + cert + `"`, `Hash=` + strings.Repeat("0", 64) + `;Cert="` + cert + `"`, `Hash=;Cert="` + cert + `"`, `Hash=` + id.Fingerprint(), `=x`, `x`, `Cert="%"`, `Cert="%zz"`,
		`Cert="` + cert + `";Chain="` + strings.TrimSuffix(strings.SplitAfterN(bad, `Cert="`, 2)[1], `"`) + `"`,
	} {
		require.ErrorIs(t, p.Authenticate(forwarded(http.Header{"X-Forwarded-Client-Cert": {value}})), webhook.ErrCertificate, value)
	}
}

func TestTraefikEscapedByVersion2(t *testing.T) {
	ca := webhooktest.NewTestCA(t, "CA")
	id := ca.Issue(webhooktest.Leaf{})
	b64 := base64.StdEncoding.EncodeToString(id.Certificate.Raw)
	escaped := strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(b64)
	require.NoError(t, proxyCert(t, webhook.ProxyTraefik, ca).Authenticate(forwarded(http.Header{"X-Forwarded-Tls-Client-Cert": {escaped}})))
}

func TestPEMEscapedLikeAQuery(t *testing.T) {
	ca := webhooktest.NewTestCA(t, "CA")
	id := ca.Issue(webhooktest.Leaf{})
	h := webhooktest.Forward(webhook.ProxyNginx, id.Certificate)
	h.Set("X-Ssl-Client-Cert", strings.ReplaceAll(h.Get("X-Ssl-Client-Cert"), "%20", "+"))
	require.NoError(t, proxyCert(t, webhook.ProxyNginx, ca).Authenticate(forwarded(h)))
}

func TestHandlerHidesTheForwardedHeaders(t *testing.T) {
	ca := webhooktest.NewTestCA(t, "CA")
	id := ca.Issue(webhooktest.Leaf{})
	for name, format := range formats() {
		var seen http.Header
		h, err := webhook.NewHandler(webhook.HandlerConfig{
			Authenticate: webhook.All(proxyCert(t, format, ca)),
			Handle: func(_ context.Context, d *webhook.Delivery) error {
				seen = d.Header
				assert.NotNil(t, d.Certificate)
				return nil
			},
		})
		require.NoError(t, err)
		r := httptest.NewRequest("POST", "/", strings.NewReader("{}"))
		r.RemoteAddr = "127.0.0.1:1"
		maps.Copy(r.Header, webhooktest.Forward(format, id.Certificate))
		r.Header.Set("X-Other", "stays")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Equal(t, 200, w.Code, name)
		assert.Equal(t, http.Header{"X-Other": {"stays"}}, seen, name)
	}
}

func TestFakeProxies(t *testing.T) {
	ca := webhooktest.NewTestCA(t, "CA")
	server := ca.Issue(webhooktest.Leaf{DNSNames: []string{"example.com"}, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	for name, format := range formats() {
		t.Run(name, func(t *testing.T) {
			backend := behind(t, proxyCert(t, format, ca))
			proxy := webhooktest.NewTestProxy(t, format, backend.URL, server)
			checkProxy(t, ca, proxy.URL, format)
		})
	}
}

// behind is a plain server with a handler.
func behind(t testing.TB, a webhook.Authenticator) *httptest.Server {
	t.Helper()
	return behindHandle(t, a, func(*webhook.Delivery) {}, nil)
}

// behindHandle is behind with what a delivery and its result are told to.
func behindHandle(t testing.TB, a webhook.Authenticator, handle func(*webhook.Delivery), result func(webhook.Result)) *httptest.Server {
	t.Helper()
	cfg := webhook.HandlerConfig{
		Authenticate: a, Key: func(*webhook.Delivery) string { return "" },
		Handle: func(_ context.Context, d *webhook.Delivery) error { handle(d); return nil },
	}
	if result != nil {
		cfg.OnResult = func(_ context.Context, r webhook.Result) { result(r) }
	}
	h, err := webhook.NewHandler(cfg)
	require.NoError(t, err)
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// checkProxy sends good and bad deliveries through a proxy.
func checkProxy(t *testing.T, ca *webhooktest.TestCA, url string, format webhook.ProxyFormat) {
	t.Helper()
	assert.Equal(t, 200, send(client(ca, ca.Issue(webhooktest.Leaf{CommonName: `a "b", c`}), nil, tls.VersionTLS13), url))
	for _, kind := range webhooktest.BadCerts() {
		status := send(client(ca, ca.Bad(kind, webhooktest.Leaf{}), nil, tls.VersionTLS13), url)
		assert.NotEqual(t, 200, status, kind)
	}
	stranger := client(ca, nil, nil, tls.VersionTLS13)
	assert.NotEqual(t, 200, send(stranger, url))
	// A stranger who writes the headers himself gets no further.
	forged := &webhooktest.Sender{URL: url, Client: stranger, Header: webhooktest.Forward(format, ca.Issue(webhooktest.Leaf{}).Certificate)}
	assert.NotEqual(t, 200, forged.Send(t.Context(), webhooktest.Event{Body: []byte("{}")}).Status)
	twins := http.Header{}
	for k, v := range forged.Header {
		twins[strings.ReplaceAll(k, "-", "_")] = v
	}
	forged.Header = twins
	assert.NotEqual(t, 200, forged.Send(t.Context(), webhooktest.Event{Body: []byte("{}")}).Status)
}

func TestProxyByUnixSocketAndMTLS(t *testing.T) {
	ca, proxies := webhooktest.NewTestCA(t, "CA"), webhooktest.NewTestCA(t, "proxies")
	id, proxyID := ca.Issue(webhooktest.Leaf{}), proxies.Issue(webhooktest.Leaf{})
	rule := webhook.ClientCertConfig{CA: ca.PEM()}
	d := func(local net.Addr, remote string, tlsID *webhooktest.Identity) *webhook.Delivery {
		d := forwarded(webhooktest.Forward(webhook.ProxyRFC9440, id.Certificate))
		d.LocalAddr, d.RemoteAddr = local, remote
		if tlsID != nil {
			d.TLS = shown(tlsID).TLS
		}
		return d
	}
	unix, tcp := &net.UnixAddr{Name: "/run/x", Net: "unix"}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}

	p, err := webhook.NewProxyCert(webhook.ProxyCertConfig{Format: webhook.ProxyRFC9440, TrustUnixSocket: true, Certificate: rule})
	require.NoError(t, err)
	require.NoError(t, p.Authenticate(d(unix, "@", nil)))
	require.ErrorIs(t, p.Authenticate(d(tcp, "@", nil)), webhook.ErrUntrustedProxy)
	require.ErrorIs(t, p.Authenticate(d(nil, "@", nil)), webhook.ErrUntrustedProxy)
	require.ErrorIs(t, proxyCert(t, webhook.ProxyRFC9440, ca).Authenticate(d(unix, "127.0.0.1:1", nil)), webhook.ErrUntrustedProxy)

	own := clientCert(t, webhook.ClientCertConfig{CA: proxies.PEM()})
	p, err = webhook.NewProxyCert(webhook.ProxyCertConfig{Format: webhook.ProxyRFC9440, ProxyTLS: own, Certificate: rule})
	require.NoError(t, err)
	require.NoError(t, p.Authenticate(d(tcp, "203.0.113.9:1", proxyID)))
	require.ErrorIs(t, p.Authenticate(d(tcp, "203.0.113.9:1", nil)), webhook.ErrUntrustedProxy)
	require.ErrorIs(t, p.Authenticate(d(tcp, "203.0.113.9:1", id)), webhook.ErrUntrustedProxy, "the sender's certificate is not the proxy's")

	p, err = webhook.NewProxyCert(webhook.ProxyCertConfig{Format: webhook.ProxyRFC9440, ProxyTLS: own, Trusted: loopback(), Certificate: rule})
	require.NoError(t, err)
	require.ErrorIs(t, p.Authenticate(d(tcp, "203.0.113.9:1", proxyID)), webhook.ErrUntrustedProxy, "both must hold")
	require.ErrorIs(t, p.Authenticate(d(tcp, "127.0.0.1:1", nil)), webhook.ErrUntrustedProxy)
	require.NoError(t, p.Authenticate(d(tcp, "127.0.0.1:1", proxyID)))
}

func TestProxyCertReplaceAndReload(t *testing.T) {
	ca, next := webhooktest.NewTestCA(t, "CA"), webhooktest.NewTestCA(t, "next")
	old, renewed := ca.Issue(webhooktest.Leaf{}), next.Issue(webhooktest.Leaf{})
	p := proxyCert(t, webhook.ProxyRFC9440, ca)
	auth := func(id *webhooktest.Identity) error {
		return p.Authenticate(forwarded(webhooktest.Forward(webhook.ProxyRFC9440, id.Certificate)))
	}
	require.NoError(t, auth(old))
	require.NoError(t, p.Replace(webhook.ProxyCertConfig{Format: webhook.ProxyRFC9440, Trusted: loopback(), Certificate: webhook.ClientCertConfig{CA: next.PEM()}}))
	require.ErrorIs(t, auth(old), webhook.ErrCertificate)
	require.NoError(t, auth(renewed))
	require.NoError(t, p.Reload())
	require.ErrorIs(t, p.Replace(webhook.ProxyCertConfig{}), kyckit.ErrInvalid)
	require.NoError(t, auth(renewed))
	require.NoError(t, p.Replace(webhook.ProxyCertConfig{Format: webhook.ProxyRFC9440, Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Certificate: webhook.ClientCertConfig{CA: next.PEM()}}))
	require.ErrorIs(t, auth(renewed), webhook.ErrUntrustedProxy)

	var none *webhook.ProxyCert
	require.ErrorIs(t, none.Authenticate(forwarded(http.Header{})), webhook.ErrUntrustedProxy)
	require.ErrorIs(t, (&webhook.ProxyCert{}).Authenticate(forwarded(http.Header{})), webhook.ErrUntrustedProxy)
	require.Error(t, none.Reload())
	require.Error(t, none.Replace(webhook.ProxyCertConfig{}))
}

func TestProxyCertConfigIsChecked(t *testing.T) {
	ca := webhooktest.NewTestCA(t, "CA")
	rule := webhook.ClientCertConfig{CA: ca.PEM()}
	for name, cfg := range map[string]webhook.ProxyCertConfig{
		"no format":       {Trusted: loopback(), Certificate: rule},
		"unknown format":  {Format: 99, Trusted: loopback(), Certificate: rule},
		"no trust":        {Format: webhook.ProxyNginx, Certificate: rule},
		"no rule":         {Format: webhook.ProxyNginx, Trusted: loopback()},
		"invalid prefix":  {Format: webhook.ProxyNginx, Trusted: []netip.Prefix{{}}, Certificate: rule},
		"ambiguous":       {Format: webhook.ProxyNginx, Trusted: []netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.0/90")}, Certificate: rule},
		"bad header":      {Format: webhook.ProxyNginx, Header: "a b", Trusted: loopback(), Certificate: rule},
		"same headers":    {Format: webhook.ProxyNginx, Header: "x", VerifyHeader: "X", Trusted: loopback(), Certificate: rule},
		"twins":           {Format: webhook.ProxyNginx, Header: "x-a", VerifyHeader: "x_a", Trusted: loopback(), Certificate: rule},
		"verify no value": {Format: webhook.ProxyEnvoy, VerifyHeader: "x", Trusted: loopback(), Certificate: rule},
		"useless chain":   {Format: webhook.ProxyEnvoy, ChainHeader: "x", Trusted: loopback(), Certificate: rule},
	} {
		_, err := webhook.NewProxyCert(cfg)
		assert.ErrorIs(t, err, kyckit.ErrInvalid, name)
	}
	for _, trusted := range []string{"::ffff:10.0.0.0/104", "::ffff:0.0.0.0/96"} {
		p, err := webhook.NewProxyCert(webhook.ProxyCertConfig{Format: webhook.ProxyRFC9440, Trusted: []netip.Prefix{netip.MustParsePrefix(trusted)}, Certificate: rule})
		require.NoError(t, err)
		d := forwarded(webhooktest.Forward(webhook.ProxyRFC9440, ca.Issue(webhooktest.Leaf{}).Certificate))
		d.RemoteAddr = "10.1.2.3:4"
		require.NoError(t, p.Authenticate(d))
	}
}
