package webhook

import (
	"crypto/sha256"
	"crypto/tls"
)

// sessionMark stands before the hash of the client certificate in what a
// session ticket carries for us.
const sessionMark = "kyckit client certificate "

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
