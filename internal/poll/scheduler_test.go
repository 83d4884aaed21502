package poll

import (
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

// Its answer decides, however late it comes.
func TestNobodyIsGivenUpWhoseLastCheckIsInFlight(t *testing.T) {
	s := newTest(60)
	s.Add(0, 0, 10*sec, "a")
	action, it, _ := s.Next(10 * sec)
	require.Equal(t, Check, action)
	for now := 10 * sec; now < 2*time.Minute; now += sec {
		action, _, wake := s.Next(now)
		require.Equal(t, Nothing, action, "%v", now)
		require.Greater(t, wake, now)
		if now >= 40*sec {
			require.LessOrEqual(t, wake, now+sec)
		}
	}
	assert.True(t, s.Done(2*time.Minute, it, Failed, 0))
}

func TestItemsOfOtherProcessesMakeTheLastCheckWait(t *testing.T) {
	for elsewhere, grace := range map[int]time.Duration{0: 30 * sec, 9: 30 * sec, 99: 300 * sec} {
		s := newTest(60)
		s.Share(0, 2) // and nothing is granted
		s.Add(0, 0, 10*sec, "a")
		s.Others(1 + elsewhere)
		action, _, wake := s.Next(10 * sec)
		require.Equal(t, Nothing, action)
		require.Equal(t, 10*sec+grace, wake)
		action, _, _ = s.Next(wake)
		assert.Equal(t, GiveUp, action)
	}
}
