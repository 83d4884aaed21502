package nafath

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/poll"
)

// Request starts a verification like Client.Request, paced by the tenant's
// limit, and begins to watch it: Wait for it, or let OnEnd tell.
//
// It waits for its slot while ctx allows. When the slot lies beyond the
// deadline of ctx it fails at once with ErrRateLimited and RetryAfter, and
// nothing was sent. A 429 was not accepted by the provider, so Request waits
// and asks again. Any other failure after sending ends it; a 5xx or a lost
// answer is ErrOutcomeUnknown and is never sent twice.
//
// ErrConflict means that the person has an open verification, or that the
// provider answered with one that this Poller watches already: its code belongs
// to whoever began it and is not handed out again.
func (p *Poller) Request(ctx context.Context, nationalID string) (Transaction, error) {
	const op = "request"
	id, ok := p.cfg.Client.ids.normalise(nationalID)
	if !ok {
		return Transaction{}, errNationalID(op)
	}
	var tx Transaction
	err := p.paced(ctx, p.requests, op, func() (err error) {
		tx, err = p.cfg.Client.request(ctx, id, true)
		return err
	})
	if err != nil {
		return Transaction{}, err
	}
	if err := p.adopt(tx); err != nil {
		return Transaction{}, err
	}
	return tx, nil
}

// adopt begins to watch a transaction that was just created.
func (p *state) adopt(tx Transaction) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.memory.get(tx.TransID); known || p.open[tx.TransID] != nil {
		return &kyckit.Error{Provider: provider, Op: "request", Kind: kyckit.ErrConflict, Reason: "the provider answered with a transaction that is known already"}
	}
	if p.stopped {
		return nil // it was created all the same: the caller must have it
	}
	p.add(tx)
	return nil
}

// paced makes a call in a slot of its own. A 429 waits for a new slot, in
// front of those who have not asked yet; so does the first 401 that refused a
// token, which the client has dropped by then.
func (p *state) paced(ctx context.Context, gate *poll.Gate, op string, call func() error) error {
	again, denied := false, false
	var last *kyckit.Error
	for {
		sent, err := gate.Enter(ctx, again)
		if err != nil {
			return gateError(op, err, last)
		}
		err = call()
		after, limited := rateLimited(err)
		gate.Leave(sent, limited, after)
		switch {
		case limited:
		case refusedToken(err) && !denied:
			denied = true
		default:
			return err
		}
		again = true
		_ = errors.As(err, &last)
	}
}

// gateError is the error of a call that got no slot.
func gateError(op string, err error, last *kyckit.Error) error {
	var late *poll.LateError
	switch {
	case errors.Is(err, poll.ErrClosed):
		return errClosed(op)
	case errors.As(err, &late):
		e := &kyckit.Error{
			Provider: provider, Op: op, Kind: kyckit.ErrRateLimited, RetryAfter: late.After,
			Reason: "the tenant's next slot lies beyond the deadline",
		}
		if last != nil {
			e.StatusCode, e.Attempts = last.StatusCode, 1
		}
		return e
	default:
		return &kyckit.Error{Provider: provider, Op: op, Kind: err, Reason: "while waiting for a slot"}
	}
}

// rateLimited reports a 429 of the call itself, not of the token endpoint.
func rateLimited(err error) (after time.Duration, limited bool) {
	var e *kyckit.Error
	if errors.As(err, &e) && errors.Is(e, kyckit.ErrRateLimited) && !noToken(e) {
		return e.RetryAfter, true
	}
	return 0, false
}

// refusedToken reports that the call itself was answered with 401.
func refusedToken(err error) bool {
	var e *kyckit.Error
	return errors.As(err, &e) && e.StatusCode == http.StatusUnauthorized && !noToken(e)
}

// noToken reports that the token call failed: its error is inside.
func noToken(e *kyckit.Error) bool {
	var inner *kyckit.Error
	return e.Err != nil && errors.As(e.Err, &inner)
}
