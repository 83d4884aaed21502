package poll

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What a check is worth is asked many times before one is granted.
func TestAHintIsFollowedByOneOfSeveralProcesses(t *testing.T) {
	s := newTest(60)
	s.Share(0, 4)
	for range 30 {
		s.Add(0, 0, time.Hour, "x")
	}
	now := time.Minute
	for id := range uint64(30) { // each is checked once
		now += time.Second
		s.Shared().Grant(now, id+1, true, 60, time.Second)
		action, it, _ := s.Next(now)
		require.Equal(t, Check, action)
		s.Done(now, it, Open, 0)
	}
	now += 2 * time.Second
	hinted := s.open[17].item
	require.True(t, s.Hint(now, hinted))
	for range 5 {
		assert.GreaterOrEqual(t, s.Want(now).Score, hintValue)
	}
	s.Shared().Grant(now, 100, true, 60, time.Second)
	action, it, _ := s.Next(now)
	assert.Equal(t, Check, action)
	assert.Same(t, hinted, it)
	assert.EqualValues(t, 1, s.Stats(now).HintChecks)
}

// Webhooks come where people wait: what may be spent on them, and on the others while
// webhooks are reliable, is split by who waits where.
func TestABusyProcessHasMostOfWhatHintsMaySpend(t *testing.T) {
	s := newTest(120)
	s.Share(0, 4)
	for range 9 {
		s.Add(0, 0, time.Hour, "x")
	}
	s.Others(12)
	assert.InDelta(t, 120/savingShare*9/12, s.savingRate(), 1e-9)
	for range 120 / hintShare * 9 / 12 {
		assert.True(t, s.hints.affordable(time.Second, s.part()))
		s.hints.spend(time.Second)
	}
	assert.False(t, s.hints.affordable(time.Second, s.part()))
	s.Others(0)
	assert.True(t, s.hints.affordable(time.Second, s.part()), "nobody else has any")
}
