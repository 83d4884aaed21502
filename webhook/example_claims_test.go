package webhook_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/kyckit/kyckit/webhook"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

// sharedClaims shows the Claims of a database that all replicas use. The
// comments hold the statements; here a map stands for the table.
//
//	CREATE TABLE claims (
//		key   char(64) PRIMARY KEY, -- SHA-256, since keys may be long and personal
//		owner char(26) NOT NULL,    -- so that nobody ends the claim of another
//		until timestamptz NOT NULL,
//		done  boolean NOT NULL DEFAULT false
//	)
type sharedClaims struct {
	mu   sync.Mutex
	rows map[string]row
}

type row struct {
	owner string
	until time.Time
	done  bool
}

func (s *sharedClaims) Claim(ctx context.Context, key string, lease time.Duration) (webhook.Claim, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(key))
	c := &sharedClaim{store: s, key: hex.EncodeToString(sum[:]), owner: rand.Text()}
	s.mu.Lock()
	defer s.mu.Unlock()
	// INSERT INTO claims (key, owner, until) VALUES ($1, $2, now() + $3)
	// ON CONFLICT (key) DO UPDATE SET owner = $2, until = now() + $3, done = false WHERE claims.until < now()
	old, taken := s.rows[c.key]
	if !taken || old.until.Before(time.Now()) {
		s.rows[c.key] = row{owner: c.owner, until: time.Now().Add(lease)}
		return c, nil
	}
	// No row was changed: SELECT done FROM claims WHERE key = $1
	if old.done {
		return nil, webhook.ErrDuplicate
	}
	return nil, webhook.ErrInProgress
}

type sharedClaim struct {
	store      *sharedClaims
	key, owner string
}

func (c *sharedClaim) Commit(_ context.Context, keep time.Duration) error {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	// UPDATE claims SET done = true, until = now() + $3 WHERE key = $1 AND owner = $2
	if c.store.rows[c.key].owner != c.owner {
		return webhook.ErrInProgress // the lease ended, and another replica has it
	}
	c.store.rows[c.key] = row{owner: c.owner, until: time.Now().Add(keep), done: true}
	return nil
}

func (c *sharedClaim) Release(context.Context) error {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	// DELETE FROM claims WHERE key = $1 AND owner = $2 AND NOT done
	if r := c.store.rows[c.key]; r.owner == c.owner && !r.done {
		delete(c.store.rows, c.key)
	}
	return nil
}

// With a store that all replicas share, each delivery is handled once among
// them.
func ExampleClaims() {
	var store webhook.Claims = &sharedClaims{rows: map[string]row{}} // HandlerConfig.Claims of every replica
	ctx := context.Background()

	first, err := store.Claim(ctx, "msg_1", time.Minute)
	fmt.Println("first:", err)
	_, err = store.Claim(ctx, "msg_1", time.Minute)
	fmt.Println("while it is handled:", errors.Is(err, webhook.ErrInProgress))
	fmt.Println("commit:", first.Commit(ctx, 72*time.Hour))
	_, err = store.Claim(ctx, "msg_1", time.Minute)
	fmt.Println("afterwards:", errors.Is(err, webhook.ErrDuplicate))
	// Output:
	// first: <nil>
	// while it is handled: true
	// commit: <nil>
	// afterwards: true
}

// The contract of a store is tested by webhooktest.TestClaims.
func TestSharedClaims(t *testing.T) {
	replica := &sharedClaims{rows: map[string]row{}}
	webhooktest.TestClaims(t, replica, replica)
}
