package redisstore

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kyckit/kyckit/nafath"
)

// publishScript publishes from the node that the channel's subscribers are on,
// which PUBLISH by itself does not with a Ring. KEYS: the channel. ARGV: the
// message.
const publishScript = `return redis.call('PUBLISH', KEYS[1], ARGV[1])`

// Signals returns a [nafath.Signals] over one channel of the tenant. A message is
// 16 bytes of an HMAC of the transaction's id. A signal that is lost costs no
// more than a polling delay.
func (s *Store) Signals() nafath.Signals { return signals{s} }

type signals struct{ store *Store }

// Digest implements nafath.Signals. Replicas with different Keys, in the middle
// of a change, do not hear each other.
func (s signals) Digest(transID string) (digest [16]byte) {
	if s.store.made() != nil {
		return digest
	}
	sum := s.store.keys[0].mac("signal", transID)
	return [16]byte(sum[:16])
}

// Publish implements nafath.Signals.
func (s signals) Publish(ctx context.Context, digest [16]byte) error {
	if err := s.store.made(); err != nil {
		return err
	}
	if _, err := s.store.eval(ctx, publishScript, []string{s.store.key("signals")}, nil, string(digest[:])); err != nil {
		return failure("publish", err)
	}
	return nil
}

const (
	resubscribe    = 500 * time.Millisecond
	maxResubscribe = 5 * time.Second
	// pingEvery is how long the connection may be silent; a dead one is noticed
	// within twice that.
	pingEvery = 3 * time.Second
)

// Subscribe implements nafath.Signals.
func (s signals) Subscribe(ctx context.Context, hear func(digest [16]byte)) error {
	if err := s.store.made(); err != nil {
		return err
	}
	for wait := resubscribe; ctx.Err() == nil; wait = min(2*wait, maxResubscribe) {
		if s.listen(ctx, hear) {
			wait = resubscribe
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
	return ctx.Err()
}

// listen calls hear until the connection fails or ctx ends, and reports whether
// anything came.
func (s signals) listen(ctx context.Context, hear func([16]byte)) (heard bool) {
	messages := make(chan string)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer close(messages)
		defer func() { _ = recover() }() // Ring.Subscribe panics when no node is up
		sub := s.store.client.Subscribe(ctx, s.store.key("signals"))
		// Closing ends a Receive, which by itself outlasts its context.
		stop := context.AfterFunc(ctx, func() { _ = sub.Close() })
		defer stop()
		defer sub.Close() //nolint:errcheck // nothing is lost
		receive(ctx, sub, messages)
	}()
	for {
		select {
		case m, open := <-messages:
			if !open {
				return heard
			}
			heard = true
			if len(m) == 16 {
				hear([16]byte([]byte(m)))
			}
		case <-ctx.Done():
			return heard
		}
	}
}

// receive hands on messages until the connection is lost. A silent one is pinged,
// and given up when that is not answered either.
func receive(ctx context.Context, sub *redis.PubSub, messages chan<- string) {
	pinged := false
	for {
		v, err := sub.ReceiveTimeout(ctx, pingEvery)
		var timeout interface{ Timeout() bool }
		if err != nil {
			if !errors.As(err, &timeout) || !timeout.Timeout() || pinged || sub.Ping(ctx) != nil {
				return
			}
			pinged = true
			continue
		}
		pinged = false
		if m, ok := v.(*redis.Message); ok {
			select {
			case messages <- m.Payload:
			case <-ctx.Done():
				return
			}
		}
	}
}
