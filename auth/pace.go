package auth

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/kyckit/kyckit"
)

const (
	firstWait = 400 * time.Millisecond
	// maxWait bounds the wait while an old token serves.
	maxWait = 15 * time.Second
	// maxDeadWait bounds the wait without a token: callers must feel within a
	// second that the endpoint is back, jitter and the exchange itself
	// included.
	maxDeadWait = 750 * time.Millisecond
	// minWait keeps attempts apart when the token dies right after one.
	minWait = 250 * time.Millisecond
	// maxAsked is the longest Retry-After that is honoured.
	maxAsked = 60 * time.Second

	firstRefusal = time.Second
	maxRefusal   = 60 * time.Second

	randomisation = 0.15
)

// pace decides when the next exchange may begin. It is guarded by Cache.mu; its
// times are on the cache's clock.
type pace struct {
	backoff  *backoff.ExponentialBackOff
	failures int // in a row
	refusals int // since the last success
	next     time.Duration
	last     *kyckit.Error // of the attempt before next
}

func newPace() pace {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval, b.Multiplier = firstWait, maxWait, 2
	b.RandomizationFactor, b.MaxElapsedTime = randomisation, 0
	b.Reset()
	return pace{backoff: b}
}

// hold returns the error to give while the next attempt is not due.
func (p *pace) hold(now time.Duration) error {
	if p.last == nil || now >= p.next {
		return nil
	}
	e := *p.last
	e.RetryAfter, e.Attempts = p.next-now, 0
	return &e
}

func (p *pace) succeeded() {
	p.backoff.Reset()
	p.failures, p.refusals, p.next, p.last = 0, 0, 0, nil
}

// failed plans the attempt after a failure. dead is when the old token dies;
// where there is none, it is not after now. lead is how long before dead the
// attempt should begin, so that no caller waits for it.
func (p *pace) failed(err *kyckit.Error, now, dead, lead time.Duration) *kyckit.Error {
	p.failures++
	wait := p.wait(err, now, dead, lead)
	p.next = now + max(wait, min(err.RetryAfter, maxAsked))
	e := *err
	e.RetryAfter = p.next - now
	p.last = &e
	return p.last
}

func (p *pace) wait(err *kyckit.Error, now, dead, lead time.Duration) time.Duration {
	if refused(err) {
		return p.refusal()
	}
	// Refusals are not forgotten here: of several servers behind one address,
	// one may be down while the others count wrong passwords.
	wait := p.backoff.NextBackOff()
	left := dead - now
	switch {
	case errors.Is(err, kyckit.ErrRateLimited):
		return wait // even without a token: asking sooner prolongs the limit
	case left <= 0:
		return min(wait, deadWait())
	case wait <= left-lead:
		return wait
	case left-lead >= minWait:
		return left - lead
	default:
		return max(left, minWait)
	}
}

// refusal is the wait after refused credentials: asking on could lock the
// account.
func (p *pace) refusal() time.Duration {
	wait := maxRefusal
	if p.refusals < 6 {
		wait = min(firstRefusal<<p.refusals, maxRefusal)
	}
	p.refusals++
	return wait
}

func deadWait() time.Duration {
	return maxDeadWait - rand.N(maxDeadWait/10) //nolint:gosec // spreads load, hides nothing
}

// refused reports that asking again with the same credentials cannot help. An
// answer that is no token, however successful it looks, counts as a refusal.
func refused(err *kyckit.Error) bool {
	if err.StatusCode == http.StatusNotImplemented {
		return true
	}
	for _, kind := range [...]error{
		kyckit.ErrUnauthorized, kyckit.ErrForbidden, kyckit.ErrInvalid, kyckit.ErrNotFound, kyckit.ErrConflict, kyckit.ErrDecode,
	} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// worthWaiting reports that a further attempt may help callers who wait.
func worthWaiting(err *kyckit.Error) bool {
	return !refused(err) && (errors.Is(err, kyckit.ErrUnavailable) || errors.Is(err, kyckit.ErrRateLimited)) && err.RetryAfter <= time.Second
}
