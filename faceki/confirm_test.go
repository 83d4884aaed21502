package faceki_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/faceki"
	"github.com/kyckit/kyckit/faceki/facekitest"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/webhook"
)

// inMemory returns a fake and a client for a bubble.
func inMemory(t *testing.T) (*facekitest.Server, *faceki.Client) {
	t.Helper()
	fake := facekitest.NewServer(facekitest.Config{Options: kyctest.Options{InMemory: true}})
	t.Cleanup(fake.Close)
	client, err := faceki.New(fake.ClientConfig())
	require.NoError(t, err)
	return fake, client
}

// The portal goes from DECLINED to APPROVED and back, within the handler's
// memory. The third body is the first, byte for byte, and must not be dropped.
func TestAStatusThatComesBackIsHandled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, client := inMemory(t)
		var decided []faceki.Decision
		guard, err := webhook.NewSecretPath(webhook.SecretPathConfig{Prefix: "/f/", Tokens: []kyckit.Secret{kyckit.NewSecret(secretPath)}})
		require.NoError(t, err)
		handler, err := webhook.NewHandler(webhook.HandlerConfig{
			Authenticate: guard,
			Key:          faceki.EventKey,
			Handle: client.OnConfirmed(func(_ context.Context, _ faceki.Event, r *faceki.Record) error {
				decided = append(decided, r.Decision)
				return nil
			}),
		})
		require.NoError(t, err)
		id := fake.AddRecord(nil)
		deliver := func(d faceki.Decision) {
			t.Helper()
			body := fmt.Sprintf(`{"requestId":%q,"status":%q,"modifiedByEmail":"desk@portal.test"}`, id, d)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/f/"+secretPath, strings.NewReader(body)))
			require.Equal(t, http.StatusOK, w.Code)
		}
		portal := func(d faceki.Decision) {
			t.Helper()
			require.True(t, fake.ChangeDecision(id, d, "desk@portal.test"))
			deliver(d)
			time.Sleep(3 * time.Second)
			deliver(d) // a copy
		}
		portal(faceki.DecisionDeclined)
		time.Sleep(2 * time.Minute)
		portal(faceki.DecisionApproved)
		time.Sleep(2 * time.Minute)
		portal(faceki.DecisionDeclined)
		assert.Equal(t, []faceki.Decision{faceki.DecisionDeclined, faceki.DecisionApproved, faceki.DecisionDeclined}, decided)
		assert.Equal(t, 3, fake.Count(facekitest.OpRecords), "a copy costs no read")
	})
}

func TestEventKey(t *testing.T) {
	start := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	key := func(body string, at time.Duration) string {
		return faceki.EventKey(&webhook.Delivery{Body: []byte(body), ReceivedAt: start.Add(at)})
	}
	assert.Equal(t, key("a", 0), key("a", 59*time.Second))
	assert.NotEqual(t, key("a", 0), key("b", 0))
	for at := time.Duration(0); at < time.Minute; at += 500 * time.Millisecond {
		assert.NotEqual(t, key("a", at), key("a", at+time.Minute), "never a minute later")
	}
	synctest.Test(t, func(t *testing.T) {
		d := &webhook.Delivery{Body: []byte("a")}
		now := faceki.EventKey(d)
		time.Sleep(time.Second)
		assert.Equal(t, now, faceki.EventKey(d), "without a time of receipt it is now")
		time.Sleep(time.Minute)
		assert.NotEqual(t, now, faceki.EventKey(d))
	})
}

// Whoever knows the address can make up events. They cost a bounded number of
// reads, and real events are confirmed again when the flood is over.
func TestMadeUpEventsCostABoundedNumberOfReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, client := inMemory(t)
		id := fake.AddRecord(nil)
		real := faceki.Event{RequestID: id, Status: faceki.DecisionAccepted}
		for range 200 {
			_, err := client.Confirm(t.Context(), real)
			require.NoError(t, err, "real events pass in any number")
		}
		before := fake.Count(facekitest.OpRecords)

		var limited atomic.Int64
		var flood sync.WaitGroup
		for i := range 5000 {
			flood.Go(func() {
				_, err := client.Confirm(t.Context(), faceki.Event{RequestID: fmt.Sprint("made-up-", i), Status: "ACCEPTED"})
				assert.Error(t, err)
				var e *kyckit.Error
				if assert.ErrorAs(t, err, &e) && e.Kind == kyckit.ErrRateLimited { //nolint:errorlint // the kind itself
					limited.Add(1)
					assert.Positive(t, e.RetryAfter)
					assert.LessOrEqual(t, e.RetryAfter, time.Minute)
				}
			})
		}
		flood.Wait()
		reads := fake.Count(facekitest.OpRecords) - before
		assert.LessOrEqual(t, reads, 46)
		assert.EqualValues(t, 5000-reads, limited.Load())

		_, err := client.Confirm(t.Context(), real)
		require.ErrorIs(t, err, kyckit.ErrRateLimited)
		time.Sleep(time.Minute)
		_, err = client.Confirm(t.Context(), real)
		require.NoError(t, err)
	})
}

// A provider that fails says nothing about an event.
func TestFailuresOfTheProviderAreNoMisses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, client := inMemory(t)
		id := fake.AddRecord(nil)
		fake.Fail(facekitest.OpRecords, 0, facekitest.HTML(http.StatusServiceUnavailable))
		for range 100 {
			_, err := client.Confirm(t.Context(), faceki.Event{RequestID: id})
			require.ErrorIs(t, err, kyckit.ErrUnavailable)
		}
		fake.Heal()
		_, err := client.Confirm(t.Context(), faceki.Event{RequestID: id})
		require.NoError(t, err)

		fake.Fail(facekitest.OpRecords, 0, kyctest.Fault{Delay: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var waiting sync.WaitGroup
		for range 40 { // more than are read at a time
			waiting.Go(func() {
				_, err := client.Confirm(ctx, faceki.Event{RequestID: id})
				assert.ErrorIs(t, err, context.DeadlineExceeded)
			})
		}
		waiting.Wait()
		fake.Heal()
		_, err = client.Confirm(t.Context(), faceki.Event{RequestID: id})
		require.NoError(t, err)
	})
}

// An id that no record can have costs no call at all.
func TestAnEventWithAnImpossibleIdIsRefused(t *testing.T) {
	fake, client := newFake(t)
	for _, id := range []string{strings.Repeat("r", 257), "r\n", "r\x00"} {
		_, err := client.Confirm(t.Context(), faceki.Event{RequestID: id})
		require.ErrorIs(t, err, kyckit.ErrInvalid)
		_, err = faceki.ParseEvent(fmt.Appendf(nil, `{"requestId":%q,"status":"X"}`, strings.ReplaceAll(id, "\x00", "\u0001")))
		require.ErrorIs(t, err, webhook.ErrMalformed)
	}
	assert.Zero(t, fake.Count(facekitest.OpRecords))
}
