package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/kyckit/kyckit/webhook"
)

// A claim is one key: "L" and its owner while that has the delivery, "D" and its
// owner once it was handled. KEYS are its names under each key of the Store, of
// which the first is written to.
const (
	// ARGV: owner, lease in ms. Repeated, it gives the same answer.
	claimScript = `
for i, key in ipairs(KEYS) do
	local v = redis.call('GET', key)
	if v and not (i == 1 and v == 'L' .. ARGV[1]) then return string.sub(v, 1, 1) end
end
redis.call('SET', KEYS[1], 'L' .. ARGV[1], 'PX', ARGV[2])
return 'OK'`

	// ARGV: owner, keep in ms. It counts too when the lease has ended and nobody
	// else has the delivery.
	commitScript = `
for i, key in ipairs(KEYS) do
	local v = redis.call('GET', key)
	if v and not (i == 1 and string.sub(v, 2) == ARGV[1]) then return string.sub(v, 1, 1) end
end
redis.call('SET', KEYS[1], 'D' .. ARGV[1], 'PX', ARGV[2])
return 'OK'`

	// ARGV: owner.
	releaseScript = `
if redis.call('GET', KEYS[1]) == 'L' .. ARGV[1] then redis.call('DEL', KEYS[1]) end
return 'OK'`
)

// Claims returns a [webhook.Claims] that all replicas share, so that each
// delivery is handled once. A claim takes one round trip and its commit another.
// The keys of deliveries are in the store as digests alone, each for as long as
// webhook.HandlerConfig says.
//
// While the store does not answer, claims fail as [kyckit.ErrUnavailable], which
// makes senders try again. A claim that lands in the store after its caller has
// given up is released.
func (s *Store) Claims() webhook.Claims { return claims{s} }

type claims struct{ store *Store }

// Claim implements webhook.Claims.
func (c claims) Claim(ctx context.Context, key string, lease time.Duration) (webhook.Claim, error) {
	if err := c.store.made(); err != nil {
		return nil, err
	}
	names := c.store.digests("claim", key)
	for i, name := range names {
		names[i] = c.store.key("claim:" + name)
	}
	taken := &claim{store: c.store, keys: names, owner: rand.Text()}
	late := func(_ any, err error) { taken.giveBack(err) } //nolint:contextcheck // its caller's has ended
	v, err := c.store.eval(ctx, claimScript, names, late, taken.owner, millis(lease))
	if err != nil {
		if ctx.Err() == nil && !errors.Is(err, errBusy) {
			go taken.giveBack(err) //nolint:contextcheck // the caller's is no measure for what was lost
		}
		return nil, failure("claim", err)
	}
	if err := claimed(v); err != nil {
		return nil, err
	}
	return taken, nil
}

// claimed is what an answer of the scripts means.
func claimed(v any) error {
	switch v {
	case "OK":
		return nil
	case "D":
		return webhook.ErrDuplicate
	case "L":
		return webhook.ErrInProgress
	}
	return failure("claim", errors.New("another program writes to the key"))
}

// claim implements webhook.Claim. It holds no personal data.
type claim struct {
	store *Store
	keys  []string
	owner string
}

// Commit implements webhook.Claim.
func (c *claim) Commit(ctx context.Context, keep time.Duration) error {
	v, err := c.store.eval(ctx, commitScript, c.keys, nil, c.owner, millis(keep))
	if err != nil {
		return failure("commit", err)
	}
	return claimed(v)
}

// Release implements webhook.Claim.
func (c *claim) Release(ctx context.Context) error {
	if _, err := c.store.eval(ctx, releaseScript, c.keys[:1], nil, c.owner); err != nil {
		return failure("release", err)
	}
	return nil
}

// lateAfter is when a claim whose answer was lost is given back, again and again:
// a store that stood still runs what it got before it notices that its client
// has left.
var lateAfter = [...]time.Duration{0, time.Second, 5 * time.Second, 15 * time.Second}

// giveBack releases a claim that nobody has: at once when it was answered late,
// else as soon as the store answers. Between its attempts it owns no goroutine.
func (c *claim) giveBack(lost error) { c.tryGiveBack(lost, 0) }

func (c *claim) tryGiveBack(lost error, attempt int) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second) //nolint:forbidigo // belongs to no call
	err := c.Release(ctx)
	cancel()
	if next := attempt + 1; next < len(lateAfter) && (err != nil || lost != nil && attempt == 0) {
		time.AfterFunc(lateAfter[next], func() { c.tryGiveBack(lost, next) })
	}
}
