package webhooktest

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"

	"github.com/kyckit/kyckit/webhook"
)

// Forward returns the headers by which a proxy of the given format forwards a
// client certificate, under their default names. certs is the leaf and what the
// client sent along; without any, the headers are those of a client that showed
// none.
func Forward(format webhook.ProxyFormat, certs ...*x509.Certificate) http.Header {
	h := http.Header{}
	var texts, ders []string
	for _, c := range certs {
		texts = append(texts, string(encode("CERTIFICATE", c.Raw)))
		ders = append(ders, base64.StdEncoding.EncodeToString(c.Raw))
	}
	leaf := len(certs) > 0
	switch format {
	case webhook.ProxyNginx:
		h.Set("X-Ssl-Client-Verify", "NONE")
		if leaf {
			h.Set("X-Ssl-Client-Verify", "SUCCESS")
			h.Set("X-Ssl-Client-Cert", escape(texts[0]))
		}
	case webhook.ProxyEnvoy:
		if leaf {
			sum := sha256.Sum256(certs[0].Raw)
			h.Set("X-Forwarded-Client-Cert", `Hash=`+hex.EncodeToString(sum[:])+`;Cert="`+escape(texts[0])+`";Chain="`+escape(strings.Join(texts, ""))+
				`";Subject="`+certs[0].Subject.String()+`"`) // RFC 2253 has escaped its quotes already
		}
	case webhook.ProxyALB:
		if leaf {
			// AWS leaves +, = and / as they are.
			h.Set("X-Amzn-Mtls-Clientcert-Leaf", strings.NewReplacer("%2B", "+", "%2F", "/", "%3D", "=").Replace(escape(texts[0])))
		}
	case webhook.ProxyRFC9440:
		if leaf {
			h.Set("Client-Cert", ":"+ders[0]+":")
		}
		if len(ders) > 1 {
			h.Set("Client-Cert-Chain", ":"+strings.Join(ders[1:], ":, :")+":")
		}
	case webhook.ProxyTraefik:
		if leaf {
			h.Set("X-Forwarded-Tls-Client-Cert", strings.Join(ders, ","))
		}
	case webhook.ProxyHAProxy:
		h.Set("X-Ssl-Client-Verify", "0") // also without a certificate
		h.Set("X-Ssl-Client-Cert", "")
		if leaf {
			h.Set("X-Ssl-Client-Cert", ders[0])
		}
	case webhook.ProxyApache:
		h.Set("X-Ssl-Client-Verify", "NONE")
		h.Set("X-Ssl-Client-Cert", "(null)")
		if leaf {
			h.Set("X-Ssl-Client-Verify", "SUCCESS")
			h.Set("X-Ssl-Client-Cert", strings.ReplaceAll(texts[0], "\n", " "))
		}
	case webhook.ProxyDER:
		if leaf {
			h.Set("X-Ssl-Client-Cert", ders[0])
		}
	}
	return h
}

func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// NewProxy starts a fake proxy that ends TLS with the given server identity,
// asks clients for a certificate without judging it, and forwards requests to
// backend in the given format. It drops the copies of the headers that a client
// sent, as a proxy must. Close it after use.
//
// Its address, and the peer that the backend sees, is 127.0.0.1. In a test:
//
//	ca := webhooktest.NewTestCA(t, "provider CA")
//	server := ca.Issue(webhooktest.Leaf{
//		IPs: []net.IP{net.IPv4(127, 0, 0, 1)}, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
//	})
//	proxy := webhooktest.NewTestProxy(t, webhook.ProxyNginx, backend.URL, server)
//	roots := x509.NewCertPool()
//	roots.AddCert(ca.Certificate)
//	sender := ca.Issue(webhooktest.Leaf{DNSNames: []string{"webhooks.provider.example"}})
//	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
//		RootCAs: roots, Certificates: []tls.Certificate{sender.TLS()},
//	}}}
func NewProxy(format webhook.ProxyFormat, backend string, server *Identity) (*httptest.Server, error) {
	target, err := url.Parse(backend)
	switch {
	case err != nil:
		return nil, fmt.Errorf("webhooktest: backend: %w", err)
	case target.Host == "":
		return nil, errors.New("webhooktest: backend is no absolute URL")
	case server == nil || server.Certificate == nil:
		return nil, errors.New("webhooktest: a proxy needs a server identity")
	}
	example := Forward(format, server.Certificate, server.Certificate)
	if len(example) == 0 {
		return nil, errors.New("webhooktest: unknown proxy format")
	}
	transport := &http.Transport{DisableKeepAlives: true}
	proxy := httptest.NewUnstartedServer(&httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		for name := range example {
			r.Out.Header.Del(name)
		}
		maps.Copy(r.Out.Header, Forward(format, r.In.TLS.PeerCertificates...))
	}})
	proxy.TLS = &tls.Config{Certificates: []tls.Certificate{server.TLS()}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	proxy.StartTLS()
	return proxy, nil
}
