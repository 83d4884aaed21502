package poll

import (
	"context"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every limit is stood on from both sides.

func waits(g *Gate) (all []time.Duration) {
	g.Places(func(_ *Ticket, _ int, wait time.Duration) { all = append(all, wait) })
	return all
}

func TestPlacesCountTheTimeThatAnswersTake(t *testing.T) {
	inGate(t, 1, func(t *testing.T, g *Gate) {
		const window = Minute + margin
		sent, err := enter(t.Context(), g)
		require.NoError(t, err)
		for range 3 {
			_, err = g.Join(t.Context(), "")
			require.NoError(t, err)
		}
		assert.Equal(t, []time.Duration{61 * sec, 61*sec + window, 61*sec + 2*window}, waits(g), "nothing is known of answers yet")
		time.Sleep(10 * sec)
		g.Leave(sent)
		assert.Equal(t, []time.Duration{window, 2*window + 10*sec, 3*window + 20*sec}, waits(g))

		sent, err = g.Enter(t.Context(), g.queue[0])
		require.NoError(t, err)
		assert.Equal(t, []time.Duration{window + 10*sec, 2*window + 20*sec}, waits(g), "the answer in flight, too")
		time.Sleep(18 * sec)
		g.Leave(sent)
		assert.Equal(t, []time.Duration{window, 2*window + 11*sec}, waits(g), "an average that moves by an eighth")
	})
}

func TestASlotAtTheDeadlineIsInTime(t *testing.T) {
	inGate(t, 1, func(t *testing.T, g *Gate) {
		sent, err := enter(t.Context(), g)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 61*sec-1)
		defer cancel()
		var late *LateError
		_, err = g.Join(ctx, "")
		require.ErrorAs(t, err, &late)
		assert.Equal(t, 61*sec, late.After)
		ctx, cancel = context.WithTimeout(t.Context(), 61*sec)
		defer cancel()
		ticket, err := g.Join(ctx, "")
		require.NoError(t, err)
		g.Leave(sent)
		assert.Equal(t, []time.Duration{61 * sec}, waits(g))
		assert.True(t, g.Withdraw(ticket), "it has not lost its place")
	})
}

// A refused caller is told of a slot that no other refused caller was told of, and
// of none further than two hours away.
func TestRefusedCallersAreToldDifferentSlots(t *testing.T) {
	inGate(t, 2, func(t *testing.T, g *Gate) {
		time.Sleep(time.Hour)
		for range 2 {
			_, err := g.Join(t.Context(), "")
			require.NoError(t, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), sec)
		defer cancel()
		told := map[time.Duration]bool{}
		for range 20 { // ten minutes
			var late *LateError
			_, err := g.Join(ctx, "")
			require.ErrorAs(t, err, &late)
			assert.LessOrEqual(t, late.After, 12*time.Minute)
			told[late.After] = true
		}
		assert.GreaterOrEqual(t, len(told), 19)
	})
	inGate(t, 1, func(t *testing.T, g *Gate) {
		_, err := enter(t.Context(), g)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), sec)
		defer cancel()
		refused := func() time.Duration {
			var late *LateError
			_, err := g.Join(ctx, "")
			require.ErrorAs(t, err, &late)
			return late.After
		}
		const window = Minute + margin
		for i := range 10 {
			assert.Equal(t, 61*sec+time.Duration(i)*window, refused())
		}
		assert.Equal(t, 61*sec, refused(), "who asks again and again moves nobody's slot further")
	})
	inGate(t, 1, func(t *testing.T, g *Gate) {
		for range 200 {
			_, err := g.Join(t.Context(), "")
			require.NoError(t, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), sec)
		defer cancel()
		var late *LateError
		_, err := g.Join(ctx, "")
		require.ErrorAs(t, err, &late)
		assert.Equal(t, 2*time.Hour, late.After)
	})
}

func TestAChangedLimitKeepsWhatRefusalsTook(t *testing.T) {
	w := NewWindow(60, EvenLater, 0)
	now := 2 * time.Minute
	w.Take(now)
	w.Answered(now, 0)
	w.Limited(now, now, 0)
	require.InDelta(t, 51, w.Rate(now), 0.01)
	w.SetLimit(now, 120)
	assert.InDelta(t, 102, w.Rate(now), 0.01)
	w.SetLimit(now, 20)
	assert.InDelta(t, 17, w.Rate(now), 0.01)
	w.SetLimit(now, 1)
	assert.InDelta(t, 1, w.Rate(now), 0.01, "one a minute at least")
}

// What several processes share is divided, rounded down.
func TestAChangedLimitIsDivided(t *testing.T) {
	w := NewWindow(60, EvenLater, 0)
	w.Share(0, 3)
	w.Online(0, false)
	assert.InDelta(t, 20, w.Rate(0), 0)
	w.SetLimit(0, 32)
	assert.InDelta(t, 10, w.Rate(0), 0)
}

// What the rate gains back comes after the pause, whatever the limit.
func TestTheRateRisesAfterThePause(t *testing.T) {
	for limit, gain := range map[int]float64{30: 2, 600: 20} {
		w := NewWindow(limit, EvenLater, 0)
		now := 2 * time.Minute
		w.Limited(now, now, time.Minute)
		low := w.Rate(now)
		require.InDelta(t, float64(limit)*0.85, low, 0.01)
		assert.InDelta(t, low, w.Rate(now+time.Minute), 0.01)
		assert.InDelta(t, low+gain/2, w.Rate(now+90*sec), 0.01)
		assert.InDelta(t, low+gain, w.Rate(now+2*time.Minute), 0.01)
		assert.InDelta(t, low+gain, w.Rate(now+2*time.Minute), 0.01)
	}
}

func TestHowLongARetryAfterIsBelieved(t *testing.T) {
	for after, pause := range map[time.Duration]time.Duration{
		2 * sec: 2 * sec, 90 * sec: 90 * sec, 90*sec + 1: time.Minute,
	} {
		w := NewWindow(60, Even, 0)
		now := 10 * time.Minute
		w.Limited(now, now, after)
		assert.Equal(t, now+pause, w.Next(now), "%v", after)
	}
	w := NewWindow(60, Even, 0)
	w.Believe = 5 * time.Minute
	w.Limited(0, 0, 5*time.Minute)
	assert.Equal(t, 5*time.Minute, w.Next(0))
}

func TestAHintEndsAPauseAfterHalfAMinute(t *testing.T) {
	for after, shorter := range map[time.Duration]bool{30 * sec: false, 31 * sec: true} {
		w := NewWindow(60, Even, 0)
		now := 10 * time.Minute
		w.Limited(now, now, after)
		assert.Equal(t, shorter, w.Release())
		assert.Equal(t, now+30*sec, w.Next(now))
		assert.False(t, w.Release(), "once")
	}
}

func TestRequestsAMinuteApartDoNotCount(t *testing.T) {
	w := NewWindow(1, Even, 0)
	now := 10 * time.Minute
	w.Take(now)
	w.Answered(now, 0)
	assert.Equal(t, now+Minute+margin, w.Next(now))
	assert.Equal(t, now+Minute+margin, w.Next(now+Minute+margin-1))
	assert.LessOrEqual(t, w.Next(now+Minute+margin), now+Minute+margin)
}

func TestAQuarterOfTheLimitNeedsNoPace(t *testing.T) {
	w := NewWindow(40, Eager, 0)
	now := 10 * time.Minute
	var at []time.Duration
	for range 41 {
		now = max(now, w.Next(now))
		w.Take(now)
		w.Answered(now, 0)
		at = append(at, now-10*time.Minute)
	}
	assert.LessOrEqual(t, at[10], 50*time.Millisecond)
	assert.Greater(t, at[13], 200*time.Millisecond)
	for i := 12; i < 40; i++ {
		if i > 13 {
			assert.Greater(t, at[i]-at[i-1], at[i-1]-at[i-2]-time.Millisecond, "then ever more slowly")
		}
		assert.LessOrEqual(t, at[i]-at[i-1], 1500*time.Millisecond)
	}
	assert.GreaterOrEqual(t, at[40], Minute+margin)

	w = NewWindow(40, Eager, 0)
	for range 30 {
		w.Take(now)
	}
	assert.Greater(t, w.Next(now)-now, 200*time.Millisecond, "requests in flight count, too")
}

func TestLastChecksComeByDeadline(t *testing.T) {
	s := newTest(60)
	for _, tenths := range []int{7, 3, 5, 9, 1} {
		s.Add(0, time.Minute, time.Duration(tenths)*100*time.Millisecond, strconv.Itoa(tenths))
	}
	log, gaveUp := drive(s, 0, time.Minute, open)
	assert.Empty(t, gaveUp)
	var names []string
	for _, c := range log {
		names = append(names, c.name)
	}
	assert.Equal(t, []string{"1", "3", "5", "7", "9"}, names)
}

func TestHowManyChecksAreInFlight(t *testing.T) {
	s := NewScheduler[int](Config{Limit: 600, Floor: 2 * sec, MaxFlight: 2}, 0)
	for range 5 {
		s.Add(0, 0, time.Hour, 0)
	}
	var last *Item[int]
	for n := range 4 {
		action, it, _ := s.Next(10*sec + time.Duration(n)*sec)
		if n < 2 {
			require.Equal(t, Check, action)
			last = it
			continue
		}
		require.Equal(t, Nothing, action)
	}
	assert.Equal(t, 2, s.Stats(14*sec).InFlight)
	s.Done(14*sec, last, Open, 0)
	assert.Equal(t, 1, s.Stats(14*sec).InFlight)
	action, _, _ := s.Next(15 * sec)
	assert.Equal(t, Check, action)
	assert.EqualValues(t, 3, s.Stats(15*sec).Checks)
}

// The delay that Stats tells is about half of the time between two looks when
// nothing is known of when people act.
func TestTheDelayThatIsTold(t *testing.T) {
	s := newTest(60)
	now := time.Duration(0)
	for i := range 40 {
		it := s.Add(now, 0, time.Hour, "a")
		for _, o := range []Outcome{Open, Ended} {
			now += 10 * sec
			action, got, _ := s.Next(now)
			require.Equal(t, Check, action)
			require.Same(t, it, got)
			s.Done(now, it, o, 0)
		}
		s.Remove(it)
		delta := 1.5
		if i == 0 {
			delta = 0.3
		}
		require.InDelta(t, 5, s.Stats(now).Delay.Seconds(), delta)
	}

	// Where most act early, an end that is found late likely was long ago.
	s = newTest(60)
	teach(s, rand.New(rand.NewPCG(5, 5)))
	now = time.Hour
	it := s.Add(now, 0, time.Hour, "a")
	now += 20 * sec
	action, _, _ := s.Next(now)
	require.Equal(t, Check, action)
	s.Done(now, it, Ended, 0)
	assert.InDelta(t, 13, s.Stats(now).Delay.Seconds(), 1)
}
