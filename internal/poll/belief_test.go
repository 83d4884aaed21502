package poll

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// person is somebody whose end a provider shows at ends, as a test plays it.
type person struct {
	item  *Item[int]
	ends  time.Duration
	looks []time.Duration // checks after the hint
	hint  time.Duration
}

// until answers checks in steps of 50 ms until to, or until the person was found
// ended, and returns the time.
func (p *person) until(s *Scheduler[int], now, to time.Duration) time.Duration {
	for ; now < to; now += 50 * time.Millisecond {
		action, it, wake := s.Next(now)
		if action == Nothing && wake <= now {
			panic("Next asks to be asked again at once")
		}
		if action != Check {
			continue
		}
		if it != p.item {
			s.Done(now, it, Open, 0)
			continue
		}
		if now >= p.hint {
			p.looks = append(p.looks, now)
		}
		if now < p.ends {
			s.Done(now, it, Open, 0)
			continue
		}
		s.Done(now, it, Ended, 0)
		s.Remove(it)
		return now
	}
	return now
}

// announced is a person whose hint comes 10 s after the beginning, and earlier
// than the provider shows the end by early.
func announced(s *Scheduler[int], now, early time.Duration) (*person, time.Duration) {
	p := &person{item: s.Add(now, 0, time.Hour, 0), hint: now + 10*sec, ends: now + 10*sec + early}
	now = p.until(s, now, p.hint)
	if p.item.at < 0 {
		return p, now
	}
	s.Hint(now, p.item)
	return p, p.until(s, now, now+time.Minute)
}

func saver(limit int) *Scheduler[int] {
	return NewScheduler[int](Config{Limit: limit, Floor: 2 * sec, MaxFlight: 8}, 0)
}

// convinced is a scheduler that has seen what makes hints reliable.
func convinced(t *testing.T, limit int) (*Scheduler[int], time.Duration) {
	t.Helper()
	s, now := saver(limit), time.Duration(0)
	for range 20 {
		_, now = announced(s, now, 0)
	}
	require.True(t, s.Stats(now).Saving)
	return s, now
}

func TestHintsMustProveThemselves(t *testing.T) {
	s, now := saver(60), time.Duration(0)
	ends := 0
	for ; !s.Stats(now).Saving; ends++ {
		require.Less(t, ends, 50)
		_, now = announced(s, now, 0)
	}
	assert.Equal(t, 13, ends, "four of five of the last ends")
	assert.EqualValues(t, 13, s.Stats(now).Hints)
	last := s.served
	assert.True(t, s.Stats(last+100*sec).Saving, "for as long as an announced end is not far back")
	assert.False(t, s.Stats(last+100*sec+1).Saving)
}

func TestEndsThatNobodyAnnouncedCostTheBelief(t *testing.T) {
	unannounced := func(s *Scheduler[int], now time.Duration) time.Duration {
		p := &person{item: s.Add(now, 0, time.Hour, 0), ends: now + 3*sec}
		return p.until(s, now, now+time.Minute)
	}
	s, now := convinced(t, 60)
	for range 2 {
		require.True(t, s.Stats(now).Saving)
		now = unannounced(s, now)
	}
	assert.False(t, s.Stats(now).Saving)

	// A hint that lost the race against a check by 10 s still counts.
	for late, saving := range map[time.Duration]bool{0: true, 10 * sec: true, 10*sec + 1: false} {
		s, now := convinced(t, 60)
		for range 3 {
			now = unannounced(s, now)
			s.LateHint(now+late, now)
		}
		assert.Equal(t, saving, s.Stats(now).Saving, "%v late", late)
	}
}

func TestForgedHintsCostTheBelief(t *testing.T) {
	for forged, saving := range map[int]bool{2: true, 14: false} {
		s, now := convinced(t, 240)
		victims := make([]*Item[int], forged)
		for i := range victims {
			victims[i] = s.Add(now, 10*sec, time.Hour, 0)
		}
		nobody := &person{}
		now = nobody.until(s, now, now+5*sec)
		for _, it := range victims {
			s.Hint(now, it)
		}
		now = nobody.until(s, now, now+20*sec)
		assert.Equal(t, saving, s.Stats(now).Saving, "%d forged hints", forged)
	}
}

func TestWhatReliableHintsLeaveInUse(t *testing.T) {
	s, now := convinced(t, 60)
	s.Share(now, 4)
	for pending, rate := range map[int]float64{0: 20, 1: 20, 2: 10, 5: 4, 100: 1} { // of the process with one of them, a minute
		s.Others(pending)
		assert.InDelta(t, rate, s.Stats(now).Rate, 1e-9, "%d open", pending)
	}
}

// A hint is on trial until its item is found ended, or open 7 s after the hint
// and not for the first time. A check that leaves in the moment in which the
// hint comes counts.
func TestHowLongAHintIsOnTrial(t *testing.T) {
	for name, tc := range map[string]struct {
		looks  []time.Duration // after the hint, which all find the item open
		saving bool
	}{
		"one look":           {[]time.Duration{0}, true},
		"one late look":      {[]time.Duration{8 * sec}, true},
		"not yet":            {[]time.Duration{0, 7*sec - 1}, true},
		"a second look":      {[]time.Duration{0, 7 * sec}, false},
		"a look before only": {[]time.Duration{-1, 7 * sec}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s, now := convinced(t, 240)
			for range 14 {
				now += 10 * sec
				it := s.Add(now, 10*sec, time.Hour, 0)
				hint := now + 10*sec
				said := false
				for _, look := range tc.looks {
					now = hint + look
					if !said && now >= hint {
						s.Hint(hint, it)
						said = true
					}
					s.take(it, now)
					if !said {
						s.Hint(hint, it)
						said = true
					}
					s.Done(now, it, Open, 0)
				}
				s.Remove(it)
				s.hints.good = now // an announced end is not far back
			}
			assert.Equal(t, tc.saving, s.Stats(now).Saving)
		})
	}
}

// A provider may say that something changed a little before it shows what.
func TestAnItemWhoseHintIsEarlyIsLookedAtAgain(t *testing.T) {
	s, now := convinced(t, 60)
	for range 10 {
		s.Add(now, 0, 240*time.Hour, 0)
	}
	p, _ := announced(s, now, 3500*time.Millisecond)
	require.Len(t, p.looks, 3)
	assert.Less(t, p.looks[0]-p.hint, 1200*time.Millisecond)
	assert.InDelta(t, 2, (p.looks[1] - p.looks[0]).Seconds(), 1.1, "at the floor")
	assert.InDelta(t, 4, (p.looks[2] - p.looks[1]).Seconds(), 1.1, "and then at twice that")
}

func TestThePatienceThatEarlyHintsTeach(t *testing.T) {
	s, now := convinced(t, 60)
	for range 40 {
		s.Add(now, 0, 240*time.Hour, 0)
	}
	var p *person
	learn := func(n int, early time.Duration) (looks float64, first time.Duration) {
		for i := range n {
			p, now = announced(s, now, early)
			require.Negative(t, p.item.at, "found")
			require.Less(t, now-p.ends, 20*sec)
			if i >= n/2 && len(p.looks) > 0 {
				looks += float64(len(p.looks)) / float64(n-n/2)
				first = max(first, p.looks[0]-p.hint)
			}
		}
		return looks, first
	}
	looks, first := learn(2, 3*sec)
	assert.GreaterOrEqual(t, looks, 2.0, "nothing is known yet")
	assert.Less(t, first, 2*sec)
	_, first = learn(60, 3*sec)
	assert.Greater(t, first, 2500*time.Millisecond, "the first look comes when there may be something to see")
	assert.Less(t, first, 6500*time.Millisecond, "5 s at most, and the slot")
	_, first = learn(120, 0)
	assert.Less(t, first, 2*sec, "hints that are in time again are followed at once")
}

func TestHintsForWhatEndsAnywayProveNothing(t *testing.T) {
	// Everybody ends within seconds, so that a hint at any time is followed by an
	// end: no reason to leave checks out.
	s, now := saver(60), time.Duration(0)
	for range 3000 {
		s.curve.Ended(0, sec)
	}
	for i := range 60 {
		p := &person{item: s.Add(now, 0, time.Hour, 0), hint: now, ends: now + 4*sec}
		s.Hint(now, p.item)
		if i%4 == 0 {
			p.ends = now + 20*sec // not what the hint was about
		}
		now = p.until(s, now, now+time.Minute)
	}
	assert.False(t, s.Stats(now).Saving)
}
