package nafath_test

import (
	"context"
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

func TestDuplicateWaits(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		tx := tt.create(t, citizen)
		time.AfterFunc(20*time.Second, func() { assert.NoError(t, tt.Approve(tx.TransID, tx.Random)) })
		impatient, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				if i%2 == 0 {
					_, err := tt.poller.Wait(impatient, tx)
					assert.ErrorIs(t, err, context.DeadlineExceeded)
					return
				}
				status, err := tt.poller.Wait(t.Context(), tx)
				assert.NoError(t, err)
				assert.Equal(t, nafath.StatusCompleted, status)
			})
		}
		wg.Wait()
		assert.LessOrEqual(t, tt.Count("status"), 12, "one verification, however many wait")
	})
}

func TestLateWaitIsAnsweredFromMemory(t *testing.T) {
	inTenant(t, nafathtest.Config{Limits: nafath.Limits{Requests: -1}}, func(cfg *nafath.PollerConfig) { cfg.Remember = 2 }, func(t *testing.T, tt tenant) {
		txs := make([]nafath.Transaction, 3)
		for i := range txs {
			txs[i] = tt.create(t, person(i))
			require.NoError(t, tt.Approve(txs[i].TransID, txs[i].Random))
			_, err := tt.poller.Wait(t.Context(), txs[i])
			require.NoError(t, err)
		}
		before, now := tt.Count("status"), time.Now()
		for _, tx := range txs[1:] {
			status, err := tt.poller.Wait(t.Context(), tx)
			require.NoError(t, err)
			assert.Equal(t, nafath.StatusCompleted, status)
		}
		assert.Equal(t, before, tt.Count("status"))
		assert.Equal(t, now, time.Now(), "at once")

		// Memory is bounded: the oldest is asked for again.
		status, err := tt.poller.Wait(t.Context(), txs[0])
		require.NoError(t, err)
		assert.Equal(t, nafath.StatusCompleted, status)
		assert.Equal(t, before+1, tt.Count("status"))
	})
}

func TestNobodyLearnsTheOutcomeOfAnother(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		tx := tt.create(t, citizen)
		guess := tx
		guess.Random += "0"
		other := tx
		other.NationalID = person(5)
		require.NoError(t, tt.poller.Add(tx))
		for _, ended := range []bool{false, true} {
			if ended {
				require.NoError(t, tt.Approve(tx.TransID, tx.Random))
				_, err := tt.poller.Wait(t.Context(), tx)
				require.NoError(t, err)
			}
			for _, wrong := range []nafath.Transaction{guess, other} {
				status, err := tt.poller.Wait(t.Context(), wrong)
				require.ErrorIs(t, err, kyckit.ErrInvalid)
				assert.Empty(t, status)
			}
		}
		for _, incomplete := range []nafath.Transaction{{}, {TransID: "x", NationalID: citizen}, {Random: "1", NationalID: citizen}, {TransID: "x", Random: "1"}} {
			_, err := tt.poller.Wait(t.Context(), incomplete)
			require.ErrorIs(t, err, kyckit.ErrInvalid)
			require.ErrorIs(t, tt.poller.Add(incomplete), kyckit.ErrInvalid)
		}
	})
}

func TestCloseLetsAnAnswerOnItsWayArrive(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		tx := tt.create(t, citizen)
		require.NoError(t, tt.Approve(tx.TransID, tx.Random))
		tt.Fail("status", 0, kyctest.Fault{Delay: time.Second})
		got := make(chan nafath.Status, 1)
		go func() {
			status, err := tt.poller.Wait(context.Background(), tx)
			assert.NoError(t, err)
			got <- status
		}()
		time.Sleep(2500 * time.Millisecond)
		require.Equal(t, 1, tt.poller.Stats().InFlight)
		require.NoError(t, tt.poller.Close())
		assert.Equal(t, nafath.StatusCompleted, <-got)
	})
}

func TestCloseDoesNotWaitForAHangingProvider(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		tx := tt.create(t, citizen)
		tt.Fail("status", 0, kyctest.Fault{Delay: 25 * time.Second})
		got := make(chan error, 1)
		go func() { _, err := tt.poller.Wait(context.Background(), tx); got <- err }()
		time.Sleep(2500 * time.Millisecond)
		require.Equal(t, 1, tt.poller.Stats().InFlight)
		start := time.Now()
		require.NoError(t, tt.poller.Close())
		assert.Equal(t, 5*time.Second, time.Since(start))
		require.ErrorIs(t, <-got, nafath.ErrClosed)
	})
}

func TestPollerAtRestOwnsNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := nafathtest.NewServer(nafathtest.Config{Options: kyctest.Options{InMemory: true}})
		defer fake.Close()
		client, err := nafath.New(fake.ClientConfig())
		require.NoError(t, err)
		poller, err := nafath.NewPoller(nafath.PollerConfig{Client: client})
		require.NoError(t, err)
		_, err = poller.Verify(t.Context(), citizen, func(tx nafath.Transaction) {
			assert.NoError(t, fake.Approve(tx.TransID, tx.Random))
		})
		require.NoError(t, err)
		// Not closed on purpose: the bubble fails when a goroutine is left.
	})
}

// Those nobody waits for any more leave the checks to those who are waited for.
func TestAbandonedWaitsDoNotHoldUpANewcomer(t *testing.T) {
	inTenant(t, nafathtest.Config{Lifetime: time.Hour, Limits: nafath.Limits{Requests: -1}}, nil, func(t *testing.T, tt tenant) {
		txs := make([]nafath.Transaction, 500)
		for i := range txs {
			txs[i] = tt.create(t, person(i+100))
		}
		var wg sync.WaitGroup
		for _, tx := range txs {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err := tt.poller.Resume(ctx, tx)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
			})
		}
		wg.Wait()
		time.Sleep(30 * time.Second)
		for i := range 5 {
			tx := tt.create(t, person(i))
			time.AfterFunc(20*time.Second, func() { assert.NoError(t, tt.Approve(tx.TransID, tx.Random)) })
			start := time.Now()
			_, err := tt.poller.Resume(t.Context(), tx)
			require.NoError(t, err)
			assert.Less(t, time.Since(start), 26*time.Second)
		}
		require.NoError(t, tt.Approve(txs[7].TransID, txs[7].Random)) // who comes back is served again
		start := time.Now()
		_, err := tt.poller.Resume(t.Context(), txs[7])
		require.NoError(t, err)
		assert.Less(t, time.Since(start), 6*time.Second)
	})
}
