package webhooktest

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"time"
)

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
	WeakSignature       BadCert = "signed with SHA-1"
)

// BadCerts returns every kind of bad certificate.
func BadCerts() []BadCert {
	return []BadCert{Expired, NotYetValid, Stranger, SelfSigned, ServerOnly, CodeSigning, UnknownCritical, SignedByLeaf, ExpiredIntermediate, BadSignature, WeakSignature}
}

// Bad makes a certificate that is wrong in the given way. It fails where Issue
// does.
func (c *CA) Bad(kind BadCert, l Leaf) (*Identity, error) {
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
		l.Extra = append(slices.Clone(l.Extra), pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Critical: true, Value: []byte{5, 0}})
	case Stranger:
		other, err := NewCA(c.Certificate.Subject.CommonName)
		if err != nil {
			return nil, err
		}
		return other.Issue(l)
	case SelfSigned, WeakSignature:
		return c.issueOtherwise(kind, l)
	case SignedByLeaf:
		parent, err := c.Issue(Leaf{CommonName: "not a CA"})
		if err != nil {
			return nil, err
		}
		leaf := &CA{Certificate: parent.Certificate, key: parent.Key, chain: append([]*x509.Certificate{parent.Certificate}, parent.Chain...)}
		return leaf.Issue(l)
	case ExpiredIntermediate:
		below, err := newCA("expired intermediate", c, now.Add(-time.Hour))
		if err != nil {
			return nil, err
		}
		return below.Issue(l)
	case BadSignature:
		return c.issueBroken(l)
	}
	return c.Issue(l)
}

// issueOtherwise signs with the leaf's own key, or with SHA-1.
func (c *CA) issueOtherwise(kind BadCert, l Leaf) (*Identity, error) {
	template, key, err := l.template()
	if err != nil {
		return nil, err
	}
	id := &Identity{Key: key, Chain: c.chain}
	parent, parentKey := c.Certificate, c.key
	if kind == SelfSigned {
		id.Chain, parent, parentKey = nil, template, key
	} else {
		template.SignatureAlgorithm = x509.ECDSAWithSHA1
	}
	id.Certificate, err = create(template, parent, key, parentKey)
	if err != nil {
		return nil, err
	}
	return id, nil
}

// issueBroken changes the end of a signature, until what comes out can still
// be read as a certificate.
func (c *CA) issueBroken(l Leaf) (*Identity, error) {
	for {
		id, err := c.Issue(l)
		if err != nil {
			return nil, err
		}
		der := slices.Clone(id.Certificate.Raw)
		der[len(der)-1] ^= 0x55
		if cert, err := x509.ParseCertificate(der); err == nil {
			id.Certificate = cert
			return id, nil
		}
	}
}
