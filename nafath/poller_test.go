package nafath_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
)

// tenant is a fake provider and a poller on it, in virtual time.
type tenant struct {
	*nafathtest.Server
	client *nafath.Client
	poller *nafath.Poller
}

// inTenant runs f in a bubble of virtual time. The change functions may alter
// the configurations first.
func inTenant(t *testing.T, fake nafathtest.Config, change func(*nafath.PollerConfig), f func(t *testing.T, tt tenant)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		fake.InMemory = true
		tt := tenant{Server: nafathtest.NewServer(fake)}
		defer tt.Close()
		var err error
		tt.client, err = nafath.New(tt.ClientConfig())
		require.NoError(t, err)
		cfg := nafath.PollerConfig{Client: tt.client}
		if change != nil {
			change(&cfg)
		}
		tt.poller, err = nafath.NewPoller(cfg)
		require.NoError(t, err)
		defer func() { assert.NoError(t, tt.poller.Close()) }()
		f(t, tt)
	})
}

// create starts a verification behind the poller's back, as a process before
// it would have done.
func (tt tenant) create(t *testing.T, nationalID string) nafath.Transaction {
	t.Helper()
	tx, err := tt.client.Request(t.Context(), nationalID)
	require.NoError(t, err)
	return tx
}

func TestVerifyReturnsThePersonWhoWasAsked(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		var shown nafath.Transaction
		start := time.Now()
		d, err := tt.poller.Verify(t.Context(), citizen, func(tx nafath.Transaction) {
			shown = tx
			time.AfterFunc(20*time.Second, func() { assert.NoError(t, tt.Approve(tx.TransID, tx.Random)) })
		})
		require.NoError(t, err)
		assert.Equal(t, citizen, d.IDNumber)
		assert.Equal(t, shown.TransID, d.TransID)
		took := time.Since(start)
		assert.GreaterOrEqual(t, took, 20*time.Second)
		assert.LessOrEqual(t, took, 23*time.Second, "a person alone is checked every 2 s")
		assert.Zero(t, tt.Limited("status"))
	})
}

func TestVerifyOutcomes(t *testing.T) {
	for name, c := range map[string]struct {
		act  func(tenant, nafath.Transaction) error
		want error
	}{
		"rejected": {func(tt tenant, tx nafath.Transaction) error { return tt.Reject(tx.TransID) }, nafath.ErrRejected},
		"expired":  {func(tt tenant, tx nafath.Transaction) error { return tt.Expire(tx.TransID) }, nafath.ErrExpired},
		"failed":   {func(tt tenant, tx nafath.Transaction) error { return tt.Break(tx.TransID) }, nafath.ErrFailed},
		"other id": {func(tt tenant, tx nafath.Transaction) error {
			tt.SetPerson(citizen, nafath.Details{IDNumber: "1000000016"})
			return tt.Approve(tx.TransID, tx.Random)
		}, nafath.ErrIdentityMismatch},
		"other transaction": {func(tt tenant, tx nafath.Transaction) error {
			tt.SetPerson(citizen, nafath.Details{TransID: "somebody-elses"})
			return tt.Approve(tx.TransID, tx.Random)
		}, nafath.ErrIdentityMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
				d, err := tt.poller.Verify(t.Context(), citizen, func(tx nafath.Transaction) {
					assert.NoError(t, c.act(tt, tx))
				})
				assert.Nil(t, d)
				require.ErrorIs(t, err, c.want)
				var e *kyckit.Error
				assert.ErrorAs(t, err, &e)
				for _, other := range []error{nafath.ErrRejected, nafath.ErrExpired, nafath.ErrFailed, nafath.ErrTimeout, nafath.ErrIdentityMismatch} {
					if !errors.Is(c.want, other) {
						assert.NotErrorIs(t, err, other)
					}
				}
			})
		})
	}
}

func TestVerifyTimesOutAfterALastCheck(t *testing.T) {
	for name, tc := range map[string]struct {
		approve time.Duration
		want    error
	}{
		"open":                    {approve: 0, want: nafath.ErrTimeout},
		"approved in that second": {approve: 5*time.Minute - time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inTenant(t, nafathtest.Config{Lifetime: time.Hour}, nil, func(t *testing.T, tt tenant) {
				start := time.Now()
				_, err := tt.poller.Verify(t.Context(), citizen, func(tx nafath.Transaction) {
					if tc.approve > 0 {
						time.AfterFunc(tc.approve, func() { assert.NoError(t, tt.Approve(tx.TransID, tx.Random)) })
					}
				})
				require.ErrorIs(t, err, tc.want)
				assert.InDelta(t, 300, time.Since(start).Seconds(), 3)
				checks := tt.Requests("status")
				assert.GreaterOrEqual(t, checks[len(checks)-1].Time.Sub(start), 5*time.Minute)
			})
		})
	}
}

func TestWaitAfterCloseIsAClearError(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		tx := tt.create(t, citizen)
		waiting := make(chan error)
		go func() {
			_, err := tt.poller.Wait(context.Background(), tx)
			waiting <- err
		}()
		synctest.Wait()
		require.NoError(t, tt.poller.Close())
		require.ErrorIs(t, <-waiting, nafath.ErrClosed)
		_, err := tt.poller.Wait(t.Context(), tx)
		require.ErrorIs(t, err, nafath.ErrClosed)
		_, err = tt.poller.Request(t.Context(), citizen)
		require.ErrorIs(t, err, nafath.ErrClosed)
		_, err = tt.poller.Verify(t.Context(), citizen, nil)
		require.ErrorIs(t, err, nafath.ErrClosed)
		tt.poller.Notify(tx.TransID)
		require.NoError(t, tt.poller.Close())
	})
}
