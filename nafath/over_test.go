package nafath_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"runtime"
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

const (
	expiredBody = `{"statusCode":400,"messages":["400-034-051"],"result":null}`
	unknownBody = `{"statusCode":400,"messages":["400-034-053"],"result":null}`
)

// A code that a provider in trouble quotes, or a replica that lags, ends nothing.
func TestACodeAloneDecidesNothing(t *testing.T) {
	quoted := func(code string, inside string) string {
		return `{"statusCode":` + inside + `,"messages":["` + code + `"],"result":null}`
	}
	faults := map[string]kyctest.Fault{"lagging replica": {Status: 400, Body: unknownBody}, "lagging, 404": {Status: 404, Body: unknownBody}}
	for _, code := range []string{"400-034-051", "400-034-053"} {
		for _, status := range []int{500, 502, 503, 429, 403} {
			text := http.StatusText(status)
			faults[code+" in "+text] = kyctest.Fault{Status: status, Body: quoted(code, "400")}
		}
		faults[code+" in a 500 inside"] = kyctest.Fault{Status: 200, Body: quoted(code, "500")}
		faults[code+" in a 429 inside"] = kyctest.Fault{Status: 200, Body: quoted(code, "429")}
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
				tt.Fail("status", 0, fault)
				time.AfterFunc(15*time.Second, tt.Heal)
				d, err := tt.poller.Verify(t.Context(), citizen, func(tx nafath.Transaction) {
					time.AfterFunc(20*time.Second, func() { assert.NoError(t, tt.Approve(tx.TransID, tx.Random)) })
				})
				require.NoError(t, err)
				assert.Equal(t, citizen, d.IDNumber)
			})
		})
	}
}

// The only COMPLETED answer is lost, or the process that heard it died; what
// comes instead says that the transaction is gone.
func TestWhoApprovedIsNotToldExpired(t *testing.T) {
	for name, c := range map[string]struct {
		fault kyctest.Fault
		after time.Duration
	}{
		"expired":          {fault: kyctest.Fault{Status: 400, Body: expiredBody}},
		"unknown":          {fault: kyctest.Fault{Status: 200, Body: unknownBody}},
		"404":              {fault: kyctest.Fault{Status: 404}},
		"expired, resumed": {fault: kyctest.Fault{Status: 400, Body: expiredBody}, after: 200 * time.Second},
		"unknown, resumed": {fault: kyctest.Fault{Status: 400, Body: unknownBody}, after: 200 * time.Second},
		"404, resumed":     {fault: kyctest.Fault{Status: 404}, after: 200 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
				tx := tt.create(t, citizen)
				require.NoError(t, tt.Approve(tx.TransID, tx.Random))
				tt.Fail("status", 0, c.fault)
				time.Sleep(c.after)
				status, err := tt.poller.Wait(t.Context(), tx)
				require.NoError(t, err)
				assert.Equal(t, nafath.StatusCompleted, status, "Wait says the same")
				d, err := tt.poller.Resume(t.Context(), tx)
				require.NoError(t, err)
				assert.Equal(t, citizen, d.IDNumber)
				assert.Equal(t, 1, tt.Count("details"), "the proof is the answer")
			})
		})
	}
	// Who did not approve is told so, and details of somebody else are no proof.
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		tx := tt.create(t, citizen)
		tt.Fail("status", 0, kyctest.Fault{Status: 400, Body: expiredBody})
		for range 2 {
			_, err := tt.poller.Resume(t.Context(), tx)
			require.ErrorIs(t, err, nafath.ErrExpired)
			var e *kyckit.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, "400-034-051", e.Code, "remembered too")
		}
		other := tt.create(t, person(1))
		tt.SetPerson(person(1), nafath.Details{IDNumber: citizen})
		require.NoError(t, tt.Approve(other.TransID, other.Random))
		_, err := tt.poller.Resume(t.Context(), other)
		require.ErrorIs(t, err, nafath.ErrIdentityMismatch)
	})
}

// shortLived forgets transactions: from then on their status is a code.
type shortLived struct {
	http.RoundTripper
	life time.Duration

	mu    sync.Mutex
	first map[string]time.Time
}

func (s *shortLived) RoundTrip(req *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(req.URL.Path, "/status") {
		return s.RoundTripper.RoundTrip(req)
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, err
	}
	var tx nafath.Transaction
	if err := json.NewDecoder(body).Decode(&tx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	first, known := s.first[tx.TransID]
	if !known {
		first = time.Now()
		s.first[tx.TransID] = first
	}
	s.mu.Unlock()
	if time.Since(first) < s.life {
		return s.RoundTripper.RoundTrip(req)
	}
	return &http.Response{
		StatusCode: http.StatusBadRequest, Header: http.Header{}, ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Body: io.NopCloser(strings.NewReader(expiredBody)),
	}, nil
}

// With many open, an approval in the last half minute of a transaction's life is
// seen after its end.
func TestApprovalsInTheLastMomentCount(t *testing.T) {
	for _, many := range []int{30, 60} {
		inTenant(t, nafathtest.Config{Lifetime: time.Hour, Limits: nafath.Limits{Requests: -1}}, nil, func(t *testing.T, tt tenant) {
			cfg := tt.ClientConfig()
			cfg.HTTP.Client = &http.Client{Transport: &shortLived{RoundTripper: cfg.HTTP.Client.Transport, life: 180 * time.Second, first: map[string]time.Time{}}}
			client, err := nafath.New(cfg)
			require.NoError(t, err)
			poller, err := nafath.NewPoller(nafath.PollerConfig{Client: client, Limits: nafath.Limits{StatusChecks: 30}})
			require.NoError(t, err)
			defer func() { assert.NoError(t, poller.Close()) }()
			var wg sync.WaitGroup
			for i := range many {
				tx := tt.create(t, person(i))
				time.AfterFunc(150*time.Second+time.Duration(i)*30*time.Second/time.Duration(many), func() {
					assert.NoError(t, tt.Approve(tx.TransID, tx.Random))
				})
				wg.Go(func() {
					_, err := poller.Resume(t.Context(), tx)
					assert.NoError(t, err, "person %d of %d", i, many)
				})
			}
			wg.Wait()
			assert.Zero(t, tt.Limited("details"))
		})
	}
}

// A clock or a time zone that is wrong ends no fresh prompt.
func TestACreatedAtThatIsHoursOff(t *testing.T) {
	for _, off := range []time.Duration{-12 * time.Hour, -3 * time.Hour, -time.Hour, time.Hour, 3 * time.Hour, 14 * time.Hour} {
		inTenant(t, nafathtest.Config{Lifetime: time.Hour}, nil, func(t *testing.T, tt tenant) {
			tx, never := tt.create(t, citizen), tt.create(t, person(1))
			for _, tx := range []*nafath.Transaction{&tx, &never} {
				tx.CreatedAt = tx.CreatedAt.Round(0).Add(off)
			}
			time.AfterFunc(100*time.Second, func() { assert.NoError(t, tt.Approve(tx.TransID, tx.Random)) })
			v, err := tt.poller.Continue(never)
			require.NoError(t, err)
			start := time.Now()
			_, err = tt.poller.Resume(t.Context(), tx)
			require.NoError(t, err, "%v off", off)
			assert.Less(t, time.Since(start), 110*time.Second)
			_, err = v.Wait(t.Context())
			require.ErrorIs(t, err, nafath.ErrTimeout)
			assert.InDelta(t, 300, time.Since(start).Seconds(), 10, "%v off: timed from when it was first seen", off)
		})
	}
}

func TestIdsThatAreUUIDsCompareWithoutCase(t *testing.T) {
	const id = "7f3c9a10-aaaa-4000-8000-0000000000ff"
	capitals := strings.ToUpper(id)
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		tt.Fail("request", 1, kyctest.Fault{Status: 200, Body: `{"statusCode":200,"result":{"transId":"` + id + `","random":"42"}}`})
		tt.Fail("status", 0, kyctest.Fault{Status: 200, Body: `{"statusCode":200,"result":{"status":"WAITING","transId":"` + capitals + `"}}`})
		v := tt.begin(t, citizen)
		tx := reach(t, v.Updates(t.Context()), nafath.StageOpen).Transaction
		time.Sleep(5 * time.Second)
		assert.True(t, tt.poller.Knows(capitals))
		tt.poller.Notify(capitals)
		assert.EqualValues(t, 1, tt.poller.Stats().Hints)
		tx.TransID = capitals
		same, err := tt.poller.Continue(tx)
		require.NoError(t, err)
		tt.Heal()
		tt.Fail("status", 0, kyctest.Fault{Status: 200, Body: `{"statusCode":200,"result":{"status":"COMPLETED"}}`})
		tt.Fail("details", 0, kyctest.Fault{Status: 200, Body: `{"transId":"` + capitals + `","idNumber":"` + citizen + `"}`})
		for _, v := range []*nafath.Verification{v, same} {
			d, err := v.Wait(t.Context())
			require.NoError(t, err)
			assert.Equal(t, citizen, d.IDNumber)
		}
		assert.Equal(t, 1, tt.Count("details"))
	})
	// A status that names another transaction is no answer.
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		tt.Fail("status", 0, kyctest.Fault{Status: 200, Body: `{"statusCode":200,"result":{"status":"COMPLETED","transId":"` + id + `"}}`})
		tx := tt.create(t, citizen)
		_, err := tt.poller.Wait(t.Context(), tx)
		require.ErrorIs(t, err, nafath.ErrTimeout)
		require.ErrorIs(t, err, kyckit.ErrDecode)
		_, err = tt.client.Status(t.Context(), tx)
		require.ErrorIs(t, err, kyckit.ErrDecode)
		// So are details.
		tt.Fail("details", 0, kyctest.Fault{Status: 200, Body: `{"transId":"` + id + `","idNumber":"` + citizen + `"}`})
		_, err = tt.client.Details(t.Context(), tx.TransID)
		require.ErrorIs(t, err, kyckit.ErrDecode)
		require.ErrorIs(t, err, nafath.ErrIdentityMismatch)
	})
}

// What a failing provider sends with each check does not add up.
func TestOpenVerificationsKeepNoFailedAnswers(t *testing.T) {
	inTenant(t, nafathtest.Config{Limits: nafath.Limits{Requests: -1}}, nil, func(t *testing.T, tt tenant) {
		inUse := func() uint64 {
			runtime.GC()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		const many = 60
		var txs []nafath.Transaction
		for i := range many {
			txs = append(txs, tt.create(t, person(i)))
		}
		before := inUse()
		big := bytes.Repeat([]byte("x"), 512<<10)
		tt.Fail("status", 0, kyctest.Fault{Status: 500, Body: string(big)})
		require.NoError(t, tt.poller.Add(txs...))
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		assert.Less(t, int64(inUse())-int64(before), int64(8<<20))
		_, err := tt.poller.Wait(context.Background(), txs[0])
		require.ErrorIs(t, err, nafath.ErrTimeout)
		require.ErrorIs(t, err, kyckit.ErrUnavailable)
		var e, cause *kyckit.Error
		require.ErrorAs(t, err, &e)
		require.ErrorAs(t, e.Err, &cause)
		assert.Equal(t, 500, cause.StatusCode)
		assert.Empty(t, cause.Body())
	})
}
