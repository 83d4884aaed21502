package poll

import (
	"slices"
	"time"
)

const (
	// hintEvery is the least time between two hint checks of one item, and
	// hintShare the part of the budget that hint checks may use: forged hints
	// then cost next to nothing.
	hintEvery = 5 * time.Second
	hintShare = 4

	// hintLook bounds how many waiting hints are compared for one check.
	hintLook = 64

	// A hint may lose the race against a check by this much and still count.
	hintGrace = 10 * time.Second

	// Hints are reliable while they announce most ends, mostly announce ends,
	// and one did so a short while ago.
	trustFrom      = 0.8
	precisionFrom  = 0.5
	trustFor       = 100 * time.Second
	trustWeight    = 1.0 / 8
	preciseWeight  = 1.0 / 16
	savingShare    = 3 // the part of the budget that reliable hints leave in use
	minSavingBound = 1
)

// hints holds the items that somebody says have changed, and how far such
// words can be trusted. A hint asks for a check and proves nothing.
type hints[T any] struct {
	queue   []*Item[T]
	spentAt []time.Duration // ring of the last hint checks
	next    int

	trust     float64 // share of ends that were announced
	precision float64 // share of hint checks that found an end
	good      time.Duration

	received uint64
}

func (h *hints[T]) init(limit int) {
	h.spentAt = make([]time.Duration, max(1, limit/hintShare))
	for i := range h.spentAt {
		h.spentAt[i] = -never
	}
	h.precision = 1
	h.good = -never
}

// Hint asks for a check of an item soon. It reports whether this can make a
// check due earlier.
func (s *Scheduler[T]) Hint(it *Item[T]) bool {
	if it.at < 0 {
		return false
	}
	s.hints.received++
	it.told = true
	if it.hint {
		return false
	}
	it.hint = true
	s.hints.requeue(it)
	return true
}

// LateHint records the first hint for an item that was found ended at endedAt,
// not announced, before the hint arrived. It makes up for the end that seemed
// unannounced, and no more: hints that always come late are of no use.
func (s *Scheduler[T]) LateHint(now, endedAt time.Duration) {
	if h := &s.hints; now-endedAt <= hintGrace {
		h.trust = min(1, h.trust/(1-trustWeight))
	}
}

// Announced reports whether a hint came since the item was last seen open.
func (it *Item[T]) Announced() bool { return it.told }

// requeue puts an item into the queue, where it stands once at most.
func (h *hints[T]) requeue(it *Item[T]) {
	if !it.queued {
		it.queued = true
		h.queue = append(h.queue, it)
	}
}

// tidy drops the items whose hint was answered.
func (h *hints[T]) tidy() {
	h.queue = slices.DeleteFunc(h.queue, func(it *Item[T]) bool {
		it.queued = it.hint
		return !it.hint
	})
}

// affordable reports whether the share of the budget for hints allows a check.
func (h *hints[T]) affordable(now time.Duration) bool {
	return h.spentAt[h.next] == -never || now-h.spentAt[h.next] >= Minute
}

// spend takes one hint check from the share.
func (h *hints[T]) spend(now time.Duration) {
	h.spentAt[h.next] = now
	h.next = (h.next + 1) % len(h.spentAt)
}

// checked learns from a check whether hints can be trusted.
func (h *hints[T]) checked(it *Item[T], ended bool) {
	if !it.fromHint {
		return
	}
	h.precision -= h.precision * preciseWeight
	if ended {
		h.precision += preciseWeight
	}
}

// ended learns from an end whether it was announced.
func (h *hints[T]) ended(now time.Duration, it *Item[T]) {
	h.trust -= h.trust * trustWeight
	if it.told {
		h.trust += trustWeight
		h.good = now
	}
}

// saving reports whether hints are reliable enough to spend fewer checks.
func (h *hints[T]) saving(now time.Duration) bool {
	return h.trust >= trustFrom && h.precision >= precisionFrom && h.good != -never && now-h.good <= trustFor
}

// savingRate is how many checks a minute are spent while hints are reliable.
func (s *Scheduler[T]) savingRate() float64 {
	return max(minSavingBound, s.window.limit/savingShare)
}

// chooseHint returns the item whose hint is to be followed now, if any.
func (s *Scheduler[T]) chooseHint(now time.Duration) *Item[T] {
	h := &s.hints
	h.tidy()
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
