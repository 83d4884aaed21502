package nafath_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
)

// The fourth trap: what waits in the queue prompts phones after the signal to stop.
func TestDrainServesWhatIsOpenAndPromptsNobody(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		tt.Fail("request", 2, kyctest.Fault{Delay: 5 * time.Second})
		open := tt.begin(t, citizen)
		tx := reach(t, open.Updates(t.Context()), nafath.StageOpen).Transaction
		time.Sleep(6100 * time.Millisecond)
		flying := tt.begin(t, person(1))
		synctest.Wait()
		queued := tt.begin(t, person(2))
		request := make(chan error, 1)
		go func() { _, err := tt.poller.Request(context.Background(), person(3)); request <- err }()
		synctest.Wait()

		start := time.Now()
		drained := make(chan error, 1)
		go func() { drained <- tt.poller.Drain(context.Background()) }()
		synctest.Wait()
		_, err := queued.Wait(t.Context())
		require.ErrorIs(t, err, nafath.ErrClosed)
		require.ErrorIs(t, <-request, nafath.ErrClosed)
		assert.Equal(t, start, time.Now(), "those who wait are told at once")
		_, err = tt.poller.Begin(person(4))
		require.ErrorIs(t, err, nafath.ErrClosed)

		u := reach(t, flying.Updates(t.Context()), nafath.StageOpen)
		require.NoError(t, tt.Approve(u.Transaction.TransID, u.Transaction.Random))
		_, err = flying.Wait(t.Context())
		require.NoError(t, err, "a creation in flight is served to its end")
		require.NoError(t, tt.Approve(tx.TransID, tx.Random))
		d, err := tt.poller.Resume(t.Context(), tx) // a page that comes back is served
		require.NoError(t, err)
		assert.Equal(t, citizen, d.IDNumber)
		require.NoError(t, <-drained)
		assert.Less(t, time.Since(start), 10*time.Second, "it does not wait for its context")
		assert.Equal(t, 2, tt.Count("request"))
		require.ErrorIs(t, tt.poller.Add(tx), nafath.ErrClosed)
		require.NoError(t, tt.poller.Drain(t.Context()))
	})
}

func TestDrainEndsWithItsContext(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		v := tt.begin(t, citizen)
		reach(t, v.Updates(t.Context()), nafath.StageOpen)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		start := time.Now()
		require.ErrorIs(t, tt.poller.Drain(ctx), context.DeadlineExceeded)
		assert.Equal(t, 20*time.Second, time.Since(start))
		_, err := v.Wait(t.Context())
		require.ErrorIs(t, err, nafath.ErrClosed)
	})
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		start := time.Now()
		require.NoError(t, tt.poller.Drain(t.Context()), "nothing is open")
		assert.Equal(t, start, time.Now())
	})
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		reach(t, tt.begin(t, citizen).Updates(t.Context()), nafath.StageOpen)
		drained := make(chan error, 1)
		go func() { drained <- tt.poller.Drain(context.Background()) }()
		time.Sleep(time.Second)
		require.NoError(t, tt.poller.Close(), "Close cuts it short")
		require.NoError(t, <-drained)
	})
}

func TestCloseBesideACallbackThatBlocks(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		block := make(chan struct{})
		poller, err := nafath.NewPoller(nafath.PollerConfig{Client: tt.client, OnStatus: func(nafath.Transaction, nafath.Status) { <-block }})
		require.NoError(t, err)
		require.NoError(t, poller.Add(tt.create(t, citizen)))
		time.Sleep(10 * time.Second)
		start := time.Now()
		require.NoError(t, poller.Close())
		assert.LessOrEqual(t, time.Since(start), 9*time.Second)
		close(block)
	})
}

// A callback that panics, or ends its goroutine as a failed check of a test does,
// keeps the others from nothing.
func TestCallbacksThatBreakLoseNothing(t *testing.T) {
	for name, breakIt := range map[string]func(){"panic": func() { panic("made up") }, "goexit": runtime.Goexit, "nil panic": func() { panic(nil) }} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var statuses, ends, notices int
			count := func(n *int) {
				mu.Lock()
				*n++
				mu.Unlock()
				breakIt()
			}
			inTenant(t, nafathtest.Config{Limits: nafath.Limits{Requests: -1}}, func(cfg *nafath.PollerConfig) {
				cfg.OnStatus = func(nafath.Transaction, nafath.Status) { count(&statuses) }
				cfg.OnEnd = func(nafath.Transaction, nafath.Status, error) { count(&ends) }
				cfg.OnNotice = func(nafath.Notice) { count(&notices) }
			}, func(t *testing.T, tt tenant) {
				for i := range 10 {
					tx := tt.create(t, person(i))
					require.NoError(t, tt.Approve(tx.TransID, tx.Random))
					start := time.Now()
					_, err := tt.poller.Resume(t.Context(), tx)
					require.NoError(t, err)
					assert.Less(t, time.Since(start), 5*time.Second)
				}
				require.NoError(t, tt.poller.Close())
				assert.Equal(t, []int{10, 10, 10}, []int{statuses, ends, notices})
			})
		})
	}
}

func TestNoticesForMetrics(t *testing.T) {
	var mu sync.Mutex
	var got []nafath.Notice
	inTenant(t, nafathtest.Config{Limits: nafath.Limits{Requests: -1}}, func(cfg *nafath.PollerConfig) {
		cfg.OnNotice = func(n nafath.Notice) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, n)
		}
	}, func(t *testing.T, tt tenant) {
		tx := tt.create(t, citizen)
		time.AfterFunc(9*time.Second, func() {
			assert.NoError(t, tt.Approve(tx.TransID, tx.Random))
			tt.poller.Notify(tx.TransID)
		})
		_, err := tt.poller.Wait(t.Context(), tx)
		require.NoError(t, err)
		tx = tt.create(t, person(1))
		require.NoError(t, tt.Reject(tx.TransID))
		tx.CreatedAt = tx.CreatedAt.Add(-20 * time.Second)
		_, err = tt.poller.Wait(t.Context(), tx)
		require.NoError(t, err)
		require.NoError(t, tt.poller.Add(tt.create(t, person(2))))
		time.Sleep(5 * time.Second)
		require.NoError(t, tt.poller.Close())
		require.Len(t, got, 3)
		assert.Equal(t, nafath.StatusCompleted, got[0].Status)
		assert.Equal(t, tt.Count("status")-1-got[2].Checks, got[0].Checks)
		assert.InDelta(t, 1.5, got[0].Gap.Seconds(), 0.6)
		assert.InDelta(t, 9.5, got[0].Age.Seconds(), 1)
		assert.True(t, got[0].Hinted)
		assert.Equal(t, nafath.StatusRejected, got[1].Status)
		assert.InDelta(t, 2, got[1].Gap.Seconds(), 0.2, "since it is watched")
		assert.InDelta(t, 22, got[1].Age.Seconds(), 0.2)
		assert.Equal(t, 1, got[1].Checks)
		assert.False(t, got[1].Hinted)
		assert.Empty(t, got[2].Status, "closed before its end")
	})
}

func TestStatsAreTrueFromTheStart(t *testing.T) {
	inTenant(t, nafathtest.Config{Limits: nafath.Limits{Requests: -1}}, nil, func(t *testing.T, tt tenant) {
		restored := []nafath.Transaction{tt.create(t, person(1)), tt.create(t, person(2))}
		for _, tx := range restored {
			require.NoError(t, tt.Approve(tx.TransID, tx.Random))
		}
		time.Sleep(20 * time.Second)
		for _, tx := range restored {
			_, err := tt.poller.Wait(t.Context(), tx)
			require.NoError(t, err)
		}
		for i := range 20 {
			tx := tt.create(t, person(10+i))
			time.AfterFunc(3*time.Second, func() { assert.NoError(t, tt.Approve(tx.TransID, tx.Random)) })
			_, err := tt.poller.Wait(t.Context(), tx)
			require.NoError(t, err)
		}
		assert.Less(t, tt.poller.Stats().Delay, 3*time.Second)
	})
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		for i := range 4 {
			tt.begin(t, person(i))
		}
		time.Sleep(5 * time.Second)
		s := tt.poller.Stats()
		assert.Equal(t, 3, s.Queued)
		assert.Equal(t, 1, s.Pending)
		assert.Equal(t, 5*time.Second, s.LongestQueued)
		assert.Equal(t, 5*time.Second, s.Oldest)
		tt.poller.Notify("unknown")
		assert.EqualValues(t, 1, tt.poller.Stats().Strays)
	})
}

func TestForgottenTransactionsCostNothing(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		v := tt.begin(t, citizen)
		tx := reach(t, v.Updates(t.Context()), nafath.StageOpen).Transaction
		time.Sleep(10 * time.Second)
		assert.True(t, tt.poller.Knows(tx.TransID))
		tt.poller.Forget("unknown")
		tt.poller.Forget(tx.TransID)
		_, err := v.Wait(t.Context())
		require.ErrorIs(t, err, nafath.ErrClosed)
		synctest.Wait()
		before := tt.Count("status")
		tt.begin(t, citizen)
		tt.poller.Forget(tx.TransID)
		time.Sleep(5 * time.Second)
		v, err = tt.poller.Continue(tx) // and may be taken up again
		require.NoError(t, err)
		require.NoError(t, tt.Approve(tx.TransID, tx.Random))
		_, err = v.Wait(t.Context())
		require.NoError(t, err)
		assert.LessOrEqual(t, tt.Count("status"), before+6)
	})
	// While a check is in flight.
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		tt.Fail("status", 0, kyctest.Fault{Delay: 3 * time.Second})
		tx := tt.create(t, citizen)
		require.NoError(t, tt.poller.Add(tx))
		time.Sleep(3 * time.Second)
		require.Equal(t, 1, tt.poller.Stats().InFlight)
		require.NoError(t, tt.Approve(tx.TransID, tx.Random))
		tt.poller.Forget(tx.TransID)
		time.Sleep(5 * time.Second)
		s := tt.poller.Stats()
		assert.Zero(t, s.Pending+s.InFlight)
		assert.EqualValues(t, 1, s.Finished)
	})
}

func TestAddTakesTheGoodOnes(t *testing.T) {
	inTenant(t, nafathtest.Config{Limits: nafath.Limits{Requests: -1}}, nil, func(t *testing.T, tt tenant) {
		txs := make([]nafath.Transaction, 100)
		for i := range txs {
			txs[i] = tt.create(t, person(i))
		}
		txs[3].Random, txs[98].NationalID = "", "12"
		err := tt.poller.Add(txs...)
		require.ErrorIs(t, err, kyckit.ErrInvalid)
		assert.ErrorContains(t, err, "transaction 3: ")
		assert.ErrorContains(t, err, "transaction 98: ")
		var both interface{ Unwrap() []error }
		require.ErrorAs(t, err, &both)
		assert.Len(t, both.Unwrap(), 2)
		assert.Equal(t, 98, tt.poller.Stats().Pending)
		require.NoError(t, tt.poller.Add())
	})
}
