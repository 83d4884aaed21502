package auth

import (
	"context"
	"errors"
	"time"

	"github.com/kyckit/kyckit"
)

// flight is one exchange, shared by all who wait for it.
type flight struct {
	cancel context.CancelFunc
	done   chan struct{}
	// refused is the token whose refusal caused the exchange, or nil. The new
	// token is then a spare.
	refused *entry
	// Set before done is closed.
	entry *entry
	err   error
}

// join returns a living token, or the flight to wait for, or the error of the
// last attempt while the next one is not due.
func (c *Cache) join() (*entry, *flight, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if e := c.current.Load(); e != nil && now < e.dead {
		return e, nil, nil
	}
	if e := c.spare.Load(); e != nil && now < e.dead {
		c.promote(e)
		return e, nil, nil
	}
	if c.flight != nil {
		return nil, c.flight, nil
	}
	if c.fetch == nil {
		return nil, nil, failure(kyckit.ErrInvalid, notMade)
	}
	if c.closed {
		return nil, nil, failure(kyckit.ErrUnavailable, "the cache is closed")
	}
	if err := c.pace.hold(now); err != nil {
		return nil, nil, err
	}
	return nil, c.start(nil), nil
}

// refresh starts, in the background, an exchange that replaces e.
func (c *Cache) refresh(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.flight != nil || c.current.Load() != e {
		return
	}
	c.start(nil)
}

// start begins an exchange; refused is the token whose refusal causes it, or
// nil. It is called with mu held.
func (c *Cache) start(refused *entry) *flight {
	// The exchange serves all callers, so it must not end with the one that
	// began it.
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout) //nolint:forbidigo // see above
	f := &flight{cancel: cancel, done: make(chan struct{}), refused: refused}
	c.flight = f
	go c.run(ctx, f)
	return f
}

// run makes the exchange, repeats it while that may help, and tells everybody.
func (c *Cache) run(ctx context.Context, f *flight) {
	defer f.cancel()
	f.err = failure(kyckit.ErrUnavailable, "the exchange was broken off")
	defer c.end(f) // also when a hook ends this goroutine
	if f.refused != nil {
		c.pass(f.refused.token)
		c.emit(ctx, Event{Kind: EventInvalidated, Expiry: f.refused.token.Expiry})
	}
	for attempt := 1; ; attempt++ {
		start := c.now()
		token, err := c.ask(ctx)
		if err == nil {
			if err = c.succeed(ctx, f, token, c.now()-start); err == nil {
				return
			}
		}
		failed := *asError(err)
		if ended := ctx.Err(); ended != nil && endedContext(err) {
			failed = *failure(kyckit.ErrUnavailable, noTokenInTime)
			if errors.Is(ended, context.Canceled) {
				failed.Reason = "the cache was closed"
			}
		}
		failed.Attempts = attempt
		wait, again := c.fail(ctx, f, &failed, c.now()-start)
		if !again || !sleep(ctx, wait) {
			return
		}
	}
}

// succeed adopts the token; from here on it serves everybody who asks.
func (c *Cache) succeed(ctx context.Context, f *flight, token Token, took time.Duration) error {
	c.mu.Lock()
	e, err := c.newEntry(token, took)
	if err != nil {
		c.mu.Unlock()
		return err
	}
	kind, now := EventFetched, c.now()
	switch old := c.current.Load(); {
	case old != nil && old == f.refused && now < old.due:
		c.spare.Store(e)
	case old != nil && now < old.dead:
		kind = EventRefreshed
		fallthrough
	default:
		c.spare.Store(nil)
		c.current.Store(e)
	}
	c.pace.succeeded()
	c.flight = nil
	f.entry, f.err = e, nil
	c.mu.Unlock()
	c.emit(ctx, Event{Kind: kind, Expiry: token.Expiry, Took: took})
	return nil
}

// fail notes a failed attempt. It returns the wait until the next one and
// whether the flight should make it.
func (c *Cache) fail(ctx context.Context, f *flight, err *kyckit.Error, took time.Duration) (wait time.Duration, again bool) {
	c.mu.Lock()
	now := c.now()
	e := c.current.Load()
	dead, lead := now, time.Duration(0)
	if e != nil {
		dead, lead = e.dead, e.lead
	}
	failed := c.pace.failed(err, now, dead, lead)
	f.err = failed
	again = (dead <= now || f.refused != nil) && c.pace.failures < c.attempts && worthWaiting(failed)
	if f.refused != nil {
		c.budget.notVain()
		again = again && c.budget.take(now)
	}
	if e != nil {
		e.refreshAt.Store(int64(min(max(c.pace.next, e.due), e.dead)))
	}
	c.mu.Unlock()
	c.emit(ctx, Event{Kind: EventFailed, Err: failed, Took: took, RetryAfter: failed.RetryAfter})
	return failed.RetryAfter, again
}

// end tells those who wait for f.
func (c *Cache) end(f *flight) {
	c.mu.Lock()
	if c.flight == f {
		c.flight = nil
	}
	c.mu.Unlock()
	close(f.done)
}

// sleep waits for d and reports whether it did: false when ctx ended first, and
// at once when the deadline of ctx comes before d.
func sleep(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
