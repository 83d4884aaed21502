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
