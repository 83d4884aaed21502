package poll

import (
	"math"
	"slices"
	"time"
)

const (
	// grantFor is how long a granted call may wait to be made.
	grantFor = 2 * time.Second

	// useFor is how long a call is remembered for others: a minute after its
	// answer, or as long as a call without an answer may count.
	useFor = 90 * time.Second
)

// Use is one call of a Window that is shared with other processes.
type Use struct {
	ID       uint64
	Sent     time.Duration
	Answered time.Duration // negative before
	Dropped  bool          // it was not made after all
	Limited  bool
	Pause    time.Duration // what a 429 asked for, as far as it is believed

	told uint64 // the report in which this was told last; 0 when there is news
}

// shared is what a Window knows of the other processes.
type shared struct {
	total   float64 // the limit of all processes together
	parts   int     // how many they are at most
	online  bool    // what is granted is spent; otherwise the own share of the limit
	granted []Use   // not made yet
	uses    []Use
	last    time.Duration
	own     uint64        // the last id of a call that was not granted
	rate    float64       // of all processes together, as told
	next    time.Duration // when the next slot is, as told
}

// ownIDs is where ids of calls begin that nobody granted.
const ownIDs = 1 << 62

// Share lets parts processes use the limit together: what is granted is spent, and
// the own share of the limit, rounded down, where nobody can grant. It begins
// online and with nothing granted.
func (w *Window) Share(now time.Duration, parts int) {
	total := w.limit
	w.shared = &shared{total: total, parts: parts, own: ownIDs, rate: total, last: -1, online: true}
	w.SetLimit(now, int(total))
	w.rate = w.limit
}

// Online says whether somebody grants calls. Offline the own share is spent from one
// step of the pace on.
func (w *Window) Online(now time.Duration, online bool) {
	s := w.shared
	if s.online && !online {
		s.granted = nil
		w.slot, w.start = max(w.slot, now), now
	}
	s.online = online
}

// Grant permits one call now, known to all as id; rate is what all processes may
// spend together now, and next how long the next slot is away.
func (w *Window) Grant(now time.Duration, id uint64, granted bool, rate float64, next time.Duration) {
	s := w.shared
	s.rate, s.next = max(1, rate), now+next
	if granted {
		s.granted = append(s.granted, Use{ID: id, Sent: now, Answered: -1})
	}
}

// Revoke makes a call that may have been granted count as not made.
func (w *Window) Revoke(now time.Duration, id uint64) {
	w.shared.uses = append(w.shared.uses, Use{ID: id, Sent: now, Answered: now, Dropped: true})
}

// expire drops grants that were not used in time.
func (w *Window) expire(now time.Duration) {
	s := w.shared
	for len(s.granted) > 0 && now > s.granted[0].Sent+grantFor {
		w.unused(now)
	}
}

// unused gives the oldest grant back.
func (w *Window) unused(now time.Duration) {
	w.Revoke(now, w.shared.granted[0].ID)
	w.shared.granted = w.shared.granted[1:]
}

// take notes a call made now and returns when, as a time of its own.
func (s *shared) take(now time.Duration) time.Duration {
	s.last = max(now, s.last+1)
	u := Use{Sent: s.last, Answered: -1}
	if s.online {
		u.ID = s.granted[0].ID
		s.granted = s.granted[1:]
	} else {
		s.own++
		u.ID = s.own
	}
	s.uses = append(s.uses, u)
	return s.last
}

// find returns the call that was made at sent.
func (s *shared) find(sent time.Duration) *Use {
	for i := range s.uses {
		if u := &s.uses[i]; u.Sent == sent && !u.Dropped {
			return u
		}
	}
	return nil
}

// Report returns the calls of which others do not know everything, or with full all
// that may still count, and remembers that report says so.
func (w *Window) Report(now time.Duration, report uint64, full bool) (list []Use) {
	s := w.shared
	s.uses = slices.DeleteFunc(s.uses, func(u Use) bool {
		return now-max(u.Sent, u.Answered) > useFor || u.Dropped && u.told == math.MaxUint64
	})
	for i := range s.uses {
		if u := &s.uses[i]; u.told != math.MaxUint64 || full {
			u.told = report
			list = append(list, *u)
		}
	}
	return list
}

// Reported says that a report arrived.
func (w *Window) Reported(report uint64) {
	for i := range w.shared.uses {
		if u := &w.shared.uses[i]; u.told == report {
			u.told = math.MaxUint64
		}
	}
}

// wait is when the k-th call from now may be made by one who knows nothing of the
// others' calls.
func (s *shared) wait(now time.Duration, k int) time.Duration {
	return max(now, s.next) + time.Duration(float64(k-1)*float64(Minute)/s.rate)
}

// all is the limit of all processes together.
func (w *Window) all() float64 {
	if w.shared != nil {
		return w.shared.total
	}
	return w.limit
}

// alone reports that nobody else's grants are spent.
func (w *Window) alone() bool { return w.shared == nil || !w.shared.online }
