package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
)

func newQueue(t testing.TB, cfg QueueConfig) *Queue {
	t.Helper()
	q, err := NewQueue(cfg)
	require.NoError(t, err)
	return q
}

func orderOf(d *Delivery) string {
	var e struct{ K string }
	_ = d.Decode(&e)
	return e.K
}

func TestQueueAnswersAfterTheHandOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		seen := map[string][]int{}
		q := newQueue(t, QueueConfig{Workers: 3, Size: 100})
		h := newHandler(t, HandlerConfig{Queue: q, OrderKey: orderOf, Handle: func(_ context.Context, d *Delivery) error {
			time.Sleep(time.Second)
			var e struct {
				K string
				N int
			}
			if err := d.Decode(&e); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			if e.N%5 == 3 && len(seen[e.K])%2 == 1 { // fails now and then, and keeps its place
				seen[e.K] = append(seen[e.K], -1)
				return errors.New("again")
			}
			seen[e.K] = append(seen[e.K], e.N)
			return nil
		}})
		start := time.Now()
		for n := range 10 {
			for _, k := range []string{"a", "b", "c"} {
				require.Equal(t, 200, post(h, fmt.Sprintf(`{"k":%q,"n":%d}`, k, n)).Code)
			}
		}
		assert.Zero(t, time.Since(start))
		assert.Equal(t, 503, post(h, `{"k":"a","n":9}`).Code, "a copy of what is queued")
		require.NoError(t, q.Shutdown(context.Background()))
		assert.Equal(t, 503, post(h, `{"k":"a","n":10}`).Code)
		assert.Equal(t, 200, post(h, `{"k":"a","n":9}`).Code, "a copy of what was handled")
		for k, ns := range seen {
			var order []int
			for _, n := range ns {
				if n >= 0 {
					order = append(order, n)
				}
			}
			assert.Equal(t, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, order, k)
		}
	})
}

func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, QueueConfig{Workers: 1, Size: 2})
		h := newHandler(t, HandlerConfig{Queue: q, Handle: func(context.Context, *Delivery) error { time.Sleep(time.Second); return nil }})
		assert.Equal(t, 200, post(h, `1`).Code)
		assert.Equal(t, 200, post(h, `2`).Code)
		assert.Equal(t, 503, post(h, `3`).Code)
		time.Sleep(3 * time.Second)
		assert.Equal(t, 200, post(h, `3`).Code, "it was given back and can be claimed")
		require.NoError(t, q.Shutdown(context.Background()))
	})
}

func TestQueueGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		var failed []error
		q := newQueue(t, QueueConfig{OnFailure: func(_ context.Context, _ *Delivery, err error) { failed = append(failed, err) }})
		boom := errors.New("boom")
		h := newHandler(t, HandlerConfig{Queue: q, Handle: func(context.Context, *Delivery) error { calls.Add(1); return boom }})
		start := time.Now()
		require.Equal(t, 200, post(h, `1`).Code)
		synctest.Wait()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		assert.EqualValues(t, 3, calls.Load())
		assert.Equal(t, []error{boom}, failed)
		assert.Equal(t, 10*time.Second, time.Since(start))
		require.Equal(t, 200, post(h, `1`).Code, "it was given back")
		require.NoError(t, q.Shutdown(context.Background()))
		assert.EqualValues(t, 6, calls.Load())
	})
}

func TestQueueShutdownTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failed atomic.Int32
		q := newQueue(t, QueueConfig{Workers: 1, OnFailure: func(context.Context, *Delivery, error) { failed.Add(1) }})
		h := newHandler(t, HandlerConfig{Queue: q, HandleTimeout: time.Hour, Handle: func(ctx context.Context, d *Delivery) error {
			if string(d.Body) == "0" {
				return errors.New("later") // will be waiting for its second try
			}
			<-ctx.Done()
			return ctx.Err()
		}})
		for i := range 4 {
			require.Equal(t, 200, post(h, strconv.Itoa(i)).Code)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		require.ErrorIs(t, q.Shutdown(ctx), context.DeadlineExceeded)
		require.NoError(t, q.Shutdown(context.Background()))
		assert.EqualValues(t, 4, failed.Load())
	})
}

// TestQueueSaysThatAShutdownGaveUp: an operator who reads the log alone must
// know why.
func TestQueueSaysThatAShutdownGaveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		q := newQueue(t, QueueConfig{Workers: 1})
		h := newHandler(t, HandlerConfig{Queue: q, Logger: slog.New(slog.NewTextHandler(&log, nil)), Handle: func(context.Context, *Delivery) error {
			time.Sleep(time.Second)
			return nil
		}})
		for i := range 2 {
			require.Equal(t, 200, post(h, strconv.Itoa(i)).Code)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		require.ErrorIs(t, q.Shutdown(ctx), context.DeadlineExceeded)
		require.NoError(t, q.Shutdown(context.Background()))
		assert.Equal(t, 1, strings.Count(log.String(), "given up by a shutdown"), log.String())
	})
}

// TestQueueShutdownReportsBeforeItReturns: the process may end after that, so
// all that Handle does not hold in its hands has been reported and given back.
func TestQueueShutdownReportsBeforeItReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failed []string
		q := newQueue(t, QueueConfig{Workers: 2, OnFailure: func(_ context.Context, d *Delivery, err error) {
			assert.ErrorIs(t, err, context.Canceled)
			time.Sleep(time.Second)
			failed = append(failed, string(d.Body))
		}})
		claims := &countedClaims{Claims: NewMemoryClaims(MemoryClaimsConfig{})}
		stubborn := make(chan struct{})
		h := newHandler(t, HandlerConfig{Queue: q, Claims: claims, OrderKey: orderOf, Handle: func(_ context.Context, d *Delivery) error {
			if orderOf(d) == "retried" {
				return errors.New("later")
			}
			<-stubborn
			return nil
		}})
		var want []string
		for _, body := range []string{`{"k":"retried"}`, `{"k":"a","n":1}`, `{"k":"b","n":1}`, `{"k":"a","n":2}`, `{"k":"a","n":3}`, `{"n":1}`, `{"n":2}`} {
			require.Equal(t, 200, post(h, body).Code)
			synctest.Wait()
			if !strings.Contains(body, `"a","n":1`) && !strings.Contains(body, `"b"`) { // those two hold the workers
				want = append(want, body)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		require.ErrorIs(t, q.Shutdown(ctx), context.DeadlineExceeded)
		assert.ElementsMatch(t, want, failed)
		assert.EqualValues(t, len(want), claims.released.Load())
		close(stubborn)
		require.NoError(t, q.Shutdown(context.Background()))
		assert.ElementsMatch(t, want, failed, "what ran to its end was handled")
		assert.Equal(t, 200, post(h, `{"k":"a","n":1}`).Code, "and is remembered")
	})
}

// countedClaims counts what is given back.
type countedClaims struct {
	Claims
	released atomic.Int32
}

func (c *countedClaims) Claim(ctx context.Context, key string, lease time.Duration) (Claim, error) {
	claim, err := c.Claims.Claim(ctx, key, lease)
	return countedClaim{claim, c}, err
}

type countedClaim struct {
	Claim
	of *countedClaims
}

func (c countedClaim) Release(ctx context.Context) error {
	c.of.released.Add(1)
	return c.Claim.Release(ctx)
}

func TestQueueSurvivesPanicAndGoexit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls, failed atomic.Int32
		q := newQueue(t, QueueConfig{Workers: 1, MaxAttempts: 1, OnFailure: func(_ context.Context, _ *Delivery, err error) {
			failed.Add(1)
			assert.ErrorIs(t, err, kyckit.ErrUnavailable)
			panic("hook")
		}})
		h := newHandler(t, HandlerConfig{Queue: q, Handle: func(_ context.Context, d *Delivery) error {
			calls.Add(1)
			switch string(d.Body) {
			case "1":
				panic("x")
			case "2":
				runtime.Goexit()
			}
			return nil
		}})
		for _, body := range []string{"1", "2", "3"} {
			require.Equal(t, 200, post(h, body).Code)
		}
		require.NoError(t, q.Shutdown(context.Background()))
		assert.EqualValues(t, 3, calls.Load())
		assert.EqualValues(t, 2, failed.Load(), "both are reported")
	})
}

func TestOrderWithoutQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var order []string
		h := newHandler(t, HandlerConfig{OrderKey: orderOf, HandleTimeout: 2500 * time.Millisecond, Handle: func(ctx context.Context, d *Delivery) error {
			if deadline, _ := ctx.Deadline(); time.Until(deadline) != 2500*time.Millisecond {
				t.Error("waiting for its turn took time from Handle")
			}
			time.Sleep(time.Second)
			mu.Lock()
			defer mu.Unlock()
			order = append(order, string(d.Body))
			return nil
		}})
		codes := make([]int, 5)
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() { codes[i] = post(h, fmt.Sprintf(`{"k":"a","n":%d}`, i)).Code })
			synctest.Wait()
		}
		other := time.Now()
		require.Equal(t, 200, post(h, `{"k":"b"}`).Code)
		assert.Equal(t, time.Second, time.Since(other), "another key does not wait")
		wg.Wait()
		assert.Equal(t, []int{200, 200, 200, 503, 503}, codes)
		mu.Lock()
		defer mu.Unlock()
		assert.Len(t, order, 4)
		for i, n := range []int{0, 1, 2} {
			assert.Contains(t, order, fmt.Sprintf(`{"k":"a","n":%d}`, n), i)
		}
	})
}

// One is handled and one waits for it as a third comes.
func TestWhoComesLaterWaitsForAllInFront(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int32
		h := newHandler(t, HandlerConfig{OrderKey: orderOf, Handle: func(context.Context, *Delivery) error {
			most.Store(max(most.Load(), running.Add(1)))
			time.Sleep(time.Second)
			running.Add(-1)
			return nil
		}})
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() { assert.Equal(t, 200, post(h, fmt.Sprintf(`{"k":"a","n":%d}`, i)).Code) })
			time.Sleep(700 * time.Millisecond)
		}
		wg.Wait()
		assert.EqualValues(t, 1, most.Load(), "at once")
		assert.Equal(t, 4*time.Second, time.Since(start))
	})
}

func TestAnOrderKeyMayComeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		q := newQueue(t, QueueConfig{Workers: 1})
		h := newHandler(t, HandlerConfig{Queue: q, OrderKey: orderOf, Handle: func(context.Context, *Delivery) error {
			calls.Add(1)
			return nil
		}})
		for n := range 3 {
			require.Equal(t, 200, post(h, fmt.Sprintf(`{"k":"a","n":%d}`, n)).Code)
			synctest.Wait()
			assert.EqualValues(t, n+1, calls.Load())
			assert.Empty(t, q.lines, "what is done is forgotten")
		}
		require.NoError(t, q.Shutdown(context.Background()))
	})
}

func TestTheWaitsBetweenTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries []time.Duration
		start := time.Now()
		q := newQueue(t, QueueConfig{MinWait: time.Second, MaxWait: 3 * time.Second, MaxAttempts: 5})
		h := newHandler(t, HandlerConfig{Queue: q, Handle: func(context.Context, *Delivery) error {
			tries = append(tries, time.Since(start))
			return errors.New("down")
		}})
		require.Equal(t, 200, post(h, `{}`).Code)
		time.Sleep(time.Minute)
		require.NoError(t, q.Shutdown(context.Background()))
		assert.Equal(t, []time.Duration{0, time.Second, 3 * time.Second, 6 * time.Second, 9 * time.Second}, tries)
	})
}

// A Handle that ends its goroutine leaves its place to a new worker, and to one only.
func TestWorkersThatAreEndedAreReplacedOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most, done atomic.Int32
		q := newQueue(t, QueueConfig{Workers: 1, MaxAttempts: 1})
		h := newHandler(t, HandlerConfig{Queue: q, Handle: func(_ context.Context, d *Delivery) error {
			most.Store(max(most.Load(), running.Add(1)))
			time.Sleep(time.Second)
			running.Add(-1)
			if done.Add(1) <= 3 {
				runtime.Goexit()
			}
			return nil
		}})
		for n := range 10 {
			require.Equal(t, 200, post(h, fmt.Sprint(n)).Code)
			time.Sleep(500 * time.Millisecond)
		}
		require.NoError(t, q.Shutdown(context.Background()))
		assert.EqualValues(t, 10, done.Load())
		assert.EqualValues(t, 1, most.Load(), "at once")
	})
}

func TestQueueConfigIsChecked(t *testing.T) {
	for _, cfg := range []QueueConfig{{Workers: -1}, {Size: -1}, {MaxAttempts: -1}, {MinWait: -1}, {MaxWait: -1}} {
		_, err := NewQueue(cfg)
		require.ErrorIs(t, err, kyckit.ErrInvalid)
	}
}
