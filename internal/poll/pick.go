package poll

import (
	"math"
	"time"
)

const (
	// graceLeast is how long after the deadline a last check may still be
	// made when the budget is short; many items get more.
	graceLeast = 30 * time.Second

	// mostHeld is how much longer an item may wait for its last check because
	// the provider refuses all checks.
	mostHeld = 2 * time.Minute

	// idleTurn is how many slots in a row may go to items that somebody waits
	// for while others are due too.
	idleTurn = 3
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

// Next returns what to do at now. With Nothing it returns when to ask again at
// the latest; add, hint and done may make something due earlier.
func (s *Scheduler[T]) Next(now time.Duration) (Action, *Item[T], time.Duration) {
	if len(s.open) == 0 {
		return Nothing, nil, never
	}
	if now >= s.review {
		if late := s.reviewDeadlines(now); late != nil {
			return GiveUp, late, 0
		}
	}
	ready := s.window.Next(now)
	if s.flight >= s.cfg.MaxFlight {
		ready = never
	}
	if ready > now {
		return Nothing, nil, min(ready, s.review)
	}
	it, wake := s.choose(now)
	if it == nil {
		if !s.window.alone() {
			s.window.unused(now)
			return Nothing, nil, min(now, s.review)
		}
		return Nothing, nil, min(wake, s.review)
	}
	s.take(it, now)
	return Check, it, 0
}

// take spends a slot on an item.
func (s *Scheduler[T]) take(it *Item[T], now time.Duration) {
	it.sent = s.window.Take(now)
	s.checks++
	s.flight++
	e := &s.open[it.at]
	e.flight = true
	if it.doubtful = e.fails > 0; it.doubtful {
		s.doubt++
	}
	it.hint = false
}

// reviewDeadlines returns an item whose last chance passed, or nil after setting
// the next time to look for one. What counts is the configured limit: a budget
// that was cut after a 429 makes nobody wait longer to be told. While the
// provider refuses all checks nobody is given up, for as long as mostHeld.
func (s *Scheduler[T]) reviewDeadlines(now time.Duration) (late *Item[T]) {
	s.review = never
	grace := max(graceLeast, time.Duration(guardTurns*float64(s.pending())*float64(Minute)/s.window.all()))
	held := s.window.heldUntil(now)
	for i := range s.open {
		e := &s.open[i]
		last := e.deadline
		if now >= e.deadline {
			last = max(e.deadline, min(held, e.deadline+mostHeld)) + grace
		}
		switch {
		case now < last:
			s.review = min(s.review, last)
		case !e.flight:
			s.review = now // there may be more
			return e.item
		default: // its answer decides
			s.review = min(s.review, now+time.Second)
		}
	}
	return nil
}

// choose returns the item to check now, or nil and when there may be one. In
// this order: an item that the guard demands, one with a hint, one whose last
// check is due, one with the highest score. The latter two take turns, so that
// a thousand restored past their deadlines do not keep the newer ones waiting.
func (s *Scheduler[T]) choose(now time.Duration) (it *Item[T], wake time.Duration) {
	hint, spare := s.chooseHint(now), s.spareAt(now)
	l := s.look(now)
	switch {
	case l.urgent != nil:
		return l.urgent, 0
	case hint != nil:
		s.hints.spend(now)
		hint.hintedAt, hint.fromHint = now, true
		s.hintChecks++
		return hint, 0
	case l.last != nil && (!s.wasLast || l.best == nil || spare > now):
		s.wasLast = true
		return l.last, 0
	case l.best != nil && spare <= now:
		s.wasLast = false
		return s.rank(l), 0
	}
	wake = min(l.wake, s.hintWake(now))
	if spare > now { // the guard is asked again in every slot
		wake = min(wake, spare, now+s.interval(now))
	}
	return nil, wake
}

// rank prefers the best item that somebody waits for to the best of all, but
// leaves the latter a slot now and then.
func (s *Scheduler[T]) rank(l look[T]) *Item[T] {
	if l.wanted == nil || l.wanted == l.best || s.wantedRun >= idleTurn {
		s.wantedRun = 0
		return l.best
	}
	s.wantedRun++
	return l.wanted
}

// spareAt is when a check may be made that neither the guard nor a hint
// demands: now, or later while reliable hints save a part of the budget.
func (s *Scheduler[T]) spareAt(now time.Duration) time.Duration {
	if !s.hints.believed(now) {
		return now
	}
	rate := s.savingRate()
	return max(s.window.slot+time.Duration(float64(Minute)/rate), s.window.freeAt(int(rate)))
}

// dueAt is when an item may be checked next, never before now. Shortly before
// its deadline an item waits for its last check.
func (s *Scheduler[T]) dueAt(e *slot[T], now time.Duration) time.Duration {
	due := e.due
	if e.parked > due && s.served <= e.item.failed {
		due = e.parked
	}
	return s.roomAt(e, max(due, now))
}

// roomAt moves a time at which an item could be checked to one at which it is
// free: its check in flight has landed, and its last check has room. Items that
// failed before use half of the checks in flight, lest those that hang use all.
func (s *Scheduler[T]) roomAt(e *slot[T], at time.Duration) time.Duration {
	switch {
	case e.flight, e.fails > 0 && s.doubt >= max(1, s.cfg.MaxFlight/2):
		return never
	case at > e.deadline-s.cfg.Floor && at < e.deadline:
		return e.deadline
	default:
		return at
	}
}

// score is the time since the item was last known to be open, times the chance
// that it ended in that time and that a check finds out. It is 0 when it is no more
// than least.
func (s *Scheduler[T]) score(e *slot[T], now time.Duration, least float64) float64 {
	since := (now - e.from).Seconds()
	if e.fails > 0 {
		since *= max(hopeLeast, math.Ldexp(s.hope, 1-int(e.fails)))
	}
	if since <= least {
		return 0
	}
	risk := s.curve.Risk(e.from-e.born, now-e.born)
	if since*risk <= least { // 1 - exp(-risk) < risk
		return 0
	}
	return since * -math.Expm1(-risk)
}
