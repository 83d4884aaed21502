package cafsmartauth

import (
	"context"
	"errors"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/transport"
	"github.com/kyckit/kyckit/webhook"
)

const (
	opOnce = "use once"
	// claimPrefix keeps attempts apart from deliveries in a shared store.
	claimPrefix = "cafsmartauth.attempt."
	// maxKeep is as long as anything is remembered. A store adds it to its
	// clock, and clocks that count nanoseconds end in the year 2262.
	maxKeep = 100 * 365 * 24 * time.Hour
)

// UseOnce accepts a verified attestation the first time and refuses it after
// that, by its AttemptID. Nothing in an attestation but its expiry stops
// somebody from using it again, so call UseOnce before letting anybody in.
//
// The store that makes webhook deliveries handled once serves here too; replicas
// must share one. The attempt is remembered until the attestation has expired,
// leeway included, at most for a century; webhook.NewMemoryClaims forgets none
// before, and with no room for another it refuses, as UseOnce then does. If
// UseOnce or what follows it fails, the person must authenticate again.
//
// The error is a *kyckit.Error: [ErrReplayed] of kind [kyckit.ErrConflict] when
// the attempt is taken, the context's when that ended, and
// [kyckit.ErrUnavailable] when the store cannot tell; nobody may be let in then
// either.
func UseOnce(ctx context.Context, claims webhook.Claims, a *Attestation) error {
	if transport.Missing(claims) || a == nil || a.AttemptID == "" {
		return &kyckit.Error{Provider: provider, Op: opOnce, Kind: kyckit.ErrInvalid, Reason: "claims and a verified attestation are required"}
	}
	keep := keepFor(time.Until(a.ExpiresAt))
	// The lease lasts as long: a crash before Commit must not free the attempt.
	claim, err := claims.Claim(ctx, claimPrefix+a.AttemptID, keep)
	switch {
	case err == nil && claim == nil:
		err = errNoClaim
	case err == nil:
		err = claim.Commit(ctx, keep)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, webhook.ErrDuplicate), errors.Is(err, webhook.ErrInProgress):
		return &kyckit.Error{Provider: provider, Op: opOnce, Kind: kyckit.ErrConflict, Reason: ErrReplayed.Error(), Err: ErrReplayed}
	case ctx.Err() != nil:
		return &kyckit.Error{Provider: provider, Op: opOnce, Kind: ctx.Err()}
	default:
		// The store's own text may quote the key; it is kept as the cause.
		return &kyckit.Error{Provider: provider, Op: opOnce, Kind: kyckit.ErrUnavailable, Reason: "the store of used attempts failed", Err: err}
	}
}

var errNoClaim = errors.New("the store returned neither a claim nor an error")

// keepFor is how long an attempt is remembered whose attestation has so long to
// live: the greatest leeway more, because a second client may have a greater
// one. It is a whole number of minutes, so that few different ones occur: a
// store may keep what lasts equally long together.
func keepFor(life time.Duration) time.Duration {
	keep := min(max(life, 0), maxKeep-2*maxLeeway) + maxLeeway
	return keep.Truncate(time.Minute) + time.Minute
}
