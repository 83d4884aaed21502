package poll

import (
	"math"
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

	// hintGrace is how long after the check that found an item ended a hint may
	// arrive and still count as its announcement.
	hintGrace = 10 * time.Second

	// A hint may come before the server itself shows the end. So an item that
	// is found open after its hint is looked at again for earlyFor, and an end
	// within earlyCounts of the hint counts as announced. The first check after
	// a hint waits as long as hints were early of late, patienceMost at the
	// most: patienceStep longer after an early hint, and patienceLess of that
	// after one in time.
	earlyFor     = 7 * time.Second
	earlyCounts  = 15 * time.Second
	patienceMost = 5 * time.Second
	patienceStep = 250 * time.Millisecond
	patienceLess = 0.97

	// Hints are reliable while they announce most ends (trustFrom), while most
	// hints announce an end (precisionFrom) and do so far better than chance
	// (insightFrom), and while the latest announced end is not older than
	// trustFor.
	trustFrom     = 0.8
	precisionFrom = 0.5
	insightFrom   = 0.4
	trustFor      = 100 * time.Second
	trustWeight   = 1.0 / 8
	preciseWeight = 1.0 / 16

	savingShare    = 3 // the part of the budget that reliable hints leave in use
	minSavingBound = 1
)

// hints holds the items that are said to have changed, and how far that is to
// be believed. A hint asks for a check and proves nothing.
type hints[T any] struct {
	queue   []*Item[T]
	spentAt []time.Duration // ring of the last hint checks
	next    int

	trust     float64       // share of ends that were announced
	precision float64       // share of hints that an end bore out
	chance    float64       // the same share if hints came at random
	good      time.Duration // when an announced end was last found
	patience  time.Duration // how long the first check after a hint waits

	received uint64
}

func (h *hints[T]) init(limit int) {
	h.spentAt = make([]time.Duration, max(1, limit/hintShare))
	for i := range h.spentAt {
		h.spentAt[i] = -never
	}
	h.precision = 1
}

// Hint asks for a check of an item soon, and ends a long pause. It reports
// whether this can make a check due earlier.
func (s *Scheduler[T]) Hint(now time.Duration, it *Item[T]) bool {
	if it.at < 0 {
		return false
	}
	released := s.window.Release()
	s.hints.received++
	it.told = true
	if it.said == never {
		it.said, it.openAt, it.early = now, s.open[it.at].seen, 0
	}
	if it.hint {
		return released
	}
	it.hint, it.hintAt = true, now
	if s.hints.believed(now) {
		it.hintAt += s.hints.patience
	}
	it.hintAt = max(it.hintAt, it.hintedAt+hintEvery)
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

// stillOpen learns from a check that found an item open whether its hint, if
// any, came early or for nothing. While hints are believed, an item whose
// hint may be early is looked at again at the floor, and then at twice that.
func (s *Scheduler[T]) stillOpen(e *slot[T], now time.Duration) {
	it := e.item
	if it.said == never || it.sent < it.said {
		return
	}
	it.early++
	if it.early > 1 && it.sent-it.said >= earlyFor {
		s.judgeHint(e, vain)
		return
	}
	if s.hints.believed(now) {
		it.hint, it.hintAt = true, it.floor+time.Duration(it.early-1)*s.cfg.Floor
		s.hints.requeue(it)
	}
}

// foundEnded learns from an end whether it was announced, and how early.
func (s *Scheduler[T]) foundEnded(e *slot[T], now time.Duration) {
	h, it := &s.hints, e.item
	early := it.said != never && it.sent-it.said <= earlyCounts
	h.trust -= h.trust * trustWeight
	if it.told || early {
		h.trust += trustWeight
		h.good = now
	}
	switch {
	case it.said == never || it.sent < it.said:
	case it.early == 0:
		h.patience = time.Duration(float64(h.patience) * patienceLess)
	case early:
		h.patience = min(patienceMost, h.patience+patienceStep)
	}
	s.judgeHint(e, borneOut)
}

// verdict is whether an end bore a hint out.
type verdict bool

const (
	vain     verdict = false
	borneOut verdict = true
)

// judgeHint ends the trial of an item's hint, if one is on trial.
func (s *Scheduler[T]) judgeHint(e *slot[T], v verdict) {
	it, h := e.item, &s.hints
	if it.said == never || it.sent < it.said {
		return
	}
	it.said = never
	chance := -math.Expm1(-s.curve.Risk(it.openAt-e.born, it.sent-e.born))
	h.chance += (chance - h.chance) * preciseWeight
	h.precision -= h.precision * preciseWeight
	if v == borneOut {
		h.precision += preciseWeight
	}
}

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
func (h *hints[T]) affordable(now time.Duration, part float64) bool {
	at := h.bound(part)
	return at == -never || now-at >= Minute
}

// bound is when the hint check was made that must be a minute old before the
// next is affordable: the one as many checks ago as this process's part of the
// share has a minute.
func (h *hints[T]) bound(part float64) time.Duration {
	mine := max(1, int(part*float64(len(h.spentAt))))
	return h.spentAt[(h.next+len(h.spentAt)-mine)%len(h.spentAt)]
}

// spend takes one hint check from the share.
func (h *hints[T]) spend(now time.Duration) {
	h.spentAt[h.next] = now
	h.next = (h.next + 1) % len(h.spentAt)
}

// believed reports whether hints are reliable: enough so to spend fewer checks
// on the rest, and to look again where a hint seems to have come early.
func (h *hints[T]) believed(now time.Duration) bool {
	return h.trust >= trustFrom && now-h.good <= trustFor &&
		h.precision >= precisionFrom && h.precision-h.chance >= insightFrom*(1-h.chance)
}

// savingRate is how many checks a minute are spent while hints are reliable.
func (s *Scheduler[T]) savingRate() float64 {
	return max(minSavingBound, s.window.all()/savingShare*s.part())
}

// hintDue is when an item's hint may be followed, never before now. A hint is
// reason enough to ask again about an item that backs off.
func (s *Scheduler[T]) hintDue(it *Item[T], now time.Duration) time.Duration {
	if !it.hint || it.at < 0 {
		return never
	}
	return s.roomAt(&s.open[it.at], max(it.hintAt, it.floor, now))
}

// chooseHint returns the item whose hint is to be followed now, if any.
func (s *Scheduler[T]) chooseHint(now time.Duration) *Item[T] {
	h := &s.hints
	h.tidy()
	if len(h.queue) == 0 || !h.affordable(now, s.part()) {
		return nil
	}
	var best *Item[T]
	most := -1.0
	for _, it := range h.queue[:min(len(h.queue), hintLook)] {
		if s.hintDue(it, now) > now {
			continue
		}
		if v := s.score(&s.open[it.at], now, most); v > most {
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
		wake = min(wake, s.hintDue(it, now))
	}
	if wake != never && !h.affordable(now, s.part()) {
		wake = max(wake, h.bound(s.part())+Minute)
	}
	return max(wake, now+time.Millisecond)
}
