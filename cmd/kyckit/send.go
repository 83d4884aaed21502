package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/kyckit/kyckit/webhook/webhooktest"
)

type sendFlags struct {
	url, scheme, secret, body, headers, method, id, at string
	header                                             lines
	tls                                                tlsFlags
	timeout                                            time.Duration
	json                                               bool
}

// lines is a flag that may come several times.
type lines []string

func (l *lines) String() string     { return "" }
func (l *lines) Set(v string) error { *l = append(*l, v); return nil }

func sendCommand() command {
	return command{
		name: "webhook send", summary: "sign a body and deliver it",
		about: "The answer's status goes to the standard output. An answer other than 2xx is a negative finding.\n" +
			"With -headers the delivery has the header lines of a saved one and is not signed anew.",
		example: []string{
			"kyckit webhook send -url http://127.0.0.1:8080/hook -scheme standard-webhooks -secret env:HOOK_SECRET -body @event.json",
			"kyckit webhook send -url http://127.0.0.1:8080/hook -headers @saved/1.headers -body @saved/1.body",
		},
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			f := &sendFlags{}
			fs.StringVar(&f.url, "url", "", "the `address` to deliver to")
			fs.StringVar(&f.scheme, "scheme", "", "`name`: "+schemeNames)
			fs.StringVar(&f.secret, "secret", "", "the secret "+refUsage)
			fs.StringVar(&f.body, "body", "", "the body as `@file` or -")
			fs.StringVar(&f.headers, "headers", "", "header lines as `@file`, in place of a signature")
			fs.Var(&f.header, "header", "a further header `\"Name: value\"`; may come several times")
			fs.StringVar(&f.method, "method", http.MethodPost, "the HTTP `method`")
			fs.StringVar(&f.id, "id", "", "the delivery's `id`, for a scheme that has one; made up if empty")
			fs.StringVar(&f.at, "at", "", "sign as of this `time` (RFC 3339) in place of now")
			fs.DurationVar(&f.timeout, "timeout", 30*time.Second, "how long to wait for the answer")
			fs.BoolVar(&f.json, "json", false, "print JSON")
			f.tls.register(fs)
			return func(ctx context.Context, args []string) error {
				if err := none(args); err != nil {
					return err
				}
				return p.send(ctx, f)
			}
		},
	}
}

func (p *program) send(ctx context.Context, f *sendFlags) error {
	target, err := url.Parse(f.url)
	if err != nil || target.Host == "" || target.Scheme != "http" && target.Scheme != "https" {
		return usage("-url is an address such as http://127.0.0.1:8080/hook")
	}
	body, err := p.content("body", f.body, maxBody)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, strings.ToUpper(f.method), f.url, bytes.NewReader(body))
	if err != nil {
		return usage("-method is no HTTP method")
	}
	req.Header.Set("Content-Type", "application/json")
	if err := p.headersOf(req, f, body); err != nil {
		return err
	}
	client, err := f.tls.client(p)
	if err != nil {
		return err
	}
	began := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		return unreachable("no answer: %s", whyUnreachable(err))
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxBody))
	_ = resp.Body.Close()
	took := time.Since(began).Round(time.Millisecond)
	if f.json {
		p.line(map[string]any{"status": resp.StatusCode, "ms": took.Milliseconds()})
	} else {
		p.printf("%d %s in %s\n", resp.StatusCode, http.StatusText(resp.StatusCode), took)
	}
	if resp.StatusCode/100 != 2 {
		return errFinding
	}
	return nil
}

// headersOf adds the saved header lines, or a signature, and what -header says.
func (p *program) headersOf(req *http.Request, f *sendFlags, body []byte) error {
	saved, err := p.optional("headers", f.headers)
	if err != nil {
		return err
	}
	found, err := headerLines(saved)
	if err != nil {
		return err
	}
	for name, values := range found {
		switch key := http.CanonicalHeaderKey(name); key {
		case "Host", "Content-Length", "Connection", "Transfer-Encoding", "Accept-Encoding":
		default:
			req.Header[key] = values
		}
	}
	for _, line := range f.header {
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" {
			return usage("-header is \"Name: value\"")
		}
		req.Header.Set(name, strings.TrimSpace(value))
	}
	if f.headers != "" {
		return nil
	}
	scheme, err := schemeOf(f.scheme)
	if err != nil {
		return err
	}
	secret, err := p.secret("secret", f.secret)
	if err != nil {
		return err
	}
	at := time.Now()
	if f.at != "" {
		if at, err = time.Parse(time.RFC3339, f.at); err != nil {
			return usage("-at is a time such as 2026-01-02T15:04:05Z")
		}
	}
	if f.id == "" {
		f.id = "msg_" + rand.Text()
	}
	signer := webhooktest.HMAC{Scheme: scheme, Secrets: []string{secret.Reveal()}}
	if err := signer.Sign(req, f.id, at, body); err != nil {
		return usage("-secret: %s has it in another encoding", scheme.Name)
	}
	return nil
}

// tlsFlags say whom to trust and who to be.
type tlsFlags struct{ ca, cert, key string }

func (t *tlsFlags) register(fs *flag.FlagSet) {
	fs.StringVar(&t.ca, "ca", "", "trust these CA certificates (PEM, `@file`) in place of the system's")
	fs.StringVar(&t.cert, "cert", "", "show this client certificate (PEM, `@file`)")
	fs.StringVar(&t.key, "key", "", "its key (PEM, `@file`)")
}

// config returns the TLS configuration of a client.
func (t *tlsFlags) config(p *program) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	ca, err := p.optional("ca", t.ca)
	if err != nil {
		return nil, err
	}
	if t.ca != "" {
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(ca) {
			return nil, usage("-ca holds no certificate in PEM")
		}
	}
	if (t.cert == "") != (t.key == "") {
		return nil, usage("-cert and -key belong together")
	}
	if t.cert != "" {
		cert, err := p.content("cert", t.cert, maxBody)
		if err != nil {
			return nil, err
		}
		key, err := p.content("key", t.key, maxBody)
		if err != nil {
			return nil, err
		}
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return nil, usage("-cert and -key are no pair in PEM")
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}

func (t *tlsFlags) client(p *program) (*http.Client, error) {
	cfg, err := t.config(p)
	if err != nil {
		return nil, err
	}
	return &http.Client{
		Transport:     &http.Transport{TLSClientConfig: cfg, DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// whyUnreachable says in a few words why there is no answer, without the
// address, which may hold a password.
func whyUnreachable(err error) string {
	if address, ok := errors.AsType[*url.Error](err); ok {
		err = address.Err
	}
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "it takes too long"
	case errors.As(err, &unknown):
		return "the server's certificate is signed by an unknown authority (-ca trusts another)"
	case errors.As(err, &name):
		return "the server's certificate is for another name"
	case errors.As(err, &invalid):
		if invalid.Reason == x509.Expired {
			return "the server's certificate is expired or not valid yet"
		}
		return "the server's certificate is not valid"
	}
	return visible(err.Error())
}
