package nafath

import (
	"context"
	"errors"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/poll"
)

// kick makes the loop look again.
func (p *state) kick() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// loop serves the open verifications. It ends when none is left.
func (p *state) loop() {
	// Checks serve every caller who waits, now or later, so they hang on the
	// Poller's life and on nobody's context.
	ctx, cancel := context.WithCancel(context.Background()) //nolint:forbidigo // see above
	defer cancel()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	stop := p.stop
	for {
		wait, ok := p.dispatch(ctx)
		if !ok {
			return
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-p.wake:
		case <-stop:
			// Only checks in flight are left; their answers wake the loop.
			stop = nil
			defer time.AfterFunc(drainTime, cancel).Stop()
		}
	}
}

// dispatch starts every check that is due and returns how long nothing else
// is; ok is false when the loop is no longer needed.
func (p *state) dispatch(ctx context.Context) (wait time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.open) > 0 {
		if p.stopped {
			return time.Hour, true
		}
		now := p.now()
		action, item, next := p.sched.Next(now)
		switch action {
		case poll.Check:
			e := item.Value
			e.checking = true
			p.working.Go(func() { p.check(ctx, e) })
		case poll.GiveUp:
			p.end(item.Value, item.Value.status, errTimeout(item.Value.failure))
		default:
			return min(max(next-now, time.Millisecond), time.Hour), true
		}
	}
	p.looping = false
	return 0, false
}

// check makes one status check and files its answer.
func (p *state) check(ctx context.Context, e *entry) {
	status, err := p.cfg.Client.status(ctx, e.tx, true)

	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.kick()
	now := p.now()
	e.checking = false
	e.checks++
	e.checked = now
	e.failure = err
	outcome, after := classify(status, err)
	if endedUpstream(err) {
		status, outcome, err = StatusExpired, poll.Lapsed, nil
	}
	over := p.sched.Done(now, e.item, outcome, after)
	switch {
	case err == nil && status.Terminal():
		p.change(e, status)
		p.end(e, status, nil)
	case p.stopped:
		p.end(e, e.status, errClosed("wait"))
	case over:
		if err == nil {
			p.change(e, status)
		}
		p.end(e, e.status, errTimeout(e.failure))
	default:
		if err == nil {
			p.change(e, status)
		}
		e.tell()
	}
}

// classify says what an answer means to the schedule.
func classify(status Status, err error) (poll.Outcome, time.Duration) {
	if err == nil {
		switch status {
		case StatusCompleted, StatusRejected:
			return poll.Ended, 0
		case StatusExpired, StatusError:
			return poll.Lapsed, 0
		default:
			return poll.Open, 0
		}
	}
	if after, limited := rateLimited(err); limited {
		return poll.Limited, after
	}
	switch {
	case errors.Is(err, context.Canceled):
		return poll.Dropped, 0
	case refusedToken(err):
		return poll.Denied, 0
	default:
		var e *kyckit.Error
		if errors.As(err, &e) && !noToken(e) {
			return poll.Failed, e.RetryAfter
		}
		return poll.Failed, 0
	}
}

// endedUpstream reports that the provider passed on an upstream code which
// means that the transaction is over or was never known. Every other failed
// check leaves it open.
func endedUpstream(err error) bool {
	var e *kyckit.Error
	return errors.As(err, &e) && (e.Code == codeExpired || e.Code == codeUnknown)
}

// errTimeout is the error of a verification that was still open at its last
// check. The last check's own failure, if any, is its cause.
func errTimeout(failure error) *kyckit.Error {
	e := &kyckit.Error{Provider: provider, Op: "wait", Kind: ErrTimeout, Reason: "still open at the last check"}
	if failure != nil {
		e.Err, e.Reason = failure, "the last check failed"
	}
	return e
}
