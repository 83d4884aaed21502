package poll

import "time"

// Config says how to build a Scheduler.
type Config struct {
	// Limit is the provider's limit of checks a minute.
	Limit int
	// Floor is the least time between two checks of one item.
	Floor time.Duration
	// MaxFlight bounds the checks in flight at once.
	MaxFlight int
	// Curve is what is known of when items end, nil for nothing. The Scheduler
	// teaches it further.
	Curve *Curve
}

// A check of an item that failed before is worth as much less as it is likely to
// fail again: hopeLeast at least, learned from the last 1/hopeWeight such checks.
const (
	hopeLeast  = 1.0 / 128
	hopeWeight = 1.0 / 16
)

// tripsFrom is how many trips must be known before they are relied on.
const tripsFrom = 32

// Outcome is what came of a check.
type Outcome int

const (
	// Open means that the item is still open.
	Open Outcome = iota
	// Ended means that the item ended because somebody acted. The curve learns from it.
	Ended
	// Lapsed means that the item ended by itself, which nobody waits for.
	Lapsed
	// Failed means that no usable answer came; the item backs off.
	Failed
	// Denied means that the access token was refused and has been dropped; once in a row
	// it is asked again without backing off.
	Denied
	// Limited means a 429: nothing was learned and the item is not to blame.
	Limited
	// Dropped means that the check was broken off by its caller.
	Dropped
)

// Item is one pending verification. Its fields belong to the Scheduler.
type Item[T any] struct {
	// Value is the caller's.
	Value T

	at       int // index in Scheduler.open; -1 when removed
	sent     time.Duration
	floor    time.Duration // no check before, whatever asks for it
	failed   time.Duration // when the last check failed
	hintedAt time.Duration // when the last hint check was sent
	hintAt   time.Duration // when the waiting hint may be followed
	said     time.Duration // when the hint on trial came; never without such a hint
	openAt   time.Duration // when the item was last seen open before that hint
	early    uint8         // how many checks since that hint found the item open
	hint     bool          // a hint waits for its check
	queued   bool          // it stands in the queue of hints
	fromHint bool          // the check in flight answers a hint
	told     bool          // a hint arrived after the last check was sent
	doubtful bool          // the check in flight counts in Scheduler.doubt
	denied   bool
	back     *Backoff
}

// slot is what choosing reads of an item, kept together because all of them
// are read for one choice.
type slot[T any] struct {
	born     time.Duration // when the item began
	seen     time.Duration // when it was last seen open
	from     time.Duration // since when the item may have ended unnoticed, as its score counts
	last     time.Duration // when it was last checked, successfully or not
	due      time.Duration // no check before, hints aside
	parked   time.Duration // no check before while no other item is served either
	deadline time.Duration // the last check is due
	flight   bool
	fails    uint8 // failures in a row, as far as counted
	idle     bool  // nobody waits for it
	item     *Item[T]
}

// Scheduler spends a budget of checks on the open items: each on the one that
// most likely ended since it was last checked and has waited longest for it,
// by the product of the two. It holds no goroutine, timer or lock: its caller
// asks Next, makes the check, and reports Done.
type Scheduler[T any] struct {
	cfg    Config
	window *Window
	curve  *Curve
	open   []slot[T]
	flight int
	doubt  int // checks in flight of items that failed before

	hints           hints[T]
	review          time.Duration // when deadlines must be looked at, budget or not
	wasLast         bool          // the latest check without a hint was the last one of its item
	wantedRun       int           // checks in a row that went to items that somebody waits for
	elsewhere       int           // open items of other processes
	served          time.Duration // when the last check with a usable answer was sent
	hope            float64       // the chance that a check of an item that failed before is answered
	shortest, usual time.Duration // trip to the server and back
	trips           int           // how many these were learned from, up to tripsFrom

	checks     uint64
	hintChecks uint64
	delay      float64 // moving average of the delay of noticing an end, seconds
	noticed    int
}

// NewScheduler returns a Scheduler without items. The first check is one step
// of the pace away, because a predecessor may just have used the budget up.
func NewScheduler[T any](cfg Config, now time.Duration) *Scheduler[T] {
	s := &Scheduler[T]{cfg: cfg, window: NewWindow(cfg.Limit, EvenLater, now), curve: cfg.Curve, review: never, hope: 1}
	if s.curve == nil {
		s.curve = NewCurve()
	}
	s.hints.init(cfg.Limit)
	return s
}

// Add makes an item known that began age ago and whose last check is due in
// timeout, or soon when that has passed. Nobody knows when a predecessor last
// checked it, so the floor counts from now.
func (s *Scheduler[T]) Add(now, age, timeout time.Duration, value T) *Item[T] {
	it := &Item[T]{Value: value, at: len(s.open), floor: now + s.cfg.Floor, hintedAt: -never, said: never}
	deadline := now + max(0, timeout)
	s.open = append(s.open, slot[T]{
		born:     now - age,
		seen:     now - age,
		from:     now - age,
		last:     now,
		due:      now + s.cfg.Floor,
		deadline: deadline,
		item:     it,
	})
	s.review = min(s.review, deadline)
	return it
}

// Wanted says whether somebody waits for an item, as is taken for granted at first.
// An item that nobody waits for leaves most slots to the others.
func (s *Scheduler[T]) Wanted(it *Item[T], wanted bool) {
	if it.at >= 0 {
		s.open[it.at].idle = !wanted
	}
}

// Remove forgets an item.
func (s *Scheduler[T]) Remove(it *Item[T]) {
	i := it.at
	if i < 0 {
		return
	}
	if s.open[i].flight {
		s.landed(it)
	}
	end := len(s.open) - 1
	if i != end {
		s.open[i] = s.open[end]
		s.open[i].item.at = i
	}
	s.open[end] = slot[T]{}
	s.open = s.open[:end]
	if cap(s.open) > 1024 && len(s.open) < cap(s.open)/4 {
		s.open = append(make([]slot[T], 0, cap(s.open)/2), s.open...)
	}
	it.at = -1
	it.hint = false
	if len(s.open) == 0 {
		s.hints.tidy()
	}
}

// Done reports what came of the check of an item. The caller removes items
// that ended. RetryAfter is that of a 429 or of a failure. Over reports that this was the
// item's last check, made at its deadline or later.
func (s *Scheduler[T]) Done(now time.Duration, it *Item[T], o Outcome, retryAfter time.Duration) (over bool) {
	s.window.Answered(now, it.sent)
	switch o {
	case Limited:
		s.window.Limited(now, it.sent, retryAfter)
	case Dropped:
	default:
		s.window.Accepted(now, it.sent)
	}
	if it.at < 0 {
		return false // removed while in flight, and counted as landed there
	}
	s.landed(it)
	e := &s.open[it.at]
	e.flight = false
	e.last = it.sent
	it.floor = s.floorFrom(it.sent, now)
	e.due, e.parked = it.floor, 0

	switch o {
	case Open:
		s.learnTrip(now - it.sent)
		s.curve.Open(e.seen-e.born, it.sent-e.born)
		s.stillOpen(e, now)
		s.answered(e)
		e.from, it.back, it.denied = it.sent, nil, false
		it.told = it.hint // a hint that came after the check was sent
	case Ended:
		s.learnDelay(e, it.sent)
		s.curve.Ended(e.seen-e.born, it.sent-e.born)
		s.foundEnded(e, now)
		s.answered(e)
	case Lapsed:
		s.curve.Open(e.seen-e.born, it.sent-e.born)
		s.judgeHint(e, vain)
		s.answered(e)
	case Denied:
		if !it.denied {
			it.denied, it.fromHint = true, false
			return false
		}
		s.backOff(e, now, 0)
	case Failed:
		s.backOff(e, now, retryAfter)
	case Limited, Dropped:
		if it.fromHint {
			it.hint, it.hintAt, it.hintedAt = true, now, -never
			s.hints.requeue(it)
		}
		it.fromHint = false
		return false
	}
	it.fromHint = false
	// Nothing waits past its deadline for its last check.
	latest := max(e.deadline, it.floor)
	e.due, e.parked = min(e.due, latest), min(e.parked, latest)
	return it.sent >= e.deadline
}

// answered notes that a check got a usable answer.
func (s *Scheduler[T]) answered(e *slot[T]) {
	e.seen, s.served = e.item.sent, max(s.served, e.item.sent)
	if e.fails > 0 {
		s.hope += (1 - s.hope) * hopeWeight
		e.fails = 0
	}
}

// landed counts a check in flight as landed.
func (s *Scheduler[T]) landed(it *Item[T]) {
	s.flight--
	if it.doubtful {
		s.doubt--
	}
}

// floorFrom is the earliest time for another check of an item whose last one
// was sent and answered at these times. The server counts the floor by its own
// clock, and the request may have got there as late as its answer, so the floor
// counts from there, less the part of the trip that is always the same.
func (s *Scheduler[T]) floorFrom(sent, answered time.Duration) time.Duration {
	steady := time.Duration(0)
	if s.trips == tripsFrom {
		steady = max(0, s.shortest-(s.usual-s.shortest))
	}
	return sent + s.cfg.Floor + max(0, answered-sent-steady)
}

// learnTrip learns the shortest and the usual trip to the server and back. The
// shortest is forgotten slowly.
func (s *Scheduler[T]) learnTrip(took time.Duration) {
	if s.trips == 0 {
		s.shortest, s.usual = took, took
	}
	s.trips = min(s.trips+1, tripsFrom)
	s.shortest = min(took, s.shortest+(took-s.shortest)/4096)
	s.usual += (took - s.usual) / 32
}

// backOff puts the next check of a failing item off, exponentially from the
// floor to 30 s. It counts from the failure: one that took half a minute to show is no
// reason to hurry. A Retry-After is believed for as long as no other item is
// served, and for a minute at most.
//
// One failure is retried as urgently as if the check had not been made. From the
// second in a row on the item counts as open at the failure, and each failure lessens
// the hope for an answer: if its score went on growing, a few that always fail would
// take the slots of all others.
func (s *Scheduler[T]) backOff(e *slot[T], now, retryAfter time.Duration) {
	it := e.item
	it.failed = now
	if it.back == nil {
		first := max(s.cfg.Floor, time.Second)
		it.back = NewBackoff(first, 30*time.Second)
	} else {
		e.from = now
	}
	if e.fails > 0 {
		s.hope -= s.hope * hopeWeight
	}
	e.fails = min(e.fails+1, 8)
	e.due = now + max(it.back.Next(), s.cfg.Floor)
	e.parked = now + s.window.believable(retryAfter)
}

// learnDelay estimates how long ago the end came, given that it was noticed
// now: the mean over the time since the last look, weighted by the curve.
func (s *Scheduler[T]) learnDelay(e *slot[T], sent time.Duration) {
	const steps = 8
	from, gap := e.seen-e.born, sent-e.seen
	sum, weight := 0.0, 0.0
	for i := range steps {
		a, b := from+gap*time.Duration(i)/steps, from+gap*time.Duration(i+1)/steps
		w := s.curve.Risk(a, b)
		sum += w * (gap.Seconds() * (steps - float64(i) - 0.5) / steps)
		weight += w
	}
	if weight <= 0 {
		return
	}
	s.noticed = min(s.noticed+1, 32) // the plain mean of the first 32
	s.delay += (sum/weight - s.delay) / float64(s.noticed)
}

// Stats is a snapshot of a Scheduler.
type Stats struct {
	Pending     int
	InFlight    int
	Rate        float64 // checks a minute permitted now
	Checks      uint64
	RateLimited uint64
	Hints       uint64        // hints for known items
	HintChecks  uint64        // those of Checks that answered a hint
	Saving      bool          // hints are reliable, so fewer checks are spent
	Delay       time.Duration // estimated delay from an end to noticing it
}

// Stats returns a snapshot.
func (s *Scheduler[T]) Stats(now time.Duration) Stats {
	rate, saving := s.window.Rate(now), s.hints.believed(now)
	if saving {
		rate = min(rate, s.savingRate())
	}
	return Stats{
		Pending:     len(s.open),
		InFlight:    s.flight,
		Rate:        rate,
		Checks:      s.checks,
		RateLimited: s.window.RateLimited(),
		Hints:       s.hints.received,
		HintChecks:  s.hintChecks,
		Saving:      saving,
		Delay:       time.Duration(s.delay * float64(time.Second)),
	}
}
