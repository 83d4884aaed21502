package redisstore_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
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
	limits := many
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

// For longer than a minute a real server is paused, loses its scripts, its keys and
// its answers, evicts, is killed and comes back: nothing is over a limit, every replica
// falls back and returns, and no caller is held.
func TestTheBudgetOnARealServer(t *testing.T) {
	srv := startServer(t)
	t.Parallel()
	p := startProxy(t, srv.addr)
	tt := newTenant(t, srv.client(func(o *redis.Options) { o.Addr, o.ReadTimeout = p.addr, time.Second }))
	ctx, cancel := context.WithCancel(t.Context())
	all := tt.busy(ctx)
	admin := srv.client()
	away := func(what string) {
		t.Helper()
		tt.within(8*time.Second, "all fall back: "+what, func() bool { return tt.fallback() == 4 })
	}
	back := func(what string) {
		t.Helper()
		tt.within(20*time.Second, "all are back: "+what, func() bool { return tt.fallback() == 0 })
	}
	time.Sleep(8 * time.Second)
	assert.Zero(t, tt.fallback())
	before := tt.fake.Count("status")
	time.Sleep(10 * time.Second)
	assert.GreaterOrEqual(t, tt.fake.Count("status")-before, 35, "most of the budget is used, 5 a second")

	require.NoError(t, admin.ScriptFlush(ctx).Err())
	require.NoError(t, admin.Do(ctx, "CLIENT", "PAUSE", "10000", "ALL").Err())
	paused := time.Now()
	away("paused")
	_, err := tt.pollers[3].Request(ctx, "2000000000")
	require.NoError(t, err)
	assert.Less(t, time.Since(paused), 10*time.Second, "a caller is not held for as long as the store stands still")
	time.Sleep(time.Until(paused.Add(10 * time.Second)))
	back("after the pause")

	// One answer in ten is lost on its way, and with it sometimes the connection.
	var n atomic.Int64
	spoil := func(conn net.Conn, _ []byte) bool {
		k := n.Add(1)
		if k%20 == 0 {
			_ = conn.Close()
		}
		return k%10 != 0
	}
	p.spoil.Store(&spoil)
	time.Sleep(8 * time.Second)
	p.spoil.Store(nil)
	assert.Greater(t, n.Load(), int64(20))
	back("all answers come again")

	require.NoError(t, admin.FlushAll(ctx).Err())
	time.Sleep(5 * time.Second)
	assert.Zero(t, tt.fallback())

	// A full server that evicts all it has, the budget too, and then refuses to write.
	require.NoError(t, admin.ConfigSet(ctx, "maxmemory-policy", "allkeys-lru").Err())
	require.NoError(t, admin.ConfigSet(ctx, "maxmemory", "1").Err())
	away("full")
	assert.Positive(t, info(t, admin, "stats", "evicted_keys"))
	require.NoError(t, admin.ConfigSet(ctx, "maxmemory", "0").Err())
	back("there is room again")

	srv.kill()
	away("killed")
	time.Sleep(3 * time.Second)
	srv.start()
	back("restarted")
	time.Sleep(12 * time.Second)

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

// info is a number of INFO.
func info(t *testing.T, client *redis.Client, section, field string) (n int) {
	t.Helper()
	text, err := client.Info(t.Context(), section).Result()
	require.NoError(t, err)
	for line := range strings.Lines(text) {
		_, _ = fmt.Sscanf(line, field+":%d", &n)
	}
	return n
}

// exchange bids as a replica until it may make a check, and returns that bid and its
// answer.
func exchange(t *testing.T, b nafath.Budget, replica string) (nafath.Bid, nafath.Grant) {
	t.Helper()
	bid := nafath.Bid{Replica: replica, Replicas: 2, Limits: many, Full: true}
	bid.Wants[nafath.StatusChecks] = nafath.Want{Score: 1, Soon: 1, Rest: 1}
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		bid.Number++
		g, err := b.Exchange(t.Context(), bid)
		require.NoError(t, err)
		if g.Granted[nafath.StatusChecks] {
			return bid, g
		}
		bid.Known, bid.Peers, bid.Full = g.Mark, g.Peers, g.Resend
	}
	t.Fatal("nothing is granted")
	return bid, nafath.Grant{}
}

// useBudget uses all that a Budget has.
func useBudget(t *testing.T, b nafath.Budget) {
	t.Helper()
	const person = "1000000008"
	bid, grant := exchange(t, b, "one")
	again, err := b.Exchange(t.Context(), bid)
	require.NoError(t, err)
	require.Equal(t, grant, again, "a bid that is repeated changes nothing")
	hold := func(replica string, take bool) bool {
		held, err := b.Hold(t.Context(), replica, person, time.Minute, take)
		require.NoError(t, err)
		return held
	}
	require.True(t, hold("one", false))
	require.True(t, hold("one", false), "again")
	require.False(t, hold("two", false))
	require.True(t, hold("two", true), "taken over")
	require.NoError(t, b.Free(t.Context(), "one", person), "late")
	require.False(t, hold("one", false))
	require.NoError(t, b.Free(t.Context(), "two", person))
	require.NoError(t, b.Free(t.Context(), "two", person), "again")
	require.True(t, hold("one", false))
	require.NoError(t, b.Free(t.Context(), "one", person))
	require.NoError(t, b.Leave(t.Context(), "one"))
	require.NoError(t, b.Leave(t.Context(), "one"), "again")
	bid.Number++
	late, err := b.Exchange(t.Context(), bid)
	require.NoError(t, err)
	require.Equal(t, [nafath.Operations]bool{}, late.Granted, "who left gets nothing")
}

// losing is a client of which the first answer to each script is lost.
type losing struct {
	redisstore.Client
	armed *atomic.Bool
}

func (l losing) Eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	l.armed.Store(true)
	return l.Client.Eval(ctx, script, keys, args...)
}

// Each answer of the budget is lost, by itself or with its connection, and go-redis
// repeats the script.
func TestTheBudgetsAnswersAreLost(t *testing.T) {
	srv := startServer(t)
	t.Parallel()
	p := startProxy(t, srv.addr)
	for name, lose := range map[string]func(net.Conn){"closed": func(c net.Conn) { _ = c.Close() }, "swallowed": func(net.Conn) {}} {
		t.Run(name, func(t *testing.T) {
			tenant := func(c *redisstore.Config) { c.Tenant = name }
			client := srv.client(func(o *redis.Options) { o.Addr, o.ReadTimeout = p.addr, time.Second })
			require.NoError(t, client.Ping(t.Context()).Err()) // its connection is made before anything is lost
			var armed atomic.Bool
			var lost atomic.Int64
			spoil := func(c net.Conn, _ []byte) bool {
				if !armed.Swap(false) {
					return true
				}
				lost.Add(1)
				lose(c)
				return false
			}
			p.spoil.Store(&spoil)
			defer p.spoil.Store(nil)
			useBudget(t, newStore(t, losing{client, &armed}, tenant).Budget())
			assert.Greater(t, lost.Load(), int64(10))
		})
	}
}

var _ redisstore.Client = (*redis.Client)(nil)
