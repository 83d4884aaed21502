package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kyckit/kyckit/webhook"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

func headersCommand() command {
	return command{
		name: "headers", summary: "print what a proxy forwards, and which webhook.ProxyFormat fits",
		about: "Point a proxy here and send a request through it with a client certificate. Headers that are known to\n" +
			"hold nothing secret are shown in full, of the others only the length.",
		example: []string{"kyckit headers -addr 127.0.0.1:9000"},
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			addr := fs.String("addr", "127.0.0.1:0", "the `host:port` to listen on")
			asJSON := fs.Bool("json", false, "print JSON lines")
			return func(ctx context.Context, args []string) error {
				if err := none(args); err != nil {
					return err
				}
				ln, err := p.listen(*addr)
				if err != nil {
					return err
				}
				if *asJSON {
					p.line(map[string]string{"url": "http://" + ln.Addr().String()})
				} else {
					p.printf("listening on http://%s\n", ln.Addr())
				}
				var mu sync.Mutex
				return serve(ctx, ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_, _ = readAll(w, r)
					mu.Lock()
					defer mu.Unlock()
					p.forwarded(forwardedOf(r), *asJSON)
					w.WriteHeader(http.StatusNoContent)
				}))
			}
		},
	}
}

// forwarded is what one request shows of the proxy in front.
type forwarded struct {
	Method  string              `json:"method"`
	Peer    string              `json:"peer"`
	Headers map[string][]string `json:"headers"`
	Format  string              `json:"format"`
	Subject string              `json:"subject,omitempty"`
	SPKI    string              `json:"spki,omitempty"`
	Advice  string              `json:"advice"`
}

// shownHeaders are the headers that hold nothing secret.
var shownHeaders = []string{
	"Accept", "Accept-Encoding", "Connection", "Content-Length", "Content-Type", "Forwarded", "Host", "User-Agent", "Via", "X-Forwarded-For",
	"X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Forwarded-Server", "X-Real-Ip", "X-Ssl-Client-Verify",
}

func forwardedOf(r *http.Request) forwarded {
	out := forwarded{Method: methodOf(r.Method), Peer: r.RemoteAddr, Headers: map[string][]string{"Host": {visible(r.Host)}}}
	for name, values := range r.Header {
		for _, v := range values {
			if !slices.Contains(shownHeaders, name) || len(v) > 1000 {
				v = fmt.Sprintf("(%d bytes)", len(v))
			}
			out.Headers[visible(name)] = append(out.Headers[visible(name)], visible(v))
		}
	}
	format, cert, advice := formatOf(r)
	out.Format, out.Advice = format, advice
	if cert != nil {
		out.Subject, out.SPKI = visible(cert.Subject.String()), (&webhooktest.Identity{Certificate: cert}).SPKI()
	}
	return out
}

func (p *program) forwarded(f forwarded, asJSON bool) {
	if asJSON {
		p.line(f)
		return
	}
	p.printf("\n%s from %s\n", f.Method, f.Peer)
	for _, name := range slices.Sorted(maps.Keys(f.Headers)) {
		for _, v := range f.Headers[name] {
			p.printf("  %s: %s\n", name, v)
		}
	}
	if f.Format == "" {
		p.printf("format: none fits\n")
	} else {
		p.printf("format: webhook.%s\n", f.Format)
	}
	if f.Subject != "" {
		p.printf("certificate: %s\nspki: %s\n", f.Subject, f.SPKI)
	}
	p.printf("%s\n", f.Advice)
}

// proxyFormats are the formats by the names of their constants.
var proxyFormats = []struct {
	name   string
	format webhook.ProxyFormat
	header string
}{
	{"ProxyNginx", webhook.ProxyNginx, "X-Ssl-Client-Cert"},
	{"ProxyHAProxy", webhook.ProxyHAProxy, "X-Ssl-Client-Cert"},
	{"ProxyApache", webhook.ProxyApache, "X-Ssl-Client-Cert"},
	{"ProxyDER", webhook.ProxyDER, "X-Ssl-Client-Cert"},
	{"ProxyEnvoy", webhook.ProxyEnvoy, "X-Forwarded-Client-Cert"},
	{"ProxyALB", webhook.ProxyALB, "X-Amzn-Mtls-Clientcert-Leaf"},
	{"ProxyALB", webhook.ProxyALB, "X-Amzn-Mtls-Clientcert"},
	{"ProxyRFC9440", webhook.ProxyRFC9440, "Client-Cert"},
	{"ProxyTraefik", webhook.ProxyTraefik, "X-Forwarded-Tls-Client-Cert"},
}

// formatOf returns the format that the SDK reads the request's certificate in.
func formatOf(r *http.Request) (name string, cert *x509.Certificate, advice string) {
	var present []string
	for _, f := range proxyFormats {
		values := r.Header[f.header]
		if len(values) == 0 {
			continue
		}
		if !slices.Contains(present, f.header) {
			present = append(present, f.header)
		}
		leaf := leafIn(values[len(values)-1])
		if leaf == nil {
			continue
		}
		cert = leaf
		if err := readBy(r, f.format, f.header, leaf); err == nil {
			advice = "Set ProxyCertConfig.Format to webhook." + f.name
			if f.header == "X-Amzn-Mtls-Clientcert" {
				advice += " and Header to " + f.header
			}
			return f.name, cert, advice + ", Trusted to the proxy's address, and pin the certificate's name or the spki."
		} else if advice == "" {
			advice = "The header " + f.header + " is there, but the SDK refuses it: " + reasonOf(err) + "."
		}
	}
	switch {
	case advice != "":
		return "", cert, advice
	case len(present) > 0:
		return "", nil, "There is no certificate in " + strings.Join(present, " or ") + ": the client showed none, or the proxy forwards it in another form."
	}
	return "", nil, "No header carries a client certificate: does the proxy ask clients for one, and forward it?"
}

// strangers is what the SDK says of a certificate that could be read and that
// no CA of the rule has signed.
const strangers = "no configured CA signed it"

// readBy lets the SDK itself read the certificate, under a rule that trusts no
// CA of anybody.
func readBy(r *http.Request, format webhook.ProxyFormat, header string, leaf *x509.Certificate) error {
	ca, err := webhooktest.NewCA("kyckit headers")
	if err != nil {
		return err
	}
	within := leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) / 2)
	rule, err := webhook.NewProxyCert(webhook.ProxyCertConfig{
		Format: format, Header: header, Trusted: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")},
		Certificate: webhook.ClientCertConfig{CA: ca.PEM(), Now: func() time.Time { return within }},
	})
	if err != nil {
		return err
	}
	err = rule.Authenticate(&webhook.Delivery{Method: r.Method, URL: r.URL, Header: r.Header.Clone(), RemoteAddr: r.RemoteAddr})
	if err != nil && strings.Contains(reasonOf(err), strangers) {
		return nil
	}
	return err
}

var base64Run = regexp.MustCompile(`[A-Za-z0-9+/_-]{100,}={0,2}`)

// leafIn finds the first certificate in a header value, in whatever form.
func leafIn(value string) *x509.Certificate {
	if i := strings.LastIndex(value, ",Hash="); i >= 0 {
		value = value[i:] // the last element of Envoy's list
	}
	plain, err := url.PathUnescape(value)
	if err != nil {
		plain = value
	}
	if _, rest, ok := strings.Cut(plain, "-----BEGIN CERTIFICATE-----"); ok {
		inside, _, _ := strings.Cut(rest, "-----END")
		plain = strings.Join(strings.Fields(inside), "") // line ends may have become blanks
	}
	for _, run := range base64Run.FindAllString(plain, 4) {
		raw, err := base64.StdEncoding.DecodeString(run)
		if err != nil {
			continue
		}
		if c, err := x509.ParseCertificate(bytes.TrimSpace(raw)); err == nil {
			return c
		}
	}
	return nil
}
