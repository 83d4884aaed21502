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
