package webhook_test

import (
	"crypto/x509"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/internal/leaktest"
	"github.com/kyckit/kyckit/webhook"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

// TestNothingOfACertificateLeaks: a certificate may name a person. Refusals and
// events tell it by its fingerprint alone, and the rules print nothing.
func TestNothingOfACertificateLeaks(t *testing.T) {
	const planted = "zulaikha-1098765432"
	ca := webhooktest.NewTestCA(t, planted)
	names := webhooktest.Leaf{CommonName: planted, DNSNames: []string{planted + ".example"}, URIs: []string{"urn:" + planted}}
	revoked := ca.Issue(names)
	crl := ca.CRL(webhooktest.CRL{Revoked: []*x509.Certificate{revoked.Certificate}, NextUpdate: time.Now().Add(time.Minute)})
	var values []any
	for _, cfg := range []webhook.ClientCertConfig{
		{CA: ca.PEM()},
		{CA: ca.PEM(), CRL: crl},
		{CA: ca.PEM(), DNSNames: []string{"other.example"}},
		{CA: ca.PEM(), URIs: []string{"urn:other"}},
		{CA: ca.PEM(), LegacyCommonNames: []string{planted + "x"}},
		{SPKI: []string{ca.Issue(names).SPKI()}},
		{CA: webhooktest.NewTestCA(t, planted).PEM()},
		{CA: ca.PEM(), CRL: ca.CRL(webhooktest.CRL{NextUpdate: time.Now().Add(-time.Minute)}), SoftCRL: true},
	} {
		cfg.OnEvent = func(e webhook.CertificateEvent) { values = append(values, e, &e, e.Err) }
		cfg.WarnBefore = 1000 * time.Hour
		c := clientCert(t, cfg)
		p, err := webhook.NewProxyCert(webhook.ProxyCertConfig{Format: webhook.ProxyEnvoy, Trusted: loopback(), Certificate: cfg})
		require.NoError(t, err)
		verify := c.TLSConfig(nil).VerifyConnection
		ids := []*webhooktest.Identity{revoked, ca.Issue(names), ca.Intermediate(planted).Issue(names)}
		for _, kind := range webhooktest.BadCerts() {
			ids = append(ids, ca.Bad(kind, names))
		}
		for _, id := range ids {
			values = append(values, verify(*shown(id).TLS), c.Authenticate(shown(id)))
			values = append(values, p.Authenticate(forwarded(webhooktest.Forward(webhook.ProxyEnvoy, append([]*x509.Certificate{id.Certificate}, id.Chain...)...))))
		}
		values = append(values, c, p, c.Reload(), p.Reload())
	}
	for _, cfg := range []webhook.ClientCertConfig{{CA: revoked.PEM()}, {CA: ca.PEM(), CRL: webhooktest.NewTestCA(t, planted).CRL(webhooktest.CRL{})}, {CAFile: t.TempDir() + "/" + planted}} {
		_, err := webhook.NewClientCert(cfg)
		require.Error(t, err)
		values = append(values, err)
	}
	assert.Greater(t, len(values), 300)
	for _, v := range values {
		leaktest.Silent(t, fmt.Sprintf("%T", v), leaktest.Printed(v)+leaktest.Encoded(v), planted)
	}
}
