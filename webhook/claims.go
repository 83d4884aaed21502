package webhook

import (
	"context"
	"time"
)

// Claims remembers which deliveries were handled, so that each is handled
// once. A store that several replicas share does so for all of them. An
// implementation must be safe for concurrent use and honour ctx, which gives
// each call at most 5 s.
//
// Test an implementation with webhooktest.TestClaims.
//
// A key may be of any length, hold any bytes and be personal, since a sender
// chose it: store its hash, as the example does.
type Claims interface {
	// Claim takes the delivery with this key for the caller alone, for at most
	// lease; after that another caller may have it. It returns an error that is
	// ErrDuplicate when the delivery was committed before, ErrInProgress when
	// another caller holds it, and any other error when the store cannot tell,
	// which makes the sender try again later.
	Claim(ctx context.Context, key string, lease time.Duration) (Claim, error)
}

// Claim is one delivery taken. The handler calls either Release, once, or Commit,
// up to three times while it fails. When the process dies it calls neither, and
// the lease ends by itself.
type Claim interface {
	// Commit records that the delivery was handled and keeps that knowledge for
	// at least keep. It does so too when the lease has ended and nobody else has
	// claimed the delivery since. One that is repeated because the first answer
	// got lost may return ErrDuplicate.
	Commit(ctx context.Context, keep time.Duration) error
	// Release gives the delivery back, so that it can be claimed again. When the
	// lease has ended it must not take the delivery from whoever has it now.
	Release(ctx context.Context) error
}
