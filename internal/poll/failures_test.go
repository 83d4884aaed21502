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

func TestAFailureMayAskForAPause(t *testing.T) {
	s := newTest(60)
	it := s.Add(0, 0, time.Hour, "a")
	_, got, _ := s.Next(5 * sec)
	require.Same(t, it, got)
	s.Done(5*sec, it, Failed, 40*sec)
	log, _ := drive(s, 5*sec, time.Minute, open)
	assert.Equal(t, 45*sec, log[0].at)
}
