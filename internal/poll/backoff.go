package poll

import (
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Backoff yields waits that double from first to most, without jitter: whatever
// follows a wait is paced by a Window.
type Backoff struct{ policy *backoff.ExponentialBackOff }

// NewBackoff returns a Backoff at its start.
func NewBackoff(first, most time.Duration) *Backoff {
	return &Backoff{backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(first),
		backoff.WithMultiplier(2),
		backoff.WithMaxInterval(max(first, most)),
		backoff.WithRandomizationFactor(0),
		backoff.WithMaxElapsedTime(0),
	)}
}

// Next returns the next wait.
func (b *Backoff) Next() time.Duration { return b.policy.NextBackOff() }

// Reset goes back to the start.
func (b *Backoff) Reset() { b.policy.Reset() }
