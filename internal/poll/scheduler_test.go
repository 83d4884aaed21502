package poll

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func newTest(limit int) *Scheduler[string] {
	return NewScheduler[string](Config{Limit: limit, Floor: 2 * sec, MaxFlight: 8}, 0)
}

// sent is one check of a test run.
type sent struct {
	at   time.Duration
	name string
}

// drive runs s from one time to another; every check is answered at once with
// what answer says, which may add and hint.
func drive(s *Scheduler[string], from, to time.Duration, answer func(at time.Duration, it *Item[string]) Outcome) (log []sent, gaveUp []string) {
	return drive2(s, from, to, func(at time.Duration, it *Item[string]) (Outcome, time.Duration) { return answer(at, it), 0 })
}

// drive2 is drive with answers that carry a Retry-After.
func drive2(s *Scheduler[string], from, to time.Duration, answer func(at time.Duration, it *Item[string]) (Outcome, time.Duration)) (log []sent, gaveUp []string) {
	for now := from; now < to; {
		action, it, wake := s.Next(now)
		switch action {
		case Check:
			log = append(log, sent{now, it.Value})
			o, retryAfter := answer(now, it)
			over := s.Done(now, it, o, retryAfter)
			if o == Ended || o == Lapsed || over {
				s.Remove(it)
			}
		case GiveUp:
			gaveUp = append(gaveUp, it.Value)
			s.Remove(it)
		default:
			if wake <= now {
				panic("Next asks to be asked again at once")
			}
			now = wake
		}
	}
	return log, gaveUp
}

func open(time.Duration, *Item[string]) Outcome { return Open }

func times(log []sent, name string) (at []time.Duration) {
	for _, c := range log {
		if c.name == name {
			at = append(at, c.at)
		}
	}
	return at
}

func TestFloorBetweenChecksOfOneItem(t *testing.T) {
	s := newTest(600)
	s.Add(10*sec, 0, time.Hour, "a")
	log, _ := drive(s, 10*sec, time.Minute, open)
	at := times(log, "a")
	assert.Equal(t, 12*sec, at[0], "the creation counts as a look")
	for i := 1; i < len(at); i++ {
		assert.GreaterOrEqual(t, at[i]-at[i-1], 2*sec)
	}
	assert.InDelta(t, 24, len(at), 1, "and no slower, when alone")
}

func TestNoSecondCheckWhileOneIsInFlight(t *testing.T) {
	s := newTest(600)
	s.Add(0, 0, time.Hour, "a")
	action, it, _ := s.Next(10 * sec)
	require.Equal(t, Check, action)
	for now := 10 * sec; now < 30*sec; now += 100 * time.Millisecond {
		s.Hint(now, it)
		action, _, _ := s.Next(now)
		require.Equal(t, Nothing, action)
	}
	s.Done(30*sec, it, Open, 0)
	// The server may have seen it a moment before it answered, so the floor
	// counts from there.
	action, _, wake := s.Next(30 * sec)
	require.Equal(t, Nothing, action)
	require.Equal(t, 32*sec, wake)
	action, _, _ = s.Next(wake)
	assert.Equal(t, Check, action)
}

func TestInFlightIsBounded(t *testing.T) {
	s := newTest(6000)
	for range 100 {
		s.Add(0, 0, time.Hour, "x")
	}
	n := 0
	for now := 10 * sec; now < 12*sec; now += 10 * time.Millisecond {
		if action, _, _ := s.Next(now); action == Check {
			n++
		}
	}
	assert.Equal(t, 8, n)
}

func TestErrorsBackOffWithoutHoldingUpOthers(t *testing.T) {
	s := newTest(60)
	s.Add(0, 0, time.Hour, "bad")
	s.Add(0, 0, time.Hour, "good")
	log, _ := drive(s, 0, 10*time.Minute, func(_ time.Duration, it *Item[string]) Outcome {
		if it.Value == "bad" {
			return Failed
		}
		return Open
	})
	bad, good := times(log, "bad"), times(log, "good")
	var gaps []time.Duration
	for i := 1; i < len(bad); i++ {
		gaps = append(gaps, bad[i]-bad[i-1])
	}
	for i, want := range []float64{2, 4, 8, 16, 30, 30, 30} {
		assert.InDelta(t, want, gaps[i].Seconds(), 2.5)
	}
	assert.Less(t, len(bad), 30)
	assert.Greater(t, len(good), 250)
}

func TestRefusedTokenIsAskedAgainOnce(t *testing.T) {
	s := newTest(60)
	s.Add(0, 0, time.Hour, "a")
	log, _ := drive(s, 0, 2*time.Minute, func(time.Duration, *Item[string]) Outcome { return Denied })
	at := times(log, "a")
	assert.InDelta(t, 2, (at[1] - at[0]).Seconds(), 0.5)
	assert.InDelta(t, 2, (at[2] - at[1]).Seconds(), 0.5)
	assert.InDelta(t, 4, (at[3] - at[2]).Seconds(), 0.5)
	assert.InDelta(t, 8, (at[4] - at[3]).Seconds(), 0.5)
}

func TestNobodyStarves(t *testing.T) {
	const limit = 60
	for _, n := range []int{1, 3, 10, 40, 700} {
		s := newTest(limit)
		rng := rand.New(rand.NewPCG(9, uint64(n)))
		// Old items look hopeless beside a stream of fresh ones.
		teach(s, rng)
		last := map[*Item[string]]time.Duration{}
		for range n {
			last[s.Add(0, 10*time.Minute, 24*time.Hour, "old")] = 0
		}
		turn := time.Duration(float64(n+1) / limit * float64(time.Minute))
		bound := max(6*sec, 3*turn) + sec
		worst := time.Duration(0)
		fresh := s.Add(0, 0, 24*time.Hour, "fresh")
		drive(s, 0, 20*turn+5*time.Minute, func(at time.Duration, it *Item[string]) Outcome {
			if it == fresh {
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

func TestLastCheckAtTheDeadline(t *testing.T) {
	s := newTest(60)
	s.Add(0, 0, 61*sec, "a")
	log, gaveUp := drive(s, 0, 2*time.Minute, open)
	at := times(log, "a")
	assert.Equal(t, 61*sec, at[len(at)-1])
	assert.LessOrEqual(t, at[len(at)-2], 59*sec, "room is kept for it")
	assert.Empty(t, gaveUp)
	assert.Empty(t, s.open)

	// A failing item does not miss it by backing off.
	s = newTest(60)
	s.Add(0, 0, 50*sec, "b")
	log, _ = drive(s, 0, 2*time.Minute, func(time.Duration, *Item[string]) Outcome { return Failed })
	at = times(log, "b")
	assert.Equal(t, 50*sec, at[len(at)-1])
}

func TestManyLastChecksKeepNobodyWaiting(t *testing.T) {
	for _, n := range []int{100, 1000} { // compared one by one, and by a shortlist
		s := newTest(60)
		for range n {
			s.Add(0, time.Hour, 0, "restored")
		}
		for range 5 {
			s.Add(0, 0, time.Hour, "new")
		}
		log, gaveUp := drive(s, 0, time.Duration(n)*3*sec, open)
		assert.Empty(t, gaveUp)
		assert.Len(t, times(log, "restored"), n, "one last check each")
		fresh := times(log, "new")
		for i := 1; i < n/2; i++ {
			assert.LessOrEqual(t, fresh[i]-fresh[i-1], 4*sec)
		}
	}
}

// refuse answers every check from now on with a 429 until to, and then says open.
func refuse(s *Scheduler[string], from, until, retryAfter time.Duration) (log []sent, gaveUp map[string]time.Duration) {
	gaveUp = map[string]time.Duration{}
	for now := from; len(s.open) > 0; {
		switch action, it, wake := s.Next(now); action {
		case Check:
			log = append(log, sent{now, it.Value})
			o := Open
			if now < until {
				o = Limited
			}
			if s.Done(now, it, o, retryAfter) {
				s.Remove(it)
			}
		case GiveUp:
			gaveUp[it.Value] = now
			s.Remove(it)
		default:
			now = wake
		}
	}
	return log, gaveUp
}

func TestNoEndlessWaitForALastCheck(t *testing.T) {
	s := newTest(60)
	s.Add(0, 0, 10*sec, "a")
	log, gaveUp := refuse(s, 5*sec, time.Hour, time.Hour)
	assert.InDelta(t, (10*sec + graceLeast + mostHeld).Seconds(), gaveUp["a"].Seconds(), 1)
	assert.Len(t, log, 3, "one try a minute")
}

func TestALongRetryAfterIsBelievedForAMinute(t *testing.T) {
	s := newTest(60)
	for i := range 30 {
		s.Add(0, 0, 40*sec, strconv.Itoa(i))
	}
	log, gaveUp := refuse(s, 30*sec, 31*sec, time.Hour)
	assert.Empty(t, gaveUp, "nobody is given up during a pause")
	assert.Equal(t, 90*sec, log[1].at)
	assert.Len(t, log, 31, "each got its last check")
}

func TestAfterAPauseOneRequestIsTriedAtATime(t *testing.T) {
	s := newTest(60)
	for i := range 30 {
		s.Add(0, 0, time.Hour, strconv.Itoa(i))
	}
	_, it, _ := s.Next(10 * sec)
	s.Done(10*sec, it, Limited, time.Hour)
	var tried []time.Duration
	for now := 10 * sec; now < 90*sec; now += 100 * time.Millisecond { // no answer comes
		if action, _, _ := s.Next(now); action == Check {
			tried = append(tried, now)
		}
	}
	assert.InDelta(t, 70, tried[0].Seconds(), 0.2)
	for i := 1; i < len(tried); i++ {
		assert.GreaterOrEqual(t, tried[i]-tried[i-1], trialStep-catchUp)
	}
	assert.Len(t, tried, 4)
}

func TestAHintEndsALongPause(t *testing.T) {
	s := newTest(60)
	a := s.Add(0, 0, time.Hour, "a")
	_, _, _ = s.Next(10 * sec)
	s.Done(10*sec, a, Limited, time.Hour)
	s.Hint(15*sec, a)
	_, _, wake := s.Next(15 * sec)
	assert.Equal(t, 40*sec, wake, "not at once: somebody may forge hints")
	action, _, _ := s.Next(wake)
	assert.Equal(t, Check, action)
}

func TestOthersSuccessReleasesWhoIsParked(t *testing.T) {
	for _, others := range []int{0, 1} {
		s := newTest(60)
		s.Add(0, 0, time.Hour, "parked")
		for range others {
			s.Add(0, 0, time.Hour, "good")
		}
		first := true
		log, _ := drive2(s, 0, 2*time.Minute, func(_ time.Duration, it *Item[string]) (Outcome, time.Duration) {
			if it.Value == "parked" && first {
				first = false
				return Failed, 10 * time.Minute
			}
			return Open, 0
		})
		at := times(log, "parked")
		gap := (at[1] - at[0]).Seconds()
		if others == 0 {
			assert.InDelta(t, 60, gap, 1, "and for a minute at most")
		} else {
			assert.Less(t, gap, 6.0)
		}
	}
}

func TestAHintIsReasonEnoughToAskAgain(t *testing.T) {
	s := newTest(60)
	it := s.Add(0, 0, time.Hour, "a")
	_, _, _ = s.Next(10 * sec)
	s.Done(10*sec, it, Failed, time.Hour)
	s.Hint(11*sec, it)
	_, _, wake := s.Next(11 * sec)
	assert.Equal(t, 12*sec, wake)
}

func TestAReducedRateMakesNobodyWaitLongerToBeTold(t *testing.T) {
	s := newTest(60)
	for i := range 30 {
		s.Add(0, 0, 5*time.Minute, strconv.Itoa(i))
	}
	// Somebody else leaves two checks a minute of the limit.
	s.window.rate = 2
	now, gone := time.Duration(0), time.Duration(0)
	for len(s.open) > 0 {
		s.window.rate = 2
		switch action, it, wake := s.Next(now); action {
		case Check:
			if s.Done(now, it, Open, 0) {
				s.Remove(it)
			}
		case GiveUp:
			s.Remove(it)
			gone = now
		default:
			now = min(wake, now+sec)
		}
	}
	assert.InDelta(t, 6.5, gone.Minutes(), 0.1, "3 x pending x 60 s / limit after the deadline")
}

func TestThoseWhoFailDoNotStarveTheOthers(t *testing.T) {
	// One newcomer at a time beside many that were there before: how late is the
	// newcomer's approval noticed?
	delay := func(others int, o Outcome, took time.Duration) float64 {
		s := NewScheduler[string](Config{Limit: 60, Floor: 2 * sec, MaxFlight: 32}, 0)
		rng := rand.New(rand.NewPCG(3, uint64(others)))
		for range others {
			s.Add(0, 0, 240*time.Hour, "old")
		}
		landing := map[*Item[string]]time.Duration{}
		var delays []time.Duration
		for now := time.Duration(0); len(delays) < 200; {
			newcomer := s.Add(now, 0, time.Hour, "new")
			acts := now + time.Duration(20*math.Exp(0.75*rng.NormFloat64())*float64(sec))
			for newcomer.at >= 0 {
				now += 100 * time.Millisecond
				for it, at := range landing {
					if at <= now {
						s.Done(now, it, o, 0)
						delete(landing, it)
					}
				}
				action, it, _ := s.Next(now)
				switch {
				case action != Check:
				case it != newcomer:
					landing[it] = now + took
				case now < acts:
					s.Done(now, it, Open, 0)
				default:
					s.Done(now, it, Ended, 0)
					s.Remove(it)
					delays = append(delays, now-acts)
				}
			}
		}
		slices.Sort(delays[100:])
		return delays[150].Seconds()
	}
	for _, others := range []int{10, 30, 50} {
		open := delay(others, Open, 0)
		failing, hanging := delay(others, Failed, 0), delay(others, Failed, 30*sec)
		t.Logf("beside %d: open %.1f s, failing %.1f s, hanging %.1f s (median)", others, open, failing, hanging)
		assert.LessOrEqual(t, failing, open+1)
		assert.LessOrEqual(t, hanging, open+1)
	}
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

func TestTenThousandRestoredCauseNoBurst(t *testing.T) {
	s := newTest(6000)
	for range 10_000 {
		s.Add(0, 2*time.Minute, 3*time.Minute, "x")
	}
	perSecond := map[time.Duration]int{}
	checks, gaveUp := drive(s, 0, 10*time.Minute, func(at time.Duration, _ *Item[string]) Outcome {
		perSecond[at.Truncate(sec)]++
		return Open
	})
	for at, n := range perSecond {
		require.LessOrEqualf(t, n, 106, "at %v", at)
	}
	assert.Empty(t, s.open)
	assert.Empty(t, gaveUp, "each got its last check")
	assert.Greater(t, len(checks), 25_000)
	arrivals := make([]time.Duration, len(checks))
	for i, c := range checks {
		arrivals[i] = c.at
	}
	assert.Zero(t, strict(arrivals, 6000, 0))
}

func TestRemovalWhileInFlight(t *testing.T) {
	s := newTest(60)
	a := s.Add(0, 0, time.Hour, "a")
	b := s.Add(0, 0, time.Hour, "b")
	_, it, _ := s.Next(10 * sec)
	s.Remove(it)
	s.Remove(it)
	assert.False(t, s.Hint(0, it))
	s.Done(11*sec, it, Open, 0)
	assert.Zero(t, s.flight)
	assert.Len(t, s.open, 1)
	other := a
	if it == a {
		other = b
	}
	_, got, _ := s.Next(12 * sec)
	assert.Same(t, other, got)
}

func TestAFailureMayAskForAPause(t *testing.T) {
	s := newTest(60)
	it := s.Add(0, 0, time.Hour, "a")
	_, got, _ := s.Next(5 * sec)
	require.Same(t, it, got)
	s.Done(5*sec, it, Failed, 40*sec)
	log, _ := drive(s, 5*sec, time.Minute, open)
	assert.Equal(t, 45*sec, log[0].at)
}
