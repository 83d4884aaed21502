package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/webhook"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

type verifyFlags struct {
	scheme, secret, headers, body, at, method, url string
	cert, ca, crl, dns, uri, spki                  string
	tolerance                                      time.Duration
	json                                           bool
}

func verifyCommand() command {
	return command{
		name: "webhook verify", summary: "say whether a saved delivery is genuine, and if not, why",
		about: "The result is one JSON line, {\"result\":\"ok\"} or {\"result\":\"refused\",\"cause\":…}; the standard error\n" +
			"says what was found and what to do. Causes: body-newline body-reformatted body-bom body-gzip\n" +
			"body-truncated secret-wrong secret-prefix secret-encoding secret-whitespace header-missing\n" +
			"header-doubled timestamp-unit clock-skew other-scheme certificate unknown.\n" +
			"With -cert the client certificate is judged by -ca, -crl and the pins, before the signature.",
		example: []string{
			"kyckit webhook verify -scheme stripe -secret @secret -headers @1.headers -body @1.body",
			"kyckit webhook verify -scheme github -secret env:HOOK_SECRET -headers @h -body @b -at 2026-01-02T15:04:05Z",
		},
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			f := &verifyFlags{}
			fs.StringVar(&f.scheme, "scheme", "", "`name`: "+schemeNames)
			fs.StringVar(&f.secret, "secret", "", "the secret "+refUsage)
			fs.StringVar(&f.headers, "headers", "", "the header lines as `@file` or -, one \"Name: value\" a line")
			fs.StringVar(&f.body, "body", "", "the raw body as `@file` or -")
			fs.StringVar(&f.at, "at", "", "when the delivery arrived (`time` of RFC 3339); now if empty")
			fs.DurationVar(&f.tolerance, "tolerance", 5*time.Minute, "how far the delivery's time may be off")
			fs.StringVar(&f.method, "method", http.MethodPost, "the HTTP `method` it came with")
			fs.StringVar(&f.url, "url", "", "the `address` it came to")
			fs.StringVar(&f.cert, "cert", "", "the client certificate (PEM, `@file`)")
			fs.StringVar(&f.ca, "ca", "", "the CA it must be signed by (PEM, `@file`)")
			fs.StringVar(&f.crl, "crl", "", "the revocation list of that CA (`@file`)")
			fs.StringVar(&f.dns, "dns", "", "the DNS `name` that the certificate must have")
			fs.StringVar(&f.uri, "uri", "", "the `URI` that it must have")
			fs.StringVar(&f.spki, "spki", "", "the `pin` of its key: base64 of the SHA-256 of the SPKI")
			fs.BoolVar(&f.json, "json", false, "print the explanation into the JSON line too")
			return func(_ context.Context, args []string) error {
				if err := none(args); err != nil {
					return err
				}
				return p.verify(f)
			}
		},
	}
}

// verdict is the line that verify and listen print.
type verdict struct {
	Result string `json:"result"`
	Cause  string `json:"cause,omitempty"`
	Detail string `json:"detail,omitempty"`
	Cure   string `json:"cure,omitempty"`
}

func verdictOf(x webhooktest.Explanation) verdict {
	if x.Cause == "" {
		return verdict{Result: "ok"}
	}
	return verdict{Result: "refused", Cause: string(x.Cause), Detail: x.Detail, Cure: x.Cure}
}

func (p *program) verify(f *verifyFlags) error {
	suspect, err := p.suspect(f)
	if err != nil {
		return err
	}
	v, err := p.certificate(f, suspect)
	if err != nil {
		return err
	}
	if v.Result == "" {
		x, err := webhooktest.Explain(suspect)
		if err != nil {
			return usage("-scheme: %v", err)
		}
		v = verdictOf(x)
	}
	if v.Result == "ok" {
		p.line(v)
		return nil
	}
	if f.json {
		p.line(v)
	} else {
		p.line(verdict{Result: v.Result, Cause: v.Cause})
		p.note("%s: %s", p.paint(p.stderr, red, v.Cause), v.Detail)
		if v.Cure != "" {
			p.note("%s", v.Cure)
		}
	}
	return errFinding
}

// suspect reads the delivery.
func (p *program) suspect(f *verifyFlags) (s webhooktest.Suspect, err error) {
	if s.Scheme, err = schemeOf(f.scheme); err != nil {
		return s, err
	}
	if s.Secret, err = p.secret("secret", f.secret); err != nil {
		return s, err
	}
	raw, err := p.content("headers", f.headers, maxSecret*4)
	if err != nil {
		return s, err
	}
	header, err := headerLines(raw)
	if err != nil {
		return s, err
	}
	if f.body == "" {
		return s, usage("-body is required: @file or -")
	}
	body, err := p.content("body", f.body, maxBody)
	if err != nil {
		return s, err
	}
	if s.Tolerance = f.tolerance; s.Tolerance <= 0 {
		return s, usage("-tolerance is a positive duration such as 5m")
	}
	if f.at != "" {
		if s.At, err = time.Parse(time.RFC3339, f.at); err != nil {
			return s, usage("-at is a time such as 2026-01-02T15:04:05Z")
		}
	}
	s.Delivery = webhook.Delivery{Method: f.method, Header: header, Body: body}
	if s.Delivery.URL, err = url.Parse(f.url); err != nil {
		return s, usage("-url is no address")
	}
	return s, nil
}

// certificate judges the client certificate, if one is given. The verdict is
// empty when nothing is wrong.
func (p *program) certificate(f *verifyFlags, s webhooktest.Suspect) (verdict, error) {
	if f.cert == "" {
		return verdict{}, nil
	}
	raw, err := p.content("cert", f.cert, maxBody)
	if err != nil {
		return verdict{}, err
	}
	chain := certificatesOf(raw)
	if len(chain) == 0 {
		return verdict{}, usage("-cert holds no certificate in PEM")
	}
	cfg := webhook.ClientCertConfig{Now: func() time.Time {
		if s.At.IsZero() {
			return time.Now()
		}
		return s.At
	}}
	if cfg.CA, err = p.optional("ca", f.ca); err != nil {
		return verdict{}, err
	}
	if cfg.CRL, err = p.optional("crl", f.crl); err != nil {
		return verdict{}, err
	}
	for _, pin := range []struct {
		text string
		to   *[]string
	}{{f.dns, &cfg.DNSNames}, {f.uri, &cfg.URIs}, {f.spki, &cfg.SPKI}} {
		if pin.text != "" {
			*pin.to = []string{pin.text}
		}
	}
	rule, err := webhook.NewClientCert(cfg)
	if err != nil {
		return verdict{}, usage("-ca, -crl or a pin: %s", reasonOf(err))
	}
	d := s.Delivery
	d.TLS = &tls.ConnectionState{HandshakeComplete: true, PeerCertificates: chain}
	if err := rule.Authenticate(&d); err != nil {
		return verdict{
			Result: "refused", Cause: "certificate", Detail: "The client certificate is refused: " + reasonOf(err) + ".",
			Cure: fmt.Sprintf("Its subject is %s, its key has the pin %s.", visible(chain[0].Subject.String()), (&webhooktest.Identity{Certificate: chain[0]}).SPKI()),
		}, nil
	}
	return verdict{}, nil
}

// certificatesOf reads the certificates of a PEM file.
func certificatesOf(raw []byte) (chain []*x509.Certificate) {
	for block, rest := pem.Decode(bytes.TrimSpace(raw)); block != nil; block, rest = pem.Decode(rest) {
		if c, err := x509.ParseCertificate(block.Bytes); err == nil && block.Type == "CERTIFICATE" {
			chain = append(chain, c)
		}
	}
	return chain
}

// reasonOf is the reason of an error of the SDK, without what surrounds it.
func reasonOf(err error) string {
	var known *kyckit.Error
	if errors.As(err, &known) && known.Reason != "" {
		return known.Reason
	}
	return err.Error()
}
