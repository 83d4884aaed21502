package webhook_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/webhook"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

// events collects what OnEvent hears, of one kind.
type events struct {
	mu   sync.Mutex
	kind webhook.CertificateEventKind
	list []webhook.CertificateEvent
}

func (e *events) on(event webhook.CertificateEvent) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if event.Kind == e.kind {
		e.list = append(e.list, event)
	}
}

func (e *events) all() []webhook.CertificateEvent {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]webhook.CertificateEvent(nil), e.list...)
}

// TestRefusedHandshakesAreReported: nobody else would tell the operator, since
// no request comes of them.
func TestRefusedHandshakesAreReported(t *testing.T) {
	ca := webhooktest.NewTestCA(t, "CA")
	names := webhooktest.Leaf{DNSNames: []string{"hooks.example"}}
	revoked := ca.Issue(names)
	list := ca.CRL(webhooktest.CRL{Revoked: []*x509.Certificate{revoked.Certificate}})
	for name, c := range map[string]struct {
		id           *webhooktest.Identity
		reason, text string
	}{
		"wrong name":           {ca.Issue(webhooktest.Leaf{DNSNames: []string{"renewed.example"}}), "wrong name", "its DNS names are not pinned"},
		"no SAN":               {ca.Issue(webhooktest.Leaf{CommonName: "hooks.example"}), "wrong name", "it has no DNS names"},
		"stranger":             {ca.Bad(webhooktest.Stranger, names), "unknown CA", "one has its issuer's name, but another key"},
		"self-signed":          {ca.Bad(webhooktest.SelfSigned, names), "unknown CA", "it is self-signed"},
		"another CA":           {webhooktest.NewTestCA(t, "other").Issue(names), "unknown CA", "no chain came along"},
		"expired":              {ca.Bad(webhooktest.Expired, names), "expired", "it has expired"},
		"early":                {ca.Bad(webhooktest.NotYetValid, names), "expired", "it is not yet valid"},
		"expired intermediate": {ca.Bad(webhooktest.ExpiredIntermediate, names), "expired", "a CA above it has expired"},
		"for servers":          {ca.Bad(webhooktest.ServerOnly, names), "wrong purpose", "it is not for client authentication"},
		"below a leaf":         {ca.Bad(webhooktest.SignedByLeaf, names), "unknown CA", "is no CA"},
		"SHA-1":                {ca.Bad(webhooktest.WeakSignature, names), "weak signature", "SHA-1"},
		"revoked":              {revoked, "revoked", "revoked"},
		"none":                 {nil, "no certificate", "ended before a readable certificate was shown"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				e := &events{kind: webhook.EventRefused}
				rule := clientCert(t, webhook.ClientCertConfig{CA: ca.PEM(), CRL: list, DNSNames: names.DNSNames, OnEvent: e.on})
				s := newSite(t, ca, rule)
				require.Equal(t, 200, send(client(ca, ca.Issue(names), nil, version), s.URL))
				for range 3 {
					require.Equal(t, 0, send(client(ca, c.id, nil, version), s.URL))
				}
				require.Eventually(t, func() bool { return len(e.all()) > 0 }, 30*time.Second, time.Millisecond)
				got := e.all()
				require.Len(t, got, 1, "the same is reported once")
				assert.Equal(t, c.reason, got[0].Reason)
				require.ErrorIs(t, got[0].Err, webhook.ErrCertificate)
				assert.Contains(t, got[0].Err.Error(), c.text)
				if c.id != nil { // otherwise several that end at once may be told together
					assert.Equal(t, 1, got[0].Count)
					assert.Equal(t, c.id.Fingerprint(), got[0].Fingerprint)
				}
			}
		})
	}
}

// TestStrangersCannotFloodTheOperator: refusals are counted, not all reported,
// and a flood for one reason does not hide another reason.
func TestStrangersCannotFloodTheOperator(t *testing.T) {
	ca, now := webhooktest.NewTestCA(t, "CA"), time.Now()
	e := &events{kind: webhook.EventRefused}
	c := clientCert(t, webhook.ClientCertConfig{CA: ca.PEM(), DNSNames: []string{"a.example"}, OnEvent: e.on, Now: func() time.Time { return now }})
	verify := c.TLSConfig(nil).VerifyConnection
	stranger := webhooktest.NewTestCA(t, "stranger")
	handshake := func(id *webhooktest.Identity) { require.Error(t, verify(*shown(id).TLS)) }
	for range 40 {
		handshake(stranger.Issue(webhooktest.Leaf{}))
	}
	require.Len(t, e.all(), 10)
	wrong := ca.Issue(webhooktest.Leaf{DNSNames: []string{"b.example"}, NotAfter: now.Add(24 * time.Hour)})
	handshake(wrong)
	require.Len(t, e.all(), 11, "another reason")
	now = now.Add(time.Minute)
	handshake(stranger.Issue(webhooktest.Leaf{}))
	got := e.all()
	require.Len(t, got, 12)
	require.Equal(t, 31, got[11].Count, "with those that were not reported")
	handshake(wrong)
	require.Len(t, e.all(), 12, "once an hour for a certificate")
	now = now.Add(time.Hour)
	handshake(wrong)
	require.Len(t, e.all(), 13)
	require.Equal(t, 2, e.all()[12].Count)
}

// TestHandshakesThatOverlap: some are judged, some break off, in any order.
func TestHandshakesThatOverlap(t *testing.T) {
	ca := webhooktest.NewTestCA(t, "CA")
	now := time.Now()
	var mu sync.Mutex
	e := &events{kind: webhook.EventRefused}
	c := clientCert(t, webhook.ClientCertConfig{CA: ca.PEM(), OnEvent: e.on, Now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(time.Minute) // so that nothing is held back
		return now
	}})
	s := newSite(t, ca, c)
	id := ca.Issue(webhooktest.Leaf{NotAfter: time.Now().Add(300 * 24 * time.Hour)})
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			if i%2 == 0 {
				assert.Equal(t, 200, send(client(ca, id, nil, tls.VersionTLS13), s.URL))
			} else {
				assert.Equal(t, 0, send(client(ca, nil, nil, tls.VersionTLS12), s.URL))
			}
		})
	}
	wg.Wait()
	require.Eventually(t, func() bool {
		n := 0
		for _, event := range e.all() {
			assert.Equal(t, "no certificate", event.Reason)
			n += event.Count
		}
		return n == 20
	}, 30*time.Second, time.Millisecond)
}

// TestAnnouncedNames: a sender with two certificates picks by the names of the
// CAs that the server announces.
func TestAnnouncedNames(t *testing.T) {
	ca, other := webhooktest.NewTestCA(t, "CA"), webhooktest.NewTestCA(t, "other")
	pool := func(cas ...*webhooktest.TestCA) *x509.CertPool {
		p := x509.NewCertPool()
		for _, ca := range cas {
			p.AddCert(ca.Certificate)
		}
		return p
	}
	choosing := func(cas *x509.CertPool) func(*tls.Config) {
		return func(base *tls.Config) {
			chosen := base.Clone()
			chosen.ClientCAs = cas
			base.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return chosen, nil }
		}
	}
	names := func(base *tls.Config) { base.ClientCAs = pool(ca) }
	good, wrong := ca.Issue(webhooktest.Leaf{}), other.Issue(webhooktest.Leaf{})
	for name, c := range map[string]struct {
		change []func(*tls.Config)
		want   int
	}{
		"none":                     {nil, 0}, // the first certificate is sent, which is the wrong one
		"base":                     {[]func(*tls.Config){names}, 200},
		"chosen":                   {[]func(*tls.Config){choosing(pool(ca))}, 200},
		"base's for the chosen":    {[]func(*tls.Config){choosing(nil), names}, 200},
		"the chosen one's instead": {[]func(*tls.Config){choosing(pool(other)), names}, 0},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			s := newSite(t, ca, clientCert(t, webhook.ClientCertConfig{CA: ca.PEM()}), c.change...)
			sender := client(ca, wrong, nil, version)
			cfg := sender.Transport.(*http.Transport).TLSClientConfig
			cfg.Certificates = append(cfg.Certificates, good.TLS())
			require.Equal(t, c.want, send(sender, s.URL), name)
		}
	}
}

func TestUnreadableFilesSayWhy(t *testing.T) {
	ca := webhooktest.NewTestCA(t, "CA")
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, data, 0o600))
		return path
	}
	id := ca.Issue(webhooktest.Leaf{})
	for name, c := range map[string]struct {
		cfg  webhook.ClientCertConfig
		want string
	}{
		"missing":       {webhook.ClientCertConfig{CAFile: filepath.Join(dir, "none")}, "CAFile cannot be read: it does not exist"},
		"a directory":   {webhook.ClientCertConfig{CAFile: dir}, "CAFile cannot be read: "},
		"missing list":  {webhook.ClientCertConfig{CA: ca.PEM(), CRLFile: filepath.Join(dir, "none")}, "CRLFile cannot be read: it does not exist"},
		"too long":      {webhook.ClientCertConfig{CAFile: write("long", make([]byte, 4<<20+1))}, "CAFile cannot be read: it is longer than 4 MiB"},
		"empty":         {webhook.ClientCertConfig{CAFile: write("empty", nil)}, "CAFile is empty"},
		"second block":  {webhook.ClientCertConfig{CA: append(append([]byte(nil), ca.PEM()...), "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"...)}, "cannot be read (block 2: malformed"},
		"a private key": {webhook.ClientCertConfig{CA: append(append([]byte(nil), ca.PEM()...), id.KeyPEM()...)}, "no CERTIFICATE but a private key (block 2)"},
		"no CA":         {webhook.ClientCertConfig{CA: append(append([]byte(nil), ca.PEM()...), id.PEM()...)}, "is no CA (block 2)"},
		"cut":           {webhook.ClientCertConfig{CA: append(append([]byte(nil), ca.PEM()...), ca.PEM()[:100]...)}, "broken PEM block (block 2)"},
		"stranger's":    {webhook.ClientCertConfig{CA: ca.PEM(), CRL: append(ca.CRL(webhooktest.CRL{}), webhooktest.NewTestCA(t, "x").CRL(webhooktest.CRL{})...)}, "no configured CA signed (list 2)"},
	} {
		_, err := webhook.NewClientCert(c.cfg)
		require.ErrorIs(t, err, kyckit.ErrInvalid, name)
		assert.Contains(t, err.Error(), c.want, name)
		assert.NotContains(t, err.Error(), dir, name)
	}
	if os.Getuid() != 0 { // root may read everything
		secret := write("secret", ca.PEM())
		require.NoError(t, os.Chmod(secret, 0))
		_, err := webhook.NewClientCert(webhook.ClientCertConfig{CAFile: secret})
		require.ErrorContains(t, err, "CAFile cannot be read: permission denied")
	}
}
