package pollsim

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/kyckit/kyckit/internal/poll"
	"github.com/kyckit/kyckit/nafath"
)

// Knowing is the Poller's way to choose, by one who knows the population from the
// beginning: what learning costs is the distance to it.
func Knowing(client *nafath.Client, s Scenario) (Policy, error) {
	curve, rng := poll.NewCurve(), rand.New(rand.NewPCG(s.Seed, 5))
	for range 20_000 {
		const gap = 2 * time.Second
		act := seconds(s.draw(rng))
		for from := time.Duration(0); from < s.Lifetime; from += gap {
			if act <= from+gap {
				curve.Ended(from, from+gap)
				break
			}
			curve.Open(from, from+gap)
		}
	}
	k := &knowing{client: client, epoch: time.Now(), look: make(chan struct{}, 1), stop: make(chan struct{})}
	k.sched = poll.NewScheduler[*known](poll.Config{Limit: s.Limit, Floor: 2 * time.Second, MaxFlight: 64, Curve: curve}, 0)
	k.busy.Go(k.run)
	return k, nil
}

type knowing struct {
	client *nafath.Client
	epoch  time.Time
	look   chan struct{}
	stop   chan struct{}
	busy   sync.WaitGroup

	mu    sync.Mutex
	sched *poll.Scheduler[*known]
}

type known struct {
	tx    nafath.Transaction
	final chan nafath.Status
}

func (k *knowing) Wait(ctx context.Context, tx nafath.Transaction) (nafath.Status, error) {
	v := &known{tx: tx, final: make(chan nafath.Status, 1)}
	k.mu.Lock()
	k.sched.Add(time.Since(k.epoch), 0, 5*time.Minute, v)
	k.mu.Unlock()
	k.kick()
	select {
	case s := <-v.final:
		return s, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (k *knowing) kick() {
	select {
	case k.look <- struct{}{}:
	default:
	}
}

func (k *knowing) run() {
	for {
		now := time.Since(k.epoch)
		k.mu.Lock()
		action, item, wake := k.sched.Next(now)
		k.mu.Unlock()
		if action == poll.Check {
			k.busy.Go(func() { k.check(item) })
			continue
		}
		select {
		case <-time.After(min(wake-now, time.Hour)):
		case <-k.look:
		case <-k.stop:
			return
		}
	}
}

func (k *knowing) check(item *poll.Item[*known]) {
	status, err := k.client.Status(context.Background(), item.Value.tx)
	outcome := poll.Open
	switch {
	case err != nil:
		outcome = poll.Failed
	case status == nafath.StatusCompleted:
		outcome = poll.Ended
	case status.Terminal():
		outcome = poll.Lapsed
	}
	k.mu.Lock()
	k.sched.Done(time.Since(k.epoch), item, outcome, 0)
	if status.Terminal() {
		k.sched.Remove(item)
		item.Value.final <- status
	}
	k.mu.Unlock()
	k.kick()
}

func (*knowing) Notify(string) {}

func (k *knowing) Close() error {
	close(k.stop)
	k.busy.Wait()
	return nil
}
