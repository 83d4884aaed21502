package nafath_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
)

// The made-up people of these tests, one for each n.
func person(n int) string { return fmt.Sprintf("1%09d", n) }

func TestClockJumps(t *testing.T) {
	// A stored transaction carries the wall clock of its day, which may have
	// jumped since; the poller's own times come from the monotonic clock.
	for name, c := range map[string]struct {
		shift time.Duration
		want  error
	}{
		"created in the future": {shift: 24 * time.Hour},
		"no time of creation":   {shift: -1},
		"created long ago":      {shift: -24 * time.Hour, want: nafath.ErrTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
				tx := tt.create(t, citizen)
				tx.CreatedAt = tx.CreatedAt.Round(0).Add(c.shift)
				if c.shift == -1 {
					tx.CreatedAt = time.Time{}
				}
				time.AfterFunc(10*time.Second, func() { _ = tt.Approve(tx.TransID, tx.Random) })
				start := time.Now()
				status, err := tt.poller.Wait(t.Context(), tx)
				if c.want != nil {
					require.ErrorIs(t, err, c.want)
					assert.Equal(t, nafath.StatusWaiting, status, "the last check was made")
					assert.Less(t, time.Since(start), 5*time.Second)
					return
				}
				require.NoError(t, err)
				assert.Equal(t, nafath.StatusCompleted, status)
				assert.Less(t, time.Since(start), 13*time.Second)
			})
		})
	}
}

func TestAnUnknownStatusIsKeptAndEndsNothing(t *testing.T) {
	var mu sync.Mutex
	var seen []nafath.Status
	record := func(_ nafath.Transaction, s nafath.Status) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, s)
	}
	inTenant(t, nafathtest.Config{}, func(cfg *nafath.PollerConfig) { cfg.OnStatus = record }, func(t *testing.T, tt tenant) {
		tx := tt.create(t, citizen)
		time.AfterFunc(10*time.Second, func() { tt.SetStatus(tx.TransID, "SCANNED") })
		time.AfterFunc(20*time.Second, func() { tt.SetStatus(tx.TransID, "Completed") })
		status, err := tt.poller.Wait(t.Context(), tx)
		require.NoError(t, err)
		assert.Equal(t, nafath.StatusCompleted, status)
		require.NoError(t, tt.poller.Close())
		assert.Equal(t, []nafath.Status{nafath.StatusWaiting, "SCANNED", nafath.StatusCompleted}, seen)
	})
}

func TestAFinalStatusIsNeverOverwritten(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		tx := tt.create(t, citizen)
		require.NoError(t, tt.Approve(tx.TransID, tx.Random))
		_, err := tt.poller.Wait(t.Context(), tx)
		require.NoError(t, err)
		for _, back := range []nafath.Status{nafath.StatusWaiting, nafath.StatusRejected} {
			tt.SetStatus(tx.TransID, back)
			tt.poller.Notify(tx.TransID)
			time.Sleep(time.Minute)
			status, err := tt.poller.Wait(t.Context(), tx)
			require.NoError(t, err)
			assert.Equal(t, nafath.StatusCompleted, status)
		}
		assert.Equal(t, 1, tt.Count("status"))
	})
}

func TestWaitingForEverEndsAtTheTimeout(t *testing.T) {
	inTenant(t, nafathtest.Config{Lifetime: 24 * time.Hour}, func(cfg *nafath.PollerConfig) { cfg.Timeout = 90 * time.Second }, func(t *testing.T, tt tenant) {
		tx := tt.create(t, citizen)
		for range 3 { // waiting again is allowed and costs one more look
			before := tt.Count("status")
			status, err := tt.poller.Wait(t.Context(), tx)
			require.ErrorIs(t, err, nafath.ErrTimeout)
			assert.Equal(t, nafath.StatusWaiting, status)
			if before > 0 {
				assert.Equal(t, before+1, tt.Count("status"))
			}
		}
		assert.InDelta(t, 94, time.Since(tx.CreatedAt).Seconds(), 3, "2 s apart all the same")
	})
}

func TestStormOf429s(t *testing.T) {
	inTenant(t, nafathtest.Config{Lifetime: time.Hour}, func(cfg *nafath.PollerConfig) { cfg.Timeout = time.Hour }, func(t *testing.T, tt tenant) {
		tx := tt.create(t, citizen)
		tt.Fail("status", 0, kyctest.Fault{Status: http.StatusTooManyRequests})
		done := make(chan nafath.Status, 1)
		go func() {
			status, err := tt.poller.Wait(context.Background(), tx)
			assert.NoError(t, err)
			done <- status
		}()
		time.Sleep(10 * time.Minute)
		assert.LessOrEqual(t, tt.Count("status"), 25, "pauses of 2, 4, … 30 s")
		assert.Greater(t, tt.Count("status"), 15)
		assert.Less(t, tt.poller.Stats().Rate, 30.0)
		assert.EqualValues(t, tt.Count("status"), tt.poller.Stats().RateLimited)

		tt.Heal()
		require.NoError(t, tt.Approve(tx.TransID, tx.Random))
		healed := time.Now()
		assert.Equal(t, nafath.StatusCompleted, <-done)
		assert.LessOrEqual(t, time.Since(healed), 31*time.Second)
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		tt.Fail("status", 1, kyctest.Fault{Status: 429, Header: http.Header{"Retry-After": {"45"}}})
		tx := tt.create(t, citizen)
		require.NoError(t, tt.Approve(tx.TransID, tx.Random))
		_, err := tt.poller.Wait(t.Context(), tx)
		require.NoError(t, err)
		checks := tt.Requests("status")
		require.Len(t, checks, 2)
		assert.InDelta(t, 45, checks[1].Time.Sub(checks[0].Time).Seconds(), 0.5)
	})
}

func TestHalfAnHourOf500s(t *testing.T) {
	inTenant(t, nafathtest.Config{Lifetime: 2 * time.Hour, Limits: nafath.Limits{Requests: -1}}, nil, func(t *testing.T, tt tenant) {
		const people = 20
		start := time.Now()
		tt.Fail("status", 0, kyctest.Fault{Status: 500, Body: "<html>"})
		for time.Since(start) < 30*time.Minute {
			var wg sync.WaitGroup
			for i := range people {
				tx := tt.create(t, person(i))
				wg.Go(func() {
					_, err := tt.poller.Wait(t.Context(), tx)
					assert.ErrorIs(t, err, nafath.ErrTimeout)
					assert.ErrorIs(t, err, kyckit.ErrUnavailable, "the cause is there")
				})
			}
			wg.Wait()
		}
		assert.Less(t, tt.Count("status"), people*6*16, "failing verifications back off: 16 checks in 5 minutes, not 150")

		tt.Heal()
		tx := tt.create(t, citizen)
		require.NoError(t, tt.Approve(tx.TransID, tx.Random))
		healed := time.Now()
		_, err := tt.poller.Wait(t.Context(), tx)
		require.NoError(t, err)
		assert.Less(t, time.Since(healed), 5*time.Second)
	})
}

func TestOneFailingVerificationDoesNotHoldUpOthers(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		// 404: the provider does not know this one, which does not end it.
		bad := nafath.Transaction{TransID: "unknown", Random: "00", NationalID: person(9), CreatedAt: time.Now()}
		failed := make(chan error, 1)
		go func() { _, err := tt.poller.Wait(context.Background(), bad); failed <- err }()
		tx := tt.create(t, citizen)
		time.AfterFunc(30*time.Second, func() { assert.NoError(t, tt.Approve(tx.TransID, tx.Random)) })
		_, err := tt.poller.Wait(t.Context(), tx)
		require.NoError(t, err)
		assert.Less(t, time.Since(tx.CreatedAt), 34*time.Second)
		err = <-failed
		require.ErrorIs(t, err, nafath.ErrTimeout)
		require.ErrorIs(t, err, kyckit.ErrNotFound)
	})
}

// hanging never answers checks of some transactions.
type hanging struct {
	http.RoundTripper
	ids []string
}

func (h *hanging) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := req.GetBody()
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	for _, id := range h.ids {
		if strings.Contains(string(raw), id) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		}
	}
	return h.RoundTripper.RoundTrip(req)
}

func TestChecksThatHangLeaveRoomForOthers(t *testing.T) {
	inTenant(t, nafathtest.Config{Limits: nafath.Limits{Requests: -1}}, nil, func(t *testing.T, tt tenant) {
		cfg := tt.ClientConfig()
		hang := &hanging{RoundTripper: cfg.HTTP.Client.Transport}
		cfg.HTTP.Client = &http.Client{Transport: hang}
		client, err := nafath.New(cfg)
		require.NoError(t, err)
		poller, err := nafath.NewPoller(nafath.PollerConfig{Client: client})
		require.NoError(t, err)
		defer func() { assert.NoError(t, poller.Close()) }()
		for i := range 10 {
			tx := tt.create(t, person(i))
			hang.ids = append(hang.ids, tx.TransID)
			require.NoError(t, poller.Add(tx))
		}
		for range 10 {
			tx := tt.create(t, citizen)
			approved := tx.CreatedAt.Add(20 * time.Second)
			time.AfterFunc(20*time.Second, func() { assert.NoError(t, tt.Approve(tx.TransID, tx.Random)) })
			status, err := poller.Wait(t.Context(), tx)
			require.NoError(t, err)
			assert.Equal(t, nafath.StatusCompleted, status)
			assert.Less(t, time.Since(approved), 15*time.Second)
		}
	})
}

func TestPitfall4UpstreamCodesEndTheVerificationAsExpired(t *testing.T) {
	for _, fault := range []kyctest.Fault{
		{Status: 400, Body: `{"statusCode":400,"messages":["400-034-051"],"result":null}`},
		{Status: 200, Body: `{"statusCode":400,"messages":["Error 400-034-053: not found"],"result":null}`},
		{Status: 400, Body: `{"code":"400-034-053","reference":"x"}`},
	} {
		inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
			tt.Fail("status", 0, fault)
			start := time.Now()
			_, err := tt.poller.Verify(t.Context(), citizen, nil)
			require.ErrorIs(t, err, nafath.ErrExpired)
			var e *kyckit.Error
			require.ErrorAs(t, err, &e)
			assert.Contains(t, fault.Body, e.Code)
			assert.NotEmpty(t, e.Code, "a wrong environment does not look like a slow person")
			if e.Code == "400-034-051" {
				assert.Equal(t, 1, tt.Count("status"))
			} else {
				assert.GreaterOrEqual(t, time.Since(start), 30*time.Second, "a replica may lag")
			}
			assert.Equal(t, 1, tt.Count("details"), "who approved is not told otherwise")
		})
	}
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		tt.Fail("status", 1, kyctest.Fault{Status: 400, Body: `{"statusCode":400,"messages":["422-031-046"],"result":null}`})
		_, err := tt.poller.Verify(t.Context(), citizen, func(tx nafath.Transaction) {
			assert.NoError(t, tt.Approve(tx.TransID, tx.Random))
		})
		require.NoError(t, err, "another code ends nothing")
	})
}

func TestRevokedTokenCostsOneMoreSlotAndNoFailure(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		d, err := tt.poller.Verify(t.Context(), citizen, func(tx nafath.Transaction) {
			time.AfterFunc(10*time.Second, tt.RevokeTokens)
			time.AfterFunc(12500*time.Millisecond, func() { assert.NoError(t, tt.Approve(tx.TransID, tx.Random)) })
			time.AfterFunc(13*time.Second, tt.RevokeTokens)
		})
		require.NoError(t, err)
		assert.Equal(t, citizen, d.IDNumber)
		checks := tt.Requests("status")
		for i := 1; i < len(checks); i++ {
			assert.GreaterOrEqual(t, checks[i].Time.Sub(checks[i-1].Time), 990*time.Millisecond, "a refused request counts too")
		}
	})
}

func TestAnotherProcessUsesTheTenantsLimit(t *testing.T) {
	inTenant(t, nafathtest.Config{Limits: nafath.Limits{Requests: -1}}, nil, func(t *testing.T, tt tenant) {
		// For ten minutes somebody else takes half of the limit.
		go func() {
			for range 300 {
				tt.Spend("status", 1)
				time.Sleep(2 * time.Second)
			}
		}()
		begin := time.Now()
		var wg sync.WaitGroup
		for i := range 100 {
			time.Sleep(6 * time.Second)
			tx := tt.create(t, person(i))
			time.AfterFunc(20*time.Second, func() { assert.NoError(t, tt.Approve(tx.TransID, tx.Random)) })
			wg.Go(func() {
				status, err := tt.poller.Wait(t.Context(), tx)
				assert.NoError(t, err)
				assert.Equal(t, nafath.StatusCompleted, status)
			})
		}
		wg.Wait()
		assert.InDelta(t, 630, time.Since(begin).Seconds(), 40)
		refused := tt.poller.Stats().RateLimited
		assert.Positive(t, refused)
		assert.Less(t, refused, uint64(40), "it slows down instead of insisting")
		time.Sleep(30 * time.Minute)
		assert.InDelta(t, 60, tt.poller.Stats().Rate, 0, "and takes the whole limit again")
	})
}
