package pollsim

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/kyckit/kyckit/internal/poll"
	"github.com/kyckit/kyckit/nafath"
)

// Shipped is the nafath.Poller as it is.
func Shipped(client *nafath.Client, s Scenario) (Policy, error) {
	return nafath.NewPoller(nafath.PollerConfig{Client: client, Limits: nafath.Limits{StatusChecks: s.Limit}})
}

// Naive is what integrators write: one loop for each verification, every 2 s.
func Naive(client *nafath.Client, _ Scenario) (Policy, error) {
	return &loop{client: client, pause: func(int) time.Duration { return 2 * time.Second }}, nil
}

// Backoff is one exponential backoff for each verification: from 0.5 s by 1.5
// up to 60 s, with a jitter of a half, the customary defaults.
func Backoff(client *nafath.Client, s Scenario) (Policy, error) {
	rng := rand.New(rand.NewPCG(s.Seed, 4))
	var mu sync.Mutex
	return &loop{client: client, pause: func(n int) time.Duration {
		wait := 0.5
		for range n {
			wait = min(wait*1.5, 60)
		}
		mu.Lock()
		defer mu.Unlock()
		return seconds(wait * (0.5 + rng.Float64()))
	}}, nil
}

// loop polls each verification on its own.
type loop struct {
	client *nafath.Client
	pause  func(n int) time.Duration
}

func (l *loop) Wait(ctx context.Context, tx nafath.Transaction) (nafath.Status, error) {
	for n := 0; ; n++ {
		select {
		case <-time.After(l.pause(n)):
		case <-ctx.Done():
			return "", ctx.Err()
		}
		if status, err := l.client.Status(ctx, tx); err == nil && status.Terminal() {
			return status, nil
		}
	}
}

func (*loop) Notify(string) {}
func (*loop) Close() error  { return nil }

// RoundRobin checks everybody in turn, paced over the sliding window by the
// same budget as the Poller.
func RoundRobin(client *nafath.Client, s Scenario) (Policy, error) {
	epoch := time.Now()
	now := func() time.Duration { return time.Since(epoch) }
	r := &roundRobin{client: client, gate: poll.NewGate(poll.NewWindow(s.Limit, poll.EvenLater, 0), poll.GateConfig{Now: now}), more: make(chan struct{}, 1), stop: make(chan struct{})}
	r.busy.Go(r.run)
	return r, nil
}

type roundRobin struct {
	client *nafath.Client
	gate   *poll.Gate
	more   chan struct{}
	stop   chan struct{}
	busy   sync.WaitGroup

	mu    sync.Mutex
	queue []*waiter
}

type waiter struct {
	ctx   context.Context // the caller's, for the checks made on its behalf
	tx    nafath.Transaction
	due   time.Time
	final chan nafath.Status
}

func (r *roundRobin) Wait(ctx context.Context, tx nafath.Transaction) (nafath.Status, error) {
	w := &waiter{ctx: ctx, tx: tx, due: time.Now().Add(2 * time.Second), final: make(chan nafath.Status, 1)}
	r.put(w)
	select {
	case s := <-w.final:
		return s, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (r *roundRobin) put(w *waiter) {
	r.mu.Lock()
	r.queue = append(r.queue, w)
	r.mu.Unlock()
	select {
	case r.more <- struct{}{}:
	default:
	}
}

func (r *roundRobin) run() {
	for {
		r.mu.Lock()
		var w *waiter
		if len(r.queue) > 0 {
			w = r.queue[0]
			r.queue = r.queue[1:]
		}
		r.mu.Unlock()
		if w == nil {
			select {
			case <-r.more:
				continue
			case <-r.stop:
				return
			}
		}
		time.Sleep(time.Until(w.due))
		ticket, err := r.gate.Join(w.ctx, "")
		if err != nil {
			return
		}
		sent, err := r.gate.Enter(w.ctx, ticket)
		if err != nil {
			return
		}
		r.busy.Go(func() {
			status, err := r.client.Status(w.ctx, w.tx)
			r.gate.Leave(sent)
			if err == nil && status.Terminal() {
				w.final <- status
				return
			}
			w.due = time.Now().Add(2 * time.Second)
			r.put(w)
		})
	}
}

func (*roundRobin) Notify(string) {}

func (r *roundRobin) Close() error {
	close(r.stop)
	r.gate.Close()
	r.busy.Wait()
	return nil
}
