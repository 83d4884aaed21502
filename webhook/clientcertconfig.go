package webhook

import (
	"cmp"
	"slices"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/webhook/internal/certrule"
)

const (
	defaultPoll    = time.Minute
	defaultWarning = 30 * 24 * time.Hour
)

// ClientCertConfig says which client certificates are accepted.
//
// With a CA, a certificate is accepted when one of the CAs signed it, directly
// or through intermediates, it is valid now, it is for client authentication,
// no list revokes it, and it fits the pins. Pins of one kind are alternatives,
// kinds are combined: with two DNSNames and one SPKI, a certificate needs one of
// the names and that key. Without any pin, everyone whom the CA certifies is
// accepted: right for a private CA that certifies this one sender, and wrong
// for a public one.
//
// Without a CA, SPKI or Fingerprints name the sender: exactly that key or that
// certificate is accepted, while it is valid, whoever signed it and whatever
// purpose it states. That is for a certificate that the sender signed itself,
// also one of X.509 version 1 or without any extension. Further pins must hold
// as well.
type ClientCertConfig struct {
	// CA is the trust store in PEM, CAFile its file. At most one may be set;
	// without either, SPKI or Fingerprints is required. Every block must be a
	// CA certificate, which a self-issued one of X.509 version 1 counts as; the
	// host's own roots are never used. A CA that another CA of the store signed
	// serves as intermediate. Change a file by renaming a finished one over it:
	// half of one is refused and reported, but a file that ends between two
	// blocks looks finished.
	CA     []byte
	CAFile string
	// CRL holds revocation lists in PEM, or one in DER, CRLFile its file. At
	// most one may be set; then revocation is checked and fails closed:
	// every certificate below the root needs a list of its issuer, signed by a
	// CA of the store and not stale, or it is refused. Delta, indirect and
	// partial lists and those signed with SHA-1 are refused when they are
	// loaded, and so is a list that is older, by its date or number, than the
	// list of the same issuer in use.
	CRL     []byte
	CRLFile string
	// SoftCRL accepts a certificate for whose issuer there is no fresh list,
	// and reports that to OnEvent. A revoked one is refused all the same.
	SoftCRL bool

	// DNSNames pins DNS names of the subject alternative names, exactly: case
	// does not count and wildcards match nothing.
	DNSNames []string
	// URIs pins URIs of the subject alternative names, byte for byte, such as
	// a SPIFFE id.
	URIs []string
	// SPKI pins public keys: the SHA-256 of the subject public key info in
	// base64, which survives a renewal with the same key.
	SPKI []string
	// Fingerprints pins certificates: the SHA-256 of the whole certificate in
	// hex, colons allowed.
	Fingerprints []string
	// LegacyCommonNames pins common names of the subject. CAs do not check
	// them as they check alternative names: only for a certificate that has
	// nothing better.
	LegacyCommonNames []string
	// AllowServerAuth also accepts a certificate that is for server
	// authentication only, as some senders use theirs for both. Since every
	// public web server has one, a pin is then required.
	AllowServerAuth bool

	// PollInterval is how often CAFile and CRLFile are looked at for changed
	// contents, during a handshake or request that comes after it; files above
	// 128 KiB are read and parsed beside it, and count when that is done. Zero
	// means one minute; negative means never, and Reload is the only way.
	PollInterval time.Duration
	// WarnBefore is how long before its end a certificate, CA or list is
	// reported to OnEvent. Zero means 30 days, or for a list the last tenth of
	// its life, if that is shorter.
	WarnBefore time.Duration
	// OnEvent, if set, hears of reloads, of refused certificates and of what
	// expires soon, the latter once a day for each. It must be safe for
	// concurrent use, must not block, and must not call the ClientCert.
	OnEvent func(CertificateEvent)
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// checksCRL reports whether revocation is checked.
func (cfg *ClientCertConfig) checksCRL() bool { return cfg.CRLFile != "" || len(cfg.CRL) > 0 }

func (cfg ClientCertConfig) normalise() (ClientCertConfig, error) {
	switch {
	case cfg.CAFile != "" && len(cfg.CA) > 0:
		return cfg, invalid(opCert, "CA and CAFile exclude each other")
	case cfg.CAFile == "" && cfg.CA != nil && len(cfg.CA) == 0:
		return cfg, invalid(opCert, "CA is empty")
	case cfg.CRLFile != "" && len(cfg.CRL) > 0:
		return cfg, invalid(opCert, "CRL and CRLFile exclude each other")
	case cfg.CRLFile == "" && cfg.CRL != nil && len(cfg.CRL) == 0:
		return cfg, invalid(opCert, "CRL is empty")
	case cfg.SoftCRL && !cfg.checksCRL():
		return cfg, invalid(opCert, "SoftCRL without a CRL")
	case cfg.WarnBefore < 0:
		return cfg, invalid(opCert, "WarnBefore is negative")
	}
	cfg.PollInterval = cmp.Or(cfg.PollInterval, defaultPoll)
	cfg.WarnBefore = cmp.Or(cfg.WarnBefore, defaultWarning)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	for _, b := range []*[]byte{&cfg.CA, &cfg.CRL} {
		*b = slices.Clone(*b)
	}
	for _, s := range []*[]string{&cfg.DNSNames, &cfg.URIs, &cfg.SPKI, &cfg.Fingerprints, &cfg.LegacyCommonNames} {
		*s = slices.Clone(*s)
	}
	return cfg, nil
}

// rule makes the rule from the contents of the files.
func (cfg *ClientCertConfig) rule(m certMaterial) (*certrule.Rule, error) {
	if cfg.CAFile != "" && len(m.ca) == 0 {
		return nil, invalid(opCert, "CAFile is empty")
	}
	rule, err := certrule.New(certrule.Config{
		CA: m.ca, CRL: m.crl, SoftCRL: cfg.SoftCRL, AllowServerAuth: cfg.AllowServerAuth,
		DNSNames: cfg.DNSNames, URIs: cfg.URIs, SPKI: cfg.SPKI, Fingerprints: cfg.Fingerprints, CommonNames: cfg.LegacyCommonNames,
	})
	if err != nil {
		return nil, &kyckit.Error{Provider: provider, Op: opCert, Kind: kyckit.ErrInvalid, Reason: err.Error()}
	}
	return rule, nil
}
