package webhook

import (
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	defaultPoll    = time.Minute
	defaultWarning = 30 * 24 * time.Hour
	repeatWarning  = 24 * time.Hour
	maxWarnings    = 1024
)

// ClientCertConfig says which client certificates are accepted.
//
// A certificate is accepted when one of the CAs signed it, directly or through
// intermediates, it is valid now, it is for client authentication, no list
// revokes it, and it fits the pins. Pins of one kind are alternatives, kinds
// are combined: with two DNSNames and one SPKI, a certificate needs one of the
// names and that key. Without any pin, everyone whom the CA certifies is
// accepted: right for a private CA that certifies this one sender, and wrong
// for a public one.
type ClientCertConfig struct {
	// CA is the trust store in PEM, CAFile its file. Exactly one is required.
	// Every block must be a CA certificate; the host's own roots are never
	// used. A CA that another one of the store signed serves as intermediate.
	// Change a file by renaming a finished one over it: half of one is refused
	// and reported, but a file that ends between two blocks looks finished.
	CA     []byte
	CAFile string
	// CRL holds revocation lists in PEM, or one in DER, CRLFile its file. At
	// most one may be set; then revocation is checked and fails closed:
	// every certificate below the root needs a list of its issuer, signed by a
	// CA of the store and not stale, or it is refused. Delta, indirect and
	// partial lists are refused when they are loaded.
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
	// contents, during a handshake or request that comes after it. Zero means
	// one minute; negative means never, and Reload is the only way.
	PollInterval time.Duration
	// WarnBefore is how long before its end a certificate, CA or list is
	// reported to OnEvent. Zero means 30 days, or for a list the last tenth of
	// its life, if that is shorter.
	WarnBefore time.Duration
	// OnEvent, if set, hears of reloads and of what expires soon, the latter
	// once a day for each. It must be safe for concurrent use, must not block,
	// and must not call the ClientCert.
	OnEvent func(CertificateEvent)
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// CertificateEvent is something the operator should know. It names
// certificates by their fingerprint only.
type CertificateEvent struct {
	// Kind is what happened.
	Kind CertificateEventKind
	// Fingerprint is the hex SHA-256 of the certificate or list, where there
	// is one.
	Fingerprint string
	// NotAfter is when it ends.
	NotAfter time.Time
	// Err is why a reload failed, or what a soft revocation check let pass.
	Err error
}

// CertificateEventKind is the kind of a CertificateEvent.
type CertificateEventKind string

// The kinds of events.
const (
	// EventReloaded: new contents are in use.
	EventReloaded CertificateEventKind = "reloaded"
	// EventReloadFailed: the last good contents stay in use.
	EventReloadFailed CertificateEventKind = "reload failed"
	// EventCAExpires: a CA ends soon, or has ended.
	EventCAExpires CertificateEventKind = "CA expires"
	// EventCRLExpires: a revocation list ends soon, or has ended.
	EventCRLExpires CertificateEventKind = "revocation list ends"
	// EventClientExpires: a client certificate ends soon. Tell the sender.
	EventClientExpires CertificateEventKind = "client certificate ends"
	// EventNotChecked: SoftCRL let a certificate pass for want of a fresh list.
	EventNotChecked CertificateEventKind = "revocation not checked"
)

// ClientCert is an Authenticator for TLS that ends in this process. Use its
// TLSConfig for the server, so that strangers are refused in the handshake, and
// itself as Authenticator, so that a change of the rules also reaches
// connections that are open already. Safe for concurrent use; owns no
// goroutine.
type ClientCert struct {
	rules atomic.Pointer[certRules]

	mu     sync.Mutex        // of loading
	tried  [sha256.Size]byte // content of the last attempt
	polled atomic.Int64      // time of the last look at the files

	warnings sync.Mutex
	warned   map[string]time.Time
}

// NewClientCert loads the CAs and lists. An empty or broken store, a list that
// no configured CA signed, or a malformed pin is an error of the kind
// kyckit.ErrInvalid.
func NewClientCert(cfg ClientCertConfig) (*ClientCert, error) {
	c := &ClientCert{warned: map[string]time.Time{}}
	if err := c.Replace(cfg); err != nil {
		return nil, err
	}
	return c, nil
}

// Replace swaps the whole rule, pins included, for another. On an error the
// rule in use stays as it is. Requests that are being served finish; the next
// one is judged by the new rule, also on an open connection.
func (c *ClientCert) Replace(cfg ClientCertConfig) error {
	if c == nil {
		return invalid(opCert, "not made by NewClientCert")
	}
	cfg, err := cfg.normalise()
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	ca, list, err := loadMaterial(&cfg)
	if err != nil {
		return err
	}
	rules, err := newCertRules(cfg, ca, list)
	if err != nil {
		return err
	}
	c.use(rules)
	return nil
}

// Reload reads the files again. On an error, which is returned and reported to
// OnEvent, the last good contents stay in use.
func (c *ClientCert) Reload() error {
	if c == nil || c.rules.Load() == nil {
		return invalid(opCert, "not made by NewClientCert")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reload(true)
}

// reload looks at the files; without force it does nothing about contents it
// has seen before, be they good or bad. The lock is held.
func (c *ClientCert) reload(force bool) error {
	old := c.rules.Load()
	ca, list, err := loadMaterial(&old.cfg)
	if err == nil {
		content := contentOf(ca, list)
		if !force && content == c.tried {
			return nil
		}
		c.tried = content
		var rules *certRules
		if rules, err = newCertRules(old.cfg, ca, list); err == nil {
			c.use(rules)
			old.cfg.event(CertificateEvent{Kind: EventReloaded})
			return nil
		}
	}
	old.cfg.event(CertificateEvent{Kind: EventReloadFailed, Err: err})
	return err
}

func (c *ClientCert) use(r *certRules) {
	c.tried = r.content
	c.polled.Store(r.cfg.Now().UnixNano())
	c.rules.Store(r)
	c.warnOfStore(r)
}

// current returns the rules in use, after a look at the files if one is due.
// One caller looks, the others go on with what there is.
func (c *ClientCert) current() *certRules {
	if c == nil {
		return nil
	}
	r := c.rules.Load()
	if r == nil || r.cfg.PollInterval < 0 {
		return r
	}
	now, last := r.cfg.Now().UnixNano(), c.polled.Load()
	// A clock that was set back must not put the next look off.
	if since := now - last; since >= 0 && since < int64(r.cfg.PollInterval) || !c.polled.CompareAndSwap(last, now) {
		return r
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.cfg.CAFile != "" || r.cfg.CRLFile != "" {
		_ = c.reload(false) // reported by event
	}
	r = c.rules.Load()
	c.warnOfStore(r)
	return r
}

func (cfg ClientCertConfig) normalise() (ClientCertConfig, error) {
	switch {
	case (cfg.CAFile == "") == (len(cfg.CA) == 0):
		return cfg, invalid(opCert, "exactly one of CA and CAFile is required")
	case cfg.CRLFile != "" && len(cfg.CRL) > 0:
		return cfg, invalid(opCert, "CRL and CRLFile exclude each other")
	case cfg.CRLFile == "" && cfg.CRL != nil && len(cfg.CRL) == 0:
		return cfg, invalid(opCert, "CRL is empty")
	case cfg.SoftCRL && cfg.CRLFile == "" && len(cfg.CRL) == 0:
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

// accepts judges the certificates of a connection and returns the leaf.
func (c *ClientCert) accepts(certs []*x509.Certificate) (*x509.Certificate, error) {
	r := c.current()
	if r == nil {
		return nil, refuse(opCert, ErrCertificate, "no rule")
	}
	if len(certs) == 0 || certs[0] == nil {
		return nil, refuse(opCert, ErrCertificate, "none was shown")
	}
	leaf, now := certs[0], r.cfg.Now()
	unknown, err := r.verify(leaf, certs[1:], now)
	if err != nil {
		return nil, err
	}
	if r.cfg.OnEvent == nil {
		return leaf, nil
	}
	if unknown != "" {
		c.warn(r, EventNotChecked, sha256.Sum256(leaf.Raw), leaf.NotAfter, now, refuse(opCert, ErrCertificate, unknown))
	}
	if leaf.NotAfter.Sub(now) <= r.cfg.WarnBefore {
		c.warn(r, EventClientExpires, sha256.Sum256(leaf.Raw), leaf.NotAfter, now, nil)
	}
	return leaf, nil
}

// Name returns "client-certificate".
func (*ClientCert) Name() string { return opCert }

// Format prints the name.
func (*ClientCert) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, opCert) }

// AuthenticateHead is the whole check: it needs no body.
func (c *ClientCert) AuthenticateHead(d *Delivery) error { return c.Authenticate(d) }

// Authenticate implements Authenticator. It refuses as ErrCertificate.
func (c *ClientCert) Authenticate(d *Delivery) error {
	if d.TLS == nil {
		return refuse(opCert, ErrCertificate, "the connection has no TLS")
	}
	leaf, err := c.accepts(d.TLS.PeerCertificates)
	if err != nil {
		return err
	}
	d.Certificate = leaf
	return nil
}

// warnOfStore reports CAs and lists that end soon.
func (c *ClientCert) warnOfStore(r *certRules) {
	if r.cfg.OnEvent == nil {
		return
	}
	now := r.cfg.Now()
	for _, ca := range r.cas {
		if ca.NotAfter.Sub(now) <= r.cfg.WarnBefore {
			c.warn(r, EventCAExpires, sha256.Sum256(ca.Raw), ca.NotAfter, now, nil)
		}
	}
	for _, list := range r.crls {
		if list.nextUpdate.Sub(now) <= min(r.cfg.WarnBefore, list.nextUpdate.Sub(list.thisUpdate)/10) {
			c.warn(r, EventCRLExpires, list.sum, list.nextUpdate, now, nil)
		}
	}
}

// warn reports something once a day.
func (c *ClientCert) warn(r *certRules, kind CertificateEventKind, sum [sha256.Size]byte, notAfter, now time.Time, err error) {
	key := string(kind) + string(sum[:])
	c.warnings.Lock()
	last, ok := c.warned[key]
	if ok && now.Sub(last) < repeatWarning && !now.Before(last) {
		c.warnings.Unlock()
		return
	}
	if len(c.warned) >= maxWarnings {
		clear(c.warned)
	}
	c.warned[key] = now
	c.warnings.Unlock()
	r.cfg.event(CertificateEvent{Kind: kind, Fingerprint: fingerprint(sum), NotAfter: notAfter, Err: err})
}

// event calls the hook, whose panic must not decide about a certificate.
func (cfg *ClientCertConfig) event(e CertificateEvent) {
	if cfg.OnEvent == nil {
		return
	}
	defer func() { _ = recover() }()
	cfg.OnEvent(e)
}
