package webhook

import (
	"context"
	"sync"
	"time"
)

// handleContext is a context with a timeout that starts its timer only when
// somebody waits for the end. Most Handle functions are done long before, and
// with context.WithTimeout a small delivery would cost 3 allocations and about
// 0.6 µs more, which is more than to verify it. The parent of a handleContext
// has values and never ends.
type handleContext struct {
	context.Context
	deadline time.Time

	mu    sync.Mutex
	err   error
	done  chan struct{}
	timer *time.Timer
}

func newHandleContext(parent context.Context, start time.Time, timeout time.Duration) *handleContext {
	c := &handleContext{}
	c.begin(parent, start, timeout)
	return c
}

func (c *handleContext) begin(parent context.Context, start time.Time, timeout time.Duration) {
	c.Context, c.deadline = parent, start.Add(timeout)
}

// Deadline implements context.Context.
func (c *handleContext) Deadline() (time.Time, bool) { return c.deadline, true }

// Done implements context.Context.
func (c *handleContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.err != nil {
			close(c.done)
		} else {
			c.timer = time.AfterFunc(time.Until(c.deadline), func() { c.finish(context.DeadlineExceeded) })
		}
	}
	return c.done
}

// Err implements context.Context.
func (c *handleContext) Err() error {
	c.mu.Lock()
	err := c.err
	c.mu.Unlock()
	if err == nil && !time.Now().Before(c.deadline) {
		c.finish(context.DeadlineExceeded)
		return context.DeadlineExceeded
	}
	return err
}

// end cancels the context, as the CancelFunc of the standard library does.
func (c *handleContext) end() { c.finish(context.Canceled) }

func (c *handleContext) finish(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = err
	if c.timer != nil {
		c.timer.Stop()
	}
	if c.done != nil {
		close(c.done)
	}
}
