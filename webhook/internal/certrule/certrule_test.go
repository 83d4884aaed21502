package certrule

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// sign makes a certificate of a template; without a parent it is self-signed.
func sign(t *testing.T, template x509.Certificate, key crypto.Signer, parent *authority) *authority {
	t.Helper()
	var err error
	if key == nil {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
	}
	template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if parent == nil {
		parent = &authority{&template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, parent.cert, key.Public(), parent.key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &authority{cert, key}
}

func newAuthority(t *testing.T, name string, key crypto.Signer, parent *authority) *authority {
	return sign(t, x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}, key, parent)
}

func (a *authority) leaf(t *testing.T) *authority {
	return sign(t, x509.Certificate{Subject: pkix.Name{CommonName: "leaf"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, nil, a)
}

func (a *authority) list(t *testing.T, list x509.RevocationList) []byte {
	t.Helper()
	list.Number, list.ThisUpdate, list.NextUpdate = big.NewInt(1), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	der, err := x509.CreateRevocationList(rand.Reader, &list, a.cert, a.key)
	require.NoError(t, err)
	return der
}

func certPEM(as ...*authority) (out []byte) {
	for _, a := range as {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})...)
	}
	return out
}

func TestListsThatAreRefused(t *testing.T) {
	root := newAuthority(t, "root", nil, nil)
	critical := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 29}, Critical: true, Value: []byte{0x30, 0}}
	entry := x509.RevocationListEntry{SerialNumber: big.NewInt(5), RevocationTime: time.Now(), ReasonCode: 1}
	indirect := entry
	indirect.ExtraExtensions = []pkix.Extension{critical}
	good := root.list(t, x509.RevocationList{RevokedCertificateEntries: []x509.RevocationListEntry{entry}})
	for want, der := range map[string][]byte{
		"a critical entry extension": root.list(t, x509.RevocationList{RevokedCertificateEntries: []x509.RevocationListEntry{entry, indirect}}),
		"a critical extension":       root.list(t, x509.RevocationList{ExtraExtensions: []pkix.Extension{critical}}),
		"SHA-1 or MD5":               root.list(t, x509.RevocationList{SignatureAlgorithm: x509.ECDSAWithSHA1}),
		"no configured CA signed":    bytes.Replace(good, []byte{2, 1, 5, 0x17}, []byte{2, 1, 6, 0x17}, 1), // another number under the same signature
		"a malformed entry":          bytes.Replace(good, []byte{2, 1, 5, 0x17}, []byte{4, 1, 5, 0x17}, 1),
		"cannot be read":             good[:len(good)-1],
	} {
		_, err := New(Config{CA: certPEM(root), CRL: der})
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "(list 1)")
	}
	rule, err := New(Config{CA: certPEM(root), CRL: good})
	require.NoError(t, err)
	require.Contains(t, rule.Lists[0].revoked, "\x05")
}

func TestElement(t *testing.T) {
	for _, bad := range [][]byte{
		nil, {2}, {2, 1}, {2, 0x80, 0, 0}, {2, 0x81}, {2, 0x82, 1}, {2, 0x85, 0, 0, 0, 0, 1, 7}, {0x1f, 1, 1}, {2, 0x84, 0xff, 0xff, 0xff, 0xff, 1},
	} {
		_, _, _, ok := element(bad)
		require.Falsef(t, ok, "%x", bad)
	}
	tag, content, rest, ok := element([]byte{2, 0x81, 1, 7, 9})
	require.True(t, ok)
	require.Equal(t, []any{byte(2), []byte{7}, []byte{9}}, []any{tag, content, rest})
}

// TestCAsThatSignedEachOther are all anchors: otherwise there would be none.
func TestCAsThatSignedEachOther(t *testing.T) {
	a, b := newAuthority(t, "a", nil, nil), newAuthority(t, "b", nil, nil)
	crossed := certPEM(newAuthority(t, "a", a.key, b), newAuthority(t, "b", b.key, a))
	rule, err := New(Config{CA: crossed})
	require.NoError(t, err)
	for _, ca := range []*authority{a, b} {
		_, refusal := rule.Verify(ca.leaf(t).cert, nil, time.Now())
		require.Nil(t, refusal)
	}
	_, refusal := rule.Verify(newAuthority(t, "c", nil, nil).leaf(t).cert, nil, time.Now())
	require.Equal(t, UnknownCA, refusal.Reason)
}

func TestLimits(t *testing.T) {
	root := newAuthority(t, "root", nil, nil)
	_, err := New(Config{CA: bytes.Repeat(certPEM(root), maxCAs+1)})
	require.ErrorContains(t, err, "too many certificates")
	_, err = New(Config{CA: certPEM(sign(t, x509.Certificate{Subject: pkix.Name{CommonName: "x"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature}, nil, nil))})
	require.ErrorContains(t, err, "may not sign certificates (block 1)")
	rule, err := New(Config{CA: certPEM(root)})
	require.NoError(t, err)
	leaf := root.leaf(t).cert
	many := make([]*x509.Certificate, maxChainCerts+1)
	_, refusal := rule.Verify(leaf, many, time.Now())
	require.Equal(t, &Refusal{Malformed, "too many intermediates"}, refusal)
	for range maxVerdicts + 10 {
		rule.remember([32]byte{byte(len(rule.verdicts)), byte(len(rule.verdicts) >> 8)}, []*x509.Certificate{leaf}, revocation{})
	}
	require.LessOrEqual(t, len(rule.verdicts), maxVerdicts, "strangers cannot fill the memory")
}

// TestWeakIntermediate: the words must not send the operator after the CA.
func TestWeakIntermediate(t *testing.T) {
	root := newAuthority(t, "root", nil, nil)
	template := x509.Certificate{Subject: pkix.Name{CommonName: "issuing"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, SignatureAlgorithm: x509.ECDSAWithSHA1}
	issuing := sign(t, template, nil, root)
	rule, err := New(Config{CA: certPEM(root)})
	require.NoError(t, err)
	_, refusal := rule.Verify(issuing.leaf(t).cert, []*x509.Certificate{issuing.cert}, time.Now())
	require.Equal(t, WeakSignature, refusal.Reason)
}
