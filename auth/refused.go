package auth

import (
	"context"
	"net/http"
	"time"
)

// noHelp is how long a place that refused a new token too is believed to refuse
// every token.
const noHelp = time.Minute

// place is where a token was refused. One path that refuses all tokens must not
// cost an exchange a call.
type place struct{ host, path string }

func placeOf(req *http.Request) place { return place{req.URL.Host, req.URL.Path} }

// refusal is the latest refusal of a token.
type refusal struct {
	place
	at time.Duration
}

// A token that was refused somewhere may work everywhere else, so it is not
// dropped: the other calls keep it. The refused call gets a new token to try,
// the spare, within the budget. When the spare is accepted where the token was
// refused, the token is revoked and the spare takes its place.

// another returns a token for repeating a call that the provider refused at p
// with the token of e, or nil when the refusal is to be the answer. It waits
// for an exchange until ctx ends. For a call that cannot be repeated it returns
// nil, but gets a new token for the next call.
func (c *Cache) another(ctx context.Context, e *entry, p place, repeatable bool) *entry {
	c.mu.Lock()
	now := c.now()
	e.refused.Store(&refusal{p, now})
	if cur := c.current.Load(); cur != e && cur != nil && now < cur.dead {
		c.mu.Unlock() // e was replaced since the call was sent
		if !repeatable || cur.refusedAt(p, now) {
			return nil
		}
		return cur
	}
	spare := c.spare.Load()
	switch {
	case spare == nil || now >= spare.dead:
		spare = nil
	case !repeatable:
		c.promote(spare)
		c.mu.Unlock()
		return nil
	case spare.refusedAt(p, now):
		c.mu.Unlock()
		return nil
	case spare.refused.Load() == nil:
		c.mu.Unlock()
		return spare
	}
	f := c.flight
	if f == nil {
		if c.closed || c.pace.hold(now) != nil || !c.budget.take(now) {
			c.mu.Unlock()
			return spare
		}
		f = c.start(e) //nolint:contextcheck // the exchange serves all callers, not this one
	}
	c.mu.Unlock()
	select {
	case <-f.done:
	case <-ctx.Done():
		return nil
	}
	if f.entry == nil {
		return nil
	}
	if !repeatable {
		c.mu.Lock()
		c.promote(f.entry)
		c.mu.Unlock()
		return nil
	}
	return f.entry
}

// refusedAt reports that e was refused at p not long ago.
func (e *entry) refusedAt(p place, now time.Duration) bool {
	r := e.refused.Load()
	return r != nil && r.place == p && now-r.at < noHelp
}

// promote makes the spare the token of all calls. It is called with mu held.
func (c *Cache) promote(spare *entry) {
	if spare == nil || c.spare.Load() != spare {
		return
	}
	c.spare.Store(nil)
	c.current.Store(spare)
}

// proved says that e was accepted where the token before it was refused.
func (c *Cache) proved(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.spare.Load() == e {
		c.promote(e)
		c.budget.notVain()
	}
}

// disproved says that e was refused at p as the token before it was.
func (c *Cache) disproved(e *entry, p place) { e.refused.Store(&refusal{p, c.now()}) }

// hopeless is the error for a call to a place where e was refused while the
// credentials are refused too: sending it again would only be refused again.
func (c *Cache) hopeless(e *entry, req *http.Request) error {
	if r := e.refused.Load(); r == nil || r.place != placeOf(req) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pace.refusals == 0 {
		return nil
	}
	return c.pace.hold(c.now())
}

// Invalidate tells that a provider refused t. If t is still the cached token,
// the next call of Token gets another one, and a source that has a method
// Invalidate(Token) itself is told too. Any other token, newer ones above all,
// stays.
//
// A budget bounds the exchanges that refused tokens cause, those of [NewTransport]
// included: ten in a row, then one a minute. Beyond it t stays, too.
func (c *Cache) Invalidate(t Token) {
	if c == nil {
		return
	}
	c.mu.Lock()
	e, now := c.current.Load(), c.now()
	if e == nil || e.token.Access.Reveal() != t.Access.Reveal() {
		c.mu.Unlock()
		return
	}
	if spare := c.spare.Load(); spare != nil && now < spare.dead {
		c.promote(spare)
	} else if c.budget.take(now) {
		c.current.Store(nil)
	} else {
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	c.pass(e.token)
	c.emit(context.Background(), Event{Kind: EventInvalidated, Expiry: e.token.Expiry}) //nolint:forbidigo // belongs to no call
}

// pass tells the source of a refused token.
func (c *Cache) pass(t Token) {
	if c.tell != nil {
		guard(func() { c.tell(t) })
	}
}
