package redisstore_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
	"github.com/kyckit/kyckit/redisstore"
)

// tenant is four Pollers of one tenant on a real server, 300 checks a minute.
type tenant struct {
	t       *testing.T
	fake    *nafathtest.Server
	pollers []*nafath.Poller
}

func newTenant(t *testing.T, client redisstore.Client) *tenant {
	t.Helper()
	limits := nafath.Limits{Requests: 300, StatusChecks: 300, Details: 300}
	tt := &tenant{t: t, fake: nafathtest.NewServer(nafathtest.Config{Options: kyctest.Options{Discard: true}, Limits: limits, Lifetime: time.Hour})}
	t.Cleanup(tt.fake.Close)
	store, err := redisstore.New(redisstore.Config{Client: client, Tenant: "test", Key: kyckit.NewSecret(testKey)})
	require.NoError(t, err)
	for range 4 {
		nc, err := nafath.New(tt.fake.ClientConfig())
		require.NoError(t, err)
		p, err := nafath.NewPoller(nafath.PollerConfig{Client: nc, Limits: limits, Budget: store.Budget(), Replicas: 4, Signals: store.Signals()})
		require.NoError(t, err)
		t.Cleanup(func() {
			begin := time.Now()
			assert.NoError(t, p.Close())
			assert.Less(t, time.Since(begin), 9*time.Second)
		})
		tt.pollers = append(tt.pollers, p)
	}
	return tt
}

// busy keeps 40 people waiting at the replicas, most of them at the first, and has
// one more come each second until stop is closed.
func (tt *tenant) busy(ctx context.Context) *sync.WaitGroup {
	var all sync.WaitGroup
	watch := func(i int) {
		p := tt.pollers[(i%3*i)%4]
		if tx, err := p.Request(ctx, fmt.Sprintf("1%09d", i)); err == nil {
			_, _ = p.Wait(ctx, tx)
		}
	}
	for i := range 40 {
		all.Go(func() { watch(i) })
	}
	all.Go(func() {
		for i := 40; ctx.Err() == nil; i++ {
			all.Go(func() { watch(i) })
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
	})
	return &all
}

func (tt *tenant) fallback() (n int) {
	for _, p := range tt.pollers {
		if p.Stats().Fallback {
			n++
		}
	}
	return n
}

func (tt *tenant) within(limit time.Duration, what string, ok func() bool) {
	tt.t.Helper()
	assert.Eventually(tt.t, ok, limit, 50*time.Millisecond, what)
}

// A real server is paused, loses its scripts and its keys, is killed and comes back:
// nothing is over a limit, and every replica falls back and returns in time.
func TestTheBudgetOnARealServer(t *testing.T) {
	srv := startServer(t)
	client := srv.client()
	tt := newTenant(t, client)
	ctx, cancel := context.WithCancel(t.Context())
	all := tt.busy(ctx)
	admin := srv.client()
	time.Sleep(8 * time.Second)
	assert.Zero(t, tt.fallback())
	before := tt.fake.Count("status")
	time.Sleep(10 * time.Second)
	assert.GreaterOrEqual(t, tt.fake.Count("status")-before, 35, "most of the budget is used, 5 a second")

	require.NoError(t, admin.ScriptFlush(ctx).Err())
	require.NoError(t, admin.Do(ctx, "CLIENT", "PAUSE", "10000", "ALL").Err())
	tt.within(4*time.Second, "all fall back", func() bool { return tt.fallback() == 4 })
	time.Sleep(6500 * time.Millisecond)
	tt.within(11*time.Second, "all are back after the pause", func() bool { return tt.fallback() == 0 })

	require.NoError(t, admin.FlushAll(ctx).Err())
	time.Sleep(5 * time.Second)
	assert.Zero(t, tt.fallback())

	srv.kill()
	tt.within(4*time.Second, "all fall back", func() bool { return tt.fallback() == 4 })
	time.Sleep(3 * time.Second)
	srv.start()
	tt.within(11*time.Second, "all are back after the restart", func() bool { return tt.fallback() == 0 })
	time.Sleep(5 * time.Second)

	for _, op := range []string{"request", "status", "details"} {
		assert.Zero(t, tt.fake.Limited(op), "%s over the limit", op)
	}
	keys, err := admin.Keys(ctx, "*").Result()
	require.NoError(t, err)
	for _, key := range keys {
		ttl, err := admin.PTTL(ctx, key).Result()
		require.NoError(t, err)
		assert.Positive(t, ttl, key)
	}
	cancel()
	all.Wait()
}

var _ redisstore.Client = (*redis.Client)(nil)
