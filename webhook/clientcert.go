package webhook

import (
	"crypto/sha256"
	"crypto/x509"
	"sync"
	"sync/atomic"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/webhook/internal/certrule"
)

const opCert = "client certificate"

// ClientCert is an Authenticator for TLS that ends in this process. Use its
// TLSConfig for the server, so that strangers are refused in the handshake, and
// itself as Authenticator, so that a change of the rules also reaches
// connections that are open already. Safe for concurrent use; owns no
// goroutine at rest.
type ClientCert struct {
	kyckit.Redacted

	state atomic.Pointer[certState]

	mu      sync.Mutex        // of loading
	tried   [sha256.Size]byte // content of the last attempt
	polled  atomic.Int64      // time of the last look at the files
	loading atomic.Bool       // large files are being read beside the requests

	events     certEvents
	handshakes handshakes
}

// certState is a configuration in use and the rule made of it.
type certState struct {
	cfg  ClientCertConfig
	rule *certrule.Rule
}

// NewClientCert loads the CAs and lists. An empty or broken store, a list that
// no configured CA signed, or a malformed pin is an error of the kind
// kyckit.ErrInvalid that says which block is wrong and why.
func NewClientCert(cfg ClientCertConfig) (*ClientCert, error) { return newClientCert(cfg, nil) }

// newClientCert makes a ClientCert that follows another rule, whose lists it
// may not roll back.
func newClientCert(cfg ClientCertConfig, before *certState) (*ClientCert, error) {
	c := &ClientCert{}
	if err := c.replace(cfg, before); err != nil {
		return nil, err
	}
	return c, nil
}

// Replace swaps the whole rule, pins included, for another. On an error the
// rule in use stays as it is. Requests that are being served finish; the next
// one is judged by the new rule, also on an open connection. Revocation lists
// older than those in use are refused, as by Reload; to go back on purpose,
// make a new ClientCert.
func (c *ClientCert) Replace(cfg ClientCertConfig) error {
	if c == nil {
		return invalid(opCert, "not made by NewClientCert")
	}
	return c.replace(cfg, c.state.Load())
}

func (c *ClientCert) replace(cfg ClientCertConfig, before *certState) error {
	cfg, err := cfg.normalise()
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m, err := loadMaterial(&cfg)
	if err != nil {
		return err
	}
	next, err := cfg.follow(m, before)
	if err != nil {
		return err
	}
	c.use(next, m)
	return nil
}

// accepts judges the certificates of a connection and returns the leaf.
func (c *ClientCert) accepts(certs []*x509.Certificate) (*x509.Certificate, error) {
	s := c.current()
	if refusal := c.judge(s, certs); refusal != nil {
		return nil, refuse(opCert, ErrCertificate, refusal.Text)
	}
	return certs[0], nil
}

// acceptsHandshake is accepts for a handshake, whose refusal nobody would hear
// of otherwise.
func (c *ClientCert) acceptsHandshake(certs []*x509.Certificate) error {
	s := c.current()
	refusal := c.judge(s, certs)
	if refusal == nil {
		return nil
	}
	err := refuse(opCert, ErrCertificate, refusal.Text)
	if s != nil {
		c.refused(s, refusal.Reason, certs, 1, err)
	}
	return err
}

// judge asks a rule, nil for none, and reports what it wants the operator to
// know about a certificate that it accepts.
func (c *ClientCert) judge(s *certState, certs []*x509.Certificate) *certrule.Refusal {
	if s == nil {
		return &certrule.Refusal{Reason: certrule.UnknownCA, Text: "no rule"}
	}
	if len(certs) == 0 || certs[0] == nil {
		return &certrule.Refusal{Reason: certrule.NoCertificate, Text: "none was shown"}
	}
	leaf, now := certs[0], s.cfg.Now()
	unchecked, refusal := s.rule.Verify(leaf, certs[1:], now)
	if refusal != nil || s.cfg.OnEvent == nil {
		return refusal
	}
	if unchecked != "" {
		c.warn(s, EventNotChecked, sha256.Sum256(leaf.Raw), leaf.NotAfter, now, refuse(opCert, ErrCertificate, unchecked))
	}
	if leaf.NotAfter.Sub(now) <= s.cfg.WarnBefore {
		c.warn(s, EventClientExpires, sha256.Sum256(leaf.Raw), leaf.NotAfter, now, nil)
	}
	return nil
}

// Name returns "client certificate".
func (*ClientCert) Name() string { return opCert }

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
