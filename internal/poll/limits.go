package poll

import "time"

// Unused says that no predecessor used the limit within the last minute, so that
// the first minute needs no even pace.
func (w *Window) Unused() { w.start -= Minute }

// SetLimit changes the limit. What was sent within the last minute counts
// against the new one, and the share that 429s took from the rate stays taken.
func (w *Window) SetLimit(now time.Duration, limit int) {
	if w.shared != nil && w.shared.parts > 0 {
		w.shared.total = float64(limit)
		limit /= w.shared.parts
	}
	w.advance(now)
	ring := make([]time.Duration, max(limit, w.n+w.flight))
	for i := range w.n {
		ring[i] = w.answered[(w.head+i)%len(w.answered)]
	}
	w.answered, w.head = ring, 0
	w.rate = min(float64(limit), max(1, w.rate/max(1, w.limit)*float64(limit)))
	w.limit = float64(limit)
}

// learnTrip learns how long a request takes.
func (w *Window) learnTrip(took time.Duration) {
	if w.trip == 0 {
		w.trip = took
		return
	}
	w.trip += (took - w.trip) / 8
}

// SetLimit changes the limit of checks a minute and of those in flight.
func (s *Scheduler[T]) SetLimit(now time.Duration, limit, maxFlight int) {
	s.cfg.Limit, s.cfg.MaxFlight = limit, maxFlight
	s.window.SetLimit(now, limit)
	s.hints.setLimit(limit)
	s.review = min(s.review, now) // the guard's gap follows the limit
}

// setLimit changes the share of hint checks and keeps the latest of them.
func (h *hints[T]) setLimit(limit int) {
	old := append(h.spentAt[h.next:len(h.spentAt):len(h.spentAt)], h.spentAt[:h.next]...) // oldest first
	size := max(1, limit/hintShare)
	for len(old) < size {
		old = append([]time.Duration{-never}, old...)
	}
	h.spentAt, h.next = old[len(old)-size:], 0
}
