package poll

import (
	"context"
	"slices"
	"time"
)

const (
	// longestWait bounds what refused callers are told to wait.
	longestWait = 2 * time.Hour

	// promiseMinutes is how many minutes ahead refused callers are told slots
	// of their own. So a caller that comes back again and again without waiting
	// delays nobody further than that.
	promiseMinutes = 10
	maxPromises    = 1024
)

// Ticket is a caller's place in the queue of a Gate.
type Ticket struct {
	owner    string
	round    uint64 // the turn of its owner in which it is served
	deadline time.Duration
	joined   time.Duration
	lost     error         // why it lost its place
	sent     time.Duration // when it took a slot that was free as it joined; never = it waits
	poke     chan struct{} // it may be served, or has lost its place
}

func (t *Ticket) wake() {
	select {
	case t.poke <- struct{}{}:
	default:
	}
}

// Join puts a caller into the queue, or takes a slot that is free for it; Enter
// must follow. One caller of each owner is served before any owner's second.
// When the queue is full, a caller whose owner has fewer places than another
// takes the last place of the owner with most. The error is the context's,
// ErrClosed, or a *LateError when the slot lies beyond the context's deadline
// or the queue is full.
func (g *Gate) Join(ctx context.Context, owner string) (*Ticket, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.cfg.Now()
	t := &Ticket{owner: owner, round: g.round, deadline: never, joined: now, sent: never, poke: make(chan struct{}, 1)}
	if d, ok := ctx.Deadline(); ok {
		t.deadline = now + time.Until(d)
	}
	if g.closed {
		return nil, ErrClosed
	}
	if len(g.queue) == 0 && g.window.Next(now) <= now {
		t.sent = g.window.Take(now)
		return t, nil
	}
	if g.cfg.MaxQueue > 0 && len(g.queue) >= g.cfg.MaxQueue && !g.makeRoom(now, owner) {
		return nil, &LateError{After: g.promise(now), Full: true}
	}
	if err := g.insert(now, t, g.placeOf(t)); err != nil {
		return nil, err
	}
	return t, nil
}

// Again puts a caller whose request was refused in front of those who have not
// asked yet, to be followed by Enter. The errors are those of Join.
func (g *Gate) Again(t *Ticket) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return ErrClosed
	}
	t.round, t.lost = g.round, nil
	return g.insert(g.cfg.Now(), t, 0)
}

// Withdraw takes a caller out of the queue, whose Enter then ends with
// context.Canceled. It reports false when the caller has its slot or lost its place.
func (g *Gate) Withdraw(t *Ticket) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !slices.Contains(g.queue, t) || t.lost != nil || g.closed {
		return false
	}
	t.lost = context.Canceled
	g.drop(t)
	t.wake()
	return true
}

// Abandon takes a caller out of the queue who will not call Enter. A slot that the
// caller had already is lost.
func (g *Gate) Abandon(t *Ticket) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.sent != never {
		g.window.Answered(g.cfg.Now(), t.sent)
		t.sent = never
	}
	g.drop(t)
}

// insert puts a caller at a place, unless its slot lies beyond its deadline.
func (g *Gate) insert(now time.Duration, t *Ticket, place int) error {
	if t.deadline != never && g.window.After(now, place+1) > t.deadline {
		return &LateError{After: g.promise(now)}
	}
	g.queue = slices.Insert(g.queue, place, t)
	if place < len(g.queue)-1 {
		g.changed(now)
	}
	return nil
}

// placeOf finds a newcomer's place: behind all callers of earlier rounds and of
// its own, its round being the first in which its owner has no place yet.
func (g *Gate) placeOf(t *Ticket) int {
	for _, other := range g.queue {
		if other.owner == t.owner && other.round >= t.round {
			t.round = other.round + 1
		}
	}
	place, _ := slices.BinarySearchFunc(g.queue, t.round, func(other *Ticket, round uint64) int {
		if other.round <= round {
			return -1
		}
		return 1
	})
	return place
}

// makeRoom ends the last caller of the owner who has most places, if a newcomer
// of owner has fewer.
func (g *Gate) makeRoom(now time.Duration, owner string) bool {
	places, most := map[string]int{}, 0
	for _, t := range g.queue {
		if t.lost == nil {
			places[t.owner]++
			most = max(most, places[t.owner])
		}
	}
	if places[owner]+1 >= most {
		return false
	}
	for i, t := range slices.Backward(g.queue) {
		if t.lost == nil && places[t.owner] == most {
			t.lost = &LateError{After: g.promise(now), Full: true}
			g.queue = slices.Delete(g.queue, i, i+1)
			t.wake()
			return true
		}
	}
	return false
}

// promise returns how long a refused caller should wait: until a slot that comes
// after those of the queue and those that others were told.
func (g *Gate) promise(now time.Duration) time.Duration {
	g.promised = slices.DeleteFunc(g.promised, func(at time.Duration) bool { return at <= now })
	if len(g.promised) >= min(maxPromises, max(1, promiseMinutes*int(g.window.limit))) {
		g.promised = g.promised[:0]
	}
	at := g.window.After(now, len(g.queue)+len(g.promised)+1)
	g.promised = append(g.promised, at)
	return min(at-now, longestWait)
}

// Places tells of everybody in the queue: the place, 1 being the next, and how
// long it will take until the slot comes.
func (g *Gate) Places(tell func(t *Ticket, place int, wait time.Duration)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.queue) == 0 {
		return
	}
	now := g.cfg.Now()
	ahead := g.window.plan(now)
	for i, t := range g.queue {
		tell(t, i+1, max(0, ahead()-now))
	}
}
