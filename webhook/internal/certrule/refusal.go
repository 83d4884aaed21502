package certrule

import (
	"bytes"
	"crypto/x509"
	"slices"
	"time"
)

// Reason is the kind of a refusal, of few values.
type Reason string

// The reasons.
const (
	NoCertificate Reason = "no certificate"
	Malformed     Reason = "malformed"
	UnknownCA     Reason = "unknown CA"
	Expired       Reason = "expired"
	WrongPurpose  Reason = "wrong purpose"
	WrongName     Reason = "wrong name"
	WrongKey      Reason = "wrong key"
	WeakSignature Reason = "weak signature"
	Revoked       Reason = "revoked"
	NotChecked    Reason = "revocation unknown"
)

// Refusal is why a certificate is not accepted. Its text is made of this
// package's own words.
type Refusal struct {
	Reason Reason
	Text   string
}

// explain words an x509 error, whose own text quotes the certificate.
func (r *Rule) explain(err error, leaf *x509.Certificate, sent []*x509.Certificate, now time.Time) *Refusal {
	switch e := err.(type) { //nolint:errorlint // x509 returns these types bare
	case x509.UnknownAuthorityError:
		return r.explainUnknown(leaf, sent)
	case x509.CertificateInvalidError:
		switch e.Reason {
		case x509.Expired:
			return outside(e.Cert, leaf, now)
		case x509.IncompatibleUsage:
			return &Refusal{WrongPurpose, "it is not for client authentication"}
		case x509.NotAuthorizedToSign:
			return &Refusal{UnknownCA, "a certificate in its chain is no CA"}
		}
	case x509.UnhandledCriticalExtension:
		return &Refusal{Malformed, "it has an unknown critical extension"}
	}
	return &Refusal{Malformed, "its chain is not valid"}
}

// outside says when, and which certificate of the chain, is not valid now.
func outside(cert, leaf *x509.Certificate, now time.Time) *Refusal {
	which, when := "it", "has expired"
	if cert != nil && !bytes.Equal(cert.Raw, leaf.Raw) {
		which = "a CA above it"
	}
	if cert != nil && now.Before(cert.NotBefore) {
		when = "is not yet valid"
	}
	return &Refusal{Expired, which + " " + when}
}

// explainUnknown finds out why no chain leads to a configured CA.
func (r *Rule) explainUnknown(leaf *x509.Certificate, sent []*x509.Certificate) *Refusal {
	known := func(c *x509.Certificate) bool { // is there anything of its issuer's name?
		for _, list := range [][]*x509.Certificate{r.CAs, sent} {
			for _, ca := range list {
				if bytes.Equal(c.RawIssuer, ca.RawSubject) {
					return true
				}
			}
		}
		return false
	}
	for i := -1; i < len(sent); i++ {
		c := leaf
		if i >= 0 {
			c = sent[i]
		}
		if weak(c.SignatureAlgorithm) && !selfIssued(c) && known(c) {
			return &Refusal{WeakSignature, "it or its chain is signed with SHA-1 or MD5, which proves nothing any more"}
		}
	}
	notCA := func(c *x509.Certificate) bool { return !c.IsCA && bytes.Equal(c.RawSubject, leaf.RawIssuer) }
	switch {
	case slices.ContainsFunc(sent, notCA):
		return &Refusal{UnknownCA, "the certificate that signed it is no CA"}
	case selfIssued(leaf):
		return &Refusal{UnknownCA, "no configured CA signed it: it is self-signed"}
	case len(sent) == 0 && !known(leaf):
		return &Refusal{UnknownCA, "no configured CA signed it directly, and no chain came along"}
	case known(leaf) && len(sent) == 0:
		return &Refusal{UnknownCA, "no configured CA signed it: one has its issuer's name, but another key"}
	}
	return &Refusal{UnknownCA, "no configured CA signed it"}
}

func weak(a x509.SignatureAlgorithm) bool {
	switch a { // all others are strong, or unknown and refused as such
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return true
	}
	return false
}
