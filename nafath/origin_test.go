package nafath_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
)

type callerKey struct{}

// A Trace learns of a Poller's calls on whose behalf they are made.
func TestCallsOfAPollerSayForWhom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := nafathtest.NewServer(nafathtest.Config{Options: kyctest.Options{InMemory: true}})
		defer fake.Close()
		var mu sync.Mutex
		seen := map[string]map[any]bool{}
		trace := &kyckit.Trace{Call: func(ctx context.Context, info kyckit.CallInfo) (context.Context, func(kyckit.CallEnd)) {
			var who any = "the caller's own"
			if caller, ok := nafath.Origin(ctx); ok {
				if who = "nobody"; caller != nil {
					who = caller.Value(callerKey{})
				}
			}
			mu.Lock()
			defer mu.Unlock()
			if seen[info.Op] == nil {
				seen[info.Op] = map[any]bool{}
			}
			seen[info.Op][who] = true
			return ctx, nil
		}}
		client, err := nafath.New(nafath.Config{
			BaseURL: fake.URL, Auth: auth.Static(kyckit.NewSecret(fake.IssueToken(time.Hour))), HTTP: kyckit.HTTP{Client: fake.Client(), Trace: trace},
		})
		require.NoError(t, err)
		p, err := nafath.NewPoller(nafath.PollerConfig{Client: client})
		require.NoError(t, err)
		defer func() { _ = p.Close() }()

		ctx := context.WithValue(t.Context(), callerKey{}, "Noura")
		_, err = p.Verify(ctx, "1000000008", func(tx nafath.Transaction) { _ = fake.Approve(tx.TransID, tx.Random) })
		require.NoError(t, err)
		assert.Equal(t, map[any]bool{"the caller's own": true}, seen["request"])
		assert.Equal(t, map[any]bool{"Noura": true}, seen["status"])
		assert.Equal(t, map[any]bool{"Noura": true}, seen["details"])

		clear(seen)
		v, err := p.Begin("1000000016")
		require.NoError(t, err)
		for u := range v.Updates(t.Context()) {
			if u.Stage == nafath.StageOpen {
				_ = fake.Approve(u.Transaction.TransID, u.Transaction.Random)
			}
		}
		assert.Equal(t, map[any]bool{"nobody": true}, seen["status"])
		_, err = client.Status(ctx, nafath.Transaction{TransID: "x", Random: "07", NationalID: "1000000008"})
		require.Error(t, err)
		assert.True(t, seen["status"]["the caller's own"])
	})
}
