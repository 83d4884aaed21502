package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
)

// cluster is a tenant whose replicas share a store, in virtual time.
type cluster struct {
	t        *testing.T
	fake     *nafathtest.Server
	redis    *miniredis.Miniredis
	replicas []*replica
	begin    time.Time
	scripts  atomic.Int64
	twice    atomic.Bool // each script is sent twice
	mute     atomic.Bool // scripts run and their answers are lost
	slow     atomic.Bool // scripts run late
	old      []*replica

	mu     sync.Mutex
	delays []time.Duration
	lost   int
}

// replica is one process of a cluster.
type replica struct {
	c      *cluster
	poller *nafath.Poller
	down   atomic.Bool // its way to the store is cut
	dead   atomic.Bool
}

var errCut = errors.New("cut off")

// link is a replica's client of the store.
type link struct {
	Client
	r *replica
}

func (l link) Eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	fail := func(err error) *redis.Cmd {
		cmd := redis.NewCmd(ctx)
		cmd.SetErr(err)
		return cmd
	}
	time.Sleep(time.Millisecond)
	if l.r.down.Load() || l.r.dead.Load() {
		time.Sleep(3 * time.Second)
		return fail(errCut)
	}
	if l.r.c.slow.Load() {
		time.Sleep(300*time.Millisecond + rand.N(2*time.Second))
	}
	l.r.c.scripts.Add(1)
	cmd := l.Client.Eval(ctx, script, keys, args...)
	if l.r.c.twice.Load() {
		again := l.Client.Eval(ctx, script, keys, args...)
		if script == budgetScript {
			assert.Equal(l.r.c.t, cmd.Val(), again.Val(), "the same bid has the same answer")
		}
	}
	if l.r.c.mute.Load() {
		return fail(errCut)
	}
	return cmd
}

// RoundTrip lets the fake answer without a network, and notes arrivals.
func (r *replica) RoundTrip(req *http.Request) (resp *http.Response, err error) {
	if r.dead.Load() {
		return nil, errCut
	}
	time.Sleep(50 * time.Millisecond)
	defer func() {
		if broken := recover(); broken != nil {
			resp, err = nil, cmp.Or(req.Context().Err(), io.ErrUnexpectedEOF)
		}
	}()
	rec := httptest.NewRecorder()
	r.c.fake.ServeHTTP(rec, req)
	time.Sleep(50 * time.Millisecond)
	return rec.Result(), nil
}

var limits = nafath.Limits{Requests: 10, StatusChecks: 60, Details: 30}

func newCluster(t *testing.T, n int) *cluster {
	t.Helper()
	c := &cluster{t: t, redis: miniredis.NewMiniRedis(), begin: time.Now()}
	c.fake = nafathtest.NewServer(nafathtest.Config{Options: kyctest.Options{InMemory: true, Discard: true}, Limits: limits, Lifetime: 180 * time.Second})
	for range n {
		c.replicas = append(c.replicas, c.join(n))
	}
	return c
}

// join starts a replica.
func (c *cluster) join(most int) *replica {
	r := &replica{c: c}
	client := redis.NewClient(&redis.Options{
		Dialer: func(context.Context, string, string) (net.Conn, error) { return c.redis.Dial() },
		Addr:   "127.0.0.1:1", MaxRetries: -1, PoolSize: 4,
	})
	store, err := New(Config{Client: link{client, r}, Tenant: "t", Key: kyckit.NewSecret("0123456789abcdef0123456789abcdef")})
	require.NoError(c.t, err)
	cfg := c.fake.ClientConfig()
	cfg.HTTP = kyckit.HTTP{Client: &http.Client{Transport: r}, Retry: kyckit.Retry{MaxAttempts: 1}}
	nc, err := nafath.New(cfg)
	require.NoError(c.t, err)
	r.poller, err = nafath.NewPoller(nafath.PollerConfig{Client: nc, Limits: limits, Budget: store.Budget(), Replicas: most})
	require.NoError(c.t, err)
	c.t.Cleanup(func() { _ = client.Close() })
	return r
}

func (c *cluster) close() {
	for _, r := range append(c.replicas, c.old...) {
		assert.NoError(c.t, r.poller.Close())
	}
	time.Sleep(time.Minute) // for calls of the store that nobody waits for
	c.fake.Close()
	c.redis.Close()
}

// people lets so many people come, 8 a minute, to the replica that pick names, and
// waits for them all.
func (c *cluster) people(n int, pick func(i int) *replica) {
	rng := rand.New(rand.NewPCG(1, 2))
	var all sync.WaitGroup
	for i := range n {
		time.Sleep(time.Duration(rng.ExpFloat64() * float64(time.Minute) / 8))
		act := time.Duration(20 * math.Exp(0.75*rng.NormFloat64()) * float64(time.Second))
		r := pick(i)
		all.Go(func() { c.person(r, i, act) })
	}
	all.Wait()
}

func (c *cluster) person(r *replica, i int, act time.Duration) {
	tx, err := r.poller.Request(context.Background(), fmt.Sprintf("1%09d", i))
	if errors.Is(err, nafath.ErrClosed) { // replaced while it waited for its slot
		r = c.alive(i)
		tx, err = r.poller.Request(context.Background(), fmt.Sprintf("1%09d", i))
	}
	if err != nil {
		c.miss(r)
		return
	}
	if act < 180*time.Second {
		time.AfterFunc(act, func() { _ = c.fake.Approve(tx.TransID, tx.Random) })
	}
	status, _ := r.poller.Wait(context.Background(), tx)
	switch {
	case act >= 180*time.Second:
	case status == nafath.StatusCompleted:
		c.mu.Lock()
		c.delays = append(c.delays, time.Since(tx.CreatedAt.Add(act)))
		c.mu.Unlock()
		_, err := r.poller.Resume(context.Background(), tx)
		if errors.Is(err, nafath.ErrClosed) {
			_, err = c.alive(i).poller.Resume(context.Background(), tx)
		}
		if err != nil {
			c.miss(r)
		}
	default:
		c.miss(r)
	}
}

// miss counts people who got nothing, those of a dead replica aside.
func (c *cluster) miss(r *replica) {
	if !r.dead.Load() {
		c.mu.Lock()
		c.lost++
		c.mu.Unlock()
	}
}

func (c *cluster) mean() float64 {
	sum := 0.0
	for _, d := range c.delays {
		sum += d.Seconds()
	}
	return sum / float64(len(c.delays))
}

// refused is how many requests were over a limit, by the provider's count.
func (c *cluster) refused() (n int) {
	for _, op := range []string{"request", "status", "details"} {
		n += c.fake.Limited(op)
	}
	return n
}

func (c *cluster) at(when time.Duration, f func()) { time.AfterFunc(when, f) }

func (c *cluster) report() {
	slices.Sort(c.delays)
	c.t.Logf("%d replicas: mean %.2f s, p95 %.2f s of %d, %d lost, %d over a limit, %.1f scripts a second",
		len(c.replicas), c.mean(), c.delays[len(c.delays)*95/100].Seconds(), len(c.delays), c.lost, c.refused(),
		float64(c.scripts.Load())/time.Since(c.begin).Seconds())
}

// alone is the mean delay with one Poller that has the limits to itself: one global
// queue.
func alone(t *testing.T, people int) (mean float64) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 0)
		defer c.close()
		r := &replica{c: c}
		cfg := c.fake.ClientConfig()
		cfg.HTTP = kyckit.HTTP{Client: &http.Client{Transport: r}, Retry: kyckit.Retry{MaxAttempts: 1}}
		client, err := nafath.New(cfg)
		require.NoError(t, err)
		r.poller, err = nafath.NewPoller(nafath.PollerConfig{Client: client, Limits: limits})
		require.NoError(t, err)
		c.replicas = []*replica{r}
		c.people(people, func(int) *replica { return r })
		mean = c.mean()
	})
	return mean
}

func TestReplicasShareTheBudget(t *testing.T) {
	one := alone(t, 200)
	for _, n := range []int{8} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, n)
			defer c.close()
			c.people(200, func(i int) *replica { return c.replicas[i%n] })
			c.report()
			assert.Zero(t, c.refused())
			assert.Zero(t, c.lost)
			assert.LessOrEqual(t, c.mean(), 1.15*one)
			assert.LessOrEqual(t, float64(c.scripts.Load())/time.Since(c.begin).Seconds(), 2*float64(n))
		})
	}
}

func TestOneReplicaMayUseTheWholeBudget(t *testing.T) {
	one := alone(t, 100)
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 6)
		defer c.close()
		c.people(100, func(int) *replica { return c.replicas[2] })
		c.report()
		assert.Zero(t, c.refused())
		assert.Zero(t, c.lost)
		assert.LessOrEqual(t, c.mean(), 1.15*one, "five idle replicas take nothing from it")
	})
}

// disasters are what may happen to a cluster from its third minute on.
var disasters = []struct {
	name string
	do   func(c *cluster)
}{
	{"quiet", func(*cluster) {}},
	{"crash of two", func(c *cluster) {
		c.at(3*time.Minute, func() { c.replicas[0].crash() })
		c.at(5*time.Minute, func() { c.replicas[len(c.replicas)/2].crash() })
	}},
	{"all keys lost twice", func(c *cluster) {
		c.at(3*time.Minute, c.redis.FlushAll)
		c.at(5*time.Minute, c.redis.FlushAll)
	}},
	{"each key lost by itself", func(c *cluster) {
		for minute := 3; minute < 9; minute++ {
			c.at(time.Duration(minute)*time.Minute, func() {
				if keys := c.redis.Keys(); len(keys) > 0 {
					c.redis.Del(keys[minute%len(keys)])
				}
			})
		}
	}},
	{"back in time", func(c *cluster) {
		c.at(3*time.Minute, func() {
			key := "kyckit:{t}:budget"
			fields, _ := c.redis.HKeys(key)
			old := map[string]string{}
			for _, f := range fields {
				old[f] = c.redis.HGet(key, f)
			}
			c.at(40*time.Second, func() {
				c.redis.Del(key)
				for f, v := range old {
					c.redis.HSet(key, f, v)
				}
			})
		})
	}},
	{"the busiest cut off for 3 minutes", func(c *cluster) {
		c.at(3*time.Minute, func() { c.replicas[0].down.Store(true) })
		c.at(6*time.Minute, func() { c.replicas[0].down.Store(false) })
	}},
	{"store down for 2 minutes", func(c *cluster) { c.outage(func() {}) }},
	{"store down for 2 minutes and back empty", func(c *cluster) { c.outage(c.redis.FlushAll) }},
	{"answers lost", func(c *cluster) {
		c.at(3*time.Minute, func() { c.mute.Store(true) })
		c.at(3*time.Minute+40*time.Second, func() { c.mute.Store(false) })
	}},
	{"answers late", func(c *cluster) {
		c.at(3*time.Minute, func() { c.slow.Store(true) })
		c.at(4*time.Minute, func() { c.slow.Store(false) })
	}},
	{"every process replaced", func(c *cluster) {
		for i := range c.replicas {
			c.at(3*time.Minute+time.Duration(i)*20*time.Second, func() { c.replace(i) })
		}
	}},
}

// crash ends a replica as kill -9 does: nothing leaves it any more.
func (r *replica) crash() { r.dead.Store(true) }

func (c *cluster) outage(then func()) {
	c.at(3*time.Minute, func() {
		for _, r := range c.replicas {
			r.down.Store(true)
		}
	})
	c.at(5*time.Minute, func() {
		then()
		for _, r := range c.replicas {
			r.down.Store(false)
		}
	})
}

// replace ends a replica as a deployment does, once those who wait have their
// answer, and starts another.
func (c *cluster) replace(i int) {
	c.mu.Lock()
	old := c.replicas[i]
	c.mu.Unlock()
	fresh := c.join(len(c.replicas) + 1)
	c.mu.Lock()
	c.replicas[i], c.old = fresh, append(c.old, old)
	c.mu.Unlock()
	go func() { _ = old.poller.Drain(context.Background()) }()
}

func TestDisasters(t *testing.T) {
	// All of them for 1 to 12 replicas take a quarter of an hour.
	all, people := os.Getenv("KYCKIT_LONG") != "", 90
	if !all {
		people = 40
	}
	for i, d := range disasters {
		for n := 1; n <= 12; n++ {
			if !all && n != 2+i*7%5 {
				continue
			}
			t.Run(fmt.Sprintf("%s/%d", d.name, n), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := newCluster(t, n)
					defer c.close()
					c.twice.Store(true)
					d.do(c)
					// The first replica has most of the people.
					c.people(people, func(i int) *replica { return c.alive(i % 3 * i % n) })
					c.report()
					assert.Zero(t, c.refused(), "over a limit")
					assert.Zero(t, c.lost)
				})
			})
		}
	}
}

// alive is the i-th replica, or one after it that is not dead.
func (c *cluster) alive(i int) *replica {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k := range c.replicas {
		if r := c.replicas[(i+k)%len(c.replicas)]; !r.dead.Load() {
			return r
		}
	}
	return c.replicas[i]
}

func FuzzAnswersOfTheScript(f *testing.F) {
	f.Add("a.1.2|3|0,1,0|0,1000,0|10.00,60.00,30.00|0|3|1|a=0;b=1500|3|AQ")
	f.Add("|0|0,0,0|1000,1000,1000|0,0,0|0|0|0||0|")
	f.Add("a|-1|0,1|x|y|||=|||")
	f.Add("a|1e300|NaN,1,0|9e99,0,0|0,0,0|0|1|1|a=NaN|-1|")
	f.Fuzz(func(t *testing.T, answer string) {
		g, err := parseGrant(answer)
		if err != nil {
			assert.Equal(t, nafath.Grant{}, g)
			return
		}
		for op := range nafath.Operations {
			assert.GreaterOrEqual(t, g.Wait[op], time.Duration(0))
			assert.GreaterOrEqual(t, g.Rate[op], 0.0)
		}
		for _, ago := range g.Peers {
			assert.GreaterOrEqual(t, ago, time.Duration(0))
		}
	})
}

// bidder exchanges bids by hand as a replica does.
type bidder struct {
	t      *testing.T
	budget nafath.Budget
	bid    nafath.Bid
}

func newBidder(t *testing.T, budget nafath.Budget, name string) *bidder {
	t.Helper()
	return &bidder{t: t, budget: budget, bid: nafath.Bid{Replica: name, Replicas: 2, Limits: limits, Full: true}}
}

// ask bids for a status check that is worth so much now and a step later.
func (b *bidder) ask(now, soon float64) nafath.Grant {
	b.t.Helper()
	b.bid.Number++
	b.bid.Wants[nafath.StatusChecks] = nafath.Want{Score: now, Soon: soon, Rest: 0.1}
	g, err := b.budget.Exchange(b.t.Context(), b.bid)
	require.NoError(b.t, err)
	b.bid.Known, b.bid.Peers, b.bid.Full = g.Mark, g.Peers, g.Resend
	return g
}

func TestASlotGoesToTheHighestBidWhoeverComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 0)
		defer c.close()
		client := redis.NewClient(&redis.Options{
			Dialer: func(context.Context, string, string) (net.Conn, error) { return c.redis.Dial() }, Addr: "127.0.0.1:1",
		})
		defer client.Close() //nolint:errcheck // nothing is lost
		store, err := New(Config{Client: client, Tenant: "t", Key: kyckit.NewSecret("0123456789abcdef0123456789abcdef")})
		require.NoError(t, err)
		a, b := newBidder(t, store.Budget(), "a"), newBidder(t, store.Budget(), "b")
		for range 4 { // until both are known and the first minute's pace is over
			a.ask(0, 0)
			b.ask(0, 0)
			time.Sleep(time.Second)
		}
		for _, first := range []*bidder{a, b} {
			// Both say before the slot what they will bid in it: a a little more.
			a.ask(0, 5)
			b.ask(0, 4.9)
			time.Sleep(1020 * time.Millisecond)
			if first == b {
				assert.False(t, b.ask(4.9, 5.9).Granted[nafath.StatusChecks], "a is expected")
			}
			assert.True(t, a.ask(5, 6).Granted[nafath.StatusChecks], "nobody bids more in this slot")
			if first == a {
				assert.False(t, b.ask(4.9, 5.9).Granted[nafath.StatusChecks], "the slot is taken")
			}
			time.Sleep(1020 * time.Millisecond)
		}
	})
}
