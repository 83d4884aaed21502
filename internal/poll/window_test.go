package poll

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const sec = time.Second

// slidingServer counts requests as the strictest server would.
type slidingServer struct {
	limit int
	times []time.Duration
}

func (s *slidingServer) accept(now time.Duration) bool {
	for len(s.times) > 0 && now-s.times[0] >= time.Minute {
		s.times = s.times[1:]
	}
	if len(s.times) >= s.limit {
		return false
	}
	s.times = append(s.times, now)
	return true
}

// strict counts arrivals both ways: over any minute, and in whole minutes from
// an offset. It returns how many the strictest server would refuse.
func strict(arrivals []time.Duration, limit int, offset time.Duration) (refused int) {
	sliding := slidingServer{limit: limit}
	fixed := map[time.Duration]int{}
	for _, a := range arrivals {
		minute := (a + offset).Truncate(time.Minute)
		fixed[minute]++
		if fixed[minute] > limit || !sliding.accept(a) {
			refused++
		}
	}
	return refused
}

// spend uses a window for as long as possible against requests that take up
// to latency, arriving anywhere in between, and returns the arrivals.
func spend(w *Window, from, to, latency time.Duration, rng *rand.Rand) (arrivals []time.Duration) {
	type flight struct{ arrives, answered time.Duration }
	var inFlight []flight
	for now := from; now < to; {
		next := w.Next(now)
		at, land := next, -1
		for i, f := range inFlight {
			if f.answered <= at {
				at, land = f.answered, i
			}
		}
		now = max(now, at)
		if land >= 0 {
			w.Answered(now, 0)
			arrivals = append(arrivals, inFlight[land].arrives)
			inFlight = append(inFlight[:land], inFlight[land+1:]...)
			continue
		}
		w.Take(now)
		took := time.Duration(rng.Int64N(int64(latency) + 1))
		inFlight = append(inFlight, flight{now + time.Duration(rng.Int64N(int64(took)+1)), now + took})
	}
	for _, f := range inFlight {
		arrivals = append(arrivals, f.arrives)
	}
	sortDurations(arrivals)
	return arrivals
}

func sortDurations(d []time.Duration) {
	for i := 1; i < len(d); i++ {
		for j := i; j > 0 && d[j] < d[j-1]; j-- {
			d[j], d[j-1] = d[j-1], d[j]
		}
	}
}

func TestWindowNeverExceedsAnyServersCount(t *testing.T) {
	for _, pace := range []Pace{Eager, Even} {
		for _, limit := range []int{1, 2, 10, 60} {
			for _, latency := range []time.Duration{0, 200 * time.Millisecond, 3 * sec, 40 * sec} {
				rng := rand.New(rand.NewPCG(uint64(limit), uint64(latency)))
				w := NewWindow(limit, pace, 0)
				got := spend(w, 0, 30*time.Minute, latency, rng)
				for offset := time.Duration(0); offset < time.Minute; offset += 10 * sec {
					require.Zerof(t, strict(got, limit, offset), "limit %d, latency %v, pace %d", limit, latency, pace)
				}
				if latency < sec {
					assert.Greaterf(t, len(got), limit*29, "limit %d: the budget is used", limit)
				}
			}
		}
	}
}

func TestWindowSpendsEvenlyFromItsFirstSecond(t *testing.T) {
	for pace, first := range map[Pace]time.Duration{EvenLater: sec, Even: 0, Eager: 0} {
		w := NewWindow(60, pace, 0)
		got := spend(w, 0, time.Minute, 0, rand.New(rand.NewPCG(1, 1)))
		assert.GreaterOrEqual(t, got[0], first)
		for i := 1; i < len(got); i++ {
			assert.GreaterOrEqual(t, got[i]-got[i-1], sec-catchUp)
		}
	}
	// A predecessor that spent evenly and died a moment ago leaves no room for
	// more than that.
	before := NewWindow(60, EvenLater, -10*time.Minute)
	rng := rand.New(rand.NewPCG(2, 2))
	arrivals := spend(before, -10*time.Minute, -100*time.Millisecond, 300*time.Millisecond, rng)
	after := NewWindow(60, EvenLater, 0)
	arrivals = append(arrivals, spend(after, 0, 5*time.Minute, 300*time.Millisecond, rng)...)
	assert.Zero(t, strict(arrivals, 60, 0))
}

func TestWindowDoesNotDelayTheFirstCaller(t *testing.T) {
	w := NewWindow(10, Eager, 0)
	require.LessOrEqual(t, w.Next(0), time.Duration(0))
	w.Take(0)
	w.Answered(0, 0)
	assert.GreaterOrEqual(t, w.Next(0), 6*sec, "the first minute is spent evenly")
}

func TestWindowLetsFewCallersThroughTogetherLater(t *testing.T) {
	w := NewWindow(10, Eager, 0)
	now := 10 * time.Minute
	var got []time.Duration
	for range 20 {
		now = max(now, w.Next(now))
		w.Take(now)
		w.Answered(now, 0)
		got = append(got, now-10*time.Minute)
	}
	assert.Less(t, got[1], sec)
	assert.Less(t, got[4], 10*sec)
	assert.Less(t, got[9], 40*sec)
	assert.GreaterOrEqual(t, got[10], time.Minute)
}

func TestWindowAdaptsToForeignUse(t *testing.T) {
	w := NewWindow(60, Even, 0)
	now := 2 * time.Minute
	limited := func(after time.Duration) {
		now = max(now, w.Next(now))
		w.Take(now)
		w.Answered(now, 0)
		w.Limited(now, now, after)
	}
	for _, pause := range []time.Duration{2 * sec, 4 * sec, 8 * sec, 16 * sec, 30 * sec, 30 * sec} {
		before := w.Rate(now)
		limited(0)
		assert.InDelta(t, before*0.85, w.Rate(now), 1.1)
		assert.GreaterOrEqual(t, w.Next(now)-now, pause)
		assert.Less(t, w.Next(now)-now, pause+5*sec)
	}
	limited(77 * sec)
	assert.Equal(t, 77*sec, w.Next(now)-now, "Retry-After rules")
	limited(24 * time.Hour)
	assert.Equal(t, maxPause, w.Next(now)-now, "within reason")

	now = w.Next(now)
	w.Accepted(now, now)
	low := w.Rate(now)
	assert.InDelta(t, low+2, w.Rate(now+time.Minute), 0.01, "2 a minute come back per minute")
	assert.InDelta(t, 60, w.Rate(now+time.Hour), 0, "up to the limit")
	now += time.Hour
	limited(0)
	assert.Equal(t, 2*sec, w.Next(now)-now, "the pause starts small again")
}

func TestWindowCountsConcurrentRefusalsOnce(t *testing.T) {
	w := NewWindow(60, Even, 0)
	for i := range 3 {
		w.Take(time.Duration(i) * sec)
	}
	for i := range 3 {
		w.Answered(10*sec, 0)
		w.Limited(10*sec, time.Duration(i)*sec, 0)
	}
	assert.InDelta(t, 51, w.Rate(10*sec), 0.01)
	assert.Equal(t, 12*sec, w.Next(10*sec))
	assert.EqualValues(t, 3, w.RateLimited())
}

func TestWindowWaitsForAnswersWhenAllIsInFlight(t *testing.T) {
	w := NewWindow(2, Even, 0)
	w.Take(0)
	w.Take(40 * sec)
	assert.Equal(t, never, w.Next(80*sec))
	w.Answered(80*sec, 0)
	assert.Equal(t, 80*sec+Minute+margin, w.Next(80*sec), "counted from its answer, not from its sending")
}

func TestWindowAfterLooksAhead(t *testing.T) {
	w := NewWindow(10, Eager, 0)
	planned := make([]time.Duration, 25)
	for k := range planned {
		planned[k] = w.After(0, k+1)
	}
	now := time.Duration(0)
	for k := range planned {
		now = max(now, w.Next(now))
		require.Equalf(t, planned[k], now, "request %d", k+1)
		w.Take(now)
		w.Answered(now, 0)
	}
}
