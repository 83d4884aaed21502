package webhooktest

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
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"testing"
	"time"
)

// CA is a certificate authority that lives in memory. Safe for concurrent use.
type CA struct {
	// Certificate is the CA's own.
	Certificate *x509.Certificate

	t     testing.TB
	key   crypto.Signer
	chain []*x509.Certificate // from this CA up, the root left out
}

// Leaf says what a certificate should look like. The zero value is a client
// certificate that is good for an hour.
type Leaf struct {
	CommonName string
	DNSNames   []string
	URIs       []string
	IPs        []net.IP
	// NotBefore and NotAfter default to an hour ago and an hour from now.
	NotBefore, NotAfter time.Time
	// Usages default to client authentication.
	Usages []x509.ExtKeyUsage
	// Key is reused for a renewal; nil means a new one.
	Key crypto.Signer
	// Extra are further extensions.
	Extra []pkix.Extension
}

// Identity is a certificate with its key and the intermediates to send along.
type Identity struct {
	Certificate *x509.Certificate
	Chain       []*x509.Certificate
	Key         crypto.Signer
}

// BadCert is a way for a certificate to be wrong.
type BadCert string

// The kinds of bad certificates. All are signed by the CA, as far as the kind
// allows, and have the names that were asked for.
const (
	Expired             BadCert = "expired"
	NotYetValid         BadCert = "not yet valid"
	Stranger            BadCert = "signed by another CA of the same name"
	SelfSigned          BadCert = "self-signed"
	ServerOnly          BadCert = "for server authentication only"
	CodeSigning         BadCert = "for code signing only"
	UnknownCritical     BadCert = "with an unknown critical extension"
	SignedByLeaf        BadCert = "signed by a certificate that is no CA"
	ExpiredIntermediate BadCert = "below an expired intermediate"
	BadSignature        BadCert = "with a broken signature"
)

// BadCerts returns every kind of bad certificate.
func BadCerts() []BadCert {
	return []BadCert{Expired, NotYetValid, Stranger, SelfSigned, ServerOnly, CodeSigning, UnknownCritical, SignedByLeaf, ExpiredIntermediate, BadSignature}
}

// NewCA makes a root CA. A failure to make keys ends the test.
func NewCA(t testing.TB, name string) *CA {
	t.Helper()
	return newCA(t, name, nil, time.Now().Add(365*24*time.Hour))
}

// Intermediate makes a CA below this one.
func (c *CA) Intermediate(name string) *CA {
	c.t.Helper()
	return newCA(c.t, name, c, time.Now().Add(180*24*time.Hour))
}

func newCA(t testing.TB, name string, parent *CA, notAfter time.Time) *CA {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: serial(t), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: notAfter,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	c := &CA{t: t, key: newKey(t)}
	signer, signerKey := template, c.key
	if parent != nil {
		signer, signerKey = parent.Certificate, parent.key
	}
	c.Certificate = create(t, template, signer, c.key, signerKey)
	if parent != nil {
		c.chain = append([]*x509.Certificate{c.Certificate}, parent.chain...)
	}
	return c
}

// PEM returns the CA's certificate in PEM.
func (c *CA) PEM() []byte { return encode("CERTIFICATE", c.Certificate.Raw) }

// Issue signs a certificate.
func (c *CA) Issue(l Leaf) *Identity {
	c.t.Helper()
	key := l.Key
	if key == nil {
		key = newKey(c.t)
	}
	return &Identity{Certificate: create(c.t, l.template(c.t), c.Certificate, key, c.key), Chain: c.chain, Key: key}
}

// Bad makes a certificate that is wrong in the given way.
func (c *CA) Bad(kind BadCert, l Leaf) *Identity {
	c.t.Helper()
	now := time.Now()
	switch kind {
	case Expired:
		l.NotBefore, l.NotAfter = now.Add(-2*time.Hour), now.Add(-time.Hour)
	case NotYetValid:
		l.NotBefore, l.NotAfter = now.Add(time.Hour), now.Add(2*time.Hour)
	case ServerOnly:
		l.Usages = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	case CodeSigning:
		l.Usages = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
	case UnknownCritical:
		l.Extra = append(l.Extra, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Critical: true, Value: []byte{5, 0}})
	case Stranger:
		return NewCA(c.t, c.Certificate.Subject.CommonName).Issue(l)
	case SelfSigned:
		key := newKey(c.t)
		template := l.template(c.t)
		return &Identity{Certificate: create(c.t, template, template, key, key), Key: key}
	case SignedByLeaf:
		parent := c.Issue(Leaf{CommonName: "not a CA"})
		key := newKey(c.t)
		return &Identity{
			Certificate: create(c.t, l.template(c.t), parent.Certificate, key, parent.Key),
			Chain:       append([]*x509.Certificate{parent.Certificate}, parent.Chain...), Key: key,
		}
	case ExpiredIntermediate:
		return newCA(c.t, "expired intermediate", c, now.Add(-time.Hour)).Issue(l)
	case BadSignature:
		id := c.Issue(l)
		der := append([]byte(nil), id.Certificate.Raw...)
		for ; ; der = append([]byte(nil), id.Certificate.Raw...) {
			der[len(der)-1] ^= 0x55 // the end of the signature's second number
			if cert, err := x509.ParseCertificate(der); err == nil {
				id.Certificate = cert
				return id
			}
			id = c.Issue(l)
		}
	}
	return c.Issue(l)
}

func (l Leaf) template(t testing.TB) *x509.Certificate {
	now := time.Now()
	if l.NotBefore.IsZero() {
		l.NotBefore = now.Add(-time.Hour)
	}
	if l.NotAfter.IsZero() {
		l.NotAfter = now.Add(time.Hour)
	}
	if l.Usages == nil {
		l.Usages = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	var uris []*url.URL
	for _, text := range l.URIs {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatalf("webhooktest: %v", err)
		}
		uris = append(uris, u)
	}
	return &x509.Certificate{
		SerialNumber: serial(t), Subject: pkix.Name{CommonName: l.CommonName}, DNSNames: l.DNSNames, URIs: uris, IPAddresses: l.IPs,
		NotBefore: l.NotBefore, NotAfter: l.NotAfter, ExtKeyUsage: l.Usages, KeyUsage: x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true, ExtraExtensions: l.Extra,
	}
}

// CRL says what a revocation list should look like. The zero value is empty,
// and good from an hour ago until an hour from now.
type CRL struct {
	Revoked                []*x509.Certificate
	ThisUpdate, NextUpdate time.Time
	// Extra are further extensions, for example a critical one.
	Extra []pkix.Extension
}

// CRL signs a revocation list and returns it in PEM.
func (c *CA) CRL(l CRL) []byte {
	c.t.Helper()
	now := time.Now()
	if l.ThisUpdate.IsZero() {
		l.ThisUpdate = now.Add(-time.Hour)
	}
	if l.NextUpdate.IsZero() {
		l.NextUpdate = now.Add(time.Hour)
	}
	list := &x509.RevocationList{Number: serial(c.t), ThisUpdate: l.ThisUpdate, NextUpdate: l.NextUpdate, ExtraExtensions: l.Extra}
	for _, cert := range l.Revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: cert.SerialNumber, RevocationTime: l.ThisUpdate})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, c.Certificate, c.key)
	if err != nil {
		c.t.Fatalf("webhooktest: %v", err)
	}
	return encode("X509 CRL", der)
}

// TLS returns the identity for a tls.Config, intermediates included.
func (i *Identity) TLS() tls.Certificate {
	cert := tls.Certificate{Certificate: [][]byte{i.Certificate.Raw}, PrivateKey: i.Key, Leaf: i.Certificate}
	for _, c := range i.Chain {
		cert.Certificate = append(cert.Certificate, c.Raw)
	}
	return cert
}

// PEM returns the certificate and its intermediates in PEM.
func (i *Identity) PEM() []byte {
	out := encode("CERTIFICATE", i.Certificate.Raw)
	for _, c := range i.Chain {
		out = append(out, encode("CERTIFICATE", c.Raw)...)
	}
	return out
}

// KeyPEM returns the private key in PEM (PKCS #8).
func (i *Identity) KeyPEM() []byte {
	der, err := x509.MarshalPKCS8PrivateKey(i.Key)
	if err != nil {
		return nil // cannot be: the key is ours
	}
	return encode("PRIVATE KEY", der)
}

// SPKI returns the pin of the public key: its SHA-256 in base64.
func (i *Identity) SPKI() string {
	sum := sha256.Sum256(i.Certificate.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Fingerprint returns the pin of the certificate: its SHA-256 in hex.
func (i *Identity) Fingerprint() string {
	sum := sha256.Sum256(i.Certificate.Raw)
	return hex.EncodeToString(sum[:])
}

func create(t testing.TB, template, parent *x509.Certificate, key, parentKey crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatalf("webhooktest: %v", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatalf("webhooktest: %v", err)
	}
	return cert
}

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("webhooktest: %v", err)
	}
	return key
}

func serial(t testing.TB) *big.Int {
	t.Helper()
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		t.Fatalf("webhooktest: %v", err)
	}
	return n.Add(n, big.NewInt(1))
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
