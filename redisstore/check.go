package redisstore

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/kyckit/kyckit"
)

const opCheck = "check"

// probeScript uses each command that the scripts of this package use. KEYS: one
// that nothing else uses, twice. ARGV: a random text.
const probeScript = `
redis.call('TIME')
redis.call('SET', KEYS[1], ARGV[1], 'PX', 10000)
local same = redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('PTTL', KEYS[1]) > 0
redis.call('DEL', KEYS[1])
redis.call('INCR', KEYS[1])
redis.call('PEXPIRE', KEYS[1], 10000)
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'f', 'v')
redis.call('HGETALL', KEYS[1])
redis.call('HEXISTS', KEYS[1], 'f')
redis.call('PEXPIRE', KEYS[1], 10000)
redis.call('HDEL', KEYS[1], 'f')
redis.call('DEL', KEYS[1])
return same and 'OK' or 'NO'`

// Check tells whether the store can do its work: it is reached, the user has the
// rights that are needed (~prefix* &prefix* +@all -@admin -@dangerous +info
// suffice), and the eviction policy of every node loses nothing. A program may
// call it when it starts; nothing else does.
//
// The error is a *kyckit.Error: [kyckit.ErrUnavailable] when the store does not
// answer, [kyckit.ErrForbidden] when the user lacks rights, [kyckit.ErrInvalid]
// when maxmemory-policy is another one than noeviction, which would evict what
// the limits and the claims rest on.
func (s *Store) Check(ctx context.Context) error {
	if err := s.made(); err != nil {
		return err
	}
	v, err := s.eval(ctx, probeScript, []string{s.key("probe:" + rand.Text())}, nil, rand.Text())
	if err != nil {
		return failure(opCheck, err)
	}
	if v != "OK" {
		return &kyckit.Error{Provider: provider, Op: opCheck, Kind: kyckit.ErrUnavailable, Reason: "the store does not keep what is written"}
	}
	if err := s.checkChannel(ctx); err != nil {
		return err
	}
	return s.checkPolicy(ctx)
}

// checkChannel subscribes to a channel of the tenant and publishes there.
func (s *Store) checkChannel(ctx context.Context) error {
	channel := s.key("probe:" + rand.Text())
	err := within(ctx, func(ctx context.Context) error {
		sub := s.client.Subscribe(ctx, channel)
		defer sub.Close() //nolint:errcheck // nothing is lost
		stop := context.AfterFunc(ctx, func() { _ = sub.Close() })
		defer stop()
		if _, err := sub.Receive(ctx); err != nil {
			return err
		}
		if _, err := s.eval(ctx, publishScript, []string{channel}, nil, "probe"); err != nil {
			return err
		}
		_, err := sub.ReceiveMessage(ctx)
		return err
	})
	if err != nil {
		return failure(opCheck, err)
	}
	return nil
}

// checkPolicy asks every node that may hold a key of the tenant.
func (s *Store) checkPolicy(ctx context.Context) error {
	var mu sync.Mutex
	var policies []string
	ask := func(ctx context.Context, node Client) error {
		info, err := node.Info(ctx, "memory").Result()
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		policies = append(policies, policyIn(info))
		return nil
	}
	askNode := func(ctx context.Context, node *redis.Client) error { return ask(ctx, node) }
	err := within(ctx, func(ctx context.Context) error {
		switch c := s.client.(type) {
		case interface {
			ForEachMaster(context.Context, func(context.Context, *redis.Client) error) error
		}:
			return c.ForEachMaster(ctx, askNode)
		case interface {
			ForEachShard(context.Context, func(context.Context, *redis.Client) error) error
		}:
			return c.ForEachShard(ctx, askNode)
		}
		return ask(ctx, s.client)
	})
	if err != nil {
		return failure(opCheck, err)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, policy := range policies {
		if policy != "noeviction" {
			return &kyckit.Error{
				Provider: provider, Op: opCheck, Kind: kyckit.ErrInvalid,
				Reason: fmt.Sprintf("maxmemory-policy is %s and must be noeviction", policy),
			}
		}
	}
	return nil
}

// policyIn reads the policy out of INFO memory.
func policyIn(info string) string {
	for line := range strings.Lines(info) {
		if policy, ok := strings.CutPrefix(strings.TrimSpace(line), "maxmemory_policy:"); ok && isPolicy(policy) {
			return policy
		}
	}
	return "not told"
}

func isPolicy(s string) bool {
	return s != "" && len(s) < 40 && !strings.ContainsFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && r != '-' })
}

// within runs f, which may outlast ctx, and returns when ctx ends.
func within(ctx context.Context, f func(context.Context) error) error {
	done := make(chan error, 1)
	go func() {
		err := errPanic
		defer func() {
			_ = recover() // a client of the caller's own
			done <- err
		}()
		err = f(ctx)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
