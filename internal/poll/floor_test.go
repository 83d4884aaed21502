package poll

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheServerSeesTheFloorToo(t *testing.T) {
	// One request may be slow on its way and the next one fast.
	for _, jitter := range []time.Duration{5 * time.Millisecond, 200 * time.Millisecond, 3 * sec} {
		rng := rand.New(rand.NewPCG(3, uint64(jitter)))
		trip := func() time.Duration { return 20*time.Millisecond + time.Duration(rng.Int64N(int64(jitter))) }
		s := newTest(60)
		it := s.Add(0, 0, 24*time.Hour, "a")
		checks := 0
		for now, last := time.Duration(0), -time.Hour; now < 20*time.Minute; {
			action, _, wake := s.Next(now)
			if action != Check {
				now = wake
				continue
			}
			arrives := now + trip()
			require.GreaterOrEqual(t, arrives-last, 2*sec)
			last, now = arrives, arrives+trip()
			s.Done(now, it, Open, 0)
			checks++
		}
		assert.Greater(t, time.Duration(checks)*(2100*time.Millisecond+2*jitter), 20*time.Minute, "and it is not kept much longer")
	}
}

func TestASteadyTripCostsNothing(t *testing.T) {
	s := newTest(60)
	it := s.Add(0, 0, 24*time.Hour, "a")
	checks := 0
	for now := time.Duration(0); now < 10*time.Minute; {
		action, _, wake := s.Next(now)
		if action != Check {
			now = wake
			continue
		}
		checks++
		now += 700 * time.Millisecond
		s.Done(now, it, Open, 0)
	}
	assert.InDelta(t, 300, checks, 15, "2 s apart, as before the trip was known")
}

func TestBackingOffCountsFromTheFailure(t *testing.T) {
	s := newTest(60)
	it := s.Add(0, 0, time.Hour, "a")
	now := 10 * sec
	for _, pause := range []time.Duration{2 * sec, 4 * sec, 8 * sec, 16 * sec, 30 * sec, 30 * sec} {
		action, _, _ := s.Next(now)
		require.Equal(t, Check, action)
		now += 30 * sec // no answer
		s.Done(now, it, Failed, 0)
		action, _, wake := s.Next(now)
		require.Equal(t, Nothing, action)
		require.Equal(t, now+pause, wake)
		now = wake
	}
}
