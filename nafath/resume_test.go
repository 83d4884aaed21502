package nafath_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
)

// A process that was restarted finishes what another one began.
func TestResumeFinishesAStoredVerification(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		tx := tt.create(t, citizen)
		time.Sleep(30 * time.Second) // the process was away
		require.NoError(t, tt.Approve(tx.TransID, tx.Random))
		d, err := tt.poller.Resume(t.Context(), tx)
		require.NoError(t, err)
		assert.Equal(t, citizen, d.IDNumber)

		// Once more, from memory, and with the id as a person writes it.
		tx.NationalID = "١٠٠٠ ٠٠٠ ٠٠٨"
		d, err = tt.poller.Resume(t.Context(), tx)
		require.NoError(t, err)
		assert.Equal(t, citizen, d.IDNumber)
	})
}

func TestResumeComparesTheDetails(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		tx := tt.create(t, citizen)
		tt.SetPerson(citizen, nafath.Details{IDNumber: "2000000006"})
		require.NoError(t, tt.Approve(tx.TransID, tx.Random))
		_, err := tt.poller.Resume(t.Context(), tx)
		require.ErrorIs(t, err, nafath.ErrIdentityMismatch)

		declined := tt.create(t, "2000000006")
		require.NoError(t, tt.Reject(declined.TransID))
		_, err = tt.poller.Resume(t.Context(), declined)
		require.ErrorIs(t, err, nafath.ErrRejected)
	})
}

// After an outage many are completed at once: their details are read within
// the limit too.
func TestResumeReadsDetailsWithinTheLimit(t *testing.T) {
	inTenant(t, nafathtest.Config{Limits: nafath.Limits{Requests: -1}}, nil, func(t *testing.T, tt tenant) {
		const many = 45 // above the 30 a minute
		done := make(chan error, many)
		for i := range many {
			tx := tt.create(t, person(i))
			require.NoError(t, tt.Approve(tx.TransID, tx.Random))
			go func() {
				_, err := tt.poller.Resume(t.Context(), tx)
				done <- err
			}()
		}
		for range many {
			require.NoError(t, <-done)
		}
		assert.Zero(t, tt.Limited("details"))
		assert.Zero(t, tt.Limited("status"))
	})
}
