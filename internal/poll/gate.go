package poll

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// ErrClosed is what a closed Gate answers.
var ErrClosed = errors.New("poll: closed")

// LateError says that a caller gets no slot: it lies beyond the caller's
// deadline, or too many wait already.
type LateError struct {
	// After is how long to wait before coming again: until a slot that no other
	// caller refused lately was told of.
	After time.Duration
	// Full says that the queue is full.
	Full bool
}

func (e *LateError) Error() string {
	if e.Full {
		return "poll: the queue is full"
	}
	return "poll: no slot before the deadline"
}

// GateConfig says how a Gate works.
type GateConfig struct {
	// Now is the clock.
	Now func() time.Duration
	// MaxQueue bounds how many may wait; zero means no bound.
	MaxQueue int
	// Moved is called without a lock after places in the queue or times of slots
	// changed, other than by Join; nil is allowed.
	Moved func()
}

// Gate queues callers in front of a Window. Owners take turns, and the callers
// of one owner come in the order in which they joined. A caller that leaves the
// queue uses up no slot. A Gate is safe for concurrent use.
type Gate struct {
	cfg GateConfig

	mu       sync.Mutex
	window   *Window
	queue    []*Ticket
	round    uint64          // of the caller that was served last
	promised []time.Duration // slots that refused callers were told, oldest first
	closed   bool
}

// NewGate returns a gate in front of w, which it owns from now on.
func NewGate(w *Window, cfg GateConfig) *Gate {
	if cfg.Moved == nil {
		cfg.Moved = func() {}
	}
	return &Gate{cfg: cfg, window: w}
}

// Enter waits until the ticket is the first and a slot is free, and takes the
// slot. The error is the context's, ErrClosed, or a *LateError as soon as the
// slot is known to lie beyond the deadline.
func (g *Gate) Enter(ctx context.Context, t *Ticket) (sent time.Duration, err error) {
	defer g.cfg.Moved()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		sent, wait, err := g.try(t)
		if err != nil {
			return 0, err
		}
		if wait == 0 {
			return sent, nil
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-t.poke:
		case <-ctx.Done():
			g.mu.Lock()
			g.drop(t)
			g.mu.Unlock()
			return 0, ctx.Err()
		}
	}
}

// try takes a slot if it is this caller's turn. Otherwise wait is how long
// nothing will change by itself.
func (g *Gate) try(t *Ticket) (sent, wait time.Duration, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.cfg.Now()
	if sent := t.sent; sent != never {
		t.sent = never
		if g.closed {
			g.window.Answered(now, sent) // nobody will tell what became of the slot
			return 0, 0, ErrClosed
		}
		return sent, 0, nil
	}
	switch {
	case t.lost != nil:
		g.drop(t)
		return 0, 0, t.lost
	case g.closed:
		g.drop(t)
		return 0, 0, ErrClosed
	case g.queue[0] != t:
		return 0, time.Hour, nil
	}
	next := g.window.Next(now)
	if next <= now {
		sent = g.window.Take(now)
		g.round = max(g.round, t.round)
		g.drop(t)
		return sent, 0, nil
	}
	return 0, min(next-now, time.Hour), nil
}

// drop takes a caller out of the queue and lets the next one look.
func (g *Gate) drop(t *Ticket) {
	if i := slices.Index(g.queue, t); i >= 0 {
		g.queue = slices.Delete(g.queue, i, i+1)
	}
	if len(g.queue) > 0 {
		g.queue[0].wake()
	}
}

// Leave reports that the request sent at sent ended, other than with a 429.
func (g *Gate) Leave(sent time.Duration) {
	g.leave(sent, func(now time.Duration) { g.window.Accepted(now, sent) })
}

// Limited reports that the request sent at sent was refused with a 429;
// retryAfter is what that carried.
func (g *Gate) Limited(sent, retryAfter time.Duration) {
	g.leave(sent, func(now time.Duration) { g.window.Limited(now, sent, retryAfter) })
}

func (g *Gate) leave(sent time.Duration, tell func(now time.Duration)) {
	defer g.cfg.Moved()
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.cfg.Now()
	g.window.Answered(now, sent)
	g.window.learnTrip(now - sent)
	tell(now)
	g.changed(now)
}

// SetLimit changes the requests a minute, and how many may wait.
func (g *Gate) SetLimit(limit, maxQueue int) {
	defer g.cfg.Moved()
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.cfg.Now()
	g.window.SetLimit(now, limit)
	g.cfg.MaxQueue = maxQueue
	g.changed(now)
}

// changed tells those in the queue whose slot moved beyond their deadline: by a
// refusal, by an answer that took its time, or by somebody put in front.
func (g *Gate) changed(now time.Duration) {
	if len(g.queue) == 0 {
		return
	}
	ahead := g.window.plan(now)
	for _, t := range g.queue {
		if at := ahead(); at > t.deadline && t.lost == nil {
			t.lost = &LateError{After: min(at-now, longestWait)}
			t.wake()
		}
	}
	g.queue[0].wake()
}

// Share lets parts processes use the limit together.
func (g *Gate) Share(parts int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.window.Share(g.cfg.Now(), parts)
}

// Shared calls f with the window and how long the first in the queue has waited, or a
// negative time when nobody waits. Those in the queue look again after it.
func (g *Gate) Shared(f func(w *Window, waited time.Duration)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	waited := time.Duration(-1)
	if len(g.queue) > 0 {
		waited = g.cfg.Now() - g.queue[0].joined
	}
	f(g.window, waited)
	if len(g.queue) > 0 {
		g.queue[0].wake()
	}
}

// Close refuses everybody in the queue and everybody who comes.
func (g *Gate) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for _, t := range g.queue {
		t.wake()
	}
}

// Stats returns the length of the queue, the requests a minute that are
// permitted, and the 429s so far.
func (g *Gate) Stats() (waiting int, rate float64, limited uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.queue), g.window.Rate(g.cfg.Now()), g.window.RateLimited()
}
