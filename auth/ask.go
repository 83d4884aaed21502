package auth

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/kyckit/kyckit"
)

const (
	// grace is how long a source may take to notice that its context ended.
	grace = time.Second
	// maxAsking bounds the calls of a source that ignore their context.
	maxAsking = 4
)

// ask calls the source once. The source may be user code, so the call has a
// goroutine of its own: a panic in the source becomes an error, and a source that
// never returns is left behind a second after ctx ends, so that the cache can ask
// again later. That goroutine costs 4 µs, beside an exchange over the network.
func (c *Cache) ask(ctx context.Context) (Token, error) {
	if c.asking.Load() >= maxAsking {
		return Token{}, failure(kyckit.ErrUnavailable, "the source does not return")
	}
	type answer struct {
		token Token
		err   error
	}
	answered := make(chan answer, 1)
	c.asking.Add(1)
	go func() {
		a := answer{err: failure(kyckit.ErrUnavailable, "the source did not return")}
		defer func() {
			if v := recover(); v != nil {
				a = answer{err: panicked(v)}
			}
			c.asking.Add(-1)
			answered <- a
		}()
		a.token, a.err = c.fetch(ctx)
	}()
	select {
	case a := <-answered:
		return a.token, a.err
	case <-ctx.Done():
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case a := <-answered:
		return a.token, a.err
	case <-timer.C:
		return Token{}, ctx.Err()
	}
}

// panicked is the error of a source that panicked with v. Only its cause holds
// v, because nobody knows what v tells.
func panicked(v any) *kyckit.Error {
	e := failure(kyckit.ErrUnavailable, "the source panicked")
	e.Err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
	return e
}
