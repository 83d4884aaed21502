package poll

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNobodyStarves(t *testing.T) {
	const limit = 60
	for _, n := range []int{1, 3, 10, 40, 700} {
		s := newTest(limit)
		rng := rand.New(rand.NewPCG(9, uint64(n)))
		// Old items look hopeless beside a stream of fresh ones.
		teach(s, rng)
		last := map[*Item[string]]time.Duration{}
		for range n {
			it := s.Add(0, 10*time.Minute, 24*time.Hour, "old")
			s.open[it.at].from = 0 // all were seen open just now, so all become urgent together
			last[it] = 0
		}
		const crowd = 3 // together they could take all slots
		turn := time.Duration(float64(n+crowd) / limit * float64(time.Minute))
		bound := max(6*sec, 3*turn) + sec
		worst := time.Duration(0)
		for range crowd {
			s.Add(0, 0, 24*time.Hour, "fresh")
		}
		drive(s, 0, 20*turn+5*time.Minute, func(at time.Duration, it *Item[string]) Outcome {
			if it.Value == "fresh" {
				// Always as good as new.
				e := &s.open[it.at]
				e.born = at
				return Open
			}
			worst = max(worst, at-last[it])
			last[it] = at
			return Open
		})
		for _, at := range last {
			worst = max(worst, 20*turn+5*time.Minute-at)
		}
		assert.LessOrEqualf(t, worst, bound, "%d pending", n)
	}
}

// teach makes early ends likely and late ones not.
func teach[T any](s *Scheduler[T], rng *rand.Rand) {
	watch(s.curve, 2000, 2, func() float64 {
		if rng.Float64() < 0.3 {
			return 1e9
		}
		return 2 + rng.ExpFloat64()*5
	})
}

func TestThoseNobodyWaitsForKeepNobodyWaiting(t *testing.T) {
	s := newTest(60)
	for range 500 {
		s.Wanted(s.Add(0, 2*time.Minute, time.Hour, "left"), false)
	}
	drive(s, 0, 5*time.Minute, open)
	s.Add(5*time.Minute, 0, time.Hour, "new")
	log, _ := drive(s, 5*time.Minute, 15*time.Minute, open)
	at, last := times(log, "new"), 5*time.Minute
	for _, now := range at {
		assert.LessOrEqual(t, now-last, 4*sec)
		last = now
	}
	assert.Greater(t, len(times(log, "left")), 600/idleTurn/2, "and they are looked at all the same")
}

// The guard leaves as many slots as there are items that must have one, and
// otherwise keeps out of the choice.
func TestWhenTheGuardDemandsAnItem(t *testing.T) {
	for _, n := range []int{4, 10, 40} {
		s := newTest(60)
		for range n {
			s.Add(0, 0, time.Hour, "x")
		}
		gap := time.Duration(3*n) * sec // three turns
		now := time.Duration(0)
		for s.look(now).urgent == nil {
			now += 100 * time.Millisecond
		}
		latest := gap - time.Duration(n)*sec
		assert.LessOrEqual(t, now, latest, "%d items", n)
		assert.GreaterOrEqual(t, now, latest-gap/32-sec, "%d items", n)
	}
	s := newTest(600)
	s.Add(0, 0, time.Hour, "x")
	assert.Nil(t, s.look(5*sec).urgent, "a gap of less than 6 s is none")
	assert.NotNil(t, s.look(6*sec).urgent)
}

// What counts is the product of how long an item was not looked at and how
// likely it ended in that time.
func TestWhoIsCheckedFirst(t *testing.T) {
	for name, tc := range map[string]struct {
		fresh time.Duration // since the beginning of an item that likely ends soon
		old   time.Duration // since the last look at one that likely does not
		first string
	}{
		"both just now":            {4 * sec, 4 * sec, "fresh"},
		"the old one for long":     {4 * sec, 2 * time.Minute, "old"},
		"the old one for a while":  {6 * sec, 20 * sec, "old"}, // which is less likely to have ended
		"the old one for less":     {6 * sec, 10 * sec, "fresh"},
		"the old one just now":     {8 * sec, 2 * sec, "fresh"},
		"the fresh one just begun": {2 * sec, time.Minute, "old"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTest(60)
			teach(s, rand.New(rand.NewPCG(5, 5)))
			now := time.Hour
			for range 20 { // so that the guard demands neither
				s.open[s.Add(now, time.Minute, time.Hour, "others").at].from = now
			}
			old := &s.open[s.Add(now-tc.old, 10*time.Minute, time.Hour, "old").at]
			old.from = now - tc.old
			s.Add(now-tc.fresh, 0, time.Hour, "fresh")
			action, it, _ := s.Next(now)
			require.Equal(t, Check, action)
			assert.Equal(t, tc.first, it.Value)
		})
	}
}

func TestARestoredItemWasNotLookedAtSinceItsBeginning(t *testing.T) {
	s := newTest(60)
	now := time.Hour
	s.Add(now, 0, time.Hour, "new")
	s.Add(now, 20*sec, time.Hour, "restored")
	now += 2 * sec
	action, it, _ := s.Next(now)
	require.Equal(t, Check, action)
	require.Equal(t, "restored", it.Value)
	s.Done(now, it, Ended, 0)
	assert.InDelta(t, 11, s.Stats(now).Delay.Seconds(), 3, "on average")
}

// Scores that do not matter need not be known exactly.
func TestAScoreIsExactWhereItMatters(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	s := newTest(60)
	teach(s, rng)
	now := time.Hour
	for range 1000 {
		it := s.Add(now, time.Duration(rng.Int64N(int64(time.Minute))), time.Hour, "x")
		e := &s.open[it.at]
		e.fails = uint8(rng.IntN(3))
		whole := s.score(e, now, -1)
		require.Positive(t, whole)
		for _, part := range []float64{0.1, 0.5, 0.99} {
			require.InDelta(t, whole, s.score(e, now, whole*part), 0)
		}
		require.LessOrEqual(t, s.score(e, now, whole*1.01), whole*1.01)
		s.Remove(it)
	}
}

func TestEachFailureHalvesTheWorthOfAnother(t *testing.T) {
	s := newTest(60)
	it := s.Add(0, 0, time.Hour, "x")
	e := &s.open[it.at]
	worth := s.score(e, 10*sec, -1)
	for _, part := range []float64{1, 0.5, 0.25, 0.125} {
		e.fails++
		assert.InDelta(t, worth*part, s.score(e, 10*sec, -1), 1e-9, "%d failures", e.fails)
	}
}

func TestOneSlotInFourIsLeftToThoseNobodyWaitsFor(t *testing.T) {
	s := newTest(60)
	for range 8 {
		s.Wanted(s.Add(0, 10*time.Minute, time.Hour, "left"), false)
		s.Add(0, 0, time.Hour, "new")
	}
	log, _ := drive(s, 0, 20*sec, open)
	assert.Equal(t, "new", log[0].name, "whatever the score of the others")
	assert.InDelta(t, float64(len(log))/4, len(times(log, "left")), 1)
}

// Items that failed use half of the checks in flight, others as many as are left.
func TestHowManyChecksInFlightMayBeInDoubt(t *testing.T) {
	for name, tc := range map[string]struct {
		good, bad, more int // more good ones come later
		want            map[string]int
	}{
		"none":               {8, 0, 0, map[string]int{"good": 8}},
		"all":                {0, 8, 0, map[string]int{"bad": 4}},
		"before the others":  {0, 8, 8, map[string]int{"bad": 4, "good": 4}},
		"one, before others": {0, 1, 8, map[string]int{"bad": 1, "good": 7}},
		"beside the others":  {4, 8, 0, map[string]int{"bad": 4, "good": 4}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTest(600)
			for range tc.bad {
				s.Add(0, 0, time.Hour, "bad")
			}
			drive(s, 0, 5*sec, func(time.Duration, *Item[string]) Outcome { return Failed })
			for range tc.good {
				s.Add(5*sec, 0, time.Hour, "good")
			}
			flying := map[string]int{}
			for now := 8 * sec; now < 30*sec; now += 100 * time.Millisecond { // no answer comes
				if now == 20*sec {
					for range tc.more {
						s.Add(now, 0, time.Hour, "good")
					}
				}
				if action, it, _ := s.Next(now); action == Check {
					flying[it.Value]++
				}
			}
			assert.Equal(t, tc.want, flying)
		})
	}
}
