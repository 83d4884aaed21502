package poll

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// places returns who stands in the queue, in order.
func places(g *Gate) (owners []string) {
	g.Places(func(t *Ticket, place int, _ time.Duration) {
		owners = append(owners, t.owner)
		if place != len(owners) {
			owners = append(owners, "a wrong place")
		}
	})
	return owners
}

func TestOwnersTakeTurns(t *testing.T) {
	inGate(t, 60, func(t *testing.T, g *Gate) {
		join := func(owner string) {
			_, err := g.Join(t.Context(), owner)
			require.NoError(t, err)
		}
		join("z") // takes the slot that is free
		assert.Empty(t, places(g))
		for range 3 {
			join("a")
		}
		join("b")
		join("c")
		join("b")
		assert.Equal(t, []string{"a", "b", "c", "a", "b", "a"}, places(g))

		// Who was served does not come first again.
		first := g.queue[0]
		_, err := g.Enter(t.Context(), first)
		require.NoError(t, err)
		join("d")
		assert.Equal(t, []string{"b", "c", "d", "a", "b", "a"}, places(g))
		require.NoError(t, g.Again(first))
		assert.Equal(t, []string{"a", "b", "c", "d", "a", "b", "a"}, places(g), "but who was refused does")
	})
}

func TestAFullQueueGivesWayToWhoHasFewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		epoch := time.Now()
		g := NewGate(NewWindow(10, Eager, 0), GateConfig{Now: func() time.Duration { return time.Since(epoch) }, MaxQueue: 4})
		for _, owner := range []string{"z", "a", "a", "a", "b"} { // the first takes the slot that is free
			_, err := g.Join(t.Context(), owner)
			require.NoError(t, err)
		}
		last := g.queue[3]
		_, err := g.Join(t.Context(), "c")
		require.NoError(t, err)
		assert.Equal(t, []string{"a", "b", "c", "a"}, places(g))
		_, err = g.Enter(t.Context(), last)
		var late *LateError
		require.ErrorAs(t, err, &late)
		assert.True(t, late.Full)
		assert.Positive(t, late.After)
		_, err = g.Join(t.Context(), "d")
		require.NoError(t, err)
		for _, owner := range []string{"a", "b", "c", "d", "e"} { // nobody has more than one
			_, err = g.Join(t.Context(), owner)
			require.ErrorAs(t, err, &late, owner)
		}
		assert.Len(t, places(g), 4)
	})
}

func TestWhoWithdrawsLeavesTheQueue(t *testing.T) {
	inGate(t, 10, func(t *testing.T, g *Gate) {
		var tickets []*Ticket
		for i := range 3 {
			ticket, err := g.Join(t.Context(), fmt.Sprint(i))
			require.NoError(t, err)
			tickets = append(tickets, ticket)
		}
		_, err := g.Enter(t.Context(), tickets[0])
		require.NoError(t, err)
		assert.False(t, g.Withdraw(tickets[0]), "it has its slot")
		assert.True(t, g.Withdraw(tickets[1]))
		assert.False(t, g.Withdraw(tickets[1]))
		assert.Equal(t, []string{"2"}, places(g))
		_, err = g.Enter(t.Context(), tickets[1])
		require.ErrorIs(t, err, context.Canceled)
		_, err = g.Enter(t.Context(), tickets[2])
		require.NoError(t, err)
		assert.InDelta(t, 6.1, g.cfg.Now().Seconds(), 0.1)
	})
}

// Whatever the limit is changed to, and when, no minute holds more than the
// largest limit of that minute.
func TestAChangingLimitIsNeverExceeded(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 7))
		w := NewWindow(10, []Pace{Even, Eager}[seed%2], 0)
		if seed%3 == 0 {
			w.Unused()
		}
		type change struct {
			at    time.Duration
			limit int
		}
		changes := []change{{-time.Hour, 10}}
		var sent []time.Duration
		var flight []time.Duration
		for now := time.Duration(0); now < 20*time.Minute; now += 50 * time.Millisecond {
			for len(flight) > 0 && flight[0] <= now {
				w.Answered(now, 0)
				flight = flight[1:]
			}
			if rng.IntN(800) == 0 {
				limit := 1 + rng.IntN(90)
				w.SetLimit(now, limit)
				changes = append(changes, change{now, limit})
			}
			for w.Next(now) <= now {
				w.Take(now)
				sent = append(sent, now)
				flight = append(flight, now+time.Second)
			}
		}
		require.Greater(t, len(sent), 100)
		for i, at := range sent {
			allowed := 0
			for k, c := range changes {
				if k == len(changes)-1 || changes[k+1].at > at-time.Minute {
					if c.at <= at {
						allowed = max(allowed, c.limit)
					}
				}
			}
			count := 0
			for j := i; j >= 0 && sent[j] > at-time.Minute; j-- {
				count++
			}
			require.LessOrEqual(t, count, allowed, "seed %d at %v", seed, at)
		}
	}
}

func TestTheShareOfHintsFollowsTheLimit(t *testing.T) {
	s := NewScheduler[int](Config{Limit: 8, Floor: time.Second, MaxFlight: 10}, 0)
	for i := range 2 {
		s.hints.spend(time.Duration(i+1) * time.Second)
	}
	assert.False(t, s.hints.affordable(3*time.Second, 1))
	s.SetLimit(3*time.Second, 16, 10)
	assert.True(t, s.hints.affordable(3*time.Second, 1))
	s.hints.spend(3 * time.Second)
	s.hints.spend(3 * time.Second)
	assert.False(t, s.hints.affordable(4*time.Second, 1))
	s.SetLimit(4*time.Second, 4, 10)
	assert.False(t, s.hints.affordable(63*time.Second-1, 1), "the latest count")
	assert.True(t, s.hints.affordable(63*time.Second, 1), "a minute later")
}

func TestProcessesDivideTheShareOfHints(t *testing.T) {
	for pending, share := range map[int]int{0: 6, 1: 6, 2: 3, 3: 2, 4: 1, 100: 1} {
		s := NewScheduler[int](Config{Limit: 24, Floor: time.Second, MaxFlight: 10}, 0)
		s.Share(0, 4)
		it := s.Add(0, 0, time.Hour, 0) // one of those that are open is here
		s.Others(pending)
		at := time.Duration(0)
		for range share {
			assert.True(t, s.hints.affordable(at, s.part()), "%d open", pending)
			s.hints.spend(at)
			at += time.Second
		}
		assert.False(t, s.hints.affordable(at, s.part()), "%d open", pending)
		assert.Equal(t, never, s.hintWake(at), "nobody hints")
		s.Hint(at, it)
		assert.Equal(t, time.Minute, s.hintWake(at), "a minute after the first of these")
	}
}

// Whose slot lies beyond the deadline is told at once: as it joins, and as
// somebody is put in front.
func TestNobodyWaitsForASlotThatComesTooLate(t *testing.T) {
	inGate(t, 1, func(t *testing.T, g *Gate) {
		sent, err := enter(t.Context(), g)
		require.NoError(t, err)
		first, err := g.Join(t.Context(), "")
		require.NoError(t, err)
		_, err = g.Join(t.Context(), "")
		require.NoError(t, err)
		slot := 61*sec + 2*(Minute+margin) // the third
		var late *LateError
		ctx, cancel := context.WithTimeout(t.Context(), slot-1)
		defer cancel()
		_, err = g.Join(ctx, "")
		require.ErrorAs(t, err, &late)
		ctx, cancel = context.WithTimeout(t.Context(), slot)
		defer cancel()
		ticket, err := g.Join(ctx, "")
		require.NoError(t, err)
		g.Leave(sent)

		start := time.Now()
		_, err = g.Enter(t.Context(), first)
		require.NoError(t, err)
		require.NoError(t, g.Again(first))
		waited := time.Since(start)
		_, err = g.Enter(ctx, ticket)
		require.ErrorAs(t, err, &late)
		assert.False(t, late.Full)
		assert.Equal(t, waited, time.Since(start), "at once")
	})
}

func TestWhoAbandonsLeavesNothingBehind(t *testing.T) {
	inGate(t, 1, func(t *testing.T, g *Gate) {
		first, err := g.Join(t.Context(), "") // takes the slot that is free
		require.NoError(t, err)
		second, err := g.Join(t.Context(), "")
		require.NoError(t, err)
		third, err := g.Join(t.Context(), "")
		require.NoError(t, err)
		g.Abandon(second)
		g.Abandon(second)
		assert.Len(t, places(g), 1)
		g.Abandon(first)
		_, err = g.Enter(t.Context(), third)
		require.NoError(t, err)
		assert.Equal(t, 61*sec, g.cfg.Now(), "the slot of the first is lost, and no longer in use")
	})
}

func TestASlotTakenAtOnceIsNotUsedAfterClose(t *testing.T) {
	inGate(t, 10, func(t *testing.T, g *Gate) {
		ticket, err := g.Join(t.Context(), "")
		require.NoError(t, err)
		assert.False(t, g.Withdraw(ticket), "it waits for nothing")
		g.Close()
		_, err = g.Enter(t.Context(), ticket)
		require.ErrorIs(t, err, ErrClosed)
	})
}
