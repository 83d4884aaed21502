package poll

import "time"

const (
	// guardTurns is the longest gap between two checks of an item, in turns of
	// a plain round robin, and guardLeast its least value.
	guardTurns = 3
	guardLeast = 6 * time.Second

	// guardBins is the resolution of the guard's look ahead.
	guardBins = 64
)

// look is what a look at all items found.
type look[T any] struct {
	urgent *Item[T] // must be checked now, lest it waits longer than the guard allows
	last   *Item[T] // past its deadline, the earliest
	best   *Item[T] // highest score
	wanted *Item[T] // highest score of those that somebody waits for
	wake   time.Duration
}

// interval is the time between two slots of the budget that is in use: the
// whole one, or what reliable hints leave of it.
func (s *Scheduler[T]) interval(now time.Duration) time.Duration {
	rate := s.window.Rate(now)
	if s.hints.believed(now) {
		rate = min(rate, s.savingRate())
	}
	return time.Duration(float64(Minute) / max(rate, 0.1))
}

// pending is how many items are open, at other processes that share the limit too.
func (s *Scheduler[T]) pending() int {
	if s.window.alone() {
		return len(s.open)
	}
	return len(s.open) + s.elsewhere
}

// part is this process's part of what is open, as if one item were open at least.
func (s *Scheduler[T]) part() float64 {
	return float64(max(1, len(s.open))) / float64(max(1, s.pending()))
}

// guardGap is the longest time an item may wait for a check.
func (s *Scheduler[T]) guardGap(now time.Duration) time.Duration {
	return max(guardLeast, guardTurns*time.Duration(s.pending())*s.interval(now))
}

// look reads all items. A thousand take some 50 microseconds, and no index would
// be as simple.
func (s *Scheduler[T]) look(now time.Duration) (l look[T]) {
	l.wake = never
	gap := s.guardGap(now)
	bin := gap/guardBins + 1
	var waiting [guardBins]int // free items before their deadline, by the time until the guard's limit
	var oldest *slot[T]
	var lastAt time.Duration
	most, mostWanted := -1.0, -1.0
	for i := range s.open {
		e := &s.open[i]
		if due := s.dueAt(e, now); due > now {
			l.wake = min(l.wake, due)
			continue
		}
		if now >= e.deadline { // its turn comes by itself, within two turns of a round robin
			if l.last == nil || e.deadline < lastAt {
				l.last, lastAt = e.item, e.deadline
			}
			continue
		}
		waiting[min(max(e.last+gap-now, 0)/bin, guardBins-1)]++
		if oldest == nil || e.last < oldest.last {
			oldest = e
		}
		least := most
		if !e.idle {
			least = mostWanted
		}
		v := s.score(e, now, least)
		if v > most {
			l.best, most = e.item, v
		}
		if !e.idle && v > mostWanted {
			l.wanted, mostWanted = e.item, v
		}
	}
	if oldest != nil && tight(&waiting, bin, s.interval(now)) {
		l.urgent = oldest.item
	}
	return l
}

// tight reports whether some item would wait longer than the guard allows if
// the next slots went elsewhere: the items in the first bins must fit into the
// slots before their limit.
func tight(waiting *[guardBins]int, bin, interval time.Duration) bool {
	count := 0
	for i := range guardBins - 1 {
		count += waiting[i]
		if count > 0 && time.Duration(count+1)*interval >= time.Duration(i)*bin {
			return true
		}
	}
	return false
}
