package redisstore_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/redisstore"
)

// ear collects digests.
type ear struct {
	mu    sync.Mutex
	heard [][16]byte
}

func (e *ear) hear(d [16]byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = append(e.heard, d)
}

func (e *ear) has(d [16]byte) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Contains(e.heard, d)
}

func (e *ear) all() [][16]byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([][16]byte(nil), e.heard...)
}

// listen subscribes until the test ends.
func listen(t *testing.T, s *redisstore.Store) *ear {
	t.Helper()
	e := &ear{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Signals().Subscribe(ctx, e.hear) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			assert.ErrorIs(t, err, context.Canceled)
		case <-time.After(20 * time.Second):
			t.Error("Subscribe outlasts its context")
		}
	})
	return e
}

func TestASignalReachesAllReplicasOfTheTenant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := inMemory(t)
		a, b := newStore(t, client), newStore(t, client)
		other := newStore(t, client, func(c *redisstore.Config) { c.Tenant = "other" })
		at, bt, ot := listen(t, a), listen(t, b), listen(t, other)
		time.Sleep(time.Second)
		d := a.Signals().Digest("transaction")
		require.Equal(t, d, b.Signals().Digest("transaction"))
		require.NotEqual(t, d, other.Signals().Digest("transaction"))
		require.NotEqual(t, d, a.Signals().Digest("transaction2"))
		require.NoError(t, a.Signals().Publish(t.Context(), d))
		require.NoError(t, client.Publish(t.Context(), "kyckit:{test}:signals", "not sixteen").Err())
		time.Sleep(time.Second)
		assert.Equal(t, [][16]byte{d}, at.all())
		assert.Equal(t, [][16]byte{d}, bt.all())
		assert.Empty(t, ot.all())
		// Long silence is no reason to give up.
		time.Sleep(time.Hour)
		require.NoError(t, b.Signals().Publish(t.Context(), d))
		time.Sleep(time.Second)
		assert.Len(t, at.all(), 2)
	})
}

func TestSignalsSurviveARestart(t *testing.T) {
	srv := startServer(t)
	s := newStore(t, srv.client())
	e := listen(t, s)
	arrives := func(id string) {
		d := s.Signals().Digest(id)
		require.Eventually(t, func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_ = s.Signals().Publish(ctx, d)
			return e.has(d)
		}, 60*time.Second, 100*time.Millisecond)
	}
	arrives("before")
	srv.kill()
	time.Sleep(time.Second)
	srv.start()
	arrives("after")
}
