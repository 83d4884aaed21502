package webhook_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/webhook"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

// version1 makes a certificate of X.509 version 1, which crypto/x509 reads and
// does not write. Without a parent it is self-signed.
func version1(t *testing.T, name string, parent *webhooktest.Identity, notAfter time.Time) *webhooktest.Identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	marshal := func(v any) []byte {
		der, err := asn1.Marshal(v)
		require.NoError(t, err)
		return der
	}
	subject := marshal(pkix.Name{CommonName: name}.ToRDNSequence())
	issuer, signer := subject, crypto.Signer(key)
	if parent != nil {
		issuer, signer = parent.Certificate.RawSubject, parent.Key
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	require.NoError(t, err)
	ecdsaSHA256 := pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}}
	raw := func(der []byte) asn1.RawValue { return asn1.RawValue{FullBytes: der} }
	tbs := marshal(struct {
		Serial    *big.Int
		Algorithm pkix.AlgorithmIdentifier
		Issuer    asn1.RawValue
		Validity  struct{ NotBefore, NotAfter time.Time }
		Subject   asn1.RawValue
		Public    asn1.RawValue
	}{
		big.NewInt(time.Now().UnixNano()), ecdsaSHA256, raw(issuer),
		struct{ NotBefore, NotAfter time.Time }{time.Now().Add(-2 * time.Hour).UTC(), notAfter.UTC()},
		raw(subject), raw(public),
	})
	sum := sha256.Sum256(tbs)
	signature, err := signer.Sign(rand.Reader, sum[:], crypto.SHA256)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(marshal(struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{raw(tbs), ecdsaSHA256, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}}))
	require.NoError(t, err)
	require.Equal(t, 1, cert.Version)
	return &webhooktest.Identity{Certificate: cert, Key: key}
}

// TestPinnedWithoutCA: what many senders have is a certificate they signed
// themselves. Its pin accepts exactly that, in every way it can arrive.
func TestPinnedWithoutCA(t *testing.T) {
	ca := webhooktest.NewTestCA(t, "CA")
	later := time.Now().Add(time.Hour)
	for name, id := range map[string]*webhooktest.Identity{
		"self-signed":     ca.Bad(webhooktest.SelfSigned, webhooktest.Leaf{CommonName: "sender"}),
		"version 1":       version1(t, "sender", nil, later),
		"signed by a CA":  ca.Issue(webhooktest.Leaf{CommonName: "sender"}),
		"for servers":     ca.Bad(webhooktest.ServerOnly, webhooktest.Leaf{CommonName: "sender"}),
		"signed by SHA-1": ca.Bad(webhooktest.WeakSignature, webhooktest.Leaf{CommonName: "sender"}),
	} {
		renewed := ca.Bad(webhooktest.SelfSigned, webhooktest.Leaf{Key: id.Key})
		expired := ca.Bad(webhooktest.Expired, webhooktest.Leaf{Key: id.Key})
		early := ca.Bad(webhooktest.NotYetValid, webhooktest.Leaf{Key: id.Key})
		other := ca.Bad(webhooktest.SelfSigned, webhooktest.Leaf{CommonName: "sender"})
		for kind, cfg := range map[string]webhook.ClientCertConfig{
			"SPKI": {SPKI: []string{id.SPKI()}}, "fingerprint": {Fingerprints: []string{id.Fingerprint()}},
			"both": {SPKI: []string{id.SPKI()}, Fingerprints: []string{id.Fingerprint()}},
		} {
			t.Run(name+" by "+kind, func(t *testing.T) {
				asks := map[string]func(*webhooktest.Identity) error{"directly": func(id *webhooktest.Identity) error {
					return clientCert(t, cfg).Authenticate(shown(id))
				}}
				for name, format := range formats() {
					p, err := webhook.NewProxyCert(webhook.ProxyCertConfig{Format: format, Trusted: loopback(), Certificate: cfg})
					require.NoError(t, err)
					asks[name] = func(id *webhooktest.Identity) error {
						return p.Authenticate(forwarded(webhooktest.Forward(format, id.Certificate)))
					}
				}
				for how, ask := range asks {
					require.NoError(t, ask(id), how)
					require.NoError(t, ask(id), "%s, remembered", how)
					for what, bad := range map[string]*webhooktest.Identity{"expired": expired, "early": early, "another of the same name": other, "a CA": ca.Issue(webhooktest.Leaf{})} {
						require.ErrorIs(t, ask(bad), webhook.ErrCertificate, "%s, %s", how, what)
					}
					if kind == "SPKI" {
						require.NoError(t, ask(renewed), "%s, the same key", how)
					} else {
						require.ErrorIs(t, ask(renewed), webhook.ErrCertificate, how)
					}
				}
			})
		}
	}
	id := ca.Bad(webhooktest.SelfSigned, webhooktest.Leaf{DNSNames: []string{"a.example"}})
	require.Error(t, clientCert(t, webhook.ClientCertConfig{SPKI: []string{id.SPKI()}, DNSNames: []string{"b.example"}}).Authenticate(shown(id)), "kinds are combined")
	for name, cfg := range map[string]webhook.ClientCertConfig{
		"names alone": {DNSNames: []string{"a.example"}}, "common name alone": {LegacyCommonNames: []string{"a"}}, "URIs alone": {URIs: []string{"a://b"}},
		"a list without its CA": {SPKI: []string{id.SPKI()}, CRL: ca.CRL(webhooktest.CRL{})}, "a CA that came out empty": {SPKI: []string{id.SPKI()}, CA: []byte{}},
	} {
		_, err := webhook.NewClientCert(cfg)
		require.ErrorIs(t, err, kyckit.ErrInvalid, name)
	}
}

func TestPinnedHandshake(t *testing.T) {
	ca := webhooktest.NewTestCA(t, "server CA")
	for _, id := range []*webhooktest.Identity{ca.Bad(webhooktest.SelfSigned, webhooktest.Leaf{}), version1(t, "sender", nil, time.Now().Add(time.Hour))} {
		c := clientCert(t, webhook.ClientCertConfig{SPKI: []string{id.SPKI()}})
		s := newSite(t, ca, c)
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			sender := client(ca, id, tls.NewLRUClientSessionCache(4), version)
			require.Equal(t, 200, send(sender, s.URL))
			sender.CloseIdleConnections()
			require.Equal(t, 200, send(sender, s.URL), "resumed")
			require.Equal(t, 0, send(client(ca, ca.Bad(webhooktest.SelfSigned, webhooktest.Leaf{}), nil, version), s.URL))
			require.Equal(t, 0, send(client(ca, nil, nil, version), s.URL))
		}
		require.EqualValues(t, 2, s.resumed.Load())
	}
}

// TestVersion1Root: an old root cannot say that it is a CA; crypto/x509 takes it
// for one all the same, as a root only.
func TestVersion1Root(t *testing.T) {
	root := version1(t, "old root", nil, time.Now().Add(time.Hour))
	below := version1(t, "sender", root, time.Now().Add(time.Hour))
	c := clientCert(t, webhook.ClientCertConfig{CA: root.PEM()})
	require.NoError(t, c.Authenticate(shown(below)))
	require.ErrorIs(t, c.Authenticate(shown(version1(t, "x", below, time.Now().Add(time.Hour)))), webhook.ErrCertificate)
	require.ErrorIs(t, c.Authenticate(shown(version1(t, "sender", root, time.Now().Add(-time.Hour)))), webhook.ErrCertificate, "expired")
	_, err := webhook.NewClientCert(webhook.ClientCertConfig{CA: below.PEM()})
	require.ErrorIs(t, err, kyckit.ErrInvalid, "a leaf that is not self-issued is no root")
	selfSigned := webhooktest.NewTestCA(t, "x").Bad(webhooktest.SelfSigned, webhooktest.Leaf{})
	_, err = webhook.NewClientCert(webhook.ClientCertConfig{CA: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: selfSigned.Certificate.Raw})})
	require.ErrorContains(t, err, "is no CA (block 1); to accept just that one, pin it by Fingerprints or SPKI")
}
