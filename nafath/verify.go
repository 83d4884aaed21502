package nafath

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/poll"
)

// Outcomes of Poller.Verify, to be tested with errors.Is. They come as a
// *kyckit.Error.
var (
	// ErrRejected: the person declined.
	ErrRejected = errors.New("rejected by the person")
	// ErrExpired: the provider's time ran out. When a code in a refused check
	// decided so, Error.Code has it: "400-034-053" may also mean a wrong
	// environment.
	ErrExpired = errors.New("expired")
	// ErrFailed: the provider reports that it could not carry it out.
	ErrFailed = errors.New("failed at the provider")
	// ErrTimeout: still open at PollerConfig.Timeout. Poller.Wait returns it too.
	ErrTimeout = errors.New("timed out")
	// ErrIdentityMismatch: the details belong to somebody else or to another
	// transaction, or do not say whose they are, which is kyckit.ErrDecode too.
	// Treat it as an attack or a grave fault of the provider.
	ErrIdentityMismatch = errors.New("the details are not those of the person asked for")
)

const (
	// detailTries is how often the details of one transaction are asked for,
	// detailPause the longest wait in between, and detailGiveUp the Retry-After
	// from which on nobody waits any more.
	detailTries  = 5
	detailPause  = time.Minute
	detailGiveUp = time.Hour

	// keepDetails is for how long the answer serves those who ask again, and
	// keepRefusal the same for an error.
	keepDetails = time.Minute
	keepRefusal = 15 * time.Second
)

// Verify runs a whole verification and returns the person, who then is the one
// that nationalID names: it is Request, show and Resume. Show gets the
// transaction, whose Random is to be shown to this person alone, in the caller's
// goroutine; it may be nil. When a caller may go away before the end, use Begin.
//
// Errors: ErrRejected, ErrExpired, ErrFailed, ErrTimeout, ErrIdentityMismatch,
// those of Request and Wait, and those of the details call, which is tried up
// to five times. Once show was called, ask again only when the person wants to.
func (p *Poller) Verify(ctx context.Context, nationalID string, show func(Transaction)) (*Details, error) {
	tx, err := p.Request(ctx, nationalID)
	if err != nil {
		return nil, err
	}
	if show != nil {
		show(tx)
	}
	return p.Resume(ctx, tx)
}

// Resume is Continue and Verification.Wait: it goes on with a transaction, to
// the compared details. Any number of transactions may be resumed at once, and
// any number of callers may resume the same: they share its one details call,
// whose answer serves for a minute. After ErrClosed or the end of ctx nothing is
// lost: resume the transaction again.
func (p *Poller) Resume(ctx context.Context, tx Transaction) (*Details, error) {
	v, err := p.proceed("resume", tx) //nolint:contextcheck // the details serve every caller
	if err != nil {
		return nil, err
	}
	return v.Wait(ctx)
}

// outcomeOf is what Verify answers to a final status other than StatusCompleted.
func outcomeOf(e *entry) *kyckit.Error {
	switch e.status { // the others are not final
	case StatusRejected:
		return outcome(ErrRejected)
	case StatusExpired:
		err := outcome(ErrExpired)
		err.Code = e.code
		return err
	default:
		return outcome(ErrFailed)
	}
}

func outcome(kind error) *kyckit.Error {
	return &kyckit.Error{Provider: provider, Op: "verify", Kind: kind}
}

// identify reads the details of a completed entry and compares them, for all who
// want them.
func (p *state) identify(e *entry) {
	p.keep(e)
	if !e.held {
		p.hold(e)
	}
	p.publish(e) // completed, and the details are on the way
	p.working.Go(func() {
		d, err := p.person(e)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.finish(e, d, err)
		if errors.Is(err, ErrClosed) || errors.Is(err, context.Canceled) {
			p.drop(e)
			return
		}
		p.expire(e)
	})
}

// keep files a settled entry where those who ask again find it.
func (p *state) keep(e *entry) { p.kept[foldTransID(e.tx.TransID)] = e }

// expire drops a kept entry after a while.
func (p *state) expire(e *entry) {
	after := keepDetails
	if e.outcome != nil {
		after = keepRefusal
	}
	e.expiry = time.AfterFunc(after, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.drop(e)
	})
}

func (p *state) drop(e *entry) {
	if e.expiry != nil {
		e.expiry.Stop()
	}
	if k := foldTransID(e.tx.TransID); p.kept[k] == e {
		delete(p.kept, k)
	}
}

// person reads the details of a completed transaction, with patience for
// failures that may pass, and makes sure that they are those of the person who
// was asked.
func (p *state) person(e *entry) (*Details, error) {
	pause := poll.NewBackoff(time.Second, 15*time.Second)
	for try := 1; ; try++ {
		d, err := p.personOnce(e)
		if err == nil || errors.Is(err, ErrIdentityMismatch) {
			return d, err
		}
		if try == detailTries && errors.Is(err, errNobody) {
			nobody := outcome(ErrIdentityMismatch)
			nobody.Err = err
			return nil, nobody
		}
		wait := pause.Next()
		if failed, ok := errors.AsType[*kyckit.Error](err); ok {
			wait = max(wait, failed.RetryAfter)
		}
		if try == detailTries || !passing(err) || wait > detailGiveUp {
			return nil, err
		}
		timer := time.NewTimer(min(wait, detailPause))
		select {
		case <-timer.C:
		case <-p.stop:
			timer.Stop()
			return nil, errClosed("details")
		}
	}
}

// personOnce reads the details in a slot of the tenant's limit and compares them.
func (p *state) personOnce(e *entry) (*Details, error) {
	ticket, err := p.details.Join(p.life, "")
	p.replicas.kick()
	if err != nil {
		return nil, gateError("details", err, nil)
	}
	var d *Details
	err = paced(p.life, p.details, ticket, "details", func() (err error) {
		d, err = p.cfg.Client.details(p.onBehalf(e), e.tx.TransID, once)
		return err
	})
	if err != nil {
		return nil, err
	}
	id, ok := p.cfg.Client.ids.normalise(d.IDNumber)
	if !ok || id != e.tx.NationalID {
		return nil, outcome(ErrIdentityMismatch)
	}
	return d, nil
}

// passing reports a failure of a read that may pass: no answer, a failing
// provider, a mangled answer, or details that are not there yet right after
// the approval.
func passing(err error) bool {
	return errors.Is(err, kyckit.ErrUnavailable) || errors.Is(err, kyckit.ErrDecode) || errors.Is(err, kyckit.ErrNotFound)
}

// clone returns a copy that shares nothing.
func (d *Details) clone() *Details {
	if d == nil {
		return nil
	}
	c := *d
	if d.UserType != nil {
		t := *d.UserType
		c.UserType = &t
	}
	if d.NationalityCode != nil {
		n := *d.NationalityCode
		c.NationalityCode = &n
	}
	c.NationalAddress, c.Raw = bytes.Clone(d.NationalAddress), bytes.Clone(d.Raw)
	return &c
}
