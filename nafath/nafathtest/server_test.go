package nafathtest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const citizen = "1000000008"

func client(t *testing.T, fake *nafathtest.Server) *nafath.Client {
	t.Helper()
	cfg := fake.ClientConfig()
	cfg.HTTP.Retry.MaxAttempts = 1
	c, err := nafath.New(cfg)
	require.NoError(t, err)
	return c
}

func TestTheTenantsLimits(t *testing.T) {
	for _, fixed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			fake := nafathtest.NewServer(nafathtest.Config{Options: kyctest.Options{InMemory: true}, FixedWindow: fixed, RetryAfter: 1500 * time.Millisecond})
			defer fake.Close()
			c := client(t, fake)
			time.Sleep(time.Until(time.Now().Truncate(time.Minute).Add(time.Minute)))
			for range 10 {
				_, err := c.Request(t.Context(), citizen)
				require.NoError(t, err)
			}
			_, err := c.Request(t.Context(), citizen)
			require.ErrorIs(t, err, kyckit.ErrRateLimited)
			var e *kyckit.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, 2*time.Second, e.RetryAfter)
			assert.Equal(t, 1, fake.Limited("request"))
			time.Sleep(time.Minute)
			_, err = c.Request(t.Context(), citizen)
			require.NoError(t, err)

			fake.Spend("status", 60)
			_, err = c.Status(t.Context(), nafath.Transaction{TransID: "t", Random: "1", NationalID: citizen})
			require.ErrorIs(t, err, kyckit.ErrRateLimited)
		})
	}
}

func TestThePhone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := nafathtest.NewServer(nafathtest.Config{Options: kyctest.Options{InMemory: true}, Limits: nafath.Limits{Requests: -1}})
		defer fake.Close()
		c := client(t, fake)
		begin := func() nafath.Transaction {
			tx, err := c.Request(t.Context(), citizen)
			require.NoError(t, err)
			return tx
		}
		status := func(tx nafath.Transaction) nafath.Status {
			s, err := c.Status(t.Context(), tx)
			require.NoError(t, err)
			return s
		}
		a, b, d, e := begin(), begin(), begin(), begin()
		require.Error(t, fake.Approve(a.TransID, "wrong"))
		require.Error(t, fake.Approve("nobody", "1"))
		require.NoError(t, fake.Approve(a.TransID, a.Random))
		require.Error(t, fake.Reject(a.TransID), "it is over")
		require.NoError(t, fake.Reject(b.TransID))
		require.NoError(t, fake.Break(d.TransID))
		assert.Equal(t, nafath.StatusCompleted, status(a))
		assert.Equal(t, nafath.StatusRejected, status(b))
		assert.Equal(t, nafath.StatusError, status(d))
		assert.Equal(t, nafath.StatusWaiting, status(e))
		time.Sleep(180 * time.Second)
		assert.Equal(t, nafath.StatusExpired, status(e))
		require.Error(t, fake.Approve(e.TransID, e.Random))
	})
}

func TestAWrongClientFails(t *testing.T) {
	fake := nafathtest.NewServer(nafathtest.Config{OneOpen: true})
	defer fake.Close()
	c := client(t, fake)
	tx, err := c.Request(t.Context(), citizen)
	require.NoError(t, err)
	_, err = c.Request(t.Context(), citizen)
	require.ErrorIs(t, err, kyckit.ErrConflict)
	wrong := tx
	wrong.Random = "x"
	_, err = c.Status(t.Context(), wrong)
	require.ErrorIs(t, err, kyckit.ErrNotFound)

	for name, body := range map[string]string{"number": `{"nationalId":1000000008}`, "form": `nationalId=1000000008`, "empty": ``} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, fake.URL+"/ExtNafath/request", strings.NewReader(body))
		require.NoError(t, err)
		req.Header = fake.Requests("request")[0].Header.Clone()
		resp, err := fake.Client().Do(req)
		require.NoError(t, err)
		_ = resp.Body.Close()
		assert.Equal(t, http.StatusBadRequest, resp.StatusCode, name)
		req.Header.Set("Authorization", "Bearer made-up")
		req.Body = io.NopCloser(strings.NewReader(body))
		resp, err = fake.Client().Do(req)
		require.NoError(t, err)
		_ = resp.Body.Close()
		assert.Equal(t, http.StatusUnauthorized, resp.StatusCode, name)
	}
}

// length signs with the length of the body.
type length struct{}

func (length) Sign(r *http.Request, _ string, _ time.Time, body []byte) error {
	r.Header.Set("X-Length", fmt.Sprint(len(body)))
	return nil
}

func TestWebhooks(t *testing.T) {
	var mu sync.Mutex
	var got []map[string]string
	receiver := kyctest.NewServer(kyctest.Options{})
	defer receiver.Close()
	receiver.Handle("POST /hook", "hook", func(_ http.ResponseWriter, r *http.Request) {
		var e map[string]string
		assert.NoError(t, json.NewDecoder(r.Body).Decode(&e))
		mu.Lock()
		defer mu.Unlock()
		got = append(got, e)
	})
	fake := nafathtest.NewServer(nafathtest.Config{
		Lifetime: 20 * time.Millisecond,
		Options: kyctest.Options{Webhook: kyctest.Webhook{
			URL: receiver.URL + "/hook", Client: receiver.Client(), Lose: func(n int) bool { return n == 1 }, Signer: length{},
		}},
	})
	c := client(t, fake)
	a, err := c.Request(t.Context(), citizen)
	require.NoError(t, err)
	require.NoError(t, fake.Reject(a.TransID)) // its webhook is lost
	b, err := c.Request(t.Context(), citizen)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return receiver.Count("hook") == 1 }, 5*time.Second, time.Millisecond)
	fake.Close()
	mu.Lock()
	defer mu.Unlock()
	assert.Equal(t, []map[string]string{{"Type": "NafathVerificationCompleted", "TransId": b.TransID, "Status": "EXPIRED"}}, got)
	assert.NotEmpty(t, receiver.Requests("hook")[0].Header.Get("X-Length"))
}

func Example() {
	fake := nafathtest.NewServer(nafathtest.Config{})
	defer fake.Close()
	client, err := nafath.New(fake.ClientConfig())
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	tx, err := client.Request(ctx, citizen)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := fake.Approve(tx.TransID, tx.Random); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(client.Status(ctx, tx))
	// Output: COMPLETED <nil>
}
