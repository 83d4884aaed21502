package pollsim

import (
	"math"
	"math/rand/v2"
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
		"2 a minute":  {S1(2), 500, 2.6, 1.45, 3.5},
		"5 a minute":  {S1(5), 1000, 1.6, 2.5, 6.5},
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

func TestLearningIsNearKnowing(t *testing.T) {
	// Populations that nothing was tuned for.
	for name, s := range map[string]Scenario{
		"two kinds": {PerMinute: 8, Never: 0.1, Lifetime: 200 * time.Second, Act: func(rng *rand.Rand) float64 {
			if rng.Float64() < 0.5 {
				return 5 + rng.ExpFloat64()*3
			}
			return 60 + rng.NormFloat64()*10
		}},
		"memoryless": {PerMinute: 12, Never: 0.3, Lifetime: 120 * time.Second, Act: func(rng *rand.Rand) float64 { return rng.ExpFloat64() * 25 }},
		"uniform":    {PerMinute: 6, Never: 0.05, Lifetime: 180 * time.Second, Act: func(rng *rand.Rand) float64 { return 10 + rng.Float64()*100 }},
		"heavy tail": {PerMinute: 10, Median: 15, Sigma: 1.4, Never: 0.2, Lifetime: 240 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			s.Name, s.Limit, s.People, s.Seed = name, 60, 2000, 8
			learns, knows := simulate(t, s, Shipped), simulate(t, s, Knowing)
			assert.LessOrEqual(t, learns.Mean(), 1.15*knows.Mean())
			assert.Zero(t, learns.Limited)
			assert.LessOrEqual(t, learns.GapRate, 1.0)
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

func TestReliableHintsSaveChecks(t *testing.T) {
	s := S1(10)
	s.People, s.Webhooks, s.Seed = 2000, true, 6
	r := simulate(t, s, Shipped)
	assert.Less(t, r.PerMin, 24.0)
	assert.Less(t, r.Mean(), 2.5)
}

func TestFullRateWithinTwoMinutesWhenHintsStop(t *testing.T) {
	s := S1(10)
	s.People, s.Webhooks, s.WebhooksFor, s.Seed = 2000, true, 1000, 7
	r := simulate(t, s, Shipped)
	sum := func(minutes []int) (n int) {
		for _, m := range minutes {
			n += m
		}
		return n
	}
	from := s.WebhooksFor / 10 // the first person without a webhook came at about this minute
	assert.Less(t, sum(r.Minutes[from-30:from-5]), 25*25)
	assert.Greater(t, sum(r.Minutes[from+8:from+33]), 25*58)
}

func TestForgedHintsCostNextToNothing(t *testing.T) {
	// Also where people are so quick that a hint at random is often right.
	for _, s := range []Scenario{S1(10), Slow(10), Fast(10)} {
		s.People = 2000
		quiet, forged := 0.0, 0.0
		for s.Seed = range uint64(4) {
			s.Forged = 0
			quiet += simulate(t, s, Shipped).Mean()
			s.Forged = 20
			r := simulate(t, s, Shipped)
			forged += r.Mean()
			assert.Zero(t, r.Limited)
		}
		t.Logf("%s: %.3f times", s.Name, forged/quiet)
		assert.LessOrEqual(t, forged, 1.05*quiet, s.Name)
	}
}

func TestEarlyWebhooksAreBetterThanNone(t *testing.T) {
	for _, early := range []time.Duration{500 * time.Millisecond, 1500 * time.Millisecond, 3 * time.Second} {
		s := S1(10)
		s.People, s.Early = 2000, early
		without := simulate(t, s, Shipped)
		s.Webhooks = true
		with := simulate(t, s, Shipped)
		assert.Less(t, with.Mean(), 0.75*without.Mean(), "%v early", early)
		if early == 500*time.Millisecond {
			assert.LessOrEqual(t, with.Mean(), 3.0)
			assert.LessOrEqual(t, with.Quantile(0.95), 8.0)
		}
	}
}

func TestThoseWhoFailDoNotStarveTheOthers(t *testing.T) {
	for _, others := range []int{10, 30, 50} {
		s := S1(2)
		s.People, s.Others = 120, others
		open := simulate(t, s, Shipped).Quantile(0.5)
		for _, answer := range []Answer{Failing, Unknown, Hanging} {
			s.Answer = answer
			r := simulate(t, s, Shipped)
			t.Logf("beside %d that are answered %v: %.1f s (median), beside as many open ones %.1f s", others, answer, r.Quantile(0.5), open)
			assert.LessOrEqual(t, r.Quantile(0.5), open)
			assert.Zero(t, r.Lost)
		}
	}
}

func TestOneLongRetryAfterLosesNobody(t *testing.T) {
	for _, status := range []int{429, 503} {
		s := S1(10)
		s.People = 300
		quiet := simulate(t, s, Shipped)
		s.Refusal, s.RetryAfter = status, time.Hour
		r := simulate(t, s, Shipped)
		assert.Zero(t, r.Lost, status)
		assert.LessOrEqual(t, r.Quantile(1), 120.0)
		if status == 503 {
			assert.LessOrEqual(t, r.Mean(), 1.05*quiet.Mean())
		}
	}
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
