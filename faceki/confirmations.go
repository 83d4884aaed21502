package faceki

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/kyckit/kyckit"
)

// What made-up events may cost: FACEKI signs none, so who knows the address of
// the webhooks can send as many as they like, each of another verification.
const (
	maxMisses       = 30 // events of no record, in any missWindow
	missWindow      = time.Minute
	maxConfirmsOpen = 16 // reads at a time; beyond, confirmations wait their turn
)

// confirmations bounds the reads of records that events cause. Events whose
// record exists pass in any number.
type confirmations struct {
	open chan struct{}

	mu     sync.Mutex
	misses [maxMisses]time.Time // a ring; zero times are long ago
	next   int                  // the oldest
}

func newConfirmations() *confirmations {
	return &confirmations{open: make(chan struct{}, maxConfirmsOpen)}
}

// read calls fetch, unless too many events of late had no record.
func (c *confirmations) read(ctx context.Context, fetch func() (*Record, error)) (*Record, error) {
	if err := c.refusal(); err != nil {
		return nil, err
	}
	select {
	case c.open <- struct{}{}:
		defer func() { <-c.open }()
	case <-ctx.Done():
		return nil, contextError(opConfirm, ctx.Err())
	}
	if err := c.refusal(); err != nil { // others have missed meanwhile
		return nil, err
	}
	record, err := fetch()
	if isMiss(err) {
		c.mu.Lock()
		c.misses[c.next] = time.Now()
		c.next = (c.next + 1) % maxMisses
		c.mu.Unlock()
	}
	return record, err
}

// refusal returns the error of a confirmation beyond the bound, or nil.
func (c *confirmations) refusal() error {
	c.mu.Lock()
	wait := missWindow - time.Since(c.misses[c.next])
	c.mu.Unlock()
	if wait <= 0 {
		return nil
	}
	return &kyckit.Error{
		Provider: provider, Op: opConfirm, Kind: kyckit.ErrRateLimited, RetryAfter: wait,
		Reason: "too many events of the last minute have no record",
	}
}

// isMiss reports what an event that was made up leads to: FACEKI does not know
// the verification, refuses its id, or answers with another. A failing provider
// says nothing about an event.
func isMiss(err error) bool {
	var e *kyckit.Error
	return errors.As(err, &e) && e.StatusCode != 0 && e.StatusCode < http.StatusInternalServerError &&
		(errors.Is(err, kyckit.ErrNotFound) || errors.Is(err, kyckit.ErrInvalid) || errors.Is(err, kyckit.ErrDecode))
}
