package nafath_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
)

func stored(n int) []nafath.Transaction {
	txs := make([]nafath.Transaction, n)
	for i := range txs {
		txs[i] = nafath.Transaction{
			TransID: fmt.Sprintf("7f3c9a10-0000-4000-8000-%012d", i), Random: fmt.Sprintf("%02d", i%100),
			NationalID: person(i), CreatedAt: time.Now(),
		}
	}
	return txs
}

func TestAPendingVerificationTakesLessThanAKibibyte(t *testing.T) {
	fake := nafathtest.NewServer(nafathtest.Config{})
	defer fake.Close()
	client, err := nafath.New(fake.ClientConfig())
	require.NoError(t, err)
	poller, err := nafath.NewPoller(nafath.PollerConfig{Client: client})
	require.NoError(t, err)

	const n = 10_000
	inUse := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	goroutines, before := runtime.NumGoroutine(), inUse()
	require.NoError(t, poller.Add(stored(n)...))
	each := (inUse() - before) / n
	t.Logf("%d bytes each", each)
	assert.Less(t, each, uint64(1024))
	assert.LessOrEqual(t, runtime.NumGoroutine()-goroutines, 8, "one goroutine for all, and a check or two in flight")
	assert.Equal(t, n, poller.Stats().Pending)
	require.NoError(t, poller.Close())
}

// direct hands requests to a fake without a network between them.
type direct struct{ fake *nafathtest.Server }

func (d direct) RoundTrip(req *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	d.fake.ServeHTTP(rec, req)
	return rec.Result(), nil
}

func TestTenThousandRestored(t *testing.T) {
	if testing.Short() {
		t.Skip("twenty thousand calls")
	}
	limits := nafath.Limits{Requests: -1, StatusChecks: 6000}
	inTenant(t, nafathtest.Config{Options: kyctest.Options{Discard: true}, Limits: limits}, nil, func(t *testing.T, tt tenant) {
		cfg := tt.ClientConfig()
		cfg.HTTP.Client = &http.Client{Transport: direct{tt.Server}}
		var err error
		tt.client, err = nafath.New(cfg)
		require.NoError(t, err)
		tt.poller, err = nafath.NewPoller(nafath.PollerConfig{Client: tt.client, Limits: nafath.Limits{StatusChecks: 6000}})
		require.NoError(t, err)
		defer func() { assert.NoError(t, tt.poller.Close()) }()
		txs := make([]nafath.Transaction, 10_000)
		for i := range txs {
			txs[i] = tt.create(t, person(i))
			if i%2 == 0 {
				require.NoError(t, tt.Approve(txs[i].TransID, txs[i].Random))
			}
		}
		start := time.Now()
		results := make(chan nafath.Status, len(txs))
		for _, tx := range txs {
			go func() {
				status, err := tt.poller.Wait(t.Context(), tx)
				assert.NoError(t, err)
				results <- status
			}()
		}
		synctest.Wait()
		time.Sleep(time.Second)
		assert.LessOrEqual(t, tt.Count("status"), 101, "no burst")
		count := map[nafath.Status]int{}
		for range txs {
			count[<-results]++
		}
		assert.Equal(t, map[nafath.Status]int{nafath.StatusCompleted: 5000, nafath.StatusExpired: 5000}, count)
		assert.Zero(t, tt.Limited("status"))
		assert.Less(t, time.Since(start), 5*time.Minute)
	})
}
