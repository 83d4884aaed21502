package webhook_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"io/fs"
	"math/big"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/webhook"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

func clientCert(t testing.TB, cfg webhook.ClientCertConfig) *webhook.ClientCert {
	t.Helper()
	c, err := webhook.NewClientCert(cfg)
	require.NoError(t, err)
	return c
}

// shown is a delivery over a connection on which certs were shown.
func shown(id *webhooktest.Identity) *webhook.Delivery {
	return &webhook.Delivery{Method: "POST", TLS: &tls.ConnectionState{PeerCertificates: append([]*x509.Certificate{id.Certificate}, id.Chain...)}}
}

func TestClientCertRefusesEveryBadKind(t *testing.T) {
	ca := webhooktest.NewTestCA(t, "Sender CA")
	c := clientCert(t, webhook.ClientCertConfig{CA: ca.PEM()})
	good := shown(ca.Issue(webhooktest.Leaf{}))
	require.NoError(t, c.Authenticate(good))
	assert.NotNil(t, good.Certificate)
	require.NoError(t, c.Authenticate(shown(ca.Intermediate("issuing").Issue(webhooktest.Leaf{}))))
	for _, kind := range webhooktest.BadCerts() {
		bad := shown(ca.Bad(kind, webhooktest.Leaf{}))
		err := c.Authenticate(bad)
		require.ErrorIs(t, err, webhook.ErrCertificate, kind)
		require.ErrorIs(t, err, kyckit.ErrUnauthorized, kind)
		require.Nil(t, bad.Certificate)
	}
	require.ErrorIs(t, c.Authenticate(&webhook.Delivery{}), webhook.ErrCertificate)
	require.ErrorIs(t, c.Authenticate(&webhook.Delivery{TLS: &tls.ConnectionState{}}), webhook.ErrCertificate)
	require.ErrorIs(t, (*webhook.ClientCert)(nil).Authenticate(good), webhook.ErrCertificate)
	require.ErrorIs(t, (&webhook.ClientCert{}).Authenticate(good), webhook.ErrCertificate)
}

func TestHugeKeysAreNotTried(t *testing.T) {
	ca := webhooktest.NewTestCA(t, "CA")
	id := ca.Issue(webhooktest.Leaf{})
	huge := *id.Certificate
	huge.PublicKey = &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 8192), E: 65537}
	c := clientCert(t, webhook.ClientCertConfig{CA: ca.PEM()})
	require.ErrorIs(t, c.Authenticate(shown(&webhooktest.Identity{Certificate: &huge})), webhook.ErrCertificate)
	require.ErrorIs(t, c.Authenticate(shown(&webhooktest.Identity{Certificate: id.Certificate, Chain: []*x509.Certificate{&huge}})), webhook.ErrCertificate)
	require.ErrorIs(t, c.Authenticate(shown(&webhooktest.Identity{Certificate: id.Certificate, Chain: []*x509.Certificate{nil}})), webhook.ErrCertificate)
	require.ErrorIs(t, c.Authenticate(shown(&webhooktest.Identity{})), webhook.ErrCertificate)
	require.NoError(t, c.Authenticate(shown(id)))
}

func TestCertificateIsAlsoCheckedLater(t *testing.T) {
	ca, now := webhooktest.NewTestCA(t, "CA"), time.Now()
	c := clientCert(t, webhook.ClientCertConfig{CA: ca.PEM(), Now: func() time.Time { return now }})
	d := shown(ca.Issue(webhooktest.Leaf{}))
	require.NoError(t, c.Authenticate(d))
	require.NoError(t, c.Authenticate(d), "remembered")
	now = now.Add(2 * time.Hour)
	require.ErrorIs(t, c.Authenticate(d), webhook.ErrCertificate, "expired meanwhile")
	now = now.Add(-4 * time.Hour)
	require.ErrorIs(t, c.Authenticate(d), webhook.ErrCertificate, "not yet valid by a clock set back")
}

func TestPins(t *testing.T) {
	ca := webhooktest.NewTestCA(t, "CA")
	leaf := webhooktest.Leaf{CommonName: "sender", DNSNames: []string{"Hooks.Example.com", "*.wild.example"}, URIs: []string{"spiffe://example/hooks"}}
	id, other := ca.Issue(leaf), ca.Issue(webhooktest.Leaf{CommonName: "other", DNSNames: []string{"a.wild.example"}})
	colons := strings.ToUpper(id.Fingerprint()[:2] + ":" + id.Fingerprint()[2:])
	for name, c := range map[string]struct {
		cfg webhook.ClientCertConfig
		ok  bool
	}{
		"none":              {webhook.ClientCertConfig{}, true},
		"DNS":               {webhook.ClientCertConfig{DNSNames: []string{"x.example", "hooks.example.COM"}}, true},
		"DNS suffix":        {webhook.ClientCertConfig{DNSNames: []string{"example.com"}}, false},
		"DNS under a wild":  {webhook.ClientCertConfig{DNSNames: []string{"a.wild.example"}}, false},
		"URI":               {webhook.ClientCertConfig{URIs: []string{"spiffe://example/hooks"}}, true},
		"URI other":         {webhook.ClientCertConfig{URIs: []string{"spiffe://example/hook%73"}}, false},
		"SPKI":              {webhook.ClientCertConfig{SPKI: []string{other.SPKI(), id.SPKI()}}, true},
		"SPKI other":        {webhook.ClientCertConfig{SPKI: []string{other.SPKI()}}, false},
		"fingerprint":       {webhook.ClientCertConfig{Fingerprints: []string{colons}}, true},
		"fingerprint other": {webhook.ClientCertConfig{Fingerprints: []string{other.Fingerprint()}}, false},
		"CN":                {webhook.ClientCertConfig{LegacyCommonNames: []string{"sender"}}, true},
		"CN other":          {webhook.ClientCertConfig{LegacyCommonNames: []string{"Sender"}}, false},
		"CN is no DNS name": {webhook.ClientCertConfig{DNSNames: []string{"sender"}}, false},
		"kinds combined":    {webhook.ClientCertConfig{DNSNames: []string{"hooks.example.com"}, SPKI: []string{id.SPKI()}}, true},
		"one kind fails":    {webhook.ClientCertConfig{DNSNames: []string{"hooks.example.com"}, SPKI: []string{other.SPKI()}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c.cfg.CA = ca.PEM()
			err := clientCert(t, c.cfg).Authenticate(shown(id))
			if c.ok {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, webhook.ErrCertificate)
			}
		})
	}
	renewed := ca.Issue(webhooktest.Leaf{Key: id.Key})
	require.NoError(t, clientCert(t, webhook.ClientCertConfig{CA: ca.PEM(), SPKI: []string{id.SPKI()}}).Authenticate(shown(renewed)))
	require.Error(t, clientCert(t, webhook.ClientCertConfig{CA: ca.PEM(), Fingerprints: []string{id.Fingerprint()}}).Authenticate(shown(renewed)))
}

func TestServerAuthOnlyDemandsAPin(t *testing.T) {
	ca := webhooktest.NewTestCA(t, "CA")
	server := ca.Bad(webhooktest.ServerOnly, webhooktest.Leaf{DNSNames: []string{"hooks.example"}})
	_, err := webhook.NewClientCert(webhook.ClientCertConfig{CA: ca.PEM(), AllowServerAuth: true})
	require.ErrorIs(t, err, kyckit.ErrInvalid)
	c := clientCert(t, webhook.ClientCertConfig{CA: ca.PEM(), AllowServerAuth: true, DNSNames: []string{"hooks.example"}})
	require.NoError(t, c.Authenticate(shown(server)))
	require.Error(t, c.Authenticate(shown(ca.Bad(webhooktest.CodeSigning, webhooktest.Leaf{DNSNames: []string{"hooks.example"}}))))
	require.Error(t, clientCert(t, webhook.ClientCertConfig{CA: ca.PEM(), DNSNames: []string{"hooks.example"}}).Authenticate(shown(server)))
}

func TestClientCertConfigIsChecked(t *testing.T) {
	ca := webhooktest.NewTestCA(t, "CA")
	leaf := ca.Issue(webhooktest.Leaf{})
	broken := bytes.Replace(ca.PEM(), []byte("\n"), []byte("\n!!!!"), 1)
	cut := ca.PEM()[:len(ca.PEM())-10]
	good := ca.PEM()
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for name, cfg := range map[string]webhook.ClientCertConfig{
		"nothing":            {},
		"empty":              {CA: []byte{}},
		"no PEM":             {CA: []byte("hello")},
		"broken block":       {CA: broken},
		"broken first":       {CA: join(broken, good)},
		"broken last":        {CA: join(good, broken)},
		"cut":                {CA: join(good, cut)},
		"cut before another": {CA: join(cut, []byte("\n"), good)},
		"a leaf":             {CA: join(good, leaf.PEM())},
		"a key":              {CA: join(good, leaf.KeyPEM())},
		"not a certificate":  {CA: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})},
		"headers":            {CA: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Certificate.Raw, Headers: map[string]string{"a": "b"}})},
		"both":               {CA: good, CAFile: "x"},
		"no file":            {CAFile: filepath.Join(t.TempDir(), "none")},
		"CRL is no CRL":      {CA: good, CRL: good},
		"empty CRL":          {CA: good, CRL: []byte{}},
		"stranger's CRL":     {CA: good, CRL: webhooktest.NewTestCA(t, "CA").CRL(webhooktest.CRL{})},
		"one stranger's CRL": {CA: good, CRL: join(ca.CRL(webhooktest.CRL{}), webhooktest.NewTestCA(t, "CA").CRL(webhooktest.CRL{}))},
		"partial CRL":        {CA: good, CRL: ca.CRL(webhooktest.CRL{Extra: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: []byte{0x30, 0}}}})},
		"soft without CRL":   {CA: good, SoftCRL: true},
		"wildcard":           {CA: good, DNSNames: []string{"*.example.com"}},
		"empty DNS name":     {CA: good, DNSNames: []string{""}},
		"relative URI":       {CA: good, URIs: []string{"x"}},
		"SPKI in hex":        {CA: good, SPKI: []string{leaf.Fingerprint()}},
		"short SPKI":         {CA: good, SPKI: []string{"AAAA"}},
		"short fingerprint":  {CA: good, Fingerprints: []string{"AAAA"}},
		"empty CN":           {CA: good, LegacyCommonNames: []string{""}},
	} {
		_, err := webhook.NewClientCert(cfg)
		assert.ErrorIs(t, err, kyckit.ErrInvalid, name)
	}
	_, err := webhook.NewClientCert(webhook.ClientCertConfig{CAFile: filepath.Join(t.TempDir(), "secret-path")})
	require.ErrorIs(t, err, fs.ErrNotExist)
	assert.NotContains(t, err.Error(), "secret-path")
	_, err = webhook.NewClientCert(webhook.ClientCertConfig{CA: join([]byte("subject=CN = CA\n"), good, []byte("\n# another\n"), good)})
	require.NoError(t, err, "text between blocks, and a CA twice")
}

func TestRevocation(t *testing.T) {
	ca := webhooktest.NewTestCA(t, "root")
	issuing := ca.Intermediate("issuing")
	direct, below := ca.Issue(webhooktest.Leaf{}), issuing.Issue(webhooktest.Leaf{})
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	both := join(ca.PEM(), issuing.PEM())
	now := time.Now()
	stale := webhooktest.CRL{ThisUpdate: now.Add(-3 * time.Hour), NextUpdate: now.Add(-time.Minute)}
	early := webhooktest.CRL{ThisUpdate: now.Add(30 * time.Minute)}
	der, _ := pem.Decode(ca.CRL(webhooktest.CRL{}))
	for name, c := range map[string]struct {
		cfg  webhook.ClientCertConfig
		id   *webhooktest.Identity
		ok   bool
		soft bool // accepted by the soft option
	}{
		"fresh":                    {webhook.ClientCertConfig{CA: ca.PEM(), CRL: ca.CRL(webhooktest.CRL{})}, direct, true, true},
		"fresh DER":                {webhook.ClientCertConfig{CA: ca.PEM(), CRL: der.Bytes}, direct, true, true},
		"another revoked":          {webhook.ClientCertConfig{CA: ca.PEM(), CRL: ca.CRL(webhooktest.CRL{Revoked: []*x509.Certificate{below.Certificate}})}, direct, true, true},
		"revoked":                  {webhook.ClientCertConfig{CA: ca.PEM(), CRL: ca.CRL(webhooktest.CRL{Revoked: []*x509.Certificate{direct.Certificate}})}, direct, false, false},
		"revoked by a stale list":  {webhook.ClientCertConfig{CA: ca.PEM(), CRL: ca.CRL(webhooktest.CRL{ThisUpdate: stale.ThisUpdate, NextUpdate: stale.NextUpdate, Revoked: []*x509.Certificate{direct.Certificate}})}, direct, false, false},
		"stale":                    {webhook.ClientCertConfig{CA: ca.PEM(), CRL: ca.CRL(stale)}, direct, false, true},
		"not yet":                  {webhook.ClientCertConfig{CA: ca.PEM(), CRL: ca.CRL(early)}, direct, false, true},
		"stale and fresh":          {webhook.ClientCertConfig{CA: ca.PEM(), CRL: join(ca.CRL(stale), ca.CRL(webhooktest.CRL{}))}, direct, true, true},
		"issuer without a list":    {webhook.ClientCertConfig{CA: both, CRL: ca.CRL(webhooktest.CRL{})}, below, false, true},
		"only the issuer's":        {webhook.ClientCertConfig{CA: both, CRL: issuing.CRL(webhooktest.CRL{})}, below, false, true},
		"both lists":               {webhook.ClientCertConfig{CA: both, CRL: join(ca.CRL(webhooktest.CRL{}), issuing.CRL(webhooktest.CRL{}))}, below, true, true},
		"intermediate revoked":     {webhook.ClientCertConfig{CA: both, CRL: join(ca.CRL(webhooktest.CRL{Revoked: []*x509.Certificate{issuing.Certificate}}), issuing.CRL(webhooktest.CRL{}))}, below, false, false},
		"the anchor needs no list": {webhook.ClientCertConfig{CA: issuing.PEM(), CRL: issuing.CRL(webhooktest.CRL{})}, below, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			err := clientCert(t, c.cfg).Authenticate(shown(c.id))
			assert.Equal(t, c.ok, err == nil, "%v", err)
			var events []webhook.CertificateEvent
			c.cfg.SoftCRL = true
			c.cfg.OnEvent = func(e webhook.CertificateEvent) {
				if e.Kind == webhook.EventNotChecked {
					events = append(events, e)
				}
			}
			soft := clientCert(t, c.cfg)
			assert.Equal(t, c.soft, soft.Authenticate(shown(c.id)) == nil)
			_ = soft.Authenticate(shown(c.id))
			assert.Equal(t, c.soft && !c.ok, len(events) == 1, "reported once")
		})
	}
}

func TestRevocationListGoesStale(t *testing.T) {
	ca, now := webhooktest.NewTestCA(t, "CA"), time.Now()
	c := clientCert(t, webhook.ClientCertConfig{CA: ca.PEM(), CRL: ca.CRL(webhooktest.CRL{NextUpdate: now.Add(time.Minute)}), Now: func() time.Time { return now }})
	d := shown(ca.Issue(webhooktest.Leaf{}))
	require.NoError(t, c.Authenticate(d))
	now = now.Add(2 * time.Minute)
	require.ErrorIs(t, c.Authenticate(d), webhook.ErrCertificate, "the remembered verdict ends with the list")
}
