package nafath_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
)

func TestWhoDeclinesAgainAndAgainIsLeftAlone(t *testing.T) {
	decline := func(t *testing.T, tt tenant) {
		t.Helper()
		v := tt.begin(t, citizen)
		require.NoError(t, tt.Reject(reach(t, v.Updates(t.Context()), nafath.StageOpen).Transaction.TransID))
		_, err := v.Wait(t.Context())
		require.ErrorIs(t, err, nafath.ErrRejected)
	}
	refused := func(t *testing.T, tt tenant) time.Duration {
		t.Helper()
		before := tt.Count("request")
		_, err := tt.poller.Begin("١٠٠٠ ٠٠٠ ٠٠٨")
		require.ErrorIs(t, err, kyckit.ErrRateLimited)
		_, other := tt.poller.Request(t.Context(), citizen)
		require.ErrorIs(t, other, kyckit.ErrRateLimited)
		assert.Equal(t, before, tt.Count("request"))
		var e *kyckit.Error
		require.ErrorAs(t, err, &e)
		return e.RetryAfter
	}
	unlimited := nafathtest.Config{Limits: nafath.Limits{Requests: -1}}
	inTenant(t, unlimited, nil, func(t *testing.T, tt tenant) {
		decline(t, tt)
		decline(t, tt) // one slip may be mended at once
		for range 3 {
			assert.InDelta(t, 60, refused(t, tt).Seconds(), 3)
			time.Sleep(time.Minute)
			decline(t, tt)
		}
		time.Sleep(time.Hour) // an hour forgets
		decline(t, tt)
		decline(t, tt)
		time.Sleep(time.Minute)
		v := tt.begin(t, citizen)
		tx := reach(t, v.Updates(t.Context()), nafath.StageOpen).Transaction
		require.NoError(t, tt.Approve(tx.TransID, tx.Random)) // so does an approval
		_, err := v.Wait(t.Context())
		require.NoError(t, err)
		decline(t, tt)
		decline(t, tt)
		refused(t, tt)
		reach(t, tt.begin(t, person(1)).Updates(t.Context()), nafath.StageOpen) // it is nobody else's pause
	})
	inTenant(t, unlimited, func(cfg *nafath.PollerConfig) { cfg.AfterRejection = -1 }, func(t *testing.T, tt tenant) {
		for range 10 {
			decline(t, tt)
		}
	})
	// A victim who declines each prompt of an attacker who never stops.
	inTenant(t, unlimited, nil, func(t *testing.T, tt tenant) {
		for start := time.Now(); time.Since(start) < 10*time.Minute; time.Sleep(time.Second) {
			v, err := tt.poller.BeginAs("attacker", citizen)
			if err != nil {
				continue
			}
			require.NoError(t, tt.Reject(reach(t, v.Updates(t.Context()), nafath.StageOpen).Transaction.TransID))
			_, err = v.Wait(t.Context())
			require.ErrorIs(t, err, nafath.ErrRejected)
		}
		assert.LessOrEqual(t, tt.Count("request"), 12)
	})
}
