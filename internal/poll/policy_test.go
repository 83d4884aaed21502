package poll

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFullRateReturnsOnceHintsFallSilent(t *testing.T) {
	s := NewScheduler[int](Config{Limit: 60, Floor: 2 * sec, MaxFlight: 8}, 0)
	now := time.Duration(0)
	for range 40 { // announced ends
		it := s.Add(now, 10*sec, time.Hour, 0)
		s.Hint(now, it)
		for {
			now += 100 * time.Millisecond
			if action, got, _ := s.Next(now); action == Check {
				require.Same(t, it, got)
				break
			}
		}
		s.Done(now, it, Ended, 0)
		s.Remove(it)
		now += 3 * sec
	}
	require.True(t, s.Stats(now).Saving)
	require.InDelta(t, 20, s.Stats(now).Rate, 0)
	for range 20 {
		s.Add(now, 10*sec, time.Hour, 0)
	}
	perMinute := func(from time.Duration) (n int) {
		for t := from; t < from+time.Minute; t += 50 * time.Millisecond {
			if action, it, _ := s.Next(t); action == Check {
				n++
				s.Done(t, it, Open, 0)
			}
		}
		return n
	}
	spent := perMinute(now)
	assert.LessOrEqual(t, spent, 21)
	assert.GreaterOrEqual(t, spent, 18)
	perMinute(now + time.Minute)
	assert.GreaterOrEqual(t, perMinute(now+2*time.Minute), 58)
	assert.False(t, s.Stats(now+3*time.Minute).Saving)
}

func TestWindowWithForeignUseRecovers(t *testing.T) {
	// Another process takes half of the limit for ten minutes.
	server := &slidingServer{limit: 60}
	w := NewWindow(60, EvenLater, 0)
	limited, sentAfter := 0, 0
	foreign := 2 * time.Minute
	for now := time.Duration(0); now < 40*time.Minute; {
		next := w.Next(now)
		for foreign <= min(next, 12*time.Minute) {
			server.accept(foreign)
			foreign += 2 * sec
		}
		now = max(now, next)
		w.Take(now)
		ok := server.accept(now)
		w.Answered(now, 0)
		if ok {
			w.Accepted(now, now)
		} else {
			w.Limited(now, now, 0)
			limited++
		}
		if now >= 35*time.Minute {
			sentAfter++
		}
	}
	assert.Positive(t, limited)
	assert.Less(t, limited, 40)
	assert.Greater(t, sentAfter, 5*58, "the whole limit is used again")
}

func BenchmarkNext(b *testing.B) {
	for _, pending := range []int{50, 1000, 10_000} {
		b.Run(strconv.Itoa(pending), func(b *testing.B) {
			s := NewScheduler[int](Config{Limit: 6000, Floor: 2 * sec, MaxFlight: 64}, 0)
			teach(s, rand.New(rand.NewPCG(1, 1)))
			for i := range pending {
				s.Add(0, time.Duration(i)*10*time.Millisecond, 1000*time.Hour, i)
			}
			now := 3 * time.Minute
			b.ReportAllocs()
			for b.Loop() {
				now += 10 * time.Millisecond
				for {
					action, it, wake := s.Next(now)
					if action == Check {
						s.Done(now, it, Open, 0)
						break
					}
					now = max(now+1, wake)
				}
			}
		})
	}
}
