package webhooktest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"sync/atomic"
	"time"
)

// CA is a certificate authority that lives in memory. Safe for concurrent use.
// In a test, TestCA is more convenient.
type CA struct {
	// Certificate is the CA's own.
	Certificate *x509.Certificate

	key   crypto.Signer
	chain []*x509.Certificate // from this CA up, the root left out
	lists atomic.Int64        // number of the last revocation list
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

// NewCA makes a root CA.
func NewCA(name string) (*CA, error) {
	return newCA(name, nil, time.Now().Add(365*24*time.Hour))
}

// Intermediate makes a CA below this one.
func (c *CA) Intermediate(name string) (*CA, error) {
	return newCA(name, c, time.Now().Add(180*24*time.Hour))
}

func newCA(name string, parent *CA, notAfter time.Time) (*CA, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: notAfter,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	c := &CA{key: key}
	signer, signerKey := template, key
	if parent != nil {
		signer, signerKey = parent.Certificate, parent.key
	}
	if c.Certificate, err = create(template, signer, key, signerKey); err != nil {
		return nil, err
	}
	if parent != nil {
		c.chain = append([]*x509.Certificate{c.Certificate}, parent.chain...)
	}
	return c, nil
}

// PEM returns the CA's certificate in PEM.
func (c *CA) PEM() []byte { return encode("CERTIFICATE", c.Certificate.Raw) }

// Issue signs a certificate. It fails when the leaf holds something that a
// certificate cannot, such as a name that is not ASCII.
func (c *CA) Issue(l Leaf) (*Identity, error) {
	template, key, err := l.template()
	if err != nil {
		return nil, err
	}
	cert, err := create(template, c.Certificate, key, c.key)
	if err != nil {
		return nil, err
	}
	return &Identity{Certificate: cert, Chain: c.chain, Key: key}, nil
}

// template returns what is to be signed, and the leaf's key.
func (l Leaf) template() (*x509.Certificate, crypto.Signer, error) {
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
			return nil, nil, fmt.Errorf("webhooktest: URIs: %w", err)
		}
		uris = append(uris, u)
	}
	key := l.Key
	if key == nil {
		var err error
		if key, err = newKey(); err != nil {
			return nil, nil, err
		}
	}
	return &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: l.CommonName}, DNSNames: l.DNSNames, URIs: uris, IPAddresses: l.IPs,
		NotBefore: l.NotBefore, NotAfter: l.NotAfter, ExtKeyUsage: l.Usages, KeyUsage: x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true, ExtraExtensions: l.Extra,
	}, key, nil
}

// CRL says what a revocation list should look like. The zero value is empty,
// and good from an hour ago until an hour from now.
type CRL struct {
	Revoked                []*x509.Certificate
	ThisUpdate, NextUpdate time.Time
	// Number is the list's number. Zero means a higher one than that of any
	// list this CA has made before.
	Number int64
	// Extra are further extensions, for example a critical one.
	Extra []pkix.Extension
}

// CRL signs a revocation list and returns it in PEM.
func (c *CA) CRL(l CRL) ([]byte, error) {
	now := time.Now()
	if l.ThisUpdate.IsZero() {
		l.ThisUpdate = now.Add(-time.Hour)
	}
	if l.NextUpdate.IsZero() {
		l.NextUpdate = now.Add(time.Hour)
	}
	list := &x509.RevocationList{Number: big.NewInt(c.listNumber(l.Number)), ThisUpdate: l.ThisUpdate, NextUpdate: l.NextUpdate, ExtraExtensions: l.Extra}
	for _, cert := range l.Revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: cert.SerialNumber, RevocationTime: l.ThisUpdate})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, c.Certificate, c.key)
	if err != nil {
		return nil, fmt.Errorf("webhooktest: %w", err)
	}
	return encode("X509 CRL", der), nil
}

// listNumber returns the number that is asked for, or the next.
func (c *CA) listNumber(asked int64) int64 {
	if asked == 0 {
		return c.lists.Add(1)
	}
	for last := c.lists.Load(); last < asked && !c.lists.CompareAndSwap(last, asked); {
		last = c.lists.Load()
	}
	return asked
}

func create(template, parent *x509.Certificate, key, parentKey crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		return nil, fmt.Errorf("webhooktest: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("webhooktest: %w", err)
	}
	return cert, nil
}

func newKey() (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("webhooktest: %w", err)
	}
	return key, nil
}

// serial returns 16 random bytes that make a positive number.
func serial() *big.Int {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[0] = b[0]&0x7f | 1
	return new(big.Int).SetBytes(b[:])
}
