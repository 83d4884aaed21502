package poll

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHintsComeNextButRarely(t *testing.T) {
	s := newTest(60)
	items := map[string]*Item[string]{}
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		items[name] = s.Add(0, 0, time.Hour, name)
	}
	drive(s, 0, 2*time.Minute, open)
	now := 2 * time.Minute
	hinted := 0
	for ; now < 7*time.Minute; now += 50 * time.Millisecond { // 20 a second for one item
		s.Hint(now, items["a"])
		action, it, _ := s.Next(now)
		if action == Check {
			if it.fromHint {
				hinted++
				assert.Same(t, items["a"], it)
			}
			s.Done(now, it, Open, 0)
		}
	}
	assert.EqualValues(t, hinted, s.Stats(now).HintChecks)
	assert.LessOrEqual(t, hinted, 60, "once in 5 s")
	assert.Greater(t, hinted, 50)

	hinted = 0
	for ; now < 12*time.Minute; now += 50 * time.Millisecond { // 20 a second for all
		for _, it := range items {
			s.Hint(now, it)
		}
		action, it, _ := s.Next(now)
		if action == Check {
			if it.fromHint {
				hinted++
			}
			s.Done(now, it, Open, 0)
		}
	}
	assert.LessOrEqual(t, hinted, 5*60/4+15, "a quarter of the budget")
	assert.Greater(t, hinted, 60)
}

// Nobody knows when a predecessor checked it.
func TestAHintForANewItemWaitsForTheFloor(t *testing.T) {
	s := newTest(60)
	it := s.Add(10*sec, time.Minute, time.Hour, "a")
	s.Hint(10*sec, it)
	action, _, wake := s.Next(10 * sec)
	require.Equal(t, Nothing, action)
	assert.Equal(t, 12*sec, wake)
	action, _, _ = s.Next(wake)
	assert.Equal(t, Check, action)
}

func TestHintIsFollowedInTheNextSlot(t *testing.T) {
	s := newTest(60)
	for range 30 {
		s.Add(0, 0, time.Hour, "x")
	}
	drive(s, 0, time.Minute, open)
	now := 70 * sec
	for _, it := range []int{3, 17, 29} {
		last := s.open[it].item
		if s.open[it].due > now {
			continue
		}
		s.Hint(now, last)
		var action Action
		var got *Item[string]
		for action != Check {
			now += 100 * time.Millisecond
			action, got, _ = s.Next(now)
		}
		assert.Same(t, last, got)
		s.Done(now, got, Open, 0)
		now += 10 * sec
	}
}

func TestAHintCountsUntilACheckAnswersIt(t *testing.T) {
	s := newTest(60)
	it := s.Add(0, 0, time.Hour, "a")
	s.Hint(0, it)
	_, _, _ = s.Next(5 * sec)
	s.Done(5*sec, it, Open, 0)
	assert.False(t, it.Announced(), "it was too early")
	_, got, _ := s.Next(15 * sec)
	require.Same(t, it, got)
	s.Hint(15*sec, it)
	s.Done(16*sec, it, Open, 0)
	assert.True(t, it.Announced(), "it came after the check had left")
}

func TestAFloodOfHintsTakesNoMemory(t *testing.T) {
	s := newTest(60)
	items := make([]*Item[string], 8)
	for i := range items {
		items[i] = s.Add(0, 0, 24*time.Hour, "x")
	}
	for now := time.Duration(0); now < 3*time.Hour; now += 50 * time.Millisecond {
		for _, it := range items {
			s.Hint(now, it)
		}
		if action, it, _ := s.Next(now); action == Check {
			s.Hint(now, it)
			s.Done(now, it, Open, 0)
		}
		require.LessOrEqual(t, len(s.hints.queue), len(items))
	}
	for _, it := range items {
		s.Hint(0, it)
		s.Remove(it)
	}
	assert.Empty(t, s.hints.queue)
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

func TestAHintIsReasonEnoughToAskAgain(t *testing.T) {
	s := newTest(60)
	it := s.Add(0, 0, time.Hour, "a")
	_, _, _ = s.Next(10 * sec)
	s.Done(10*sec, it, Failed, time.Hour)
	s.Hint(11*sec, it)
	_, _, wake := s.Next(11 * sec)
	assert.Equal(t, 12*sec, wake)
}
