package webhook

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"sync"
	"time"

	"github.com/kyckit/kyckit"
)

const (
	opCert        = "client-certificate"
	maxVerdicts   = 1024
	maxChainCerts = 10
	maxRSABits    = 8192
)

// certRules is one loaded set of CAs, lists and pins. It does not change, the
// memory of what it has accepted aside; a reload makes another.
type certRules struct {
	cfg           ClientCertConfig
	pins          *pins
	cas           []*x509.Certificate
	roots, inters *x509.CertPool
	crls          []*crl
	checkCRL      bool
	usages        []x509.ExtKeyUsage
	content       [sha256.Size]byte // of what it was loaded from

	mu       sync.Mutex
	verdicts map[[sha256.Size]byte]verdict
}

// verdict is an accepted leaf and the time in which that holds: a signature
// once checked stays good, so that a request costs a hash and not a chain.
type verdict struct {
	from, until time.Time
}

// loadMaterial reads what a configuration points to.
func loadMaterial(cfg *ClientCertConfig) (ca, list []byte, err error) {
	ca, list = cfg.CA, cfg.CRL
	for _, f := range []struct {
		field, name string
		limit       int64
		into        *[]byte
	}{{"CAFile", cfg.CAFile, maxCAFile, &ca}, {"CRLFile", cfg.CRLFile, maxCRLFile, &list}} {
		if f.name == "" {
			continue
		}
		data, readErr := readFile(f.name, f.limit)
		if readErr != nil {
			// Err lets a caller ask for fs.ErrNotExist; the text shows no path.
			return nil, nil, &kyckit.Error{Provider: provider, Op: opCert, Kind: kyckit.ErrInvalid, Reason: f.field + " cannot be read", Err: readErr}
		}
		*f.into = data
	}
	return ca, list, nil
}

func contentOf(ca, list []byte) [sha256.Size]byte {
	h := sha256.New()
	sum := sha256.Sum256(ca)
	h.Write(sum[:])
	h.Write(list)
	return [sha256.Size]byte(h.Sum(nil))
}

func newCertRules(cfg ClientCertConfig, ca, list []byte) (*certRules, error) {
	r := &certRules{cfg: cfg, content: contentOf(ca, list), verdicts: map[[sha256.Size]byte]verdict{}}
	var reason string
	if r.cas, reason = parseCAs(ca); reason != "" {
		return nil, invalid(opCert, "CA "+reason)
	}
	if r.pins, reason = newPins(&cfg); reason != "" {
		return nil, invalid(opCert, reason)
	}
	r.checkCRL = cfg.CRLFile != "" || len(cfg.CRL) > 0
	if r.checkCRL {
		if r.crls, reason = parseCRLs(list, r.cas); reason != "" {
			return nil, invalid(opCert, "CRL "+reason)
		}
	}
	r.usages = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if cfg.AllowServerAuth {
		if r.pins.empty() {
			return nil, invalid(opCert, "AllowServerAuth demands a pin")
		}
		r.usages = append(r.usages, x509.ExtKeyUsageServerAuth)
	}
	r.roots, r.inters = x509.NewCertPool(), x509.NewCertPool()
	anchors := 0
	for _, ca := range r.cas {
		if r.hasIssuer(ca) {
			r.inters.AddCert(ca)
		} else {
			r.roots.AddCert(ca)
			anchors++
		}
	}
	if anchors == 0 { // CAs that signed each other
		for _, ca := range r.cas {
			r.roots.AddCert(ca)
		}
	}
	return r, nil
}

// hasIssuer reports whether a CA was signed by another one of the set. It then
// is no anchor, and the other one's list is asked about it.
func (r *certRules) hasIssuer(ca *x509.Certificate) bool {
	if bytes.Equal(ca.RawIssuer, ca.RawSubject) {
		return false
	}
	for _, other := range r.cas {
		if issuerID(other) != issuerID(ca) && bytes.Equal(ca.RawIssuer, other.RawSubject) && ca.CheckSignatureFrom(other) == nil {
			return true
		}
	}
	return false
}

// verify applies the rules to a leaf and the certificates sent along, which
// can be nothing but intermediates. unknown is what a soft revocation check let
// pass.
func (r *certRules) verify(leaf *x509.Certificate, sent []*x509.Certificate, now time.Time) (unknown string, err error) {
	sum := sha256.Sum256(leaf.Raw)
	if r.remembers(sum, now) {
		return "", nil
	}
	if reason := r.pins.check(leaf); reason != "" {
		return "", refuse(opCert, ErrCertificate, reason)
	}
	if len(sent) > maxChainCerts {
		return "", refuse(opCert, ErrCertificate, "too many intermediates")
	}
	for i := -1; i < len(sent); i++ {
		c := leaf
		if i >= 0 {
			c = sent[i]
		}
		if c == nil || tooLargeKey(c) {
			return "", refuse(opCert, ErrCertificate, "a key in its chain is too large")
		}
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
		return "", refuse(opCert, ErrCertificate, verifyReason(verifyErr))
	}
	reason := ""
	for _, chain := range chains {
		var rev revocation
		if r.checkCRL {
			rev = checkRevocation(chain, r.crls, now)
		}
		if rev.refused == "" && rev.unknown != "" && !r.cfg.SoftCRL {
			rev.refused = rev.unknown
		}
		if rev.refused != "" {
			reason = rev.refused
			continue
		}
		if rev.unknown == "" {
			r.remember(sum, chain, rev)
		}
		return rev.unknown, nil
	}
	return "", refuse(opCert, ErrCertificate, reason)
}

// tooLargeKey reports an RSA key that crypto/tls would refuse too: checking a
// signature with it takes a stranger's time of ours. Behind a proxy nobody else
// would have looked.
func tooLargeKey(c *x509.Certificate) bool {
	key, ok := c.PublicKey.(*rsa.PublicKey)
	return ok && key.N.BitLen() > maxRSABits
}

func (r *certRules) remembers(sum [sha256.Size]byte, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, ok := r.verdicts[sum]
	return ok && !now.Before(v.from) && !now.After(v.until)
}

func (r *certRules) remember(sum [sha256.Size]byte, chain []*x509.Certificate, rev revocation) {
	v := verdict{from: rev.from.Add(-crlSkew), until: rev.until}
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

// verifyReason words an x509 error, whose own text quotes the certificate.
func verifyReason(err error) string {
	switch e := err.(type) { //nolint:errorlint // x509 returns these types bare
	case x509.UnknownAuthorityError:
		return "no configured CA signed it"
	case x509.CertificateInvalidError:
		switch e.Reason {
		case x509.Expired:
			return "it or its chain is expired or not yet valid"
		case x509.IncompatibleUsage:
			return "it is not for client authentication"
		case x509.NotAuthorizedToSign:
			return "a certificate in its chain is no CA"
		}
	case x509.UnhandledCriticalExtension:
		return "it has an unknown critical extension"
	}
	return "its chain is not valid"
}
