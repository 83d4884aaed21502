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

// LateError says that a slot lies beyond the caller's deadline.
type LateError struct {
	// After is when the slot would have come, from now.
	After time.Duration
}

func (*LateError) Error() string { return "poll: no slot before the deadline" }

// Gate queues callers in front of a Window, first come first served. A caller
// that leaves the queue takes nothing with it. A Gate is safe for concurrent
// use.
type Gate struct {
	now func() time.Duration

	mu     sync.Mutex
	window *Window
	queue  []*turn
	closed bool
}

// turn is one caller in the queue.
type turn struct {
	poke     chan struct{}
	deadline time.Duration
	late     time.Duration // the slot is known to lie beyond the deadline
}

// NewGate returns a gate in front of w, which it owns from now on.
func NewGate(w *Window, now func() time.Duration) *Gate { return &Gate{window: w, now: now} }

// Enter waits for a slot and takes it. Again puts a caller whose request was
// refused in front of the queue. The error is the context's, ErrClosed, or a
// *LateError as soon as the slot is known to lie beyond the deadline.
func (g *Gate) Enter(ctx context.Context, again bool) (sent time.Duration, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	t := &turn{poke: make(chan struct{}, 1), deadline: never}
	if d, ok := ctx.Deadline(); ok {
		t.deadline = g.now() + time.Until(d)
	}
	if err := g.join(t, again); err != nil {
		return 0, err
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wait, ok, err := g.try(t)
		if err != nil {
			return 0, err
		}
		if ok {
			return wait, nil
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

func (g *Gate) join(t *turn, again bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return ErrClosed
	}
	place := len(g.queue)
	if again {
		place = 0
	}
	if t.deadline != never {
		now := g.now()
		if at := g.window.After(now, place+1); at > t.deadline {
			return &LateError{After: at - now}
		}
	}
	g.queue = slices.Insert(g.queue, place, t)
	if again {
		g.tellLate(g.now())
	}
	return nil
}

// try takes the slot if it is this caller's turn; ok says so, and wait is then
// the time of sending. Otherwise wait is how long to wait at most.
func (g *Gate) try(t *turn) (wait time.Duration, ok bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	switch {
	case g.closed:
		g.drop(t)
		return 0, false, ErrClosed
	case t.late > 0:
		g.drop(t)
		return 0, false, &LateError{After: t.late - now}
	case g.queue[0] != t:
		return time.Hour, false, nil
	}
	next := g.window.Next(now)
	if next <= now {
		g.window.Take(now)
		g.drop(t)
		return now, true, nil
	}
	return min(next-now, time.Hour), false, nil
}

// drop takes a caller out of the queue and lets the next one look.
func (g *Gate) drop(t *turn) {
	if i := slices.Index(g.queue, t); i >= 0 {
		g.queue = slices.Delete(g.queue, i, i+1)
	}
	g.pokeFirst()
}

func (g *Gate) pokeFirst() {
	if len(g.queue) > 0 {
		g.queue[0].wake()
	}
}

func (t *turn) wake() {
	select {
	case t.poke <- struct{}{}:
	default:
	}
}

// Leave reports that the request sent at sent ended. After a 429, limited is
// set and retryAfter is what it carried.
func (g *Gate) Leave(sent time.Duration, limited bool, retryAfter time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	g.window.Answered(now)
	if limited {
		g.window.Limited(now, sent, retryAfter)
	} else {
		g.window.Accepted()
	}
	g.tellLate(now)
	g.pokeFirst()
}

// tellLate tells those in the queue whose slot moved beyond their deadline: by
// a refusal, by an answer that took its time, or by somebody put in front.
func (g *Gate) tellLate(now time.Duration) {
	if len(g.queue) == 0 {
		return
	}
	ahead := g.window.plan(now)
	for _, t := range g.queue {
		if at := ahead(); at > t.deadline {
			t.late = at
			t.wake()
		}
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
	return len(g.queue), g.window.Rate(g.now()), g.window.RateLimited()
}
