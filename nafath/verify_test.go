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

// The third trap: everybody who follows asks for the details.
func TestAnyNumberOfFollowersCostOneDetailsCall(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		v := tt.begin(t, citizen)
		tx := reach(t, v.Updates(t.Context()), nafath.StageOpen).Transaction
		time.AfterFunc(10*time.Second, func() { assert.NoError(t, tt.Approve(tx.TransID, tx.Random)) })
		var wg sync.WaitGroup
		var mu sync.Mutex
		distinct := map[*nafath.Details]bool{}
		note := func(d *nafath.Details) {
			mu.Lock()
			defer mu.Unlock()
			distinct[d] = true
		}
		for i := range 90 {
			wg.Go(func() {
				var d *nafath.Details
				var err error
				switch i % 3 {
				case 0:
					d, err = v.Wait(t.Context())
				case 1:
					u := reach(t, v.Updates(t.Context()), nafath.StageDone)
					d, err = u.Details, u.Err
				case 2:
					d, err = tt.poller.Resume(t.Context(), tx)
				}
				assert.NoError(t, err)
				assert.Equal(t, citizen, d.IDNumber)
				note(d)
			})
		}
		wg.Wait()
		assert.Len(t, distinct, 90, "nobody can change what others hold")
		assert.Equal(t, 1, tt.Count("details"))
	})
}

// A verified person who reloads the page takes nothing from others.
func TestReloadsShareOneDetailsCallAMinute(t *testing.T) {
	inTenant(t, nafathtest.Config{Limits: nafath.Limits{Requests: -1}}, nil, func(t *testing.T, tt tenant) {
		tx := tt.create(t, citizen)
		require.NoError(t, tt.Approve(tx.TransID, tx.Random))
		stop := time.Now().Add(10 * time.Minute)
		go func() {
			for time.Now().Before(stop) {
				_, err := tt.poller.Resume(t.Context(), tx)
				assert.NoError(t, err)
				time.Sleep(500 * time.Millisecond)
			}
		}()
		var wg sync.WaitGroup
		for i := range 75 {
			other := tt.create(t, person(100+i))
			require.NoError(t, tt.Approve(other.TransID, other.Random))
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				_, err := tt.poller.Resume(ctx, other)
				assert.NoError(t, err)
			})
			time.Sleep(8 * time.Second)
		}
		wg.Wait()
		synctest.Wait()
		assert.LessOrEqual(t, tt.Count("details"), 75+11)
		assert.Zero(t, tt.Limited("details"))
	})
	// An answer that is an error serves for a shorter while.
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		tx := tt.create(t, citizen)
		require.NoError(t, tt.Approve(tx.TransID, tx.Random))
		tt.Fail("details", 1, kyctest.Fault{Status: 403})
		for range 3 {
			_, err := tt.poller.Resume(t.Context(), tx)
			require.ErrorIs(t, err, kyckit.ErrForbidden)
		}
		assert.Equal(t, 1, tt.Count("details"))
		time.Sleep(16 * time.Second)
		_, err := tt.poller.Resume(t.Context(), tx)
		require.NoError(t, err)
	})
}

func TestAnOldVerificationDoesNotPassForANewOne(t *testing.T) {
	within := func(d time.Duration) func(*nafath.PollerConfig) {
		return func(cfg *nafath.PollerConfig) { cfg.ResumeWithin = d }
	}
	for name, c := range map[string]struct {
		age    time.Duration
		change func(*nafath.PollerConfig)
		ok     bool
	}{
		"an hour":                {age: time.Hour, ok: true},
		"300 days":               {age: 300 * 24 * time.Hour},
		"a day and ten minutes":  {age: 24*time.Hour + 10*time.Minute},
		"300 days, as asked for": {age: 300 * 24 * time.Hour, change: within(400 * 24 * time.Hour), ok: true},
		"an hour, if forbidden":  {age: time.Hour, change: within(30 * time.Minute)},
	} {
		t.Run(name, func(t *testing.T) {
			inTenant(t, nafathtest.Config{}, c.change, func(t *testing.T, tt tenant) {
				tx := tt.create(t, citizen)
				require.NoError(t, tt.Approve(tx.TransID, tx.Random))
				tx.CreatedAt = tx.CreatedAt.Add(-c.age)
				d, err := tt.poller.Resume(t.Context(), tx)
				_, contErr := tt.poller.Continue(tx)
				if c.ok {
					require.NoError(t, err)
					require.NoError(t, contErr)
					assert.Equal(t, citizen, d.IDNumber)
					return
				}
				for _, err := range []error{err, contErr} {
					require.ErrorIs(t, err, kyckit.ErrInvalid)
					require.ErrorIs(t, err, nafath.ErrExpired)
				}
				assert.Zero(t, tt.Count("status")+tt.Count("details"))
			})
		})
	}
}
