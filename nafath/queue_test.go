package nafath_test

import (
	"context"
	"fmt"
	"math"
	"slices"
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

// Whoever is told a place and a time gets the code at about that time, whatever
// the provider's pace and whether the tenant is fresh.
func TestETAComesTrue(t *testing.T) {
	for name, c := range map[string]struct {
		fresh bool
		delay time.Duration
		limit int
	}{
		"after a restart": {limit: 10},
		"fresh":           {limit: 10, fresh: true},
		"slow creations":  {limit: 10, delay: 5 * time.Second},
		"three a minute":  {limit: 3, fresh: true},
		"many a minute":   {limit: 60},
	} {
		t.Run(name, func(t *testing.T) {
			limits := nafath.Limits{Requests: c.limit}
			inTenant(t, nafathtest.Config{Limits: limits}, func(cfg *nafath.PollerConfig) {
				cfg.Fresh, cfg.Limits = c.fresh, limits
			}, func(t *testing.T, tt tenant) {
				if c.delay > 0 {
					tt.Fail("request", 0, kyctest.Fault{Delay: c.delay})
					for i := range 3 { // it learns how long they take
						reach(t, tt.begin(t, person(500+i)).Updates(t.Context()), nafath.StageOpen)
					}
				}
				var wg sync.WaitGroup
				for i := range 40 {
					start := time.Now()
					updates := tt.begin(t, person(i)).Updates(t.Context())
					wg.Go(func() {
						type told struct{ at, eta time.Duration }
						var promises []told
						var sent time.Duration
						place := math.MaxInt
						for u := range updates {
							if u.Stage == nafath.StageOpen {
								break
							}
							assert.LessOrEqual(t, u.Place, place)
							place = u.Place
							if u.Place == 0 {
								sent = time.Since(start)
								continue
							}
							promises = append(promises, told{time.Since(start), u.ETA})
						}
						for _, p := range promises {
							assert.InDelta(t, (p.at + p.eta).Seconds(), sent.Seconds(), max(1.1, 0.2*(sent-p.at).Seconds()), "person %d, told %v at %v", i, p.eta, p.at)
						}
					})
				}
				wg.Wait()
				assert.Zero(t, tt.Limited("request"))
			})
		})
	}
}

func TestETAIsToldAgainWhenItChanges(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		tt.Fail("request", 1, kyctest.Fault{Delay: time.Second, Status: 429, Header: map[string][]string{"Retry-After": {"40"}}})
		tt.begin(t, person(1))
		synctest.Wait()
		updates := tt.begin(t, citizen).Updates(t.Context())
		start := time.Now()
		first := <-updates
		assert.Equal(t, 1, first.Place)
		assert.InDelta(t, 6.1, first.ETA.Seconds(), 0.1)
		second := <-updates
		assert.Equal(t, time.Second, time.Since(start))
		assert.Equal(t, 2, second.Place, "a refused creation comes first")
		assert.Greater(t, second.ETA, 40*time.Second)
		reach(t, updates, nafath.StageOpen)
		assert.InDelta(t, 1+second.ETA.Seconds(), time.Since(start).Seconds(), 0.2*second.ETA.Seconds())
	})
}

func TestAFreshTenantsFirstPeopleDoNotWait(t *testing.T) {
	for fresh, want := range map[bool][]float64{true: {0, 0, 0}, false: {0, 6.1, 12.2}} {
		inTenant(t, nafathtest.Config{}, func(cfg *nafath.PollerConfig) { cfg.Fresh = fresh }, func(t *testing.T, tt tenant) {
			start := time.Now()
			var vs []*nafath.Verification
			for i := range 3 {
				vs = append(vs, tt.begin(t, person(i)))
			}
			for i, v := range vs {
				reach(t, v.Updates(t.Context()), nafath.StageOpen)
				assert.InDelta(t, want[i], time.Since(start).Seconds(), 0.1, "fresh %v, person %d", fresh, i)
			}
			for i := range 60 { // and the limit holds
				tt.begin(t, person(100+i))
			}
			time.Sleep(10 * time.Minute)
			assert.Zero(t, tt.Limited("request"))
			assert.Equal(t, 63, tt.Count("request"))
		})
	}
}

func TestRefusedCallersAreToldDifferentTimes(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		seen := map[time.Duration]int{}
		served := 0
		for i := range 30 {
			wg.Go(func() {
				for try := 0; ; try++ {
					ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
					_, err := tt.poller.Request(ctx, person(i))
					cancel()
					mu.Lock()
					var e *kyckit.Error
					switch {
					case err == nil:
						served++
						mu.Unlock()
						return
					case !assert.ErrorAs(t, err, &e) || !assert.ErrorIs(t, err, kyckit.ErrRateLimited) || !assert.LessOrEqual(t, try, 1, "a second refusal"):
						mu.Unlock()
						return
					}
					seen[e.RetryAfter]++
					mu.Unlock()
					time.Sleep(e.RetryAfter)
				}
			})
		}
		wg.Wait()
		assert.Equal(t, 30, served)
		assert.GreaterOrEqual(t, len(seen), 27)
		for after, n := range seen {
			assert.LessOrEqual(t, n, 2, after)
		}
	})
}

// A flood of refused callers moves an honest caller's time by ten minutes at most.
func TestAFloodOfImpatientCallersPushesNobodyFar(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		tt.begin(t, citizen)
		for i := range 5000 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			_, err := tt.poller.Request(ctx, person(i+1000))
			cancel()
			var e *kyckit.Error
			require.ErrorAs(t, err, &e)
			require.LessOrEqual(t, e.RetryAfter, 11*time.Minute)
		}
		start := time.Now()
		reach(t, tt.begin(t, person(1)).Updates(t.Context()), nafath.StageOpen)
		assert.Less(t, time.Since(start), 7*time.Second)
	})
}

func TestAFullQueueRefusesAtOnce(t *testing.T) {
	for name, c := range map[string]struct{ max, want int }{"default": {0, 600}, "configured": {20, 20}, "large": {1100, 1100}} {
		t.Run(name, func(t *testing.T) {
			inTenant(t, nafathtest.Config{}, func(cfg *nafath.PollerConfig) { cfg.MaxQueue = c.max }, func(t *testing.T, tt tenant) {
				accepted := 0
				for i := range 5000 {
					v, err := tt.poller.Begin(person(i))
					synctest.Wait()
					if err == nil {
						accepted++
						require.NotNil(t, v)
						continue
					}
					require.ErrorIs(t, err, kyckit.ErrRateLimited)
					var e *kyckit.Error
					require.ErrorAs(t, err, &e)
					require.Positive(t, e.RetryAfter)
					require.LessOrEqual(t, e.RetryAfter, 2*time.Hour)
					if i > accepted+50 {
						break
					}
				}
				assert.InDelta(t, c.want, accepted, 1)
				assert.Equal(t, c.want, tt.poller.Stats().Queued)
			})
		})
	}
}

func TestOneLoginCannotFillTheQueue(t *testing.T) {
	inTenant(t, nafathtest.Config{}, func(cfg *nafath.PollerConfig) { cfg.MaxQueue = 50 }, func(t *testing.T, tt tenant) {
		var mine []*nafath.Verification
		for i := range 51 { // one in flight, and the queue full
			v, err := tt.poller.BeginAs("attacker", person(i))
			require.NoError(t, err)
			mine = append(mine, v)
			synctest.Wait()
		}
		_, err := tt.poller.BeginAs("attacker", person(99))
		require.ErrorIs(t, err, kyckit.ErrRateLimited)
		start := time.Now()
		for i := range 5 {
			v, err := tt.poller.BeginAs(fmt.Sprint("honest ", i), person(200+i))
			require.NoError(t, err, "who has no place takes one of who has most")
			u := <-v.Updates(t.Context())
			assert.Equal(t, i+2, u.Place, "behind one of the attacker's")
			defer func() {
				reach(t, v.Updates(t.Context()), nafath.StageOpen)
				assert.Less(t, time.Since(start), 50*time.Second)
			}()
		}
		for i := range 5 {
			_, err := mine[50-i].Wait(t.Context())
			require.ErrorIs(t, err, kyckit.ErrRateLimited, "the last ones gave way")
		}
		assert.Equal(t, 50, tt.poller.Stats().Queued)
		tt.begin(t, person(50)) // a person who lost the place may begin again
	})
}

func TestLimitsChangeAtRunTime(t *testing.T) {
	inTenant(t, nafathtest.Config{Limits: nafath.Limits{Requests: 60, StatusChecks: 300}}, func(cfg *nafath.PollerConfig) { cfg.Fresh = true }, func(t *testing.T, tt tenant) {
		require.ErrorIs(t, tt.poller.SetLimits(nafath.Limits{Requests: -1}), kyckit.ErrInvalid)
		var updates []<-chan nafath.Update
		for i := range 100 {
			updates = append(updates, tt.begin(t, person(i)).Updates(t.Context()))
		}
		time.Sleep(2 * time.Minute)
		slow := tt.Count("request")
		assert.InDelta(t, 25, slow, 6)
		require.NoError(t, tt.poller.SetLimits(nafath.Limits{Requests: 60, StatusChecks: 300}))
		assert.InDelta(t, 300, tt.poller.Stats().Rate, 0)
		time.Sleep(time.Minute)
		assert.GreaterOrEqual(t, tt.Count("request"), slow+50)
		checks := tt.Count("status")
		time.Sleep(time.Minute)
		assert.Greater(t, tt.Count("status"), checks+150)
		require.NoError(t, tt.poller.SetLimits(nafath.Limits{Requests: 1, StatusChecks: 6}))
		time.Sleep(time.Minute)
		checks = tt.Count("status")
		time.Sleep(2 * time.Minute)
		assert.LessOrEqual(t, tt.Count("status"), checks+13, "lowered too, within any minute")
		assert.Zero(t, tt.Limited("request")+tt.Limited("status"))
		for _, u := range updates[:20] {
			reach(t, u, nafath.StageDone)
		}
	})
}

func TestWhoLeavesTheQueueIsNotPrompted(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		tt.begin(t, person(1))
		synctest.Wait()
		flying := tt.begin(t, person(2))
		leaves, stays := tt.begin(t, citizen), tt.begin(t, person(3))
		synctest.Wait()
		updates := stays.Updates(t.Context())
		require.Equal(t, 3, (<-updates).Place)
		assert.True(t, leaves.Cancel())
		_, err := leaves.Wait(t.Context())
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
		assert.False(t, leaves.Cancel(), "it has left")
		require.Equal(t, 2, (<-updates).Place, "others move up")
		tt.Fail("request", 2, kyctest.Fault{Delay: 2 * time.Second})
		time.Sleep(7 * time.Second)
		assert.False(t, flying.Cancel(), "it was sent")
		u := reach(t, flying.Updates(t.Context()), nafath.StageOpen)
		assert.False(t, flying.Cancel())
		require.NoError(t, tt.Approve(u.Transaction.TransID, u.Transaction.Random))
		_, err = flying.Wait(t.Context())
		require.NoError(t, err)
		reach(t, updates, nafath.StageOpen)
		time.Sleep(time.Minute)
		assert.Equal(t, 3, tt.Count("request"))
		reach(t, tt.begin(t, citizen).Updates(t.Context()), nafath.StageOpen) // and may come back
	})
}

// An attacker who begins for a stranger every two seconds takes turns with honest
// people, as long as the application names the owners.
func TestAFloodByOneLoginHoldsUpNobody(t *testing.T) {
	inTenant(t, nafathtest.Config{}, nil, func(t *testing.T, tt tenant) {
		start := time.Now()
		var flood, honest sync.WaitGroup
		flood.Go(func() {
			for i := 0; time.Since(start) < 20*time.Minute; i++ {
				_, _ = tt.poller.BeginAs("attacker", person(10_000+i))
				time.Sleep(2 * time.Second)
			}
		})
		time.Sleep(5 * time.Minute)
		var mu sync.Mutex
		var waits []time.Duration
		for i := range 40 {
			came := time.Now()
			v, err := tt.poller.BeginAs(fmt.Sprint("login ", i), person(i))
			require.NoError(t, err)
			honest.Go(func() {
				u := reach(t, v.Updates(t.Context()), nafath.StageOpen)
				mu.Lock()
				waits = append(waits, time.Since(came))
				mu.Unlock()
				time.Sleep(20 * time.Second)
				assert.NoError(t, tt.Approve(u.Transaction.TransID, u.Transaction.Random))
				_, err := v.Wait(t.Context())
				assert.NoError(t, err)
			})
			time.Sleep(20 * time.Second)
		}
		honest.Wait()
		slices.Sort(waits)
		t.Logf("median %v, longest %v", waits[len(waits)/2], waits[len(waits)-1])
		assert.Less(t, waits[len(waits)-1], 20*time.Second)
		flood.Wait()
		assert.Zero(t, tt.Limited("request"))
	})
}

// Who gets a slot at once is in flight when Begin returns, and takes no place.
func TestTheFirstTakesNoPlace(t *testing.T) {
	inTenant(t, nafathtest.Config{}, func(cfg *nafath.PollerConfig) { cfg.MaxQueue = 2 }, func(t *testing.T, tt tenant) {
		u := <-tt.begin(t, citizen).Updates(t.Context())
		assert.Zero(t, u.Place)
		for i := range 2 {
			u = <-tt.begin(t, person(i)).Updates(t.Context())
			assert.Equal(t, i+1, u.Place)
		}
		_, err := tt.poller.Begin(person(3))
		require.ErrorIs(t, err, kyckit.ErrRateLimited)
	})
}
