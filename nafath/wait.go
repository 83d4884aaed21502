package nafath

import (
	"context"

	"github.com/kyckit/kyckit"
)

// Wait blocks until the verification ends and returns its final status with a
// nil error, whatever the status. Any number of callers may wait for the same
// transaction. A transaction that the Poller does not know, say one that was read
// from your database after a restart, is watched from now on; ten thousand at
// once cause no burst. A transaction that ended already is answered at once from
// memory.
//
// A verification that stays open until PollerConfig.Timeout after its
// CreatedAt gets a last check; then the error is ErrTimeout, with the last
// status seen. The prompt may still be open on the phone. Where many are open
// for the limits, the last check may come late, by up to 3 x pending x 60 s /
// limit: give ctx a deadline of its own if you cannot wait for that. When ctx
// ends the error is the context's and the verification stays watched. After
// Close or Forget the error is ErrClosed.
//
// StatusCompleted does not yet say who approved. Resume waits too, and then reads
// and compares the details within the tenant's limit.
//
// ErrInvalid means that TransID, Random or NationalID is missing, or that another
// transaction with this TransID is known: nobody learns the outcome of somebody
// else's. A zero CreatedAt counts as now; so does one that is hours old while the
// provider says WAITING, which it would not do if the time were right.
func (p *Poller) Wait(ctx context.Context, tx Transaction) (Status, error) {
	s, err := p.inside("wait")
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	e, err := s.find("wait", tx)
	if err != nil {
		s.mu.Unlock()
		return "", err
	}
	done := e.doneChan()
	s.attend(e, 1)
	s.link(ctx, e)
	s.mu.Unlock()
	select {
	case <-done:
		told(e)
		return e.status, e.err
	case <-ctx.Done():
		s.mu.Lock()
		s.attend(e, -1)
		s.mu.Unlock()
		return "", &kyckit.Error{Provider: provider, Op: "wait", Kind: ctx.Err()}
	}
}
