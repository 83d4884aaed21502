package nafath

import (
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
	// ErrExpired: the provider's time ran out.
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

// Verify runs a whole verification and returns the person, who then is the one
// that nationalID names. It makes the request in a slot of the tenant's limit,
// calls show with the transaction, whose Random is to be shown to this person
// alone, waits, reads the details, and compares their IDNumber and TransID with
// what was asked. Show runs in the caller's goroutine and may be nil.
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

// Resume goes on with a verification that was begun before: by Request, or by a
// process that stored the transaction and died. It does what Verify does after
// show, with the same errors: it waits, reads the details in a slot of the
// tenant's limit, and compares them with tx. Any number of transactions may be
// resumed at once. After ErrClosed or the end of ctx nothing is lost: resume the
// transaction again.
func (p *Poller) Resume(ctx context.Context, tx Transaction) (*Details, error) {
	status, err := p.Wait(ctx, tx)
	if err != nil {
		return nil, err
	}
	switch status {
	case StatusCompleted:
		tx.NationalID, _ = p.cfg.Client.ids.normalise(tx.NationalID) // Wait has checked it
		return p.identify(ctx, tx)
	case StatusRejected:
		return nil, outcome(ErrRejected)
	case StatusExpired:
		return nil, outcome(ErrExpired)
	default:
		return nil, outcome(ErrFailed)
	}
}

func outcome(kind error) *kyckit.Error {
	return &kyckit.Error{Provider: provider, Op: "verify", Kind: kind}
}

// detailTries bounds how often the details of one person are asked for, and
// detailPause the wait for the next time that the provider may ask for.
const (
	detailTries = 5
	detailPause = time.Minute
)

// identify reads the details of a completed transaction and makes sure that
// they are those of the person who was asked.
func (p *state) identify(ctx context.Context, tx Transaction) (*Details, error) {
	pause := poll.NewBackoff(time.Second, 15*time.Second)
	for try := 1; ; try++ {
		var d *Details
		err := p.paced(ctx, p.details, "details", func() (err error) {
			d, err = p.cfg.Client.details(ctx, tx.TransID, true)
			return err
		})
		if err == nil {
			id, ok := p.cfg.Client.ids.normalise(d.IDNumber)
			if !ok || id != tx.NationalID || d.TransID != tx.TransID {
				return nil, outcome(ErrIdentityMismatch)
			}
			return d, nil
		}
		if try == detailTries && errors.Is(err, errNobody) {
			e := outcome(ErrIdentityMismatch)
			e.Err = err
			return nil, e
		}
		var e *kyckit.Error
		wait := pause.Next()
		if errors.As(err, &e) {
			wait = max(wait, e.RetryAfter)
		}
		if try == detailTries || ctx.Err() != nil || !passing(err) || wait > detailPause {
			return nil, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, &kyckit.Error{Provider: provider, Op: "details", Kind: ctx.Err()}
		case <-p.stop:
			timer.Stop()
			return nil, errClosed("details")
		}
	}
}

// passing reports a failure of a read that may pass: no answer, a failing
// provider, a mangled answer, or details that are not there yet right after
// the approval.
func passing(err error) bool {
	return errors.Is(err, kyckit.ErrUnavailable) || errors.Is(err, kyckit.ErrDecode) || errors.Is(err, kyckit.ErrNotFound)
}
