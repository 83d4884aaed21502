package webhooktest

import (
	"context"
	"crypto/rand"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kyckit/kyckit/webhook"
)

// TestClaims tests a webhook.Claims of your own: it fails t for everything in
// which the store does not do what NewHandler relies on.
//
//	func TestStore(t *testing.T) { webhooktest.TestClaims(t, newStore(t)) }
//
// Several Claims are several views of one store, such as those of two replicas,
// and are used in turn. The store may hold other keys: those of the test begin
// with "webhooktest" and a random text. It takes about two seconds, because
// leases have to end.
func TestClaims(t *testing.T, claims ...webhook.Claims) {
	t.Helper()
	if len(claims) == 0 {
		t.Fatal("webhooktest: TestClaims was given no Claims")
	}
	for _, c := range []struct {
		name string
		test func(*claimsTest)
	}{
		{"a claimed delivery is in progress", (*claimsTest).inProgress},
		{"a released delivery can be claimed", (*claimsTest).released},
		{"a committed delivery is a duplicate", (*claimsTest).committed},
		{"a lease ends", (*claimsTest).leaseEnds},
		{"a late commit counts if nobody else came", (*claimsTest).lateCommit},
		{"a late release takes nothing away", (*claimsTest).lateRelease},
		{"a late commit takes nothing away", (*claimsTest).lateCommitOfAnother},
		{"any key", (*claimsTest).keys},
		{"any duration", (*claimsTest).durations},
		{"an ended context", (*claimsTest).endedContext},
		{"many at once", (*claimsTest).concurrently},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.test(&claimsTest{T: t, claims: claims, key: "webhooktest" + rand.Text()})
		})
	}
}

const (
	longLease  = time.Hour
	shortLease = 100 * time.Millisecond
	// leaseWait is how long a store may take to notice the end of a lease.
	leaseWait = 5 * time.Second
)

// claimsTest is one of the tests, with a key of its own.
type claimsTest struct {
	*testing.T
	claims []webhook.Claims
	key    string

	mu   sync.Mutex
	next int
}

// try claims a key at the next view of the store.
func (c *claimsTest) try(key string, lease time.Duration) (webhook.Claim, error) {
	c.mu.Lock()
	view := c.claims[c.next%len(c.claims)]
	c.next++
	c.mu.Unlock()
	claim, err := view.Claim(c.Context(), key, lease)
	if err == nil && claim == nil {
		err = errors.New("neither a claim nor an error")
	}
	return claim, err
}

func (c *claimsTest) claim(key string, lease time.Duration) webhook.Claim {
	c.Helper()
	claim, err := c.try(key, lease)
	if err != nil {
		c.Fatalf("Claim: %v", err)
	}
	return claim
}

// claimOnceFree claims the test's key as soon as its lease has ended.
func (c *claimsTest) claimOnceFree() webhook.Claim {
	c.Helper()
	for end := time.Now().Add(leaseWait); ; time.Sleep(shortLease / 4) {
		claim, err := c.try(c.key, longLease)
		if err == nil {
			return claim
		}
		if !errors.Is(err, webhook.ErrInProgress) || time.Now().After(end) {
			c.Fatalf("Claim after the lease of another one: %v", err)
		}
	}
}

// refused demands that a key cannot be claimed, at any view of the store.
func (c *claimsTest) refused(key string, want error) {
	c.Helper()
	for range c.claims {
		if _, err := c.try(key, longLease); !errors.Is(err, want) {
			c.Fatalf("Claim: error %v, want %v", err, want)
		}
	}
}

func (c *claimsTest) must(what string, err error) {
	c.Helper()
	if err != nil {
		c.Fatalf("%s: %v", what, err)
	}
}

func (c *claimsTest) inProgress() {
	c.claim(c.key, longLease)
	c.refused(c.key, webhook.ErrInProgress)
	c.claim(c.key+"another", longLease)
}

func (c *claimsTest) released() {
	for range 2 {
		claim := c.claim(c.key, longLease)
		c.refused(c.key, webhook.ErrInProgress)
		c.must("Release", claim.Release(c.Context()))
	}
}

func (c *claimsTest) committed() {
	claim := c.claim(c.key, longLease)
	c.must("Commit", claim.Commit(c.Context(), longLease))
	c.refused(c.key, webhook.ErrDuplicate)
	// The answer to a commit may get lost, so it may be repeated.
	if err := claim.Commit(c.Context(), longLease); err != nil && !errors.Is(err, webhook.ErrDuplicate) {
		c.Errorf("a repeated Commit: error %v, want none or ErrDuplicate", err)
	}
	c.refused(c.key, webhook.ErrDuplicate)
}

func (c *claimsTest) leaseEnds() {
	c.claim(c.key, shortLease)
	c.claimOnceFree()
	c.refused(c.key, webhook.ErrInProgress)
}

func (c *claimsTest) lateCommit() {
	claim := c.claim(c.key, shortLease)
	time.Sleep(3 * shortLease)
	c.must("Commit after the lease", claim.Commit(c.Context(), longLease))
	c.refused(c.key, webhook.ErrDuplicate)
}

func (c *claimsTest) lateRelease() {
	late := c.claim(c.key, shortLease)
	holder := c.claimOnceFree()
	_ = late.Release(c.Context())
	c.refused(c.key, webhook.ErrInProgress)
	c.must("Commit", holder.Commit(c.Context(), longLease))
	_ = late.Release(c.Context())
	c.refused(c.key, webhook.ErrDuplicate)
}

func (c *claimsTest) lateCommitOfAnother() {
	late := c.claim(c.key, shortLease)
	holder := c.claimOnceFree()
	_ = late.Commit(c.Context(), longLease) // may fail, and may count: it was handled
	if _, err := c.try(c.key, longLease); !errors.Is(err, webhook.ErrInProgress) && !errors.Is(err, webhook.ErrDuplicate) {
		c.Fatalf("Claim of a delivery that two have taken: %v", err)
	}
	if err := holder.Commit(c.Context(), longLease); err != nil && !errors.Is(err, webhook.ErrDuplicate) {
		c.Fatalf("Commit of the one that has it: %v", err)
	}
	c.refused(c.key, webhook.ErrDuplicate)
}

// keys: a sender chooses keys, so they may hold anything, and two that look
// alike are two.
func (c *claimsTest) keys() {
	for _, key := range []string{
		c.key, strings.ToLower(c.key) + "a", strings.ToLower(c.key) + "A", c.key + " ", c.key + "\n", c.key + "\x00", c.key + "\xff\xfe", c.key + "ü", c.key + "u\u0308",
		c.key + "*", c.key + "{a}", c.key + ":a", c.key + "'; --", c.key + strings.Repeat("x", 64<<10), c.key + strings.Repeat("x", 64<<10) + "y",
	} {
		claim := c.claim(key, longLease)
		c.refused(key, webhook.ErrInProgress)
		c.must("Commit", claim.Commit(c.Context(), longLease))
		c.refused(key, webhook.ErrDuplicate)
	}
}

// durations: a handler's Lease and Keep may be "forever", which must not end in
// the past.
func (c *claimsTest) durations() {
	for _, d := range []time.Duration{math.MaxInt64, 250 * 365 * 24 * time.Hour, time.Hour + time.Nanosecond} {
		key := c.key + d.String()
		claim := c.claim(key, d)
		c.refused(key, webhook.ErrInProgress)
		c.must("Commit", claim.Commit(c.Context(), d))
		c.refused(key, webhook.ErrDuplicate)
	}
}

func (c *claimsTest) endedContext() {
	ctx, cancel := context.WithCancel(c.Context())
	cancel()
	switch _, err := c.claims[0].Claim(ctx, c.key, shortLease); {
	case err == nil:
		c.Error("Claim with an ended context: no error, so the store does not heed it")
	case errors.Is(err, webhook.ErrDuplicate), errors.Is(err, webhook.ErrInProgress):
		c.Errorf("Claim with an ended context: %v, so a delivery that nobody has would be lost", err)
	}
	c.claimOnceFree()
}

// concurrently: of many that claim a delivery at once, one has it.
func (c *claimsTest) concurrently() {
	const callers, deliveries = 16, 20
	for i := range deliveries {
		key := c.key + strings.Repeat("i", i)
		var mu sync.Mutex
		var won []webhook.Claim
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				claim, err := c.try(key, longLease)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					won = append(won, claim)
				case !errors.Is(err, webhook.ErrInProgress):
					c.Errorf("Claim of what another caller has: error %v, want ErrInProgress", err)
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			c.Fatalf("%d of %d callers that came at once were given the same delivery", len(won), callers)
		}
		c.must("Commit", won[0].Commit(c.Context(), longLease))
		c.refused(key, webhook.ErrDuplicate)
	}
}
