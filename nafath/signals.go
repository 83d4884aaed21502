package nafath

import (
	"context"
	"time"
)

// signals passes webhooks on to the replica that waits for them.
type signals struct {
	p       *state
	cancel  context.CancelFunc
	ended   chan struct{}
	beside  func(call func(ctx context.Context)) bool
	waiting map[[16]byte]*entry // under state.mu
}

func newSignals(p *state) *signals {
	ctx, cancel := context.WithCancel(p.life)
	s := &signals{p: p, cancel: cancel, ended: make(chan struct{}), beside: besides(p), waiting: map[[16]byte]*entry{}}
	go func() { // not among those that Close waits for: the store may hang
		defer close(s.ended)
		_ = p.cfg.Signals.Subscribe(ctx, s.hear)
	}()
	return s
}

// publish passes a hint on for which nobody waits here.
func (s *signals) publish(transID string) {
	if s != nil {
		signals := s.p.cfg.Signals
		s.beside(func(ctx context.Context) { _ = signals.Publish(ctx, signals.Digest(foldTransID(transID))) })
	}
}

// hear takes a hint that came to another replica.
func (s *signals) hear(digest [16]byte) {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if e := s.waiting[digest]; e != nil {
		s.p.hint(e)
	}
}

// await lets hear find an entry until forget.
func (s *signals) await(e *entry) {
	if s != nil {
		s.waiting[s.p.cfg.Signals.Digest(foldTransID(e.tx.TransID))] = e
	}
}

func (s *signals) forget(e *entry) {
	if s != nil {
		delete(s.waiting, s.p.cfg.Signals.Digest(foldTransID(e.tx.TransID)))
	}
}

// close ends the subscription and waits for it no longer than for any answer.
func (s *signals) close() {
	if s == nil {
		return
	}
	s.cancel()
	select {
	case <-s.ended:
	case <-time.After(abandonAfter):
	}
}
