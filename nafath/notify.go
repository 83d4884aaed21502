package nafath

import (
	"context"
	"time"

	"github.com/kyckit/kyckit/webhook"
)

const (
	// earlyFor is how long a hint for an unknown transaction is remembered while
	// creations are in flight, and mostEarly how many are.
	earlyFor  = time.Minute
	mostEarly = 1024
)

// earlyHints are the latest hints that came before the answer to a creation.
type earlyHints struct {
	hints []earlyHint
	next  int
}

type earlyHint struct {
	key string
	at  time.Duration
}

func (h *earlyHints) note(key string, now time.Duration) {
	if len(h.hints) < mostEarly {
		h.hints = append(h.hints, earlyHint{key, now})
		return
	}
	h.hints[h.next] = earlyHint{key, now}
	h.next = (h.next + 1) % mostEarly
}

// heard reports whether a hint came for a transaction that was just created.
func (h *earlyHints) heard(key string, now time.Duration) bool {
	for _, hint := range h.hints {
		if hint.key == key && now-hint.at <= earlyFor {
			return true
		}
	}
	return false
}

// Notify says that the transaction may have changed, for example because an
// authenticated webhook says so. It asks for a check soon and proves nothing:
// one transaction is checked for hints at most once in 5 s, hints use at most
// a quarter of the limit, and unknown ids cost nothing. A hint that comes before
// the answer to the creation counts too. Notify never blocks.
func (p *Poller) Notify(transID string) {
	s, err := p.inside("notify")
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := foldTransID(transID)
	if e := s.open[k]; e != nil {
		s.hint(e)
		return
	}
	r, ok := s.memory.get(k)
	if !ok {
		s.strays++
		if len(s.queued) > 0 { // it may be one whose creation is not answered yet
			s.early.note(k, s.now())
		}
		s.signals.publish(transID)
		return
	}
	if r.unannounced {
		s.sched.LateHint(s.now(), r.at)
		r.unannounced = false
		s.memory.records[k] = r
	}
}

// hint asks for a check of an open entry.
func (p *state) hint(e *entry) {
	if p.sched.Hint(p.now(), e.item) {
		p.kick()
	}
	if p.replicas != nil {
		p.replicas.hinted = true
		p.replicas.kick()
	}
}

// Knows reports whether this Poller watches the transaction or remembers its
// end. Where several processes share a tenant, ask it about each webhook: what is
// unknown here is for another process to hear of.
func (p *Poller) Knows(transID string) bool {
	s, err := p.inside("knows")
	if err != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := foldTransID(transID)
	_, ended := s.memory.get(k)
	return ended || s.open[k] != nil || s.kept[k] != nil
}

// HandleWebhook is a webhook.HandlerConfig.Handle: it takes an authenticated
// delivery as a hint for Notify and returns at once. Types other than
// EventVerificationCompleted are accepted and ignored. A body that is no event
// is refused with webhook.ErrMalformed, which the handler answers with 400, so
// that the sender does not try again for nothing.
//
// Where several processes share a tenant, PollerConfig.Signals passes the event on
// to the one that waits for it. Without, have each of them hear of it, or pass on
// what Knows denies.
func (p *Poller) HandleWebhook(_ context.Context, d *webhook.Delivery) error {
	event, err := ParseEvent(d.Body)
	if err != nil {
		return err
	}
	if event.Type == EventVerificationCompleted {
		p.Notify(event.TransID)
	}
	return nil
}
