package nafath

import (
	"context"
	"errors"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/poll"
)

const (
	// unknownFrom is the age from which "not found" is believed: a replica that
	// lags knows a transaction a little later than the one that created it.
	unknownFrom = 30 * time.Second

	// A transaction that the provider calls WAITING and whose CreatedAt lies so
	// far beyond the timeout has a wrong CreatedAt, by a clock or a time zone.
	clockOffFrom = 30 * time.Minute
	clockOffMost = 15 * time.Hour
)

// kick makes the loop look again.
func (p *state) kick() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
	p.replicas.kick()
}

// loop serves the open verifications. It ends when none is left.
func (p *state) loop() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	stop := p.stop
	for {
		wait, ok := p.dispatch()
		if !ok {
			return
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-p.wake:
		case <-stop:
			stop = nil // only calls in flight are left; their answers wake the loop
		}
	}
}

// dispatch starts every check that is due and returns how long nothing else
// is; ok is false when the loop is no longer needed.
func (p *state) dispatch() (wait time.Duration, ok bool) {
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
			e.calling = true
			p.working.Go(func() { p.check(e) })
		case poll.GiveUp:
			p.end(item.Value, "", item.Value.failure)
		default:
			return min(max(next-now, time.Millisecond), time.Hour), true
		}
	}
	p.looping = false
	return 0, false
}

// check makes one status check and files its answer.
func (p *state) check(e *entry) {
	sent := p.now()
	status, err := p.cfg.Client.status(p.onBehalf(e), e.tx, once)

	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.kick()
	now := p.now()
	e.calling = false
	e.checks++
	e.gap, e.checked = sent-e.checked, sent
	e.failure = shed(err)
	outcome, after := classify(status, err)
	code := p.endedBy(e, err)
	if code != "" {
		outcome = poll.Lapsed
	}
	over := p.sched.Done(now, e.item, outcome, after)
	switch {
	case e.settled: // forgotten meanwhile
	case err == nil && status.Terminal():
		p.settle(e, status, nil)
	case p.stopped:
		p.settle(e, e.status, errClosed("wait"))
	case code != "":
		p.end(e, code, err)
	default:
		if err == nil {
			p.change(e, status)
		}
		switch {
		case !over:
		case err == nil && p.clockOff(e):
			p.watchAnew(e)
		default:
			p.end(e, "", err)
		}
	}
}

// end ends an entry that is over by a code of the provider, or open beyond its
// deadline. The person may have approved all the same: where the last answer
// says that the transaction is gone, the details are asked for once before
// anybody is told.
func (p *state) end(e *entry, code string, failure error) {
	finally := func() {
		if code != "" {
			e.code = code
			p.settle(e, StatusExpired, nil)
			return
		}
		p.settle(e, e.status, errTimeout(e.failure))
	}
	if code == "" && !errors.Is(failure, kyckit.ErrNotFound) {
		finally()
		return
	}
	p.sched.Remove(e.item)
	e.calling = true
	p.working.Go(func() {
		d, err := p.personOnce(e)
		p.mu.Lock()
		defer p.mu.Unlock()
		defer p.kick()
		e.calling = false
		switch {
		case e.settled: // forgotten meanwhile
		case err == nil || errors.Is(err, ErrIdentityMismatch):
			e.person, e.outcome = d, err
			p.settle(e, StatusCompleted, nil)
			p.expire(e)
		case p.stopped:
			p.settle(e, e.status, errClosed("wait"))
		default:
			finally()
		}
	})
}

// clockOff reports that the CreatedAt of an entry that is open cannot be right.
func (p *state) clockOff(e *entry) bool {
	age := e.since - e.born
	return age >= p.cfg.Timeout+clockOffFrom && age <= clockOffMost
}

// watchAnew counts an entry's time from when it was first watched.
func (p *state) watchAnew(e *entry) {
	p.sched.Remove(e.item)
	now := p.now()
	e.born = e.since
	e.item = p.sched.Add(now, now-e.since, p.cfg.Timeout-(now-e.since), e)
	p.attend(e, 0)
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

// endedBy returns the upstream code that the provider passed on if it means
// that the transaction is over or was never known. Every other failed check
// leaves the transaction open, a code in an answer that says that the provider or
// the caller is in trouble too.
func (p *state) endedBy(e *entry, err error) string {
	var failed *kyckit.Error
	switch {
	case !errors.As(err, &failed), !errors.Is(failed.Kind, kyckit.ErrNotFound):
		return "" // the code is quoted, not meant
	case failed.Code == codeExpired, failed.Code == codeUnknown && p.now()-e.born >= unknownFrom:
		return failed.Code
	default:
		return ""
	}
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
