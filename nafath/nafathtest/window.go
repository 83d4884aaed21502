package nafathtest

import "time"

// window counts the calls of one operation in a minute.
type window struct {
	limit   int // negative means none
	fixed   bool
	taken   []time.Time // ring of the last limit calls
	next    int
	start   time.Time // of the fixed window
	count   int
	refused int
}

func newWindow(limit, def int, fixed bool) *window {
	if limit == 0 {
		limit = def
	}
	return &window{limit: limit, fixed: fixed, taken: make([]time.Time, max(limit, 0))}
}

// allow counts a call, or its refusal.
func (w *window) allow(now time.Time) bool {
	ok := w.take(now)
	if !ok {
		w.refused++
	}
	return ok
}

// take counts a call if one more is allowed now, and reports whether it is.
func (w *window) take(now time.Time) bool {
	if w.limit < 0 {
		return true
	}
	if w.fixed {
		if minute := now.Truncate(time.Minute); !minute.Equal(w.start) {
			w.start, w.count = minute, 0
		}
		if w.count >= w.limit {
			return false
		}
		w.count++
		return true
	}
	if oldest := w.taken[w.next]; !oldest.IsZero() && now.Sub(oldest) < time.Minute {
		return false
	}
	w.taken[w.next] = now
	w.next = (w.next + 1) % w.limit
	return true
}
