package poll

import "time"

// Values of what must go before the highest score, far above any.
const (
	urgentValue = 1e9
	hintValue   = 1e6
	lastValue   = 1e3
	idleValue   = 1.0 / (idleTurn + 1)
)

// Want is what one more check is worth, for processes that share a budget.
type Want struct {
	Score float64       // now; 0 when no item may be checked
	Soon  float64       // in the next slot, if this one goes elsewhere
	Rest  float64       // in the next slot, if this one is spent here
	Due   time.Duration // when there may be more to want
}

// Share lets parts processes use the limit together.
func (s *Scheduler[T]) Share(now time.Duration, parts int) { s.window.Share(now, parts) }

// Shared is the window of the checks, for what is granted and told to others.
func (s *Scheduler[T]) Shared() *Window { return s.window }

// Others tells how many items are open at all processes that share the budget.
func (s *Scheduler[T]) Others(pending int) {
	s.elsewhere = max(0, pending-len(s.open))
}

// Tell and Hear are those of what the Scheduler learned; see [Curve].
func (s *Scheduler[T]) Tell(now time.Duration, all bool) (text string, ok bool) {
	return s.curve.Tell(now, all)
}

// Hear takes over what all processes together know.
func (s *Scheduler[T]) Hear(text string) { s.curve.Hear(text) }

// Want returns what one more check is worth.
func (s *Scheduler[T]) Want(now time.Duration) Want {
	if len(s.open) == 0 || s.flight >= s.cfg.MaxFlight {
		return Want{Due: never}
	}
	step := s.interval(now)
	var w Want
	var best *Item[T]
	w.Score, best, w.Due = s.value(now)
	w.Soon, _, _ = s.value(now + step)
	w.Rest = w.Soon
	if best != nil {
		e := &s.open[best.at]
		flight := e.flight
		e.flight = true // its hint waits for room too, and keeps its place
		w.Rest, _, _ = s.value(now + step)
		e.flight = flight
	}
	return w
}

// value is what choose would choose at a time, what that is worth, and when there may be
// more to choose from.
func (s *Scheduler[T]) value(at time.Duration) (float64, *Item[T], time.Duration) {
	hint, spare := s.chooseHint(at), s.spareAt(at)
	l := s.look(at)
	wake := min(l.wake, s.hintWake(at))
	switch {
	case l.urgent != nil:
		return urgentValue + (at - s.open[l.urgent.at].last).Seconds(), l.urgent, wake
	case hint != nil:
		return hintValue + s.score(&s.open[hint.at], at, -1), hint, wake
	case l.last != nil && (!s.wasLast || l.best == nil || spare > at):
		return lastValue + (at - s.open[l.last.at].deadline).Seconds(), l.last, wake
	case l.best != nil && spare <= at:
		v, it := s.score(&s.open[l.best.at], at, -1), l.best
		if l.wanted == nil {
			v *= idleValue
		} else if l.wanted != l.best {
			v, it = s.score(&s.open[l.wanted.at], at, -1), l.wanted
		}
		return max(v, 1e-9), it, wake
	}
	if spare > at {
		wake = min(wake, spare, at+s.interval(at))
	}
	return 0, nil, wake
}
