package kyckit_test

import (
	"encoding/hex"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/webhook"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

// What docs/webhooks-behind-a-proxy.md shows.
func guidedProxy() (*webhook.ProxyCert, error) {
	certificate, err := webhook.NewProxyCert(webhook.ProxyCertConfig{
		Format:  webhook.ProxyNginx,                                    // see below
		Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, // the proxy, as this process sees it
		Certificate: webhook.ClientCertConfig{
			CAFile:   "/etc/hooks/provider-ca.pem",
			DNSNames: []string{"webhooks.provider.example"}, // with a CA that certifies others too
		},
	})
	return certificate, err
}

func guidedPin(fingerprint string) (*webhook.ProxyCert, error) {
	return webhook.NewProxyCert(webhook.ProxyCertConfig{
		Format: webhook.ProxyNginx, Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
		Certificate: webhook.ClientCertConfig{Fingerprints: []string{fingerprint}}, // or SPKI
	})
}

func TestTheProxyGuideIsRight(t *testing.T) {
	_, err := guidedProxy()
	require.ErrorContains(t, err, "CAFile cannot be read: it does not exist", "nothing else is wrong")
	p, err := guidedPin(hex.EncodeToString(make([]byte, 32)))
	require.NoError(t, err)
	id := webhooktest.NewTestCA(t, "CA").Issue(webhooktest.Leaf{})
	d := &webhook.Delivery{Header: webhooktest.Forward(webhook.ProxyNginx, id.Certificate), RemoteAddr: "127.0.0.1:1"}
	require.ErrorIs(t, p.Authenticate(d), webhook.ErrCertificate)
	p, err = guidedPin(id.Fingerprint())
	require.NoError(t, err)
	require.NoError(t, p.Authenticate(d))
}
