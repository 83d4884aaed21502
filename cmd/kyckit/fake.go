package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kyckit/kyckit/cafsmartauth/cafsmartauthtest"
	"github.com/kyckit/kyckit/faceki/facekitest"
	"github.com/kyckit/kyckit/kycjwt/kycjwttest"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

type fakeFlags struct {
	addr, webhook, webhookScheme, webhookSecret, faults string
	limits                                              string
	lifetime, tokenLifetime, retryAfter                 time.Duration
	cert, key, clientCA                                 string
	magic, json                                         bool
}

func fakeCommand() command {
	return command{
		name: "fake", args: "nafath|faceki|caf|kycjwt", summary: "run a provider's fake as a server, for tests in any language",
		about: `
It prints its addresses and credentials and, without -json, each call on the standard error. People answer at /phone,
programs under /_admin:

  GET  /_admin/transactions                      what people were asked
  POST /_admin/transactions/{transId}/approve    also reject, expire, error
  POST /_admin/faults                            {"op":"status","n":2,"status":503}: n calls, 0 for all; also
                                                 delay, header, body, truncate, hangup, loseAnswer
  POST /_admin/reset                             forget everything but tokens
  GET  /_admin/requests                          what arrived
  POST /_admin/deliver                           send the body of this request to -webhook
  POST /_admin/attestations                      caf: {"accessToken","personId","policyId","outcome"}, what the app gets

The people of these national ids act by themselves (nafath):

  1090000017  approves after 3 s             1090000058  approves 5 s before its time ends
  1090000025  rejects after 3 s              1090000066  approves; the request is answered after 10 s
  1090000033  expires after 3 s              1090000074  approves after 3 s, the webhook is lost
  1090000041  ends in an error after 3 s     1090000082  approves after 3 s, the details name somebody else`,
		example: []string{
			"kyckit fake nafath -addr 127.0.0.1:8080",
			"kyckit fake nafath -webhook http://127.0.0.1:3000/hook -webhook-scheme standard-webhooks -webhook-secret env:HOOK_SECRET",
			"kyckit fake nafath -tls-cert @certs/server.pem -tls-key @certs/server-key.pem -client-ca @certs/ca.pem",
		},
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			f := &fakeFlags{}
			fs.StringVar(&f.addr, "addr", "127.0.0.1:0", "the `host:port` to listen on; port 0 is a free one")
			fs.StringVar(&f.webhook, "webhook", "", "the `address` that gets webhooks")
			fs.StringVar(&f.webhookScheme, "webhook-scheme", "", "sign them by this scheme, `name`: "+schemeNames)
			fs.StringVar(&f.webhookSecret, "webhook-secret", "", "with this secret, "+refUsage)
			fs.StringVar(&f.faults, "faults", "", "faults from the start, as `@file` of JSON as for /_admin/faults")
			fs.StringVar(&f.limits, "limits", "", "nafath: `requests/status/details` a minute, such as 10/60/30; none for no limits")
			fs.DurationVar(&f.retryAfter, "retry-after", 0, "nafath: the Retry-After of refusals for the limit; none if 0")
			fs.DurationVar(&f.lifetime, "lifetime", 180*time.Second, "nafath: how long a person has to answer")
			fs.DurationVar(&f.tokenLifetime, "token-lifetime", time.Hour, "how long a token lives")
			fs.BoolVar(&f.magic, "magic", true, "nafath: let the people of the ids above act by themselves")
			fs.StringVar(&f.cert, "tls-cert", "", "serve https with this certificate (PEM, `@file`)")
			fs.StringVar(&f.key, "tls-key", "", "its key (PEM, `@file`)")
			fs.StringVar(&f.clientCA, "client-ca", "", "demand client certificates of this CA (PEM, `@file`)")
			fs.BoolVar(&f.json, "json", false, "print JSON")
			return func(ctx context.Context, args []string) error {
				provider, err := one(args, "nafath, faceki, caf or kycjwt")
				if err != nil {
					return err
				}
				return p.fake(ctx, provider, f)
			}
		},
	}
}

// fake is a running fake of any provider.
type fake interface {
	kyctest.Fake
	Mount(pattern string, h http.Handler)
	Deliver(ctx context.Context, url string, body []byte) (int, error)
	Close()
}

func (p *program) fake(ctx context.Context, provider string, f *fakeFlags) error {
	if !slices.Contains([]string{"nafath", "faceki", "caf", "kycjwt"}, provider) {
		return usage("the providers are nafath, faceki, caf and kycjwt")
	}
	options, limits, err := p.fakeOptions(provider, f)
	if err != nil {
		return err
	}
	faults, err := p.optional("faults", f.faults)
	if err != nil {
		return err
	}
	if options.Listener, err = p.listen(f.addr); err != nil {
		return err
	}
	if !f.json { // a script may not read the standard error, and must not stop the fake by that
		options.Fault = func(op string, n int) kyctest.Fault {
			p.note("%s %s", p.paint(p.stderr, dim, time.Now().Format(time.TimeOnly)), op+" "+strconv.Itoa(n))
			return kyctest.Fault{}
		}
	}
	running, d := startFake(provider, options, limits, f)
	defer within(running.Close)
	if f.faults != "" {
		if err := kyctest.Script(running, faults); err != nil {
			return usage("-faults: %v", err)
		}
	}
	running.Mount("/phone", kyctest.Phone(running))
	running.Mount(kyctest.AdminPath, kyctest.Admin(running))
	running.Mount("POST /_admin/deliver", deliverer(running, f.webhook))
	p.describe(d, f.json)
	<-ctx.Done()
	return nil
}

// fakeOptions checks the flags.
func (p *program) fakeOptions(provider string, f *fakeFlags) (o kyctest.Options, limits nafath.Limits, err error) {
	if f.lifetime <= 0 || f.tokenLifetime <= 0 || f.retryAfter < 0 {
		return o, limits, usage("-lifetime and -token-lifetime are positive, -retry-after is not negative")
	}
	if limits, err = limitsOf(f.limits); err != nil {
		return o, limits, err
	}
	if f.webhook != "" {
		target, err := url.Parse(f.webhook)
		if err != nil || target.Host == "" || target.Scheme != "http" && target.Scheme != "https" {
			return o, limits, usage("-webhook is an address such as http://127.0.0.1:3000/hook")
		}
		if provider == "caf" {
			p.note("kyckit: Smart Auth sends no webhooks; POST /_admin/deliver sends what it is given")
		}
		o.Webhook.URL = f.webhook
	}
	if (f.webhookScheme != "" || f.webhookSecret != "") && f.webhook == "" {
		return o, limits, usage("-webhook-scheme and -webhook-secret need -webhook")
	}
	if f.webhookScheme != "" {
		scheme, err := schemeOf(f.webhookScheme)
		if err != nil {
			return o, limits, usage("-webhook-scheme is %s", schemeNames)
		}
		secret, err := p.secret("webhook-secret", f.webhookSecret)
		if err != nil {
			return o, limits, err
		}
		signer := webhooktest.HMAC{Scheme: scheme, Secrets: []string{secret.Reveal()}}
		if signer.Sign(&http.Request{Header: http.Header{}, URL: &url.URL{}}, "id", time.Now(), nil) != nil {
			return o, limits, usage("-webhook-secret: %s has it in another encoding", scheme.Name)
		}
		o.Webhook.Signer = signer
	} else if f.webhookSecret != "" {
		return o, limits, usage("-webhook-secret needs -webhook-scheme")
	}
	o.TLSConfig, err = p.serverTLS(f)
	return o, limits, err
}

func (p *program) serverTLS(f *fakeFlags) (*tls.Config, error) {
	if f.cert == "" && f.key == "" && f.clientCA == "" {
		return nil, nil // no TLS
	}
	cert, err := p.content("tls-cert", f.cert, maxBody)
	if err != nil {
		return nil, err
	}
	key, err := p.content("tls-key", f.key, maxBody)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, usage("-tls-cert and -tls-key are no pair in PEM")
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if f.clientCA != "" {
		ca, err := p.content("client-ca", f.clientCA, maxBody)
		if err != nil {
			return nil, err
		}
		cfg.ClientAuth, cfg.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		if !cfg.ClientCAs.AppendCertsFromPEM(ca) {
			return nil, usage("-client-ca holds no certificate in PEM")
		}
	}
	return cfg, nil
}

func limitsOf(text string) (l nafath.Limits, err error) {
	switch text {
	case "":
		return l, nil
	case "none":
		return nafath.Limits{Requests: -1, StatusChecks: -1, Details: -1}, nil
	}
	parts := strings.Split(text, "/")
	to := []*int{&l.Requests, &l.StatusChecks, &l.Details}
	for i, part := range parts {
		if len(parts) != len(to) {
			break
		}
		if *to[i], err = strconv.Atoi(part); err != nil || *to[i] < 1 || *to[i] > 1_000_000 {
			break
		}
	}
	if err != nil || len(parts) != len(to) || min(l.Requests, l.StatusChecks, l.Details) < 1 {
		return l, usage("-limits is three numbers such as 10/60/30, or none")
	}
	return l, nil
}

// startFake starts the fake of a provider and describes it.
func startFake(provider string, o kyctest.Options, limits nafath.Limits, f *fakeFlags) (fake, description) {
	d := description{Provider: provider}
	var running fake
	switch provider {
	case "nafath":
		s := nafathtest.NewServer(nafathtest.Config{
			Options: o, Limits: limits, Lifetime: f.lifetime, TokenLifetime: f.tokenLifetime, RetryAfter: f.retryAfter, MagicIDs: f.magic,
		})
		running, d.URL, d.TokenURL = s, s.URL, s.TokenConfig().TokenURL
		d.ClientID, d.ClientSecret = nafathtest.ClientID, nafathtest.ClientSecret
	case "faceki":
		s := facekitest.NewServer(facekitest.Config{Options: o, TokenLifetime: f.tokenLifetime})
		running, d.URL, d.TokenURL = s, s.URL, s.URL+"/auth/api/generate-token"
		d.ClientID, d.ClientSecret = facekitest.ClientID, facekitest.ClientSecret
	case "caf":
		s := cafsmartauthtest.NewServer(cafsmartauthtest.Config{Options: o})
		s.Mount("POST /_admin/attestations", attestations(s))
		running, d.URL = s, s.URL
		d.ClientID, d.ClientSecret = cafsmartauthtest.ClientID, cafsmartauthtest.ClientSecret
	default:
		s := kycjwttest.NewServer(kycjwttest.Config{Options: o, TokenLifetime: f.tokenLifetime})
		running, d.URL, d.TokenURL = s, s.URL, s.URL+"/auth/jwt/login"
		d.ClientID, d.ClientSecret = kycjwttest.Username, kycjwttest.Password
	}
	d.Phone, d.Admin = d.URL+"/phone", d.URL+strings.TrimSuffix(kyctest.AdminPath, "/")
	return running, d
}
