package main

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
	"github.com/kyckit/kyckit/webhook"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

// provider is a real Nafath, or the fake in this process.
type provider struct {
	client nafath.Config
	fake   *nafathtest.Server // nil for a real one
	close  func()

	// How its webhooks are believed: both must hold.
	signature   webhook.HMACConfig
	certificate webhook.ClientCertConfig
	server      tls.Certificate
}

// newProvider reads the configuration of a real provider, or starts the fake,
// which then delivers webhooks to webhookURL.
func newProvider(o options, webhookURL string, common *shared) (*provider, error) {
	if o.baseURL == "" {
		return newFake(o, webhookURL)
	}
	p := &provider{close: func() {}}
	secret, err := readSecret(o.clientSecret)
	if err != nil {
		return nil, fmt.Errorf("-client-secret: %w", err)
	}
	source, err := auth.NewClientCredentials(auth.ClientCredentialsConfig{
		TokenURL: o.tokenURL, ClientID: o.clientID, ClientSecret: secret,
	})
	if err != nil {
		return nil, err
	}
	p.client = nafath.Config{BaseURL: o.baseURL, Auth: source}
	if common != nil {
		p.client.Auth = common.Tokens(source)
	}
	if o.webhookAddr == "" {
		return p, nil
	}
	if secret, err = readSecret(o.webhookSecret); err != nil {
		return nil, fmt.Errorf("-webhook-secret: %w", err)
	}
	p.signature = webhook.HMACConfig{Scheme: webhook.StandardWebhooks(), Secrets: []kyckit.Secret{secret}}
	p.certificate = webhook.ClientCertConfig{CAFile: o.webhookCA, DNSNames: strings.Fields(o.webhookName)}
	p.server, err = tls.LoadX509KeyPair(o.webhookCert, o.webhookKey)
	return p, err
}

// newFake starts the fake provider, with a certificate authority and a signing
// secret that live as long as this process.
func newFake(o options, webhookURL string) (*provider, error) {
	ca, err := webhooktest.NewCA("demo")
	if err != nil {
		return nil, err
	}
	sender, err := ca.Issue(webhooktest.Leaf{DNSNames: []string{"sender.example"}})
	if err != nil {
		return nil, err
	}
	server, err := ca.Issue(webhooktest.Leaf{DNSNames: []string{"localhost"}, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.PEM())
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	secret := kyckit.NewSecret("whsec_" + base64.StdEncoding.EncodeToString(key))
	cfg := nafathtest.Config{Lifetime: o.lifetime, Limits: o.tenant}
	cfg.Webhook = kyctest.Webhook{
		URL:    webhookURL,
		Client: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "localhost", Certificates: []tls.Certificate{sender.TLS()}}}},
		Signer: webhooktest.HMAC{Scheme: webhook.StandardWebhooks(), Secrets: []string{secret.Reveal()}},
	}
	fake := nafathtest.NewServer(cfg)
	return &provider{
		client: fake.ClientConfig(), fake: fake, close: fake.Close,
		signature:   webhook.HMACConfig{Scheme: webhook.StandardWebhooks(), Secrets: []kyckit.Secret{secret}},
		certificate: webhook.ClientCertConfig{CA: ca.PEM(), DNSNames: []string{"sender.example"}},
		server:      server.TLS(),
	}, nil
}

// webhooks returns the server that believes and takes the provider's deliveries.
// Each is a hint for the poller and proves nothing about a person.
func (p *provider) webhooks(handle webhook.HandlerConfig) (*http.Server, error) {
	signature, err := webhook.NewHMAC(p.signature)
	if err != nil {
		return nil, err
	}
	certificate, err := webhook.NewClientCert(p.certificate)
	if err != nil {
		return nil, err
	}
	handle.Authenticate = webhook.All(certificate, signature)
	handler, err := webhook.NewHandler(handle)
	if err != nil {
		return nil, err
	}
	return &http.Server{
		Handler:           handler,
		TLSConfig:         certificate.TLSConfig(&tls.Config{Certificates: []tls.Certificate{p.server}, MinVersion: tls.VersionTLS12}),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 15 * time.Second, IdleTimeout: time.Minute,
	}, nil
}

// readSecret reads env:NAME or @file, so that no secret stands in a list of
// processes. A line break at a file's end is not part of the secret.
func readSecret(ref string) (kyckit.Secret, error) {
	if name, ok := strings.CutPrefix(ref, "env:"); ok {
		value, ok := os.LookupEnv(name)
		if !ok {
			return kyckit.Secret{}, fmt.Errorf("the environment has no %s", name)
		}
		return kyckit.NewSecret(value), nil
	}
	if name, ok := strings.CutPrefix(ref, "@"); ok {
		b, err := os.ReadFile(name)
		return kyckit.NewSecret(strings.TrimRight(string(b), "\r\n")), err
	}
	return kyckit.Secret{}, errors.New("must be env:NAME or @file")
}
