package pollsim

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/poll"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/redisstore"
)

// fleet is several Pollers, each of which gets the next verification in turn.
type fleet struct {
	pollers []*nafath.Poller
	turn    atomic.Int64
	owner   sync.Map
	close   func()
}

func (f *fleet) Wait(ctx context.Context, tx nafath.Transaction) (nafath.Status, error) {
	p := f.pollers[int(f.turn.Add(1))%len(f.pollers)]
	f.owner.Store(tx.TransID, p)
	return p.Wait(ctx, tx)
}

func (f *fleet) Notify(transID string) {
	if p, ok := f.owner.Load(transID); ok {
		p.(*nafath.Poller).Notify(transID)
	}
}

func (f *fleet) Close() error {
	var errs []error
	for _, p := range f.pollers {
		errs = append(errs, p.Close())
	}
	f.close()
	time.Sleep(time.Minute) // for calls of the store that nobody waits for
	return errors.Join(errs...)
}

// newFleet makes n Pollers with a configuration each.
func newFleet(client *nafath.Client, n int, end func(), configure func() nafath.PollerConfig) (Policy, error) {
	f := &fleet{close: end}
	for range n {
		cfg := configure()
		cfg.Client = client
		p, err := nafath.NewPoller(cfg)
		if err != nil {
			return nil, err
		}
		f.pollers = append(f.pollers, p)
	}
	return f, nil
}

// Split gives each of n Pollers its part of the limit.
func Split(n int) func(*nafath.Client, Scenario) (Policy, error) {
	return func(client *nafath.Client, s Scenario) (Policy, error) {
		return newFleet(client, n, func() {}, func() nafath.PollerConfig {
			return nafath.PollerConfig{Limits: nafath.Limits{StatusChecks: max(1, s.Limit/n)}}
		})
	}
}

// Race lets n Pollers share one budget that gives each slot to whoever asks first.
func Race(n int) func(*nafath.Client, Scenario) (Policy, error) {
	return func(client *nafath.Client, s Scenario) (Policy, error) {
		epoch := time.Now()
		first := &firstCome{now: func() time.Duration { return time.Since(epoch) }, window: poll.NewWindow(s.Limit, poll.EvenLater, 0)}
		return newFleet(client, n, func() {}, func() nafath.PollerConfig {
			return nafath.PollerConfig{Limits: nafath.Limits{StatusChecks: s.Limit}, Budget: first, Replicas: n}
		})
	}
}

// Bucket lets n Pollers share the token bucket of redis_rate.
func Bucket(n int) func(*nafath.Client, Scenario) (Policy, error) {
	return func(client *nafath.Client, s Scenario) (Policy, error) {
		redis, end := memory()
		bucket := &bucketed{limiter: redis_rate.NewLimiter(redis), limit: redis_rate.PerMinute(s.Limit)}
		return newFleet(client, n, end, func() nafath.PollerConfig {
			return nafath.PollerConfig{Limits: nafath.Limits{StatusChecks: s.Limit}, Budget: bucket, Replicas: n}
		})
	}
}

// Scripts counts the scripts of the last Shared fleet.
var Scripts atomic.Int64 // one simulation at a time

// Shared lets n Pollers share the budget of redisstore.
func Shared(n int) func(*nafath.Client, Scenario) (Policy, error) {
	return func(client *nafath.Client, s Scenario) (Policy, error) {
		Scripts.Store(0)
		redis, end := memory()
		store, err := redisstore.New(redisstore.Config{
			Client: counting{redis}, Tenant: "bench", Key: kyckit.NewSecret("0123456789abcdef0123456789abcdef"),
		})
		if err != nil {
			return nil, err
		}
		return newFleet(client, n, end, func() nafath.PollerConfig {
			return nafath.PollerConfig{Limits: nafath.Limits{StatusChecks: s.Limit}, Budget: store.Budget(), Replicas: n}
		})
	}
}

// memory is a Redis in memory, whose clock is that of the bubble.
func memory() (*redis.Client, func()) {
	m := miniredis.NewMiniRedis()
	client := redis.NewClient(&redis.Options{
		Addr: "127.0.0.1:1", MaxRetries: -1,
		Dialer: func(context.Context, string, string) (net.Conn, error) { return m.Dial() },
	})
	return client, func() {
		_ = client.Close()
		m.Close()
	}
}

type counting struct{ *redis.Client }

func (c counting) Eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	Scripts.Add(1)
	time.Sleep(time.Millisecond) // the way there and back
	return c.Client.Eval(ctx, script, keys, args...)
}

// lease keeps no leases: the simulation never begins twice for one person.
type lease struct{}

func (lease) Leave(context.Context, string) error { return nil }
func (lease) Hold(context.Context, string, string, time.Duration, bool) (bool, error) {
	return true, nil
}
func (lease) Free(context.Context, string, string) error { return nil }

// firstCome grants each slot to whoever asks first.
type firstCome struct {
	lease
	now    func() time.Duration
	mu     sync.Mutex
	window *poll.Window
	count  uint64
}

func (f *firstCome) Exchange(_ context.Context, bid nafath.Bid) (nafath.Grant, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	for _, u := range bid.Uses {
		if u.Operation == nafath.StatusChecks && u.Answered >= 0 {
			f.window.Answered(now, 0)
		}
	}
	f.count++
	g := nafath.Grant{Mark: nafath.Mark{Epoch: "e", Count: f.count}, Pending: bid.Pending}
	for op := range g.Rate {
		g.Rate[op] = float64(bid.Limits.StatusChecks)
	}
	if f.window.Next(now) <= now && bid.Wants[nafath.StatusChecks].Score > 0 {
		f.window.Take(now)
		g.Granted[nafath.StatusChecks] = true
	}
	wait := min(f.window.Next(now)-now, time.Second)
	g.Wait[nafath.StatusChecks] = max(wait, 10*time.Millisecond)
	return g, nil
}

// bucketed grants what a token bucket has.
type bucketed struct {
	lease
	limiter *redis_rate.Limiter
	limit   redis_rate.Limit
	count   atomic.Uint64
}

func (b *bucketed) Exchange(ctx context.Context, bid nafath.Bid) (nafath.Grant, error) {
	g := nafath.Grant{Mark: nafath.Mark{Epoch: "e", Count: b.count.Add(1)}, Pending: bid.Pending}
	for op := range g.Rate {
		g.Rate[op] = float64(bid.Limits.StatusChecks)
	}
	if bid.Wants[nafath.StatusChecks].Score > 0 {
		time.Sleep(rand.N(20 * time.Millisecond)) // otherwise the same one is first each time
		r, err := b.limiter.Allow(ctx, "status", b.limit)
		if err != nil {
			return nafath.Grant{}, err
		}
		g.Granted[nafath.StatusChecks] = r.Allowed > 0
		g.Wait[nafath.StatusChecks] = max(0, r.RetryAfter)
	}
	return g, nil
}
