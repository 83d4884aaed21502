package poll

import (
	"math"
	"time"
)

// graceLeast is how long after the deadline a last check may still be
// made when the budget is short; many items get more.
const graceLeast = 30 * time.Second

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

// choose returns the item to check now, or nil with list.wake set. In this
// order: whom the guard demands, a hint, a last check, the highest score. The
// latter two take turns: a thousand that are restored past their deadline do
// not keep those waiting who came since.
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
		if !s.wasLast {
			if it := s.first(now, &l.last); it != nil {
				s.wasLast = true
				return it
			}
		}
		if spare <= now {
			if it := s.bestOf(now, l.best); it != nil {
				l.left--
				s.wasLast = false
				return it
			}
		}
		if it := s.first(now, &l.last); it != nil {
			return it
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
