package poll

import (
	"math"
	"time"
)

const (
	// Minute is the window of every limit.
	Minute = time.Minute

	// margin widens the window a little: servers disagree on whether a request
	// of exactly a minute ago still counts, and their clocks are coarse.
	margin = 100 * time.Millisecond

	// freshMargin widens the pace of the first minute, when requests of a
	// crashed predecessor may still count and their times are unknown.
	freshMargin = time.Second

	// atOnce is the part of a limit that is not spent evenly that needs no pace
	// at all, so that a few callers who come together need not wait.
	atOnce = 0.25

	// catchUp is how much lateness of a timer the pace makes up for.
	catchUp = 50 * time.Millisecond

	// cut is what a 429 leaves of the rate; raise is what a minute without one
	// gives back, in requests a minute, for limits up to raise/raiseShare.
	cut        = 0.85
	raise      = 2.0
	raiseShare = 1.0 / 30

	// maxPause is the pause after a Retry-After of more than Window.Believe,
	// which is likelyPause by default: limits count a minute, so they explain
	// no longer pause.
	maxPause    = time.Minute
	likelyPause = 90 * time.Second

	// releaseFrom is how long after a 429 a hint ends the pause.
	releaseFrom = 30 * time.Second

	// trialStep is the pace after the pause that a 429 caused, until a request is accepted.
	trialStep = 5 * time.Second
)

// never is a time that does not come.
const never = time.Duration(math.MaxInt64)

// Window is the budget of one operation: no more than a limit of requests in
// any minute, by a server's count.
//
// A request reaches the server at some instant between its sending and its
// answer. So a request in flight counts, and an answered one counts until a
// minute after its answer; then no minute at the server, sliding or fixed,
// holds more than the limit. On top of that requests are paced evenly.
//
// A Window is not safe for concurrent use.
type Window struct {
	// Believe is the longest Retry-After that is taken at its word.
	Believe time.Duration

	limit float64
	// even paces all requests evenly. Otherwise the pace tightens as the
	// window fills, so that a few callers at once need not wait.
	even bool
	trip time.Duration // from sending to answer, as a moving average

	answered []time.Duration // ring of answer times, oldest at head
	head, n  int
	flight   int

	start   time.Duration
	slot    time.Duration // the last slot of the pace
	rate    float64       // permitted now, at most limit
	rated   time.Duration // when rate was last raised
	paused  time.Duration // no request before
	lastCut time.Duration
	refused time.Duration // when the last 429 came
	trial   bool          // no request was accepted since that 429
	freed   time.Duration // when the first request after it was accepted
	pause   *Backoff
	limited uint64
	shared  *shared // nil while no other process uses the limit
}

// Pace says how a Window spreads requests. The first minute is spent evenly
// with each: a predecessor may have used the limit up.
type Pace int

const (
	// Eager lets a few callers through together while the window is rather
	// empty. The first slot is at once.
	Eager Pace = iota
	// Even spreads all requests evenly. The first slot is at once.
	Even
	// EvenLater is Even with the first slot one step of the pace away.
	EvenLater
)

// NewWindow returns the budget of limit requests a minute, as of now.
func NewWindow(limit int, pace Pace, now time.Duration) *Window {
	w := &Window{
		Believe:  likelyPause,
		limit:    float64(limit),
		even:     pace != Eager,
		answered: make([]time.Duration, limit),
		start:    now,
		rate:     float64(limit),
		rated:    now,
		lastCut:  -1,
		pause:    NewBackoff(2*time.Second, 30*time.Second),
	}
	w.slot = now
	if pace != EvenLater {
		w.slot -= w.step(now)
	}
	return w
}

// step is the pace between two requests at now.
func (w *Window) step(now time.Duration) time.Duration {
	minute := Minute
	fresh := now < w.start+Minute
	if fresh {
		minute += freshMargin
	}
	step := float64(minute) / w.rate
	if !w.even && !fresh {
		fill := float64(w.n+w.flight) / w.rate
		step *= min(1, max(0, fill-atOnce)/(1-atOnce))
	}
	return time.Duration(step)
}

// advance forgets answers that no longer count and raises the rate.
func (w *Window) advance(now time.Duration) {
	for w.n > 0 && w.answered[w.head]+Minute+margin <= now {
		w.head = (w.head + 1) % len(w.answered)
		w.n--
	}
	if now > w.rated {
		if w.rate < w.limit && now > w.paused {
			perMinute := max(raise, w.limit*raiseShare)
			w.rate = min(w.limit, w.rate+perMinute*(now-max(w.rated, w.paused)).Minutes())
		}
		w.rated = now
	}
}

// Next returns the earliest time at which a request may be sent: now or
// earlier means at once. It is never while requests in flight use up the
// limit.
func (w *Window) Next(now time.Duration) time.Duration {
	if !w.alone() {
		w.expire(now)
		if len(w.shared.granted) > 0 {
			return 0
		}
		return never
	}
	if w.limit == 0 {
		return never
	}
	w.advance(now)
	next := max(w.paused, w.slot+w.step(now))
	if w.trial && w.slot > w.refused {
		next = max(next, w.slot+trialStep)
	}
	return max(next, w.freeAt(max(1, int(w.rate))))
}

// Take spends a slot on a request that is sent now. The time it returns stands
// for the request in Answered, Accepted and Limited.
func (w *Window) Take(now time.Duration) (sent time.Duration) {
	if !w.alone() {
		w.slot = now
		return w.shared.take(now)
	}
	w.slot = max(w.slot+w.step(now), now-catchUp)
	w.flight++
	if w.shared != nil {
		return w.shared.take(now)
	}
	return now
}

// Answered records that the request sent at sent ended now, with whatever answer, or
// none.
func (w *Window) Answered(now, sent time.Duration) {
	if w.shared != nil {
		u := w.shared.find(sent)
		if u == nil {
			return
		}
		u.Answered, u.told = now, 0
		if u.ID < ownIDs {
			return
		}
	}
	w.flight--
	if w.n == len(w.answered) { // not reached while callers respect Next
		w.head = (w.head + 1) % len(w.answered)
		w.n--
	}
	w.answered[(w.head+w.n)%len(w.answered)] = now
	w.n++
}

// Accepted records that the server let a request through that was sent at sent.
func (w *Window) Accepted(now, sent time.Duration) {
	w.pause.Reset()
	if w.trial && sent >= w.refused {
		w.trial, w.freed = false, now
	}
}

// Release ends a pause half a minute after the 429 that caused it, because
// something is worth a try. It reports whether that changed anything.
func (w *Window) Release() bool {
	until := w.refused + releaseFrom
	if w.paused <= until {
		return false
	}
	w.paused = until
	return true
}

// heldUntil is until when the server refuses, or last refused, all requests: now
// while none was accepted after a 429.
func (w *Window) heldUntil(now time.Duration) time.Duration {
	if w.trial {
		return max(now, w.paused)
	}
	return w.freed
}

// Limited records a 429 to a request sent at sent, with the Retry-After it
// carried, or 0. Somebody else is using the limit: the window pauses and
// continues at a lower rate. Several 429s to requests that were in flight
// together count once.
func (w *Window) Limited(now, sent, retryAfter time.Duration) {
	w.limited++
	if w.shared != nil {
		if u := w.shared.find(sent); u != nil {
			u.Limited, u.Pause, u.told = true, w.believable(retryAfter), 0
		}
	}
	w.advance(now)
	w.refused, w.trial = now, true
	first := sent > w.lastCut
	if first {
		w.rate = max(min(1, w.limit), w.rate*cut)
		w.lastCut = now
	}
	if retryAfter > 0 {
		w.paused = max(w.paused, now+w.believable(retryAfter))
	} else if first {
		w.paused = max(w.paused, now+w.pause.Next())
	}
}

// believable is the pause that a Retry-After is worth.
func (w *Window) believable(retryAfter time.Duration) time.Duration {
	if retryAfter > w.Believe {
		return maxPause
	}
	return retryAfter
}

// Rate returns the requests a minute that are permitted now, to all processes
// together.
func (w *Window) Rate(now time.Duration) float64 {
	if !w.alone() {
		return w.shared.rate
	}
	w.advance(now)
	return w.rate
}

// RateLimited returns how many 429s there were.
func (w *Window) RateLimited() uint64 { return w.limited }

// After returns when the k-th request from now could be sent, k = 1 being the
// next, if every request were answered after the usual time.
func (w *Window) After(now time.Duration, k int) time.Duration {
	next := w.plan(now)
	for range k - 1 {
		next()
	}
	return next()
}

// plan returns a function that yields the times of the next requests, if every
// request were answered after the usual time. It works on a copy.
func (w *Window) plan(now time.Duration) func() time.Duration {
	if !w.alone() {
		k := 0
		return func() time.Duration {
			k++
			return w.shared.wait(now, k)
		}
	}
	c := *w
	c.answered, c.shared = append([]time.Duration(nil), w.answered...), nil
	for c.flight > 0 {
		c.Answered(now+c.trip, 0)
	}
	t := now
	return func() time.Duration {
		t = max(t, c.Next(t))
		c.Take(t)
		c.trial = false
		c.Answered(t+c.trip, 0)
		return t
	}
}

// freeAt returns when fewer than k requests count as sent in the last minute.
func (w *Window) freeAt(k int) time.Duration {
	over := w.n + w.flight - k + 1
	switch {
	case over <= 0:
		return 0
	case over > w.n:
		return never
	default:
		return w.answered[(w.head+over-1)%len(w.answered)] + Minute + margin
	}
}
