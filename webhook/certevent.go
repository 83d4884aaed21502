package webhook

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"sync"
	"time"

	"github.com/kyckit/kyckit/webhook/internal/certrule"
)

const (
	repeatWarning  = 24 * time.Hour
	repeatRefusal  = time.Hour
	refusalMinute  = time.Minute
	refusalsMinute = 10
	maxWarnings    = 1024
)

// CertificateEvent is something the operator should know. It names
// certificates by their fingerprint only.
type CertificateEvent struct {
	// Kind is what happened.
	Kind CertificateEventKind
	// Reason is why a certificate was refused, for EventRefused: "no
	// certificate", "malformed", "unknown CA", "expired" (or not yet valid),
	// "wrong purpose", "wrong name", "wrong key", "weak signature", "revoked" or
	// "revocation unknown". Err says more.
	Reason string
	// Count is how many refusals for this Reason an EventRefused stands for:
	// this one, and those before it that were not reported.
	Count int
	// Fingerprint is the hex SHA-256 of the certificate or list, where there
	// is one.
	Fingerprint string
	// NotAfter is when it ends.
	NotAfter time.Time
	// Err is why a certificate was refused or a reload failed, or what a soft
	// revocation check let pass. It is in this module's own words.
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
	// EventRolledBack: somebody put an older revocation list in the place of the
	// list in use, which stays. The failed reload is reported as well.
	EventRolledBack CertificateEventKind = "revocation list rolled back"
	// EventRefused: a handshake was refused for its client certificate, or ended
	// without any. (Requests that are refused are reported to
	// HandlerConfig.OnResult.) Strangers cause it too, so it is reported once an
	// hour for each certificate, once a minute where there is none, and at most
	// ten times a minute for each Reason.
	EventRefused CertificateEventKind = "handshake refused"
	// EventCAExpires: a CA ends soon, or has ended.
	EventCAExpires CertificateEventKind = "CA expires"
	// EventCRLExpires: a revocation list ends soon, or has ended.
	EventCRLExpires CertificateEventKind = "revocation list ends"
	// EventClientExpires: a client certificate ends soon. Tell the sender.
	EventClientExpires CertificateEventKind = "client certificate ends"
	// EventNotChecked: SoftCRL let a certificate pass for want of a fresh list.
	EventNotChecked CertificateEventKind = "revocation not checked"
)

// certEvents remembers what was reported. The zero value is ready.
type certEvents struct {
	mu      sync.Mutex
	warned  map[string]time.Time
	refused map[string]time.Time
	windows map[certrule.Reason]refusalWindow
}

// refusalWindow counts the refusals for one reason.
type refusalWindow struct {
	start    time.Time
	reported int // since start
	silent   int // since the last report
}

// due notes a report in m, unless there was the same within every.
func due(m *map[string]time.Time, key string, now time.Time, every time.Duration) bool {
	if last, ok := (*m)[key]; ok && now.Sub(last) < every && !now.Before(last) {
		return false
	}
	if *m == nil || len(*m) >= maxWarnings {
		*m = map[string]time.Time{}
	}
	(*m)[key] = now
	return true
}

// admitRefusal reports whether a refusal is to be reported, and for how many.
func (e *certEvents) admitRefusal(reason certrule.Reason, leaf string, n int, now time.Time) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := e.windows[reason]
	if since := now.Sub(w.start); since < 0 || since >= refusalMinute {
		w.start, w.reported = now, 0
	}
	w.silent += n
	every := repeatRefusal
	if leaf == "" { // nothing to tell the senders apart by
		every = refusalMinute
	}
	count := 0
	if w.reported < refusalsMinute && due(&e.refused, string(reason)+leaf, now, every) {
		count, w.silent = w.silent, 0
		w.reported++
	}
	if e.windows == nil {
		e.windows = map[certrule.Reason]refusalWindow{}
	}
	e.windows[reason] = w
	return count
}

// refused reports n refused handshakes; certs is empty when none was shown.
func (c *ClientCert) refused(s *certState, reason certrule.Reason, certs []*x509.Certificate, n int, err error) {
	if s.cfg.OnEvent == nil {
		return
	}
	event := CertificateEvent{Kind: EventRefused, Reason: string(reason), Err: err}
	if len(certs) > 0 {
		sum := sha256.Sum256(certs[0].Raw)
		event.Fingerprint, event.NotAfter = hex.EncodeToString(sum[:]), certs[0].NotAfter
	}
	if event.Count = c.events.admitRefusal(reason, event.Fingerprint, n, s.cfg.Now()); event.Count > 0 {
		s.cfg.event(event)
	}
}

// warnOfStore reports CAs and lists that end soon.
func (c *ClientCert) warnOfStore(s *certState) {
	if s.cfg.OnEvent == nil {
		return
	}
	now := s.cfg.Now()
	for _, ca := range s.rule.CAs {
		if ca.NotAfter.Sub(now) <= s.cfg.WarnBefore {
			c.warn(s, EventCAExpires, sha256.Sum256(ca.Raw), ca.NotAfter, now, nil)
		}
	}
	for _, list := range s.rule.Lists {
		if list.NextUpdate.Sub(now) <= min(s.cfg.WarnBefore, list.NextUpdate.Sub(list.ThisUpdate)/10) {
			c.warn(s, EventCRLExpires, list.Sum, list.NextUpdate, now, nil)
		}
	}
}

// warn reports something once a day.
func (c *ClientCert) warn(s *certState, kind CertificateEventKind, sum [sha256.Size]byte, notAfter, now time.Time, err error) {
	c.events.mu.Lock()
	report := due(&c.events.warned, string(kind)+string(sum[:]), now, repeatWarning)
	c.events.mu.Unlock()
	if report {
		s.cfg.event(CertificateEvent{Kind: kind, Fingerprint: hex.EncodeToString(sum[:]), NotAfter: notAfter, Err: err})
	}
}

// event calls the hook, whose panic must not decide about a certificate.
func (cfg *ClientCertConfig) event(e CertificateEvent) {
	if cfg.OnEvent == nil {
		return
	}
	defer func() { _ = recover() }()
	cfg.OnEvent(e)
}
