package webhooktest_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/webhook"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

func TestClaimsInMemory(t *testing.T) {
	claims := webhook.NewMemoryClaims(webhook.MemoryClaimsConfig{})
	webhooktest.TestClaims(t, claims)
	webhooktest.TestClaims(t, claims, claims)
}

// badClaims is a store in memory with one fault.
type badClaims struct {
	fault string
	mu    sync.Mutex
	state map[string]*badClaim
}

type badClaim struct {
	owner     *badClaims
	key       string
	until     time.Time
	committed bool
}

func (b *badClaims) Claim(ctx context.Context, key string, lease time.Duration) (webhook.Claim, error) {
	if ctx.Err() != nil && b.fault != "ignores the context" {
		return nil, ctx.Err()
	}
	switch b.fault {
	case "folds case":
		key = strings.ToLower(key)
	case "cuts keys":
		key = key[:min(len(key), 1000)]
	case "overflows":
		lease = min(lease, 1<<62)
		if lease == 1<<62 {
			lease = -1
		}
	}
	b.mu.Lock()
	old := b.state[key]
	if b.fault == "races" {
		b.mu.Unlock()
		time.Sleep(time.Millisecond)
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	switch {
	case old == nil:
	case old.committed:
		if b.fault == "wrong error" {
			return nil, webhook.ErrInProgress
		}
		return nil, webhook.ErrDuplicate
	case b.fault == "leases never end" || time.Now().Before(old.until):
		return nil, webhook.ErrInProgress
	}
	c := &badClaim{owner: b, key: key, until: time.Now().Add(lease)}
	if lease > 1<<61 {
		c.until = time.Now().Add(1 << 61)
	}
	b.state[key] = c
	return c, nil
}

func (c *badClaim) Commit(context.Context, time.Duration) error {
	c.owner.mu.Lock()
	defer c.owner.mu.Unlock()
	if c.owner.fault == "late commits are lost" && !time.Now().Before(c.until) {
		return nil
	}
	if c.owner.fault != "commits nothing" {
		c.owner.state[c.key] = &badClaim{committed: true}
	}
	return nil
}

func (c *badClaim) Release(context.Context) error {
	c.owner.mu.Lock()
	defer c.owner.mu.Unlock()
	switch now := c.owner.state[c.key]; {
	case c.owner.fault == "releases nothing":
	case now == c, c.owner.fault == "releases others'":
		delete(c.owner.state, c.key)
	}
	return nil
}

// TestClaimsFindsFaults runs this test binary again for each fault of a store:
// TestClaims must fail, and must not for the store without.
func TestClaimsFindsFaults(t *testing.T) {
	const env = "WEBHOOKTEST_FAULT"
	if fault, ok := os.LookupEnv(env); ok {
		webhooktest.TestClaims(t, &badClaims{fault: fault, state: map[string]*badClaim{}})
		return
	}
	for _, fault := range []string{
		"", "ignores the context", "folds case", "cuts keys", "overflows", "races", "wrong error", "leases never end",
		"late commits are lost", "commits nothing", "releases nothing", "releases others'",
	} {
		t.Run("fault "+fault, func(t *testing.T) {
			t.Parallel()
			exe, err := os.Executable()
			require.NoError(t, err)
			cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestClaimsFindsFaults$", "-test.count=1", "-test.failfast")
			cmd.Env = append(os.Environ(), env+"="+fault)
			var out bytes.Buffer
			cmd.Stdout = &out
			err = cmd.Run()
			if fault == "" {
				require.NoError(t, err, out.String())
				return
			}
			require.Error(t, err, "the fault was not found")
			assert.Contains(t, out.String(), "--- FAIL: TestClaimsFindsFaults/")
		})
	}
}
