package webhooktest

import (
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
)

// Identity is a certificate with its key and the intermediates to send along.
type Identity struct {
	Certificate *x509.Certificate
	Chain       []*x509.Certificate
	Key         crypto.Signer
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

// KeyPEM returns the private key in PEM (PKCS #8), nil for a Leaf.Key of a kind
// that PKCS #8 does not know.
func (i *Identity) KeyPEM() []byte {
	der, err := x509.MarshalPKCS8PrivateKey(i.Key)
	if err != nil {
		return nil
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

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
