package storm

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/redisstore"
)

// shared is the store that the replicas share: the scripts of redisstore in a
// Redis that lives in virtual time, behind a network that can be cut.
type shared struct {
	redis *miniredis.Miniredis

	mu     sync.Mutex
	paused time.Time            // until when nothing gets through
	cut    map[string]time.Time // the same for one replica's slot
	conns  map[*wire]bool
}

func init() {
	miniredis.DumpMaxLineLen = 1 << 20 // the search for leaks reads whole values
	redis.SetLogger(quiet{})           // the client writes of every failed dial
}

type quiet struct{}

// Printf implements the logger of the Redis client.
func (quiet) Printf(context.Context, string, ...any) {}

func newShared() *shared {
	s := &shared{redis: miniredis.NewMiniRedis(), cut: map[string]time.Time{}, conns: map[*wire]bool{}}
	s.redis.ClockTTL(true)
	return s
}

// client is the Redis client of a replica in a slot.
func (s *shared) client(slot string, dead *atomic.Bool) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr: "memory", DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		Dialer: func(context.Context, string, string) (net.Conn, error) {
			if s.silent(slot) > 0 || dead.Load() {
				return nil, errors.New("no route to the store")
			}
			conn, err := s.redis.Dial()
			if err != nil {
				return nil, err
			}
			w := &wire{Conn: conn, shared: s, slot: slot, dead: dead, closed: make(chan struct{})}
			s.mu.Lock()
			s.conns[w] = true
			s.mu.Unlock()
			return w, nil
		},
	})
}

// silent is how long nothing of a slot gets through.
func (s *shared) silent(slot string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(time.Until(s.paused), time.Until(s.cut[slot]))
}

// happen is what a plan does to the store.
func (s *shared) happen(p planned, slot string) {
	switch p.kind {
	case "pause":
		s.mu.Lock()
		s.paused = time.Now().Add(p.length)
		s.mu.Unlock()
	case "cut-off":
		s.mu.Lock()
		s.cut[slot] = time.Now().Add(p.length)
		s.mu.Unlock()
	case "flush":
		s.redis.FlushAll()
	case "lose-key":
		if keys := s.redis.Keys(); len(keys) > 0 {
			s.redis.Del(keys[p.target%len(keys)])
		}
	case "restart":
		s.redis.FlushAll()
		s.mu.Lock()
		conns := s.conns
		s.conns = map[*wire]bool{}
		s.mu.Unlock()
		for w := range conns {
			_ = w.Close()
		}
	}
}

// wire is a connection that may fall silent. As in TCP, a write does not wait for
// the network: what is written meanwhile arrives later, and the answers are missed.
type wire struct {
	net.Conn

	shared *shared
	slot   string
	dead   *atomic.Bool // the process: nothing of it arrives any more
	closed chan struct{}
	once   sync.Once

	mu      sync.Mutex
	waiting []byte
}

// Write implements net.Conn.
func (w *wire) Write(b []byte) (int, error) {
	if w.dead.Load() {
		return len(b), nil
	}
	silent := w.shared.silent(w.slot)
	w.mu.Lock()
	held := silent > 0 || len(w.waiting) > 0
	if held {
		if len(w.waiting) == 0 {
			go w.deliver()
		}
		w.waiting = append(w.waiting, b...)
	}
	w.mu.Unlock()
	if held {
		return len(b), nil
	}
	return w.Conn.Write(b)
}

// deliver sends what waited, when the network is back.
func (w *wire) deliver() {
	for {
		if silent := w.shared.silent(w.slot); silent > 0 {
			select {
			case <-time.After(silent):
				continue
			case <-w.closed:
				return
			}
		}
		w.mu.Lock()
		b := w.waiting
		if len(b) == 0 {
			w.waiting = nil
			w.mu.Unlock()
			return
		}
		w.mu.Unlock()
		if _, err := w.Conn.Write(b); err != nil {
			return
		}
		w.mu.Lock()
		w.waiting = w.waiting[len(b):]
		w.mu.Unlock()
	}
}

// Close implements net.Conn.
func (w *wire) Close() error {
	w.once.Do(func() { close(w.closed) })
	return w.Conn.Close()
}

// share gives a process its part of the tenant: the whole through the shared
// store, or a fixed part.
func (w *world) share(r *replica, slot string, cfg *nafath.PollerConfig, login auth.Source) (auth.Source, error) {
	part := func(limit int) int { return max(1, limit/w.plan.replicas) }
	if w.shared == nil {
		cfg.Limits = nafath.Limits{Requests: part(10), StatusChecks: part(60), Details: part(30)}
		return login, nil
	}
	r.redis = w.shared.client(slot, &r.dead)
	store, err := redisstore.New(redisstore.Config{Client: r.redis, Tenant: "storm", Key: kyckit.NewSecret(string(key("store")))})
	if err != nil {
		return nil, err
	}
	r.claims = store.Claims()
	cfg.Signals = store.Signals()
	if w.plan.budget {
		// One more than the slots: a process that was killed may still be counted.
		cfg.Budget, cfg.Replicas, cfg.Fresh = store.Budget(), w.plan.replicas+1, false
	} else {
		cfg.Limits = nafath.Limits{Requests: part(10), StatusChecks: part(60), Details: part(30)}
	}
	return store.Tokens(login), nil
}
