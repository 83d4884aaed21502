package poll

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// s1 is the population that the goals are stated for; the bounds below are
// the causal optimum for it, from the dynamic program in internal/bench.
func s1(perMinute float64) population {
	return population{perMinute: perMinute, median: 20, sigma: 0.75, never: 0.15, expire: 180 * sec}
}

func TestDelayIsNearTheBound(t *testing.T) {
	for _, c := range []struct {
		name              string
		people            population
		limit, n          int
		mean, p95, longer float64
	}{
		{"10 a minute", s1(10), 60, 4000, 4.5, 10.6, 1},
		{"5 a minute", s1(5), 60, 2000, 2.5, 6.5, 1},
		{"2 a minute", s1(2), 60, 1500, 1.45, 3.5, 1},
		{"ten times everything", s1(100), 600, 8000, 1.2 * 3.33, 8.5, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := world{population: c.people, limit: c.limit, people: c.n, seed: 4, latency: 100 * time.Millisecond}
			w.run()
			t.Logf("mean %.2f s, p95 %.2f s", w.mean(), w.quantile(0.95))
			assert.LessOrEqual(t, w.mean(), c.mean)
			assert.LessOrEqual(t, w.quantile(0.95), c.p95)
			assert.Zero(t, w.limited, "429s")
			assert.LessOrEqual(t, slices.Max(w.gaps), c.longer, "gap, in units of max(6 s, 3 turns)")
		})
	}
}

func TestLearningIsNearKnowing(t *testing.T) {
	// Populations that nothing here was tuned for.
	for name, p := range map[string]population{
		"two kinds": {perMinute: 8, never: 0.1, expire: 200 * sec, act: func(rng *rand.Rand) float64 {
			if rng.Float64() < 0.5 {
				return 5 + rng.ExpFloat64()*3
			}
			return 60 + rng.NormFloat64()*10
		}},
		"memoryless": {perMinute: 12, never: 0.3, expire: 120 * sec, act: func(rng *rand.Rand) float64 { return rng.ExpFloat64() * 25 }},
		"uniform":    {perMinute: 6, never: 0.05, expire: 180 * sec, act: func(rng *rand.Rand) float64 { return 10 + rng.Float64()*100 }},
		"heavy tail": {perMinute: 10, median: 15, sigma: 1.4, never: 0.2, expire: 240 * sec},
	} {
		learns := world{population: p, limit: 60, people: 2000, seed: 8}
		learns.run()
		knows := world{population: p, limit: 60, people: 2000, seed: 8, knows: true}
		knows.run()
		t.Logf("%s: learning %.2f s, knowing %.2f s", name, learns.mean(), knows.mean())
		assert.LessOrEqual(t, learns.mean(), 1.15*knows.mean(), name)
		assert.Zero(t, learns.limited)
		assert.LessOrEqual(t, slices.Max(learns.gaps), 1.0)
	}
}

func TestForgedHintsCostNextToNothing(t *testing.T) {
	quiet := world{population: s1(10), limit: 60, people: 4000, seed: 5}
	quiet.run()
	forged := world{population: s1(10), limit: 60, people: 4000, seed: 5, forged: 20}
	forged.run()
	t.Logf("mean %.2f s, with 20 forged hints a second %.2f s", quiet.mean(), forged.mean())
	assert.LessOrEqual(t, forged.mean(), 1.05*quiet.mean())
	assert.Zero(t, forged.limited)
}

// webhooks arrive within two seconds until stop.
func webhooks(stop int) func(int, *rand.Rand) (time.Duration, bool) {
	return func(i int, rng *rand.Rand) (time.Duration, bool) {
		return time.Duration(rng.Float64() * float64(2*sec)), i < stop
	}
}

func TestReliableHintsSaveChecks(t *testing.T) {
	w := world{population: s1(10), limit: 60, people: 2000, seed: 6, webhook: webhooks(1 << 30)}
	w.run()
	t.Logf("mean %.2f s at %.1f checks a minute", w.mean(), float64(w.checks)/w.end.Minutes())
	assert.Less(t, float64(w.checks)/w.end.Minutes(), 24.0)
	assert.Less(t, w.mean(), 2.5)
}

func TestFullRateWithinTwoMinutesWhenHintsStop(t *testing.T) {
	const stop = 1000
	w := world{population: s1(10), limit: 60, people: 2000, seed: 7, webhook: webhooks(stop)}
	w.run()
	// The first person without a webhook came at about this minute.
	from := stop / 10
	saved, full := 0, 0
	for minute := from - 30; minute < from-5; minute++ {
		saved += w.perMin[minute]
	}
	for minute := from + 8; minute < from+33; minute++ {
		full += w.perMin[minute]
	}
	assert.Less(t, saved, 25*25)
	assert.Greater(t, full, 25*58)
}

func TestFullRateReturnsOnceHintsFallSilent(t *testing.T) {
	s := NewScheduler[int](Config{Limit: 60, Floor: 2 * sec, MaxFlight: 8}, 0)
	now := time.Duration(0)
	for range 40 { // announced ends
		it := s.Add(now, 10*sec, time.Hour, 0)
		s.Hint(it)
		for {
			now += 100 * time.Millisecond
			if action, got, _ := s.Next(now); action == Check {
				require.Same(t, it, got)
				break
			}
		}
		s.Done(now, it, Ended, 0)
		s.Remove(it)
		now += 3 * sec
	}
	require.True(t, s.Stats(now).Saving)
	require.InDelta(t, 20, s.Stats(now).Rate, 0)
	for range 20 {
		s.Add(now, 10*sec, time.Hour, 0)
	}
	perMinute := func(from time.Duration) (n int) {
		for t := from; t < from+time.Minute; t += 50 * time.Millisecond {
			if action, it, _ := s.Next(t); action == Check {
				n++
				s.Done(t, it, Open, 0)
			}
		}
		return n
	}
	assert.LessOrEqual(t, perMinute(now), 21)
	perMinute(now + time.Minute)
	assert.GreaterOrEqual(t, perMinute(now+2*time.Minute), 58)
	assert.False(t, s.Stats(now+3*time.Minute).Saving)
}

func TestWindowWithForeignUseRecovers(t *testing.T) {
	// Another process takes half of the limit for ten minutes.
	server := &slidingServer{limit: 60}
	w := NewWindow(60, true, true, 0)
	limited, sentAfter := 0, 0
	foreign := 2 * time.Minute
	for now := time.Duration(0); now < 40*time.Minute; {
		next := w.Next(now)
		for foreign <= min(next, 12*time.Minute) {
			server.accept(foreign)
			foreign += 2 * sec
		}
		now = max(now, next)
		w.Take(now)
		ok := server.accept(now)
		w.Answered(now)
		if ok {
			w.Accepted()
		} else {
			w.Limited(now, now, 0)
			limited++
		}
		if now >= 35*time.Minute {
			sentAfter++
		}
	}
	assert.Greater(t, limited, 0)
	assert.Less(t, limited, 40)
	assert.Greater(t, sentAfter, 5*58, "the whole limit is used again")
}

func BenchmarkNextAt10000(b *testing.B) {
	s := NewScheduler[int](Config{Limit: 6000, Floor: 2 * sec, MaxFlight: 64}, 0)
	teach(s, rand.New(rand.NewPCG(1, 1)))
	for i := range 10_000 {
		s.Add(0, time.Duration(i)*10*time.Millisecond, 1000*time.Hour, i)
	}
	now := 3 * time.Minute
	b.ReportAllocs()
	for b.Loop() {
		now += 10 * time.Millisecond
		for {
			action, it, wake := s.Next(now)
			if action == Check {
				s.Done(now, it, Open, 0)
				break
			}
			now = max(now+1, wake)
		}
	}
}
