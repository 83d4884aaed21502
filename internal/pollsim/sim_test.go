package pollsim

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/nafath"
)

func simulate(t *testing.T, s Scenario, build func(*nafath.Client, Scenario) (Policy, error)) (r Result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var err error
		r, err = Run(t.Context(), s, build)
		require.NoError(t, err)
	})
	t.Logf("%s: mean %.2f s, p95 %.2f s, p99 %.2f s, %.1f checks each, %d 429s, longest gap %v (%.2f of the limit)",
		s.Name, r.Mean(), r.Quantile(0.95), r.Quantile(0.99), r.Checks, r.Limited, r.Gap.Round(time.Second), r.GapRate)
	return r
}

func TestThePollerIsNearTheBound(t *testing.T) {
	// How many come at once is chance and decides about the delay of them all, so
	// delays are held to their goals on the average of several populations.
	const seeds = 4
	for name, c := range map[string]struct {
		scenario         Scenario
		people           int
		ratio, mean, p95 float64
	}{
		"10 a minute": {S1(10), 1500, 1.35, 4.5, 10.5},
		"slow":        {Slow(10), 1000, 1.35, 10, 24},
		"fast":        {Fast(10), 600, 1.6, 3.6, 9},
		"times ten":   {S1(10).Times(10), 2500, 1.2, 4, 9},
	} {
		t.Run(name, func(t *testing.T) {
			c.scenario.People = c.people
			mean, p95, bound := 0.0, 0.0, Bound(c.scenario)
			for seed := range uint64(seeds) {
				c.scenario.Seed = seed + 1
				r := simulate(t, c.scenario, Shipped)
				assert.Zero(t, r.Limited, "429s")
				assert.Zero(t, r.Lost)
				assert.LessOrEqual(t, r.GapRate, 1.0, "longest gap, over max(6 s, 3 turns)")
				mean += r.Mean() / seeds
				p95 += r.Quantile(0.95) / seeds
			}
			assert.LessOrEqual(t, mean, c.ratio*bound, "the bound is %.2f s", bound)
			assert.LessOrEqual(t, mean, c.mean)
			assert.LessOrEqual(t, p95, c.p95)
		})
	}
}

func TestThePollerBeatsSimplerPolicies(t *testing.T) {
	s := S1(5)
	s.People = 120
	shipped := simulate(t, s, Shipped)
	robin := simulate(t, s, RoundRobin)
	naive := simulate(t, s, Naive)
	own := simulate(t, s, Backoff)
	assert.Less(t, shipped.Mean(), robin.Mean())
	assert.Less(t, shipped.Mean(), naive.Mean())
	assert.Less(t, shipped.Mean(), own.Mean())
	assert.Zero(t, robin.Limited)
	assert.Positive(t, naive.Limited)
}

func TestWebhooksSaveChecks(t *testing.T) {
	s := S1(10)
	s.People, s.Webhooks = 300, true
	with := simulate(t, s, Shipped)
	s.Webhooks = false
	without := simulate(t, s, Shipped)
	assert.Less(t, with.Mean(), without.Mean())
	assert.Less(t, with.PerMin, 0.6*without.PerMin)
}

func TestBoundKnowsItsLimits(t *testing.T) {
	for _, s := range []Scenario{S1(10), Slow(10), Fast(10)} {
		last := math.Inf(1)
		for _, perMinute := range []float64{20, 10, 5, 2} {
			s.PerMinute = perMinute
			b := Bound(s)
			assert.Less(t, b, last, "more checks, less delay")
			// Even with all checks on those who do approve, spread evenly over
			// the time they take, the mean cannot be below a half gap.
			assert.Positive(t, b)
			last = b
		}
	}
	// A narrow population needs few checks: nearly all act at 20 s.
	s := S1(10)
	s.Sigma, s.Never = 0.01, 0
	assert.Less(t, Bound(s), 0.3)
	// One check each, for people who act at once: nothing to lose but the grid.
	s.PerMinute, s.Median = 55, 1
	assert.Less(t, Bound(s), 0.5)
	// The published figure for S1 at 10 a minute is 3.3 s.
	assert.InDelta(t, 3.3, Bound(S1(10)), 0.1)
}
