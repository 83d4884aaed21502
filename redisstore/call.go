package redisstore

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// maxAbandoned bounds the calls that nobody waits for any more.
const maxAbandoned = 256

var errBusy = errors.New("too many abandoned calls")

// calls counts the calls in flight.
type calls struct{ inFlight atomic.Int32 }

// eval runs a script and never outlasts ctx. The client may: by default it heeds
// no deadline while it waits for an answer, and repeats a script whose answer was
// lost. So the call has a goroutine of its own, which is left behind; late, if
// not nil, gets the answer that nobody waits for, or its error.
//
// A script may run twice, or after its caller has left: each must be idempotent.
func (s *Store) eval(ctx context.Context, script string, keys []string, late func(any, error), args ...any) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.calls.inFlight.Add(1) > maxAbandoned {
		s.calls.inFlight.Add(-1)
		return nil, errBusy
	}
	type answer struct {
		v   any
		err error
	}
	var left atomic.Bool
	answered := make(chan answer, 1)
	go func() {
		a := answer{err: errPanic}
		defer func() {
			_ = recover() // a client of the caller's own
			s.calls.inFlight.Add(-1)
			if left.Swap(true) && late != nil {
				late(a.v, a.err)
				return
			}
			answered <- a
		}()
		a.v, a.err = s.client.Eval(ctx, script, keys, args...).Result()
	}()
	select {
	case a := <-answered:
		return a.v, a.err
	case <-ctx.Done():
	}
	if left.Swap(true) { // the answer came at the same time
		a := <-answered
		return a.v, a.err
	}
	return nil, ctx.Err()
}

var errPanic = errors.New("the client panicked")

// millis is d for PX: at least one, since zero is an error, and not so many that
// Redis cannot add them to its clock.
func millis(d time.Duration) int64 {
	const most = 100 * 365 * 24 * time.Hour
	return max(1, int64((min(d, most)+time.Millisecond-1)/time.Millisecond))
}
