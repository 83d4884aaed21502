package nafath_test

import (
	"context"
	"fmt"
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

// begin begins and fails the test on an error.
func (tt tenant) begin(t *testing.T, nationalID string) *nafath.Verification {
	t.Helper()
	v, err := tt.poller.Begin(nationalID)
	require.NoError(t, err)
	return v
}

// reach reads updates up to a stage.
func reach(t *testing.T, updates <-chan nafath.Update, stage nafath.Stage) nafath.Update {
	t.Helper()
	for u := range updates {
		if u.Stage == stage {
			return u
		}
	}
	require.FailNow(t, "the updates ended before", stage)
	return nafath.Update{}
}

func TestBeginTellsEveryStage(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		tt.begin(t, person(1))
		synctest.Wait()
		start := time.Now()
		v := tt.begin(t, citizen)
		assert.Equal(t, start, time.Now(), "at once")
		var seen []string
		for u := range v.Updates(t.Context()) {
			switch u.Stage {
			case nafath.StageQueued:
				assert.Empty(t, u.Transaction)
				seen = append(seen, fmt.Sprintf("queued %d %.0fs", u.Place, u.ETA.Seconds()))
			case nafath.StageOpen:
				assert.Equal(t, citizen, u.Transaction.NationalID)
				assert.NotEmpty(t, u.Transaction.Random)
				seen = append(seen, "open "+string(u.Status))
				if u.Status == "" {
					time.AfterFunc(20*time.Second, func() { assert.NoError(t, tt.Approve(u.Transaction.TransID, u.Transaction.Random)) })
				}
			case nafath.StageDone:
				require.NoError(t, u.Err)
				assert.Equal(t, citizen, u.Details.IDNumber)
				assert.Equal(t, u.Transaction.TransID, u.Details.TransID)
				seen = append(seen, "done "+string(u.Status))
			}
		}
		assert.Equal(t, []string{"queued 1 6s", "queued 0 0s", "open ", "open WAITING", "open COMPLETED", "done COMPLETED"}, seen)
		d, err := v.Wait(t.Context())
		require.NoError(t, err)
		assert.Equal(t, citizen, d.IDNumber)
		last := reach(t, v.Updates(t.Context()), nafath.StageDone)
		assert.NotNil(t, last.Details, "who comes late gets the outcome at once")
	})
}

// The first trap of a page: the request that began it ends while the creation is
// in flight.
func TestTheEndOfARequestLosesNoCode(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		tt.Fail("request", 0, kyctest.Fault{Delay: 10 * time.Second})
		v := tt.begin(t, citizen)
		page, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		updates := v.Updates(page)
		assert.Equal(t, nafath.StageQueued, (<-updates).Stage)
		_, err := v.Wait(page)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		synctest.Wait()
		for u := range updates { // which the end of the page ends
			assert.Equal(t, nafath.StageQueued, u.Stage)
		}

		again := v.Updates(t.Context()) // the page comes back
		u := reach(t, again, nafath.StageOpen)
		require.NoError(t, tt.Approve(u.Transaction.TransID, u.Transaction.Random))
		assert.NoError(t, reach(t, again, nafath.StageDone).Err)
		assert.Equal(t, 1, tt.Count("request"))
	})
}

// The second trap: a double click.
func TestADoubleClickPromptsOnce(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		tt.begin(t, person(1)) // takes the first slot
		v := tt.begin(t, citizen)
		for range 2 { // queued, in flight and open
			for _, spelling := range []string{citizen, "١٠٠٠٠٠٠٠٠٨", " 1000-000-008\u200f"} {
				_, err := tt.poller.Begin(spelling)
				require.ErrorIs(t, err, kyckit.ErrConflict)
				_, err = tt.poller.BeginAs("somebody else", spelling)
				require.ErrorIs(t, err, kyckit.ErrConflict)
				_, err = tt.poller.Request(t.Context(), spelling)
				require.ErrorIs(t, err, kyckit.ErrConflict)
			}
			time.Sleep(10 * time.Second)
		}
		assert.Equal(t, 2, tt.Count("request"))
		u := reach(t, v.Updates(t.Context()), nafath.StageOpen)
		require.NoError(t, tt.Reject(u.Transaction.TransID))
		_, err := v.Wait(t.Context())
		require.ErrorIs(t, err, nafath.ErrRejected)
		tt.begin(t, citizen)
	})
}

func TestAPersonMayBeginAgainAfterEveryEnd(t *testing.T) {
	for name, c := range map[string]struct {
		fault kyctest.Fault
		act   func(tenant, nafath.Transaction) error
		want  error
	}{
		"outcome unknown": {fault: kyctest.Fault{LoseAnswer: true}, want: kyckit.ErrOutcomeUnknown},
		"unavailable":     {fault: kyctest.Fault{Status: 403}, want: kyckit.ErrForbidden},
		"timeout":         {want: nafath.ErrTimeout},
		"expired":         {act: func(tt tenant, tx nafath.Transaction) error { return tt.Expire(tx.TransID) }, want: nafath.ErrExpired},
		"failed":          {act: func(tt tenant, tx nafath.Transaction) error { return tt.Break(tx.TransID) }, want: nafath.ErrFailed},
		"approved":        {act: func(tt tenant, tx nafath.Transaction) error { return tt.Approve(tx.TransID, tx.Random) }},
	} {
		t.Run(name, func(t *testing.T) {
			inTenant(t, nafathtest.Config{Lifetime: time.Hour}, nil, func(t *testing.T, tt tenant) {
				broken := c.fault.LoseAnswer || c.fault.Status > 0
				if broken {
					tt.Fail("request", 1, c.fault)
				}
				v := tt.begin(t, citizen)
				if !broken && c.act != nil {
					assert.NoError(t, c.act(tt, reach(t, v.Updates(t.Context()), nafath.StageOpen).Transaction))
				}
				d, err := v.Wait(t.Context())
				if c.want != nil {
					require.ErrorIs(t, err, c.want)
					assert.Nil(t, d)
				} else {
					require.NoError(t, err)
				}
				u := reach(t, v.Updates(t.Context()), nafath.StageDone)
				assert.Equal(t, err, u.Err)
				before := tt.Count("request")
				again := tt.begin(t, citizen)
				reach(t, again.Updates(t.Context()), nafath.StageOpen)
				assert.Equal(t, before+1, tt.Count("request"))
			})
		})
	}
}

// A reader that is slow, or gone.
func TestASlowReaderMissesNoEndAndDelaysNobody(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		v := tt.begin(t, citizen)
		never := v.Updates(t.Context()) // nobody reads
		slow := v.Updates(t.Context())
		tx := reach(t, v.Updates(t.Context()), nafath.StageOpen).Transaction
		require.NoError(t, tt.Approve(tx.TransID, tx.Random))
		_, err := v.Wait(t.Context())
		require.NoError(t, err)
		var got []nafath.Stage
		for u := range slow {
			got = append(got, u.Stage)
		}
		assert.Equal(t, []nafath.Stage{nafath.StageDone}, got)
		_ = never // the bubble fails if a goroutine is left
	})
}

func TestUpdatesEndWithTheirContextAndWithClose(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		open, queued := tt.begin(t, citizen), tt.begin(t, person(1))
		tx := reach(t, open.Updates(t.Context()), nafath.StageOpen).Transaction
		ctx, cancel := context.WithCancel(t.Context())
		left := open.Updates(ctx)
		cancel()
		synctest.Wait()
		for u := range left {
			assert.NotEqual(t, nafath.StageDone, u.Stage)
		}
		stays := open.Updates(t.Context())
		require.NoError(t, tt.poller.Close())
		u := reach(t, stays, nafath.StageDone)
		require.ErrorIs(t, u.Err, nafath.ErrClosed)
		assert.Equal(t, tx, u.Transaction, "to be continued by the next process")
		_, err := queued.Wait(t.Context())
		require.ErrorIs(t, err, nafath.ErrClosed)
		assert.Equal(t, 1, tt.Count("request"))
		_, err = tt.poller.Begin(person(2))
		require.ErrorIs(t, err, nafath.ErrClosed)
		_, err = tt.poller.Continue(tx)
		require.ErrorIs(t, err, nafath.ErrClosed)
	})
}

func TestACreationInFlightAtCloseIsNotLost(t *testing.T) {
	for name, c := range map[string]struct {
		delay time.Duration
		want  error
	}{
		"its answer comes":       {delay: 2 * time.Second, want: nafath.ErrClosed},
		"its answer is too late": {delay: 20 * time.Second, want: kyckit.ErrOutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
				tt.Fail("request", 0, kyctest.Fault{Delay: c.delay})
				v := tt.begin(t, citizen)
				updates := v.Updates(t.Context())
				time.Sleep(time.Second)
				start := time.Now()
				require.NoError(t, tt.poller.Close())
				assert.LessOrEqual(t, time.Since(start), 9*time.Second)
				u := reach(t, updates, nafath.StageDone)
				require.ErrorIs(t, u.Err, c.want)
				assert.Equal(t, c.delay < 5*time.Second, u.Transaction.Random != "")
			})
		})
	}
}

func TestContinueFinishesWhatAnotherProcessBegan(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		tx := tt.create(t, citizen)
		v, err := tt.poller.Continue(tx)
		require.NoError(t, err)
		_, err = tt.poller.Begin(citizen)
		require.ErrorIs(t, err, kyckit.ErrConflict, "one open verification a person")
		guess := tx
		guess.Random += "1"
		_, err = tt.poller.Continue(guess)
		require.ErrorIs(t, err, kyckit.ErrInvalid)
		time.AfterFunc(10*time.Second, func() { assert.NoError(t, tt.Approve(tx.TransID, tx.Random)) })
		assert.NoError(t, reach(t, v.Updates(t.Context()), nafath.StageDone).Err)

		time.Sleep(5 * time.Minute) // from memory, but for the details
		v, err = tt.poller.Continue(tx)
		require.NoError(t, err)
		d, err := v.Wait(t.Context())
		require.NoError(t, err)
		assert.Equal(t, citizen, d.IDNumber)
		assert.Equal(t, 2, tt.Count("details"))

		declined := tt.create(t, person(1))
		require.NoError(t, tt.Reject(declined.TransID))
		for range 2 {
			v, err = tt.poller.Continue(declined)
			require.NoError(t, err)
			_, err = v.Wait(t.Context())
			require.ErrorIs(t, err, nafath.ErrRejected)
		}
	})
}

func TestHandlesAndPollersThatNobodyMadeSaySo(t *testing.T) {
	var zero nafath.Poller
	for _, p := range []*nafath.Poller{nil, &zero} {
		_, err := p.Begin(citizen)
		require.ErrorIs(t, err, kyckit.ErrInvalid)
		_, err = p.BeginAs("x", citizen)
		require.ErrorIs(t, err, kyckit.ErrInvalid)
		_, err = p.Continue(nafath.Transaction{})
		require.ErrorIs(t, err, kyckit.ErrInvalid)
		_, err = p.Request(t.Context(), citizen)
		require.ErrorIs(t, err, kyckit.ErrInvalid)
		_, err = p.Verify(t.Context(), citizen, nil)
		require.ErrorIs(t, err, kyckit.ErrInvalid)
		_, err = p.Resume(t.Context(), nafath.Transaction{})
		require.ErrorIs(t, err, kyckit.ErrInvalid)
		_, err = p.Wait(t.Context(), nafath.Transaction{})
		require.ErrorIs(t, err, kyckit.ErrInvalid)
		require.ErrorIs(t, p.Add(), kyckit.ErrInvalid)
		require.ErrorIs(t, p.SetLimits(nafath.Limits{}), kyckit.ErrInvalid)
		require.ErrorIs(t, p.Drain(t.Context()), kyckit.ErrInvalid)
		require.ErrorIs(t, p.Close(), kyckit.ErrInvalid)
		p.Notify("x")
		p.Forget("x")
		assert.False(t, p.Knows("x"))
		assert.Zero(t, p.Stats())
	}
	var handle nafath.Verification
	for _, v := range []*nafath.Verification{nil, &handle} {
		assert.False(t, v.Cancel())
		_, err := v.Wait(t.Context())
		require.ErrorIs(t, err, kyckit.ErrInvalid)
		u := reach(t, v.Updates(t.Context()), nafath.StageDone)
		require.ErrorIs(t, u.Err, kyckit.ErrInvalid)
	}
	var client nafath.Client
	for _, c := range []*nafath.Client{nil, &client} {
		_, err := c.Request(t.Context(), citizen)
		require.ErrorIs(t, err, kyckit.ErrInvalid)
		_, err = c.Status(t.Context(), nafath.Transaction{TransID: "x", Random: "1", NationalID: citizen})
		require.ErrorIs(t, err, kyckit.ErrInvalid)
		_, err = c.Details(t.Context(), "x")
		require.ErrorIs(t, err, kyckit.ErrInvalid)
	}
}
