package nafath_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
	"github.com/kyckit/kyckit/webhook"
)

func TestASlowCallbackDelaysNoCheck(t *testing.T) {
	release := make(chan struct{})
	var mu sync.Mutex
	var ends []error
	inTenant(t, nafathtest.Config{Limits: nafath.Limits{Requests: -1}}, func(cfg *nafath.PollerConfig) {
		block := make(chan struct{}) // made inside the bubble
		release = block
		cfg.OnStatus = func(nafath.Transaction, nafath.Status) { <-block }
		cfg.OnEnd = func(_ nafath.Transaction, status nafath.Status, err error) {
			mu.Lock()
			defer mu.Unlock()
			ends = append(ends, err)
			if err == nil {
				assert.Equal(t, nafath.StatusCompleted, status)
			}
		}
	}, func(t *testing.T, tt tenant) {
		for i := range 5 {
			tx := tt.create(t, person(i))
			if i > 0 {
				time.AfterFunc(10*time.Second, func() { assert.NoError(t, tt.Approve(tx.TransID, tx.Random)) })
			}
			if i == 1 {
				defer func() {
					status, err := tt.poller.Wait(t.Context(), tx)
					assert.ErrorIs(t, err, nafath.ErrClosed, status)
				}()
			}
			require.NoError(t, tt.poller.Add(tx))
		}
		time.Sleep(time.Minute)
		assert.Equal(t, 1, tt.poller.Stats().Pending)
		assert.EqualValues(t, 4, tt.poller.Stats().Finished)
		close(release)
		require.NoError(t, tt.poller.Close())
		require.Len(t, ends, 5, "Close waits for the callbacks")
		for _, err := range ends[:4] {
			assert.NoError(t, err)
		}
		assert.ErrorIs(t, ends[4], nafath.ErrClosed)
	})
}

func TestWebhookIsAHint(t *testing.T) {
	inTenant(t, nafathtest.Config{Limits: nafath.Limits{Requests: -1}}, nil, func(t *testing.T, tt tenant) {
		txs := make([]nafath.Transaction, 30)
		for i := range txs {
			txs[i] = tt.create(t, person(i))
		}
		require.NoError(t, tt.poller.Add(txs...))
		time.Sleep(45 * time.Second)
		event := func(body string) error {
			return tt.poller.HandleWebhook(t.Context(), &webhook.Delivery{Body: []byte(body)})
		}
		tx := txs[7]
		require.NoError(t, tt.Approve(tx.TransID, tx.Random))
		require.NoError(t, event(`{"Type":"NafathVerificationCompleted","TransId":"`+tx.TransID+`","Status":"COMPLETED"}`))
		start := time.Now()
		status, err := tt.poller.Wait(t.Context(), tx)
		require.NoError(t, err)
		assert.Equal(t, nafath.StatusCompleted, status)
		assert.Less(t, time.Since(start), 3*time.Second)

		// A hint proves nothing.
		forged := txs[8]
		require.NoError(t, event(`{"Type":"NafathVerificationCompleted","TransId":"`+forged.TransID+`","Status":"COMPLETED"}`))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err = tt.poller.Wait(ctx, forged)
		require.ErrorIs(t, err, context.DeadlineExceeded)

		require.NoError(t, event(`{"Type":"units.low_balance","TransId":"x","Status":"y"}`), "other types are accepted")
		for _, bad := range []string{``, `[]`, `{"Type":"x"}`, `{"Type":"x","TransId":"y","transid":"z","Status":"COMPLETED"}`} {
			require.ErrorIs(t, event(bad), webhook.ErrMalformed)
		}
		assert.Zero(t, tt.Limited("status"))
	})
}

func TestHintsForUnknownIdsCostNothing(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		for range 100_000 {
			tt.poller.Notify("unknown")
		}
		synctest.Wait()
		assert.Zero(t, tt.Count("status"))
		assert.Zero(t, tt.poller.Stats().Hints)
	})
}

func TestStatsForADashboard(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		s := tt.poller.Stats()
		assert.Equal(t, nafath.Stats{Rate: 60, RequestRate: 10, Limits: nafath.Limits{Requests: 10, StatusChecks: 60, Details: 30}}, s)
		_, err := tt.poller.Verify(t.Context(), citizen, func(tx nafath.Transaction) {
			time.AfterFunc(9*time.Second, func() { assert.NoError(t, tt.Approve(tx.TransID, tx.Random)) })
		})
		require.NoError(t, err)
		tt.poller.Notify("unknown")
		s = tt.poller.Stats()
		assert.EqualValues(t, 1, s.Finished)
		assert.EqualValues(t, tt.Count("status"), s.Checks)
		assert.InDelta(t, 1, s.Delay.Seconds(), 0.3, "half of the time between two checks")
		assert.Zero(t, s.Pending+s.InFlight+s.Queued)
	})
}

func TestHintsThatComeTooLateOrTwiceBuyNoTrust(t *testing.T) {
	inTenant(t, nafathtest.Config{Limits: nafath.Limits{Requests: -1}}, nil, func(t *testing.T, tt tenant) {
		verify := func(i int, announce bool) {
			tx := tt.create(t, person(i))
			require.NoError(t, tt.Approve(tx.TransID, tx.Random))
			require.NoError(t, tt.poller.Add(tx))
			if announce {
				tt.poller.Notify(tx.TransID)
			}
			_, err := tt.poller.Wait(t.Context(), tx)
			require.NoError(t, err)
			for range 20 {
				tt.poller.Notify(tx.TransID)
			}
		}
		for i := range 40 {
			verify(i, false)
		}
		assert.False(t, tt.poller.Stats().Saving)
		for i := range 40 {
			verify(100+i, true)
		}
		assert.True(t, tt.poller.Stats().Saving, "hints that come first do")
		assert.InDelta(t, 20, tt.poller.Stats().Rate, 0)
		for i := range 4 {
			verify(200+i, false)
		}
		assert.True(t, tt.poller.Stats().Saving, "a webhook may lose the race now and then")
	})
}

func TestCallbacksKnowBeforeWaitReturns(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]nafath.Status{}
	inTenant(t, nafathtest.Config{Limits: nafath.Limits{Requests: -1}}, func(cfg *nafath.PollerConfig) {
		cfg.OnStatus = func(tx nafath.Transaction, s nafath.Status) {
			time.Sleep(50 * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			seen[tx.TransID] = s
		}
	}, func(t *testing.T, tt tenant) {
		for i := range 20 {
			tx := tt.create(t, person(i))
			require.NoError(t, tt.Reject(tx.TransID))
			_, err := tt.poller.Wait(t.Context(), tx)
			require.NoError(t, err)
			mu.Lock()
			assert.Equal(t, nafath.StatusRejected, seen[tx.TransID])
			mu.Unlock()
		}
	})
}

// slowAnswers delays the answers to creations, which are carried out at once.
type slowAnswers struct {
	http.RoundTripper
	by time.Duration
}

func (s slowAnswers) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := s.RoundTripper.RoundTrip(req)
	if strings.HasSuffix(req.URL.Path, "/request") {
		time.Sleep(s.by)
	}
	return resp, err
}

func TestAHintBeforeTheCreationsAnswerCounts(t *testing.T) {
	inTenant(t, nafathtest.Config{Limits: nafath.Limits{Requests: -1}}, nil, func(t *testing.T, tt tenant) {
		cfg := tt.ClientConfig()
		cfg.HTTP.Client = &http.Client{Transport: slowAnswers{cfg.HTTP.Client.Transport, 3 * time.Second}}
		client, err := nafath.New(cfg)
		require.NoError(t, err)
		poller, err := nafath.NewPoller(nafath.PollerConfig{Client: client})
		require.NoError(t, err)
		defer func() { assert.NoError(t, poller.Close()) }()
		for i := range 60 { // checks are scarce
			require.NoError(t, poller.Add(tt.create(t, person(i+100))))
		}
		time.Sleep(time.Minute)
		v, err := poller.Begin(citizen)
		require.NoError(t, err)
		time.Sleep(time.Second)
		all := tt.Transactions()
		tx := all[len(all)-1]
		require.Equal(t, citizen, tx.NationalID)
		require.NoError(t, tt.Approve(tx.TransID, tx.Random))
		for i := range 5000 { // forged ones are bounded
			poller.Notify(fmt.Sprint("forged ", i))
		}
		poller.Notify(tx.TransID)
		start := time.Now()
		_, err = v.Wait(t.Context())
		require.NoError(t, err)
		assert.Less(t, time.Since(start), 5*time.Second, "two seconds for the answer, two until the first check")
		assert.EqualValues(t, 1, poller.Stats().Hints)
	})
}
