package poll

import (
	"cmp"
	"slices"
	"time"
)

const (
	// guardTurns is the longest gap between two checks of an item, in turns of
	// a plain round robin, and guardLeast its least value.
	guardTurns = 3
	guardLeast = 6 * time.Second

	// guardBins is the resolution of the guard's look ahead.
	guardBins = 64

	// Up to exactUpTo items, every choice compares all of them. Above, a look
	// at all of them yields a list of the best, from which the next choices
	// are made for a moment.
	exactUpTo = 512
	listShare = 32
	listMax   = 256
	listFor   = 500 * time.Millisecond
)

// shortlist holds what a look at all items found.
type shortlist[T any] struct {
	urgent []*Item[T] // must be checked now, lest one waits longer than the guard allows
	last   []*Item[T] // past their deadline, earliest first
	best   []*Item[T] // highest score
	late   []*Item[T] // past their last chance
	wake   time.Duration
	looked time.Duration // when the lists were made
	until  time.Duration // and how long they are good
	left   int
}

// interval is the time between two slots of the budget that is in use: the
// whole one, or what reliable hints leave of it.
func (s *Scheduler[T]) interval(now time.Duration) time.Duration {
	rate := s.window.Rate(now)
	if s.hints.saving(now) {
		rate = min(rate, s.savingRate())
	}
	return time.Duration(float64(Minute) / rate)
}

// guardGap is the longest time an item may wait for a check.
func (s *Scheduler[T]) guardGap(now time.Duration) time.Duration {
	return max(guardLeast, guardTurns*time.Duration(len(s.open))*s.interval(now))
}

// look reads all items and fills the shortlist.
func (s *Scheduler[T]) look(now time.Duration) {
	n := len(s.open)
	size := 1
	if n > exactUpTo {
		size = min(n/listShare, listMax)
	}
	l := &s.list
	l.urgent, l.last, l.best = l.urgent[:0], l.last[:0], l.best[:0]
	l.wake, l.looked, l.until, l.left = never, now, now, max(1, size/2)
	if size > 1 {
		l.until = now + listFor
	}

	interval, gap := s.interval(now), s.guardGap(now)
	bin := gap/guardBins + 1
	var waiting [guardBins]int // free items before their deadline, by the time until the guard's limit
	top := newTop[T](size)
	for i := range s.open {
		e := &s.open[i]
		if !s.free(e, now) {
			l.wake = min(l.wake, s.dueAt(e, now))
			continue
		}
		if now >= e.deadline { // its turn comes by itself, within two turns of a round robin
			l.last = append(l.last, e.item)
			continue
		}
		waiting[min(max(e.last+gap-now, 0)/bin, guardBins-1)]++
		top.offer(s.score(e, now), e.item)
	}
	l.best = top.items(l.best)
	if len(l.last) > 1 {
		slices.SortFunc(l.last, func(a, b *Item[T]) int {
			return cmp.Compare(s.open[a.at].deadline, s.open[b.at].deadline)
		})
	}
	if s.tight(&waiting, bin, interval, size/2) {
		oldest := newTop[T](size)
		for i := range s.open {
			if e := &s.open[i]; s.free(e, now) && now < e.deadline {
				oldest.offer(float64(now-e.last), e.item)
			}
		}
		l.urgent = oldest.items(l.urgent)
		slices.SortFunc(l.urgent, func(a, b *Item[T]) int {
			return cmp.Compare(s.open[a.at].last, s.open[b.at].last)
		})
		l.urgent = l.urgent[:max(1, len(l.urgent)/2)]
	}
}

// tight reports whether some item would wait longer than the guard allows if
// the next slots went elsewhere: the items in the first bins must fit into the
// slots before their limit.
func (s *Scheduler[T]) tight(waiting *[guardBins]int, bin, interval time.Duration, ahead int) bool {
	count := 0
	for i := range guardBins - 1 {
		count += waiting[i]
		if count > 0 && time.Duration(count+1+ahead)*interval >= time.Duration(i)*bin {
			return true
		}
	}
	return false
}
