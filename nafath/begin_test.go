package nafath_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
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

func TestRequestsArePacedWithout429s(t *testing.T) {
	for name, fixed := range map[string]bool{"sliding": false, "fixed": true} {
		t.Run(name, func(t *testing.T) {
			inTenant(t, nafathtest.Config{FixedWindow: fixed}, nil, func(t *testing.T, tt tenant) {
				start := time.Now()
				_, err := tt.poller.Request(t.Context(), citizen)
				require.NoError(t, err)
				assert.Equal(t, start, time.Now(), "the first user does not wait")
				var wg sync.WaitGroup
				for i := range 40 {
					wg.Go(func() {
						_, err := tt.poller.Request(t.Context(), person(100+i))
						assert.NoError(t, err)
					})
				}
				wg.Wait()
				assert.Zero(t, tt.Limited("request"))
				assert.InDelta(t, 4.1*60, time.Since(start).Seconds(), 8, "the whole limit is used")
				assert.Equal(t, 41, tt.Count("request"))
			})
		})
	}
}

func TestRequestFailsAtOnceWhenItsSlotComesTooLate(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		_, err := tt.poller.Request(t.Context(), citizen)
		require.NoError(t, err)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err = tt.poller.Request(ctx, person(1))
		require.ErrorIs(t, err, kyckit.ErrRateLimited)
		assert.Equal(t, start, time.Now())
		var e *kyckit.Error
		require.ErrorAs(t, err, &e)
		assert.InDelta(t, 6.1, e.RetryAfter.Seconds(), 0.1)
		assert.Zero(t, e.Attempts)
		assert.Equal(t, 1, tt.Count("request"))

		time.Sleep(e.RetryAfter)
		_, err = tt.poller.Request(t.Context(), person(1))
		require.NoError(t, err)
		assert.InDelta(t, e.RetryAfter.Seconds(), time.Since(start).Seconds(), 0.1, "RetryAfter told the truth")
	})
}

func TestRequestIsToldWhenItsSlotMovesTooFar(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		// Ten creations that take 20 s each use the limit up for 80 s.
		tt.Fail("request", 0, kyctest.Fault{Delay: 20 * time.Second})
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 11 {
			ctx, cancel := context.WithTimeout(t.Context(), 75*time.Second)
			defer cancel()
			wg.Go(func() {
				_, err := tt.poller.Request(ctx, person(i))
				if i < 10 {
					assert.NoError(t, err)
					return
				}
				var e *kyckit.Error
				if assert.ErrorAs(t, err, &e) {
					assert.ErrorIs(t, err, kyckit.ErrRateLimited)
					assert.InDelta(t, 80, (time.Since(start) + e.RetryAfter).Seconds(), 0.5)
				}
				assert.InDelta(t, 20, time.Since(start).Seconds(), 0.1, "as soon as it is known")
			})
			synctest.Wait()
		}
		wg.Wait()
	})
}

func TestRequestCancelledInTheQueueSendsNothing(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		_, err := tt.poller.Request(t.Context(), citizen)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err = tt.poller.Request(ctx, person(1))
		require.ErrorIs(t, err, context.Canceled)
		assert.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
		assert.Equal(t, 1, tt.Count("request"))
		_, err = tt.poller.Request(ctx, "12")
		require.ErrorIs(t, err, kyckit.ErrInvalid, "a bad id needs no slot")
	})
}

func TestRefusedCreationIsAskedAgain(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		tt.Fail("request", 1, kyctest.Fault{Status: 429})
		tt.Fail("request", 2, kyctest.Fault{Status: 429, Header: http.Header{"Retry-After": {"20"}}})
		tt.Fail("request", 3, kyctest.Fault{Status: 401})
		start := time.Now()
		tx, err := tt.poller.Request(t.Context(), citizen)
		require.NoError(t, err)
		assert.NotEmpty(t, tx.Random)
		assert.Equal(t, 4, tt.Count("request"))
		assert.GreaterOrEqual(t, time.Since(start), 22*time.Second)

		// Where there is no time for that, the error says how long it takes.
		tt.Fail("request", 1, kyctest.Fault{Status: 429, Header: http.Header{"Retry-After": {"300"}}})
		time.Sleep(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start = time.Now()
		_, err = tt.poller.Request(ctx, person(1))
		require.ErrorIs(t, err, kyckit.ErrRateLimited)
		var e *kyckit.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, 429, e.StatusCode)
		assert.InDelta(t, 300, e.RetryAfter.Seconds(), 1)
		assert.Less(t, time.Since(start), 10*time.Second)
	})
}

func TestPitfall3ACreationThatMayHaveHappenedIsNeverRepeated(t *testing.T) {
	for name, fault := range map[string]kyctest.Fault{
		"500":         {Status: 500},
		"503":         {Status: 503, Header: http.Header{"Retry-After": {"1"}}},
		"lost answer": {LoseAnswer: true},
		"hang-up":     {Hangup: true},
		"no ids":      {Status: 200, Body: `{"statusCode":200,"result":{}}`},
		"500 inside":  {Status: 200, Body: `{"statusCode":500,"messages":["400-034-053"],"result":null}`},
		"500, a code": {Status: 500, Body: `{"statusCode":500,"messages":["400-034-053"],"result":null}`},
		"500, open":   {Status: 500, Body: `{"statusCode":500,"messages":["400-034-050"],"result":null}`},
	} {
		t.Run(name, func(t *testing.T) {
			inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
				tt.Fail("request", 0, fault)
				_, err := tt.poller.Verify(t.Context(), citizen, func(nafath.Transaction) { t.Error("nothing to show") })
				require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
				assert.Equal(t, fault.Status >= 500 || name == "500 inside", errors.Is(err, kyckit.ErrUnavailable))
				assert.Equal(t, name == "500, open", errors.Is(err, kyckit.ErrConflict))
				assert.Equal(t, 1, tt.Count("request"))
			})
		})
	}
}

func TestCancelledCreationInFlightHasUnknownOutcome(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		tt.Fail("request", 0, kyctest.Fault{Delay: 10 * time.Second})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := tt.poller.Request(ctx, citizen)
		require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestPitfall3AnOpenTransactionIsNotHandedToASecondCaller(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		body := `{"statusCode":200,"result":{"transId":"the-same","random":"42"}}`
		tt.Fail("request", 0, kyctest.Fault{Status: 200, Body: body})
		_, err := tt.poller.Request(t.Context(), citizen)
		require.NoError(t, err)
		tx, err := tt.poller.Request(t.Context(), person(1))
		require.ErrorIs(t, err, kyckit.ErrConflict)
		assert.Empty(t, tx)
		tx, err = tt.poller.Request(t.Context(), citizen)
		require.ErrorIs(t, err, kyckit.ErrConflict)
		assert.Empty(t, tx)
		assert.Equal(t, 2, tt.Count("request"), "the person's own second request is refused before it is sent")
	})
	inTenant(t, nafathtest.Config{OneOpen: true}, nil, func(t *testing.T, tt tenant) {
		tt.create(t, citizen) // by another process
		_, err := tt.poller.Request(t.Context(), citizen)
		require.ErrorIs(t, err, kyckit.ErrConflict)
		assert.Equal(t, 2, tt.Count("request"), "code 400-034-050 is not retried")
	})
}

func TestRestartIsNoBurst(t *testing.T) {
	// A predecessor spent its limits evenly and crashed; the new process starts
	// at once, with all that was open.
	inTenant(t, nafathtest.Config{Limits: nafath.Limits{Requests: -1}}, nil, func(t *testing.T, tt tenant) {
		txs := make([]nafath.Transaction, 100)
		for i := range txs {
			txs[i] = tt.create(t, person(i))
		}
		require.NoError(t, tt.poller.Add(txs...))
		time.Sleep(100*time.Second + 10*time.Millisecond)
		require.NoError(t, tt.poller.Close())

		next, err := nafath.NewPoller(nafath.PollerConfig{Client: tt.client})
		require.NoError(t, err)
		require.NoError(t, next.Add(txs...))
		time.Sleep(70 * time.Second)
		assert.Zero(t, tt.Limited("status"))
		assert.Greater(t, tt.Count("status"), 160)
		require.NoError(t, next.Close())
	})
	// One that was checked a moment before the restart is left alone for 2 s.
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		tx := tt.create(t, citizen)
		for range 10 {
			poller, err := nafath.NewPoller(nafath.PollerConfig{Client: tt.client})
			require.NoError(t, err)
			require.NoError(t, poller.Add(tx))
			time.Sleep(4500 * time.Millisecond)
			require.NoError(t, poller.Close())
		}
		checks := tt.Requests("status")
		assert.GreaterOrEqual(t, len(checks), 10)
		for i := 1; i < len(checks); i++ {
			assert.GreaterOrEqual(t, checks[i].Time.Sub(checks[i-1].Time), 2*time.Second)
		}
	})
}

func TestDetailsAreRetriedWithinTheirLimit(t *testing.T) {
	for name, c := range map[string]struct {
		faults []kyctest.Fault
		want   error
		calls  int
	}{
		"passing faults":   {[]kyctest.Fault{{Status: 500}, {Hangup: true}, {Status: 404}, {Status: 200, Body: "<html>"}}, nil, 5},
		"lasting fault":    {[]kyctest.Fault{{Status: 500}, {Status: 500}, {Status: 500}, {Status: 500}, {Status: 500}}, kyckit.ErrUnavailable, 5},
		"429 and 401":      {[]kyctest.Fault{{Status: 429}, {Status: 401}, {Status: 429}, {Status: 429}, {Status: 429}, {Status: 429}}, nil, 7},
		"forbidden":        {[]kyctest.Fault{{Status: 403}}, kyckit.ErrForbidden, 1},
		"refused for good": {[]kyctest.Fault{{Status: 401}, {Status: 401}}, kyckit.ErrUnauthorized, 2},
		"nobody named":     {[]kyctest.Fault{{Status: 200, Body: `{"idNumber":"` + citizen + `"}`}, {Status: 200, Body: `{"transId":"x","idNumber":null}`}}, nil, 3},
		"come in 10 min":   {[]kyctest.Fault{{Status: 503, Header: http.Header{"Retry-After": {"600"}}}}, nil, 2},
		"come in a day":    {[]kyctest.Fault{{Status: 503, Header: http.Header{"Retry-After": {"86400"}}}}, kyckit.ErrUnavailable, 1},
	} {
		t.Run(name, func(t *testing.T) {
			inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
				for i, f := range c.faults {
					tt.Fail("details", i+1, f)
				}
				d, err := tt.poller.Verify(t.Context(), citizen, func(tx nafath.Transaction) {
					assert.NoError(t, tt.Approve(tx.TransID, tx.Random))
				})
				if c.want == nil {
					require.NoError(t, err)
					assert.Equal(t, citizen, d.IDNumber)
				} else {
					require.ErrorIs(t, err, c.want)
				}
				assert.Equal(t, c.calls, tt.Count("details"))
			})
		})
	}
}

func TestDetailsWaitAsLongAsTheProviderAsks(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		tt.Fail("details", 1, kyctest.Fault{Status: 503, Header: http.Header{"Retry-After": {"25"}}})
		_, err := tt.poller.Verify(t.Context(), citizen, func(tx nafath.Transaction) {
			assert.NoError(t, tt.Approve(tx.TransID, tx.Random))
		})
		require.NoError(t, err)
		calls := tt.Requests("details")
		require.Len(t, calls, 2)
		assert.GreaterOrEqual(t, calls[1].Time.Sub(calls[0].Time), 25*time.Second)
	})
}

func TestDetailsThatNameNobodyVerifyNobody(t *testing.T) {
	for _, body := range []string{`{"transId":"%s"}`, `{"transId":"%s","idNumber":""}`, `{"idNumber":"` + citizen + `"}`, `{"statusCode":200,"result":{"transId":"%s"}}`} {
		inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
			d, err := tt.poller.Verify(t.Context(), citizen, func(tx nafath.Transaction) {
				tt.Fail("details", 0, kyctest.Fault{Status: 200, Body: strings.ReplaceAll(body, "%s", tx.TransID)})
				assert.NoError(t, tt.Approve(tx.TransID, tx.Random))
			})
			assert.Nil(t, d)
			require.ErrorIs(t, err, nafath.ErrIdentityMismatch)
			require.ErrorIs(t, err, kyckit.ErrDecode)
		})
	}
}

func TestManyVerifyAtOnceWithout429s(t *testing.T) {
	inTenant(t, nafathtest.Config{Limits: nafath.Limits{Requests: -1}}, func(cfg *nafath.PollerConfig) { cfg.Limits.Requests = 1000 }, func(t *testing.T, tt tenant) {
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				d, err := tt.poller.Verify(t.Context(), person(i), func(tx nafath.Transaction) {
					assert.NoError(t, tt.Approve(tx.TransID, tx.Random))
				})
				if assert.NoError(t, err) {
					assert.Equal(t, person(i), d.IDNumber)
				}
			})
		}
		wg.Wait()
		assert.Zero(t, tt.Limited("status"))
		assert.Zero(t, tt.Limited("details"))
		assert.Zero(t, tt.poller.Stats().RateLimited)
	})
}

func TestVerifyEndsWithItsContext(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := tt.poller.Verify(ctx, citizen, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)

		tt.Fail("details", 0, kyctest.Fault{Status: 500})
		time.Sleep(time.Minute)
		ctx, cancel = context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		_, err = tt.poller.Verify(ctx, person(1), func(tx nafath.Transaction) { assert.NoError(t, tt.Approve(tx.TransID, tx.Random)) })
		require.Error(t, err)
		assert.LessOrEqual(t, time.Since(start), 10*time.Second)
		synctest.Wait()
	})
}
