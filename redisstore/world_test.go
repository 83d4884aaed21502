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
	again    atomic.Int64 // each so-manieth script is sent twice; 0 means none
	mute     atomic.Bool  // scripts run and their answers are lost
	slow     atomic.Bool  // scripts run late
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
	n := l.r.c.scripts.Add(1)
	cmd := l.Client.Eval(ctx, script, keys, args...)
	if again := l.r.c.again.Load(); again > 0 && n%again == 0 {
		second := l.Client.Eval(ctx, script, keys, args...)
		if script == budgetScript && ctx.Err() == nil { // a process that ends may have sent it once only
			assert.Equal(l.r.c.t, cmd.Val(), second.Val(), "the same bid has the same answer")
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
