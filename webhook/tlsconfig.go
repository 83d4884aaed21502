package webhook

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"sync/atomic"

	"github.com/kyckit/kyckit/webhook/internal/certrule"
)

// sessionMark stands before the hash of the client certificate in what a
// session ticket carries for us.
const sessionMark = "kyckit client certificate "

// TLSConfig returns a copy of base, which may be nil, that demands a client
// certificate and refuses every certificate that the rule refuses, on full and
// on resumed handshakes. VerifyConnection and GetConfigForClient of base go on
// working. A session whose certificate the rule has not accepted, or not since
// it was changed, is not resumed, unless base has a WrapSession or UnwrapSession
// of its own; so a sender that has renewed its certificate gets to show it.
//
// base.ClientCAs are the names announced to senders, and nothing else: a sender
// with several certificates, as Java's key managers have them, picks by these
// names, and a sender that finds none of its own sends nothing. So announce all
// CAs that senders may have, or, with nil, none at all, for a rule that may
// change while the server runs. A configuration that GetConfigForClient chooses
// announces its own ClientCAs, or without any those of base.
//
// ConnectionState.VerifiedChains stays empty, because the rule does the
// verifying and not the TLS library; ask the ClientCert. Refused handshakes are
// reported to OnEvent, those that ended before a certificate came too.
func (c *ClientCert) TLSConfig(base *tls.Config) *tls.Config {
	cfg := c.verifying(base)
	c.resumeAccepted(cfg)
	c.watchHandshakes(cfg)
	return cfg
}

// verifying is TLSConfig without session tickets and without the watch over
// handshakes. Of a config that GetConfigForClient chooses, the outer config's keys
// make the tickets.
func (c *ClientCert) verifying(base *tls.Config) *tls.Config {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if base != nil {
		cfg = base.Clone()
	}
	cfg.ClientAuth = tls.RequireAnyClientCert
	verify := cfg.VerifyConnection
	cfg.VerifyConnection = func(cs tls.ConnectionState) error {
		if c != nil {
			c.handshakes.judged.Add(1)
		}
		if err := c.acceptsHandshake(cs.PeerCertificates); err != nil {
			return err
		}
		if verify != nil {
			return verify(cs)
		}
		return nil
	}
	if choose := cfg.GetConfigForClient; choose != nil {
		cfg.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			chosen, err := choose(hello)
			if chosen == nil || err != nil {
				return chosen, err
			}
			chosen = c.verifying(chosen)
			if chosen.ClientCAs == nil {
				chosen.ClientCAs = cfg.ClientCAs
			}
			return chosen, nil
		}
	}
	return cfg
}

// resumeAccepted lets a session be resumed only as long as the rule in use has
// accepted its certificate. Otherwise there is a full handshake: a sender that
// has renewed its certificate meanwhile could not show the new one in a resumed
// session, and some go on offering the old session for days.
func (c *ClientCert) resumeAccepted(cfg *tls.Config) {
	if c == nil || cfg.WrapSession != nil || cfg.UnwrapSession != nil {
		return // the base has tickets of its own; VerifyConnection refuses all the same
	}
	cfg.WrapSession = func(cs tls.ConnectionState, session *tls.SessionState) ([]byte, error) {
		if len(cs.PeerCertificates) > 0 {
			sum := sha256.Sum256(cs.PeerCertificates[0].Raw)
			session.Extra = append(session.Extra, append([]byte(sessionMark), sum[:]...))
		}
		return cfg.EncryptTicket(cs, session)
	}
	cfg.UnwrapSession = func(ticket []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
		session, err := cfg.DecryptTicket(ticket, cs)
		s := c.current()
		if err != nil || session == nil || s == nil {
			return nil, err
		}
		for _, extra := range session.Extra {
			n := len(extra) - sha256.Size
			if n == len(sessionMark) && string(extra[:n]) == sessionMark && s.rule.Remembers([sha256.Size]byte(extra[n:]), s.cfg.Now()) {
				return session, nil
			}
		}
		return nil, nil // that is how crypto/tls is told not to resume
	}
}

// handshakes finds handshakes that ended before the rule was asked: the TLS library
// itself refuses a sender without a certificate, and tells nobody. It gives no
// way to recognise a handshake in both hooks either, so they are counted; a
// handshake that was judged and has not ended yet can only delay the report.
type handshakes struct {
	judged, ended atomic.Int64
}

// watchHandshakes reports handshakes that end without a certificate.
func (c *ClientCert) watchHandshakes(cfg *tls.Config) {
	if c == nil {
		return
	}
	choose := cfg.GetConfigForClient
	cfg.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if hello != nil && hello.Context() != nil {
			context.AfterFunc(hello.Context(), c.handshakeEnded)
		}
		if choose != nil {
			return choose(hello)
		}
		return nil, nil // that is how crypto/tls is told to use cfg itself
	}
}

func (c *ClientCert) handshakeEnded() {
	h := &c.handshakes
	h.ended.Add(1)
	judged, ended := h.judged.Load(), h.ended.Load()
	if n := ended - judged; n > 0 && h.ended.CompareAndSwap(ended, judged) {
		if s := c.state.Load(); s != nil {
			err := refuse(opCert, ErrCertificate, "the handshake ended before a readable certificate was shown")
			c.refused(s, certrule.NoCertificate, nil, int(n), err)
		}
	}
}
