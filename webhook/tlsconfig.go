package webhook

import (
	"crypto/sha256"
	"crypto/tls"
)

// sessionMark stands before the hash of the client certificate in what a
// session ticket carries for us.
const sessionMark = "kyckit client certificate "

// TLSConfig returns a copy of base, which may be nil, that demands a client
// certificate and refuses every one the rule refuses, on full and on resumed
// handshakes. VerifyConnection and GetConfigForClient of base go on working.
// A session whose certificate the rule has not accepted, or not since it was
// changed, is not resumed, unless base has a WrapSession or UnwrapSession of
// its own; so a sender that has renewed its certificate gets to show it.
//
// The names of the CAs are not announced to clients: they may change while the
// server runs, and a client that does not find its CA announced sends nothing.
// ConnectionState.VerifiedChains stays empty, because the rule does the
// verifying and not the TLS library; ask the ClientCert.
func (c *ClientCert) TLSConfig(base *tls.Config) *tls.Config {
	cfg := c.verifying(base)
	c.resumeAccepted(cfg)
	return cfg
}

// verifying is TLSConfig but for the session tickets. Those of a config that
// GetConfigForClient chooses are the business of the outer one's keys.
func (c *ClientCert) verifying(base *tls.Config) *tls.Config {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if base != nil {
		cfg = base.Clone()
	}
	cfg.ClientAuth = tls.RequireAnyClientCert
	cfg.ClientCAs = nil
	verify := cfg.VerifyConnection
	cfg.VerifyConnection = func(cs tls.ConnectionState) error {
		if _, err := c.accepts(cs.PeerCertificates); err != nil {
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
			return c.verifying(chosen), nil
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
		rules := c.current()
		if err != nil || session == nil || rules == nil {
			return nil, err
		}
		for _, extra := range session.Extra {
			n := len(extra) - sha256.Size
			if n == len(sessionMark) && string(extra[:n]) == sessionMark && rules.remembers([sha256.Size]byte(extra[n:]), rules.cfg.Now()) {
				return session, nil
			}
		}
		return nil, nil //nolint:nilnil // that is how crypto/tls is told not to resume
	}
}
