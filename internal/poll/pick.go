package poll

import (
	"math"
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

	// graceLeast is how long after the deadline a last check may still be
	// made when the budget is short; many items get more.
	graceLeast = 30 * time.Second

	// Up to exactUpTo items, every choice compares all of them. Above, a look
	// at all of them yields a list of the best, from which the next choices
	// are made for a moment.
	exactUpTo = 512
	listShare = 32
	listMax   = 256
	listFor   = 500 * time.Millisecond
)

// Action is what a Scheduler wants done.
type Action int

const (
	// Nothing is due before the time that comes with it.
	Nothing Action = iota
	// Check the item now; the slot is taken.
	Check
	// GiveUp on the item: its deadline passed and no last check was possible.
	GiveUp
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

// Next returns what to do at now. With Nothing it returns when to ask again at
// the latest; add, hint and done may make something due earlier.
func (s *Scheduler[T]) Next(now time.Duration) (Action, *Item[T], time.Duration) {
	if len(s.open) == 0 {
		return Nothing, nil, never
	}
	ready := s.window.Next(now)
	if s.flight >= s.cfg.MaxFlight {
		ready = never
	}
	if now >= s.review {
		s.reviewDeadlines(now)
	}
	for len(s.list.late) > 0 {
		it := s.list.late[len(s.list.late)-1]
		s.list.late = s.list.late[:len(s.list.late)-1]
		if it.at >= 0 && !s.open[it.at].flight {
			return GiveUp, it, 0
		}
	}
	if ready > now {
		return Nothing, nil, min(ready, s.review)
	}
	if it := s.choose(now); it != nil {
		s.take(it, now)
		return Check, it, 0
	}
	return Nothing, nil, min(s.list.wake, s.review)
}

// take spends a slot on an item.
func (s *Scheduler[T]) take(it *Item[T], now time.Duration) {
	s.window.Take(now)
	s.checks++
	s.flight++
	s.open[it.at].flight = true
	it.sent = now
	it.hint = false
}

// reviewDeadlines finds the items whose last chance passed and sets the next
// time to look.
func (s *Scheduler[T]) reviewDeadlines(now time.Duration) {
	s.review = never
	grace := max(graceLeast, s.guardGap(now))
	for i := range s.open {
		e := &s.open[i]
		if now >= e.deadline && e.giveUp == 0 {
			e.giveUp = now + grace
		}
		switch {
		case e.giveUp == 0:
			s.review = min(s.review, e.deadline)
		case now < e.giveUp:
			s.review = min(s.review, e.giveUp)
		case !e.flight: // in flight, its answer decides
			s.list.late = append(s.list.late, e.item)
		default:
			s.review = min(s.review, now+time.Second)
		}
	}
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

// choose returns the item to check now, or nil with list.wake set. In this
// order: whom the guard demands, a hint, a last check, the highest score.
func (s *Scheduler[T]) choose(now time.Duration) *Item[T] {
	hint, spare := s.chooseHint(now), s.spareAt(now)
	l := &s.list
	if l.left <= 0 || now >= l.until {
		s.look(now)
	}
	for {
		if it := s.first(now, &l.urgent); it != nil {
			return it
		}
		if hint != nil {
			s.hints.spend(now)
			hint.hintedAt, hint.fromHint = now, true
			return hint
		}
		if it := s.first(now, &l.last); it != nil {
			return it
		}
		if spare <= now {
			if it := s.bestOf(now, l.best); it != nil {
				l.left--
				return it
			}
		}
		if l.looked == now || spare > now {
			break
		}
		s.look(now)
	}
	l.left = 0
	l.wake = min(l.wake, s.hintWake(now))
	if spare > now { // the guard is asked again in every slot
		l.wake = min(l.wake, spare, now+s.interval(now))
	}
	return nil
}

// spareAt is when a check may be made that nothing demands: now, but for the
// part of the budget that reliable hints leave unused.
func (s *Scheduler[T]) spareAt(now time.Duration) time.Duration {
	if !s.hints.saving(now) {
		return now
	}
	rate := s.savingRate()
	return max(s.window.slot+time.Duration(float64(Minute)/rate), s.window.freeAt(int(rate)))
}

// first takes the first item of a list that may be checked.
func (s *Scheduler[T]) first(now time.Duration, list *[]*Item[T]) *Item[T] {
	for len(*list) > 0 {
		it := (*list)[0]
		*list = (*list)[1:]
		s.list.left--
		if s.eligible(it, now) {
			return it
		}
	}
	return nil
}

func (s *Scheduler[T]) bestOf(now time.Duration, items []*Item[T]) *Item[T] {
	var best *Item[T]
	most := -1.0
	for _, it := range items {
		if s.eligible(it, now) {
			if v := s.score(&s.open[it.at], now); v > most {
				best, most = it, v
			}
		}
	}
	return best
}

func (s *Scheduler[T]) eligible(it *Item[T], now time.Duration) bool {
	return it.at >= 0 && s.free(&s.open[it.at], now)
}

// free reports whether an item may be checked now. Shortly before the deadline
// it waits for its last check instead.
func (s *Scheduler[T]) free(e *slot[T], now time.Duration) bool {
	return !e.flight && e.due <= now && (now >= e.deadline || now <= e.deadline-s.cfg.Floor)
}

// dueAt is when an item that is not free becomes free.
func (s *Scheduler[T]) dueAt(e *slot[T], now time.Duration) time.Duration {
	due := max(e.due, now)
	switch {
	case e.flight:
		return never
	case due > e.deadline-s.cfg.Floor && due < e.deadline:
		return e.deadline
	default:
		return due
	}
}

// score is the time since the item was last seen open, times the chance that
// it ended in that time.
func (s *Scheduler[T]) score(e *slot[T], now time.Duration) float64 {
	since := now - e.seen
	return since.Seconds() * -math.Expm1(-s.curve.Risk(e.seen-e.born, now-e.born))
}

// chooseHint returns the item whose hint is to be followed now, if any.
func (s *Scheduler[T]) chooseHint(now time.Duration) *Item[T] {
	h := &s.hints
	h.queue = slices.DeleteFunc(h.queue, func(it *Item[T]) bool { return !it.hint })
	if len(h.queue) == 0 || !h.affordable(now) {
		return nil
	}
	var best *Item[T]
	most := -1.0
	for _, it := range h.queue[:min(len(h.queue), hintLook)] {
		if it.hintedAt != -never && now-it.hintedAt < hintEvery || !s.eligible(it, now) {
			continue
		}
		if v := s.score(&s.open[it.at], now); v > most {
			best, most = it, v
		}
	}
	return best
}

// hintWake is when a waiting hint could be followed.
func (s *Scheduler[T]) hintWake(now time.Duration) time.Duration {
	h := &s.hints
	wake := never
	for _, it := range h.queue[:min(len(h.queue), hintLook)] {
		if !it.hint {
			continue
		}
		at := s.dueAt(&s.open[it.at], now)
		if it.hintedAt != -never {
			at = max(at, it.hintedAt+hintEvery)
		}
		wake = min(wake, at)
	}
	if wake != never && !h.affordable(now) {
		wake = max(wake, h.spentAt[h.next]+Minute)
	}
	return max(wake, now+time.Millisecond)
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
	var waiting [guardBins]int // free items by the time until the guard's limit
	top := newTop[T](size)
	for i := range s.open {
		e := &s.open[i]
		if !s.free(e, now) {
			l.wake = min(l.wake, s.dueAt(e, now))
			continue
		}
		waiting[min(max(e.last+gap-now, 0)/bin, guardBins-1)]++
		if now >= e.deadline {
			l.last = append(l.last, e.item)
			continue
		}
		top.offer(s.score(e, now), e.item)
	}
	l.best = top.items(l.best)
	if len(l.last) > 1 {
		slices.SortFunc(l.last, func(a, b *Item[T]) int {
			return compare(s.open[a.at].deadline, s.open[b.at].deadline)
		})
	}
	if s.tight(&waiting, bin, interval, size/2) {
		oldest := newTop[T](size)
		for i := range s.open {
			if e := &s.open[i]; s.free(e, now) {
				oldest.offer(float64(now-e.last), e.item)
			}
		}
		l.urgent = oldest.items(l.urgent)
		slices.SortFunc(l.urgent, func(a, b *Item[T]) int {
			return compare(s.open[a.at].last, s.open[b.at].last)
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

func compare(a, b time.Duration) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}
