package webhook

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/kyckit/kyckit"
)

// job is one claimed delivery on its way to Handle.
type job struct {
	work     *work
	ctx      context.Context // outlives the request
	claim    Claim
	delivery *Delivery
	order    string
	attempts int
	cancel   func() // of the running Handle, guarded by the queue
}

// handle calls the user's function once. A panic, and a goroutine that ends in
// it, are errors as well.
func (j *job) handle(ctx *handleContext) (err error) {
	finished := false
	defer func() {
		ctx.end()
		if !finished { // runtime.Goexit: nobody else will get to do it
			j.release(ctx.Context)
		}
	}()
	err = j.call(ctx)
	finished = true
	return err
}

func (j *job) call(ctx context.Context) (err error) {
	defer recovered(&err)
	return j.work.Handle(ctx, j.delivery)
}

// commit records the delivery as handled, with a few tries: it was handled, so
// asking the sender to repeat it would be worse than not having it recorded.
func (j *job) commit(ctx context.Context) (err error) {
	for i := range 3 {
		if i > 0 {
			time.Sleep(time.Duration(i) * 50 * time.Millisecond)
		}
		err = j.inStore(ctx, true)
		if err == nil || i > 0 && errors.Is(err, ErrDuplicate) { // the try before counted, and its answer was lost
			return nil
		}
	}
	return err
}

// release gives the delivery back. When that fails the lease ends by itself.
func (j *job) release(ctx context.Context) {
	_ = j.inStore(ctx, false)
}

// inStore ends the claim.
func (j *job) inStore(ctx context.Context, handled bool) (err error) {
	defer recovered(&err)
	ctx, cancel := j.work.storeContext(ctx)
	defer cancel()
	if !handled {
		return j.claim.Release(ctx)
	}
	if c, ok := j.claim.(*memoryClaim); ok {
		return c.commit(j.work.Keep, true)
	}
	return j.claim.Commit(ctx, j.work.Keep)
}

// orderLocks lets the deliveries of an order key through one at a time, in the
// order in which they came.
type orderLocks struct {
	mu   sync.Mutex
	last map[string]chan struct{} // closed when the last one in line is done
}

// lock waits for its turn, but no longer than wait. The empty key never waits.
func (o *orderLocks) lock(ctx context.Context, key string, wait time.Duration) (unlock func(), err error) {
	if key == "" {
		return func() {}, nil
	}
	mine := make(chan struct{})
	o.mu.Lock()
	if o.last == nil {
		o.last = map[string]chan struct{}{}
	}
	before := o.last[key]
	o.last[key] = mine
	o.mu.Unlock()
	done := func() {
		o.mu.Lock()
		if o.last[key] == mine {
			delete(o.last, key)
		}
		o.mu.Unlock()
		close(mine)
	}
	if before == nil {
		return done, nil
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	select {
	case <-before:
		return done, nil
	case <-ctx.Done():
		// Those behind must go on waiting for the one in front.
		go func() {
			<-before
			done()
		}()
		return nil, &kyckit.Error{Provider: provider, Op: "handler", Kind: kyckit.ErrUnavailable, Reason: "an earlier delivery of the same order key is still handled"}
	}
}
