package webhook_test

import (
	"bytes"
	"crypto/x509"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/webhook"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

// TestRevocationIsNotRolledBack: an older list that is still fresh brings a
// revoked certificate back, by whatever way it comes.
func TestRevocationIsNotRolledBack(t *testing.T) {
	ca := webhooktest.NewTestCA(t, "CA")
	id := ca.Issue(webhooktest.Leaf{})
	now := time.Now()
	revoking := webhooktest.CRL{Number: 7, ThisUpdate: now.Add(-30 * time.Minute), Revoked: []*x509.Certificate{id.Certificate}}
	for name, c := range map[string]struct {
		next webhooktest.CRL
		ok   bool
	}{
		"older":                        {webhooktest.CRL{Number: 7, ThisUpdate: now.Add(-31 * time.Minute)}, false},
		"older with a higher number":   {webhooktest.CRL{Number: 8, ThisUpdate: now.Add(-31 * time.Minute)}, false},
		"lower number":                 {webhooktest.CRL{Number: 6, ThisUpdate: now.Add(-30 * time.Minute)}, false},
		"newer with a lower number":    {webhooktest.CRL{Number: 6, ThisUpdate: now.Add(-29 * time.Minute)}, false},
		"the same number and date":     {webhooktest.CRL{Number: 7, ThisUpdate: revoking.ThisUpdate}, true},
		"newer":                        {webhooktest.CRL{Number: 8, ThisUpdate: now.Add(-29 * time.Minute)}, true},
		"newer, by a much longer list": {webhooktest.CRL{Number: 1 << 40, ThisUpdate: now.Add(-29 * time.Minute)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "crl.pem")
			write := func(l webhooktest.CRL) { require.NoError(t, os.WriteFile(file, ca.CRL(l), 0o600)) }
			e := &events{kind: webhook.EventRolledBack}
			clock := now
			cfg := webhook.ClientCertConfig{CA: ca.PEM(), CRLFile: file, OnEvent: e.on, Now: func() time.Time { return clock }}
			write(revoking)
			a := clientCert(t, cfg)
			proxied := webhook.ProxyCertConfig{Format: webhook.ProxyRFC9440, Trusted: loopback(), Certificate: cfg}
			p, err := webhook.NewProxyCert(proxied)
			require.NoError(t, err)
			accepts := func() bool {
				direct := a.Authenticate(shown(id)) == nil
				behind := p.Authenticate(forwarded(webhooktest.Forward(webhook.ProxyRFC9440, id.Certificate))) == nil
				assert.Equal(t, direct, behind)
				return direct
			}
			require.False(t, accepts())
			write(c.next)
			clock = clock.Add(time.Minute)
			require.Equal(t, c.ok, accepts(), "by polling")
			for way, change := range map[string]func() error{
				"Reload": a.Reload, "Replace": func() error { return a.Replace(cfg) },
				"the proxy's Reload": p.Reload, "the proxy's Replace": func() error { return p.Replace(proxied) },
			} {
				before := len(e.all())
				err := change()
				require.Equal(t, c.ok, err == nil, "%s: %v", way, err)
				if err != nil {
					require.ErrorIs(t, err, kyckit.ErrInvalid)
					require.Len(t, e.all(), before+1, "%s is reported", way)
				}
			}
			require.Equal(t, c.ok, accepts())
			require.Equal(t, c.ok, len(e.all()) == 0)
			require.NoError(t, clientCert(t, cfg).Authenticate(shown(id)), "a new ClientCert knows nothing of the newer list")
		})
	}
}

// TestSoftRevocationKeepsItsLists: without a list a soft check lets pass, so a
// file that has lost a list is no newer file.
func TestSoftRevocationKeepsItsLists(t *testing.T) {
	ca, other := webhooktest.NewTestCA(t, "CA"), webhooktest.NewTestCA(t, "other")
	id := ca.Issue(webhooktest.Leaf{})
	both := bytes.Join([][]byte{ca.PEM(), other.PEM()}, nil)
	lists := bytes.Join([][]byte{ca.CRL(webhooktest.CRL{Revoked: []*x509.Certificate{id.Certificate}}), other.CRL(webhooktest.CRL{})}, nil)
	for _, soft := range []bool{true, false} {
		c := clientCert(t, webhook.ClientCertConfig{CA: both, CRL: lists, SoftCRL: soft})
		err := c.Replace(webhook.ClientCertConfig{CA: both, CRL: other.CRL(webhooktest.CRL{}), SoftCRL: soft})
		require.Equal(t, soft, err != nil, "a strict check refuses what has no list")
		require.Error(t, c.Authenticate(shown(id)))
		require.NoError(t, c.Replace(webhook.ClientCertConfig{CA: other.PEM(), CRL: other.CRL(webhooktest.CRL{}), SoftCRL: soft}), "the CA is gone too")
	}
}

// TestLargeListsAreParsedBesideTheHandshakes: a sender must not wait for a list
// that takes seconds.
func TestLargeListsAreParsedBesideTheHandshakes(t *testing.T) {
	ca := webhooktest.NewTestCA(t, "CA")
	id := ca.Issue(webhooktest.Leaf{})
	many := []*x509.Certificate{id.Certificate}
	for i := range int64(6000) {
		many = append(many, &x509.Certificate{SerialNumber: big.NewInt(i + 1)})
	}
	file := filepath.Join(t.TempDir(), "crl.pem")
	require.NoError(t, os.WriteFile(file, ca.CRL(webhooktest.CRL{}), 0o600))
	e := &events{kind: webhook.EventReloaded}
	var later atomic.Int64
	c := clientCert(t, webhook.ClientCertConfig{CA: ca.PEM(), CRLFile: file, OnEvent: e.on, Now: func() time.Time { return time.Now().Add(time.Duration(later.Load())) }})
	large := ca.CRL(webhooktest.CRL{Revoked: many})
	require.Greater(t, len(large), 128<<10)
	require.NoError(t, os.WriteFile(file, large, 0o600))
	later.Add(int64(time.Minute))
	require.NoError(t, c.Authenticate(shown(id)), "judged by what there is, without a wait")
	require.Eventually(t, func() bool { return len(e.all()) == 1 }, time.Minute, time.Millisecond)
	require.ErrorIs(t, c.Authenticate(shown(id)), webhook.ErrCertificate)
	later.Add(int64(time.Minute))
	require.ErrorIs(t, c.Authenticate(shown(id)), webhook.ErrCertificate)
	require.NoError(t, c.Reload())
	require.Len(t, e.all(), 2, "unchanged contents are not loaded again by polling")
}

// TestZonesAreNotTrusted: a link-local address is another machine on each link,
// and a prefix cannot say which link is meant.
func TestZonesAreNotTrusted(t *testing.T) {
	ca := webhooktest.NewTestCA(t, "CA")
	id := ca.Issue(webhooktest.Leaf{})
	rule := webhook.ClientCertConfig{CA: ca.PEM()}
	for _, prefix := range []netip.Prefix{
		netip.MustParsePrefix("fe80::1/128"), netip.MustParsePrefix("fe80::/10"), netip.PrefixFrom(netip.MustParseAddr("fe80::1%eth0"), 128),
	} {
		_, err := webhook.NewProxyCert(webhook.ProxyCertConfig{Format: webhook.ProxyRFC9440, Trusted: []netip.Prefix{prefix}, Certificate: rule})
		require.ErrorIs(t, err, kyckit.ErrInvalid, prefix)
	}
	p, err := webhook.NewProxyCert(webhook.ProxyCertConfig{Format: webhook.ProxyRFC9440, Trusted: []netip.Prefix{netip.MustParsePrefix("::/0")}, Certificate: rule})
	require.NoError(t, err)
	d := forwarded(webhooktest.Forward(webhook.ProxyRFC9440, id.Certificate))
	for remote, ok := range map[string]bool{"[2001:db8::1]:1": true, "[fe80::1%eth1]:1": false, "[2001:db8::1%eth1]:1": false} {
		d.RemoteAddr = remote
		require.Equal(t, ok, p.Authenticate(d) == nil, remote)
	}
}
