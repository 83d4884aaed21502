// Package certrule judges client certificates: by CAs, revocation lists and
// pins. It knows no transport, no files and no clock.
package certrule

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"sync"
	"time"
)

const (
	maxVerdicts   = 1024
	maxChainCerts = 10
	maxRSABits    = 8192
)

// Config is what a rule is made of.
type Config struct {
	CA  []byte // PEM; empty for a rule of pins alone
	CRL []byte // PEM or DER; nil for no revocation check
	// SoftCRL lets pass what no fresh list speaks of.
	SoftCRL bool
	// AllowServerAuth takes certificates for server authentication too.
	AllowServerAuth bool
	// Pins, as ClientCertConfig describes them.
	DNSNames, URIs, SPKI, Fingerprints, CommonNames []string
}

// Rule is one loaded set of CAs, lists and pins. It does not change, the
// memory of what it has accepted aside. Safe for concurrent use.
type Rule struct {
	CAs   []*x509.Certificate
	Lists []*List

	pins          *pins
	roots, inters *x509.CertPool
	checkCRL      bool
	soft          bool
	usages        []x509.ExtKeyUsage

	mu       sync.Mutex
	verdicts map[[sha256.Size]byte]verdict
}

// verdict is an accepted leaf and the time in which that holds: a signature
// once checked stays good, so that a request costs a hash and not a chain.
type verdict struct {
	from, until time.Time
}

// New makes a rule. The error's text names the field and holds nothing of a
// sender.
func New(cfg Config) (*Rule, error) {
	r := &Rule{verdicts: map[[sha256.Size]byte]verdict{}, checkCRL: cfg.CRL != nil, soft: cfg.SoftCRL}
	var err error
	if r.pins, err = newPins(cfg); err != nil {
		return nil, err
	}
	if len(cfg.CA) == 0 {
		return r, r.checkPinsAlone()
	}
	if r.CAs, err = parseCAs(cfg.CA); err != nil {
		return nil, err
	}
	if r.checkCRL {
		if r.Lists, err = parseLists(cfg.CRL, r.CAs); err != nil {
			return nil, err
		}
	}
	r.usages = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if cfg.AllowServerAuth {
		if r.pins.empty() {
			return nil, errors.New("AllowServerAuth demands a pin")
		}
		r.usages = append(r.usages, x509.ExtKeyUsageServerAuth)
	}
	r.pool()
	return r, nil
}

// checkPinsAlone says whether the pins identify a certificate without any CA.
func (r *Rule) checkPinsAlone() error {
	switch {
	case len(r.pins.spki)+len(r.pins.leaf) == 0:
		return errors.New("CA or CAFile is required, unless SPKI or Fingerprints pin a key or certificate")
	case r.checkCRL:
		return errors.New("CRL needs the CA that signs it")
	}
	return nil
}

// pool sorts the CAs into anchors and intermediates.
func (r *Rule) pool() {
	r.roots, r.inters = x509.NewCertPool(), x509.NewCertPool()
	anchors := 0
	for _, ca := range r.CAs {
		if r.hasIssuer(ca) {
			r.inters.AddCert(ca)
		} else {
			r.roots.AddCert(ca)
			anchors++
		}
	}
	if anchors == 0 { // CAs that signed each other
		for _, ca := range r.CAs {
			r.roots.AddCert(ca)
		}
	}
}

// hasIssuer reports whether a CA was signed by another CA of the set. Then it is
// no anchor, and the other CA's list is asked about it.
func (r *Rule) hasIssuer(ca *x509.Certificate) bool {
	if selfIssued(ca) {
		return false
	}
	for _, other := range r.CAs {
		if issuerID(other) != issuerID(ca) && bytes.Equal(ca.RawIssuer, other.RawSubject) && ca.CheckSignatureFrom(other) == nil {
			return true
		}
	}
	return false
}

func selfIssued(c *x509.Certificate) bool { return bytes.Equal(c.RawIssuer, c.RawSubject) }

// Verify applies the rule to a leaf and the certificates sent along, which
// can be nothing but intermediates. unchecked is what a soft revocation check
// let pass, or "".
func (r *Rule) Verify(leaf *x509.Certificate, sent []*x509.Certificate, now time.Time) (unchecked string, refusal *Refusal) {
	sum := sha256.Sum256(leaf.Raw)
	if r.Remembers(sum, now) {
		return "", nil
	}
	if refusal := checkSize(leaf, sent); refusal != nil {
		return "", refusal
	}
	if r.roots == nil {
		return "", r.verifyPinned(leaf, sum, now)
	}
	inters := r.inters
	if len(sent) > 0 {
		inters = r.inters.Clone()
		for _, c := range sent {
			inters.AddCert(c)
		}
	}
	chains, verifyErr := leaf.Verify(x509.VerifyOptions{Roots: r.roots, Intermediates: inters, CurrentTime: now, KeyUsages: r.usages})
	if verifyErr != nil {
		return "", r.explain(verifyErr, leaf, sent, now)
	}
	// The chain first: only whom a CA certifies is told apart by name.
	if refusal := r.pins.check(leaf); refusal != nil {
		return "", refusal
	}
	for _, chain := range chains {
		var rev revocation
		if r.checkCRL {
			rev = checkRevocation(chain, r.Lists, now)
		}
		switch {
		case rev.revoked:
			refusal = &Refusal{Revoked, "revoked"}
		case rev.unknown != "" && !r.soft:
			refusal = &Refusal{NotChecked, rev.unknown}
		default:
			if rev.unknown == "" {
				r.remember(sum, chain, rev)
			}
			return rev.unknown, nil
		}
	}
	return "", refusal
}

// verifyPinned accepts exactly the pinned key or certificate, while it is
// valid. Who signed it and for what it was made do not count: the pin names it.
func (r *Rule) verifyPinned(leaf *x509.Certificate, sum [sha256.Size]byte, now time.Time) *Refusal {
	if refusal := r.pins.check(leaf); refusal != nil {
		return refusal
	}
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return outside(leaf, leaf, now)
	}
	r.remember(sum, []*x509.Certificate{leaf}, revocation{})
	return nil
}

// checkSize refuses what would take a stranger's time of ours. crypto/tls
// refuses large keys too; behind a proxy nobody else would have looked.
func checkSize(leaf *x509.Certificate, sent []*x509.Certificate) *Refusal {
	if len(sent) > maxChainCerts {
		return &Refusal{Malformed, "too many intermediates"}
	}
	if tooLargeKey(leaf) {
		return &Refusal{Malformed, "its key is too large"}
	}
	for _, c := range sent {
		if c == nil || tooLargeKey(c) {
			return &Refusal{Malformed, "a key in its chain is too large"}
		}
	}
	return nil
}

func tooLargeKey(c *x509.Certificate) bool {
	key, ok := c.PublicKey.(*rsa.PublicKey)
	return ok && key.N.BitLen() > maxRSABits
}

// Remembers reports whether the rule has accepted the leaf with this SHA-256,
// and still would.
func (r *Rule) Remembers(sum [sha256.Size]byte, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, ok := r.verdicts[sum]
	return ok && !now.Before(v.from) && !now.After(v.until)
}

func (r *Rule) remember(sum [sha256.Size]byte, chain []*x509.Certificate, rev revocation) {
	v := verdict{from: rev.from.Add(-listSkew), until: rev.until}
	for _, c := range chain {
		if c.NotBefore.After(v.from) {
			v.from = c.NotBefore
		}
		if v.until.IsZero() || c.NotAfter.Before(v.until) {
			v.until = c.NotAfter
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.verdicts) >= maxVerdicts {
		clear(r.verdicts)
	}
	r.verdicts[sum] = v
}
