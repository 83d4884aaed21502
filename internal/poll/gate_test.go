package poll

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func inGate(t *testing.T, limit int, f func(t *testing.T, g *Gate)) {
	synctest.Test(t, func(t *testing.T) {
		epoch := time.Now()
		f(t, NewGate(NewWindow(limit, Eager, 0), GateConfig{Now: func() time.Duration { return time.Since(epoch) }}))
	})
}

func enter(ctx context.Context, g *Gate) (time.Duration, error) {
	ticket, err := g.Join(ctx, "")
	if err != nil {
		return 0, err
	}
	return g.Enter(ctx, ticket)
}

func TestGateServesInOrder(t *testing.T) {
	inGate(t, 10, func(t *testing.T, g *Gate) {
		var mu sync.Mutex
		var order []int
		var wg sync.WaitGroup
		for i := range 15 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				sent, err := enter(t.Context(), g)
				assert.NoError(t, err)
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
				g.Leave(sent)
			})
		}
		wg.Wait()
		for i, got := range order {
			assert.Equal(t, i, got)
		}
		assert.Greater(t, g.cfg.Now(), 80*sec)
		assert.Less(t, g.cfg.Now(), 100*sec)
	})
}

func TestGateRefusesAtOnceWhatComesTooLate(t *testing.T) {
	inGate(t, 10, func(t *testing.T, g *Gate) {
		sent, err := enter(t.Context(), g)
		require.NoError(t, err)
		g.Leave(sent)
		ctx, cancel := context.WithTimeout(t.Context(), 3*sec)
		defer cancel()
		before := g.cfg.Now()
		_, err = enter(ctx, g)
		var late *LateError
		require.ErrorAs(t, err, &late)
		assert.Equal(t, before, g.cfg.Now(), "without waiting")
		assert.InDelta(t, 6.1, late.After.Seconds(), 0.1)

		// A deadline that allows for the slot waits for it.
		ctx, cancel = context.WithTimeout(t.Context(), 7*sec)
		defer cancel()
		_, err = enter(ctx, g)
		assert.NoError(t, err)
	})
}

func TestGateTellsWaitersWhomAPauseMakesLate(t *testing.T) {
	inGate(t, 10, func(t *testing.T, g *Gate) {
		sent, err := enter(t.Context(), g)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 20*sec)
		defer cancel()
		got := make(chan error, 1)
		go func() {
			_, err := enter(ctx, g)
			got <- err
		}()
		synctest.Wait()
		time.Sleep(sec)
		g.Limited(sent, 90*sec)
		var late *LateError
		require.ErrorAs(t, <-got, &late)
		assert.Equal(t, sec, g.cfg.Now())
		assert.InDelta(t, 90, late.After.Seconds(), 1)
	})
}

func TestGateLeavesNothingBehindForThoseWhoGiveUp(t *testing.T) {
	inGate(t, 10, func(t *testing.T, g *Gate) {
		sent, err := enter(t.Context(), g)
		require.NoError(t, err)
		g.Leave(sent)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				_, err := enter(ctx, g)
				assert.ErrorIs(t, err, context.Canceled)
			})
		}
		synctest.Wait()
		waiting, _, _ := g.Stats()
		assert.Equal(t, 50, waiting)
		cancel()
		wg.Wait()
		_, err = enter(t.Context(), g)
		require.NoError(t, err)
		assert.Less(t, g.cfg.Now(), 7*sec, "their slots were not spent")
		_, err = enter(ctx, g)
		assert.ErrorIs(t, err, context.Canceled)
	})
}

func TestGatePutsARefusedCallerInFront(t *testing.T) {
	inGate(t, 10, func(t *testing.T, g *Gate) {
		first, err := g.Join(t.Context(), "")
		require.NoError(t, err)
		sent, err := g.Enter(t.Context(), first)
		require.NoError(t, err)
		done := make(chan string, 2)
		go func() { _, _ = enter(t.Context(), g); done <- "new" }()
		synctest.Wait()
		g.Limited(sent, 0)
		require.NoError(t, g.Again(first))
		go func() { _, _ = g.Enter(t.Context(), first); done <- "again" }()
		assert.Equal(t, "again", <-done)
		assert.Equal(t, "new", <-done)
	})
}

func TestGateCloses(t *testing.T) {
	inGate(t, 1, func(t *testing.T, g *Gate) {
		sent, err := enter(t.Context(), g)
		require.NoError(t, err)
		got := make(chan error, 2)
		for range 2 {
			go func() { _, err := enter(t.Context(), g); got <- err }()
		}
		synctest.Wait()
		g.Close()
		require.ErrorIs(t, <-got, ErrClosed)
		require.ErrorIs(t, <-got, ErrClosed)
		g.Leave(sent) // a request in flight still reports
		_, err = enter(t.Context(), g)
		assert.ErrorIs(t, err, ErrClosed)
	})
}
