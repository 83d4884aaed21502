package nafath_test

import (
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
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

func TestHowOldATransactionMayBeThatIsContinued(t *testing.T) {
	inTenant(t, nafathtest.Config{}, func(cfg *nafath.PollerConfig) { cfg.ResumeWithin = time.Hour }, func(t *testing.T, tt tenant) {
		for age, kind := range map[time.Duration]error{time.Hour: nil, time.Hour + 1: nafath.ErrExpired} {
			tx := tt.create(t, citizen)
			tx.CreatedAt = time.Now().Add(-age)
			_, err := tt.poller.Continue(tx)
			require.ErrorIs(t, err, kind, "%v", age)
		}
	})
}

// Each callback works without the others.
func TestEachCallbackAlone(t *testing.T) {
	var told atomic.Int32
	for name, set := range map[string]func(*nafath.PollerConfig){
		"OnStatus": func(cfg *nafath.PollerConfig) {
			cfg.OnStatus = func(_ nafath.Transaction, status nafath.Status) {
				if status.Terminal() {
					told.Add(1)
				}
			}
		},
		"OnEnd": func(cfg *nafath.PollerConfig) {
			cfg.OnEnd = func(nafath.Transaction, nafath.Status, error) { told.Add(1) }
		},
		"OnNotice": func(cfg *nafath.PollerConfig) { cfg.OnNotice = func(nafath.Notice) { told.Add(1) } },
	} {
		t.Run(name, func(t *testing.T) {
			told.Store(0)
			inTenant(t, nafathtest.Config{}, set, func(t *testing.T, tt tenant) {
				tx := tt.create(t, citizen)
				require.NoError(t, tt.Approve(tx.TransID, tx.Random))
				_, err := tt.poller.Resume(t.Context(), tx)
				require.NoError(t, err)
				synctest.Wait()
				assert.EqualValues(t, 1, told.Load())
			})
		})
	}
}

func TestACallbackThatPanicsIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := nafathtest.NewServer(nafathtest.Config{Options: kyctest.Options{InMemory: true}})
		defer fake.Close()
		var log strings.Builder
		cfg := fake.ClientConfig()
		cfg.HTTP.Logger = slog.New(slog.NewTextHandler(&log, nil))
		client, err := nafath.New(cfg)
		require.NoError(t, err)
		poller, err := nafath.NewPoller(nafath.PollerConfig{Client: client, OnNotice: func(nafath.Notice) { panic("planted") }})
		require.NoError(t, err)
		tx, err := client.Request(t.Context(), citizen)
		require.NoError(t, err)
		require.NoError(t, fake.Approve(tx.TransID, tx.Random))
		_, err = poller.Resume(t.Context(), tx)
		require.NoError(t, err)
		require.NoError(t, poller.Close())
		assert.Contains(t, log.String(), "a callback panicked")
		assert.NotContains(t, log.String(), "planted")
	})
}

// A 429 of the token endpoint is not one of the tenant's limits.
func TestATokenEndpointThatLimitsUsesNothingOfTheLimits(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		tt.Fail("token", 0, kyctest.Fault{Status: http.StatusTooManyRequests})
		_, err := tt.poller.Request(t.Context(), citizen)
		require.ErrorIs(t, err, kyckit.ErrRateLimited)
		assert.Zero(t, tt.poller.Stats().RateLimited)
		assert.InDelta(t, 10, tt.poller.Stats().RequestRate, 0)
		assert.Zero(t, tt.Count("request"))
	})
}

func TestRefusalsOfAllOperationsAreCounted(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		for _, op := range []string{"request", "status", "details"} {
			tt.Fail(op, 1, kyctest.Fault{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"1"}}})
		}
		_, err := tt.poller.Verify(t.Context(), citizen, func(tx nafath.Transaction) { assert.NoError(t, tt.Approve(tx.TransID, tx.Random)) })
		require.NoError(t, err)
		assert.EqualValues(t, 3, tt.poller.Stats().RateLimited)
	})
}

// A hint may come before the answer to the creation that it is about.
func TestAHintBeforeTheAnswerToTheCreationCounts(t *testing.T) {
	const known = "a-transaction"
	for hint, hints := range map[string]uint64{known: 1, "another": 0} {
		inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
			tt.Fail("request", 1, kyctest.Fault{
				Delay: 5 * time.Second, Status: 200, Body: `{"statusCode":200,"result":{"transId":"` + known + `","random":"42"}}`,
			})
			v := tt.begin(t, citizen)
			time.Sleep(2 * time.Second)
			tt.poller.Notify(hint)
			reach(t, v.Updates(t.Context()), nafath.StageOpen)
			assert.Equal(t, hints, tt.poller.Stats().Hints, "%s", hint)
		})
	}
}

// A person whose two transactions are continued has an open verification until both
// have ended.
func TestAPersonWithTwoTransactions(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		var both []nafath.Transaction
		for range 2 {
			both = append(both, tt.create(t, citizen))
		}
		for _, tx := range both {
			_, err := tt.poller.Continue(tx)
			require.NoError(t, err)
		}
		for _, tx := range both {
			_, err := tt.poller.Begin(citizen)
			require.ErrorIs(t, err, kyckit.ErrConflict)
			tt.poller.Forget(tx.TransID)
		}
		_, err := tt.poller.Begin(citizen)
		require.NoError(t, err)
	})
}

func TestALeaseLastsLongerThanItsVerificationAndIsGivenBack(t *testing.T) {
	shared(t, func(t *testing.T, tt tenant, l *ledger) {
		v := tt.begin(t, citizen)
		tx := reach(t, v.Updates(t.Context()), nafath.StageOpen).Transaction
		assert.NotEmpty(t, l.owner(citizen))
		require.NoError(t, tt.Approve(tx.TransID, tx.Random))
		_, err := v.Wait(t.Context())
		require.NoError(t, err)
		time.Sleep(time.Second)
		assert.Empty(t, l.held())
		l.mu.Lock()
		defer l.mu.Unlock()
		assert.Equal(t, []time.Duration{6 * time.Minute}, l.lasts, "the timeout and a minute")
	})
}

func TestWhatABidSays(t *testing.T) {
	shared(t, func(t *testing.T, tt tenant, l *ledger) {
		l.mu.Lock()
		l.peers = map[string]time.Duration{"another": 3 * time.Second}
		l.mu.Unlock()
		time.Sleep(5 * time.Minute)
		from := len(l.asked())
		start := time.Now()
		v := tt.begin(t, citizen)
		tx := reach(t, v.Updates(t.Context()), nafath.StageOpen).Transaction
		assert.LessOrEqual(t, time.Since(start), 3*time.Second, "a slot is asked for at once")
		time.Sleep(10 * time.Second)
		require.NoError(t, tt.Approve(tx.TransID, tx.Random))
		_, err := v.Wait(t.Context())
		require.NoError(t, err)
		time.Sleep(time.Second)

		wanted := map[int]int{}
		for i, bid := range l.asked() {
			assert.EqualValues(t, i+1, bid.Number)
			if i < from {
				continue
			}
			assert.LessOrEqual(t, bid.Peers[bid.Replica], 10*time.Second)
			assert.Equal(t, bid.Peers[bid.Replica]+3*time.Second, bid.Peers["another"])
			for op, w := range bid.Wants {
				if w.Score > 0 {
					wanted[op]++
				}
				if op != int(nafath.StatusChecks) && w.Score > 0 {
					assert.InDelta(t, 1, w.Score, 2, "a second more for each second that a call waits")
					assert.InDelta(t, w.Score+1, w.Soon, 0)
					assert.InDelta(t, w.Score, w.Rest, 0)
				}
			}
			for _, use := range bid.Uses {
				assert.False(t, use.Dropped)
				assert.GreaterOrEqual(t, use.Sent, time.Duration(0))
				assert.LessOrEqual(t, use.Sent, 10*time.Second)
				if use.Answered != -1 {
					assert.GreaterOrEqual(t, use.Answered, time.Duration(0))
					assert.LessOrEqual(t, use.Answered, use.Sent)
				}
			}
		}
		for op := range nafath.Operations {
			assert.Positive(t, wanted[op], "operation %d", op)
		}
	})
}

// What an answer that came too late may have granted is said not to be used, for
// the operations that were asked for.
func TestWhatALateAnswerGrantedIsGivenBack(t *testing.T) {
	shared(t, func(t *testing.T, tt tenant, l *ledger) {
		time.Sleep(time.Minute)
		l.set("fails")
		v := tt.begin(t, citizen)
		time.Sleep(2 * time.Second)
		l.set("")
		reach(t, v.Updates(t.Context()), nafath.StageOpen)
		time.Sleep(15 * time.Second)
		dropped := map[nafath.Operation]int{}
		for _, bid := range l.asked() {
			for _, use := range bid.Uses {
				if use.Dropped {
					dropped[use.Operation]++
				}
			}
		}
		assert.Positive(t, dropped[nafath.Requests])
		assert.Zero(t, dropped[nafath.DetailReads], "nobody wanted any")
	})
}

func TestWhoWaitsHearsOnlyOfChanges(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		tt.begin(t, citizen)
		updates := tt.begin(t, person(1)).Updates(t.Context())
		assert.Equal(t, 1, (<-updates).Place)
		for i := range 3 {
			tt.begin(t, person(2+i)) // behind it
			synctest.Wait()
			assert.Empty(t, updates)
		}
		assert.Zero(t, (<-updates).Place, "its creation is in flight")
	})
}
