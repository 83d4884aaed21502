package poll

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// lives makes n items one after another that are looked at every 4 s and for
// which the answer at age last is outcome, and returns the time.
func lives(t *testing.T, s *Scheduler[string], n int, last time.Duration, outcome Outcome) {
	t.Helper()
	now := time.Hour
	for range n {
		it := s.Add(now, 0, time.Hour, "x")
		for age := 4 * sec; age <= last; age += 4 * sec {
			action, got, _ := s.Next(now + age)
			require.Equal(t, Check, action)
			require.Same(t, it, got)
			if age < last {
				s.Done(now+age, it, Open, 0)
			} else {
				s.Done(now+age, it, outcome, 0)
			}
		}
		s.Remove(it)
		now += time.Minute
	}
}

func TestWhatChecksTeachOfWhenItemsEnd(t *testing.T) {
	s := newTest(60)
	lives(t, s, 300, 40*sec, Ended)
	assert.Less(t, s.curve.Risk(0, 33*sec), 0.1)
	assert.Greater(t, s.curve.Risk(33*sec, 40*sec), 1.0)

	// What ends by itself was open until then, and says nothing of when people act.
	s = newTest(60)
	before := s.curve.Risk(0, 40*sec)
	lives(t, s, 300, 40*sec, Lapsed)
	assert.Less(t, s.curve.Risk(0, 40*sec), before/20)
}

// A check of an item that failed before is worth as much less as it is likely to fail
// again.
func TestTheWorthOfAnotherTryIsLearned(t *testing.T) {
	s := newTest(60)
	now := time.Duration(0)
	worth := func() float64 { // of one more try after a failure, compared with a check of an item that never failed
		it := s.Add(now, 0, time.Hour, "x")
		e := &s.open[it.at]
		whole := s.score(e, now+10*sec, -1)
		e.fails = 2
		part := s.score(e, now+10*sec, -1)
		s.Remove(it)
		return part / whole * 2 // for the first of two failures
	}
	tries := func(n int, outcome Outcome) {
		for range n {
			it := s.Add(now, 0, 24*time.Hour, "x")
			for _, o := range []Outcome{Failed, outcome} {
				now += time.Minute
				action, got, _ := s.Next(now)
				require.Equal(t, Check, action)
				require.Same(t, it, got)
				s.Done(now, it, o, 0)
			}
			if outcome == Open {
				assert.Zero(t, s.open[it.at].fails, "an answer makes up for all failures")
			}
			s.Remove(it)
		}
	}
	assert.InDelta(t, 1, worth(), 1e-9, "nothing is known")
	tries(16, Failed)
	assert.InDelta(t, 0.36, worth(), 0.02, "of the last 16 or so none succeeded")
	tries(200, Failed)
	assert.InDelta(t, 1.0/64, worth(), 1e-9, "at least")
	tries(16, Open)
	assert.InDelta(t, 0.64, worth(), 0.02)
	tries(200, Open)
	assert.InDelta(t, 1, worth(), 0.01)
}

// The part of a trip that is always the same costs nothing; that it has become
// longer is learned over some thousand trips.
func TestALongerTripIsLearned(t *testing.T) {
	s := newTest(60)
	trips := func(n int, took time.Duration) time.Duration {
		for range n {
			s.learnTrip(took)
		}
		return s.floorFrom(0, took)
	}
	assert.Equal(t, 2100*time.Millisecond, trips(tripsFrom-1, 100*time.Millisecond), "too few")
	assert.Equal(t, 2*sec, trips(1, 100*time.Millisecond))
	assert.Equal(t, 2500*time.Millisecond, trips(1000, 500*time.Millisecond), "nothing of it is sure to be the same")
	assert.Less(t, trips(20_000, 500*time.Millisecond), 2010*time.Millisecond)
	assert.Equal(t, 2100*time.Millisecond, trips(1, 100*time.Millisecond), "it varies")
}

func TestMemoryIsGivenBack(t *testing.T) {
	s := newTest(60)
	for range 10_000 {
		s.Add(0, 0, time.Hour, "x")
	}
	most := cap(s.open)
	for len(s.open) > most/4 {
		s.Remove(s.open[0].item)
		require.Equal(t, most, cap(s.open), "for a while")
	}
	for len(s.open) > 100 {
		s.Remove(s.open[0].item)
	}
	assert.LessOrEqual(t, cap(s.open), 1024)
	kept := cap(s.open)
	for len(s.open) > 0 {
		s.Remove(s.open[0].item)
	}
	assert.Equal(t, kept, cap(s.open), "a little is kept")
}
