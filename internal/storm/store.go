package storm

import (
	"errors"
	"sync"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/nafath"
)

// The states of a row, and what a process that finds one after a death does; the
// pattern of nafath's documentation.
const (
	begun  = "begun"  // nothing is known: becomes unknown
	opened = "opened" // is continued
	done   = "done"
)

// The outcomes of a row.
const (
	verified = "verified"
	rejected = "rejected"
	expired  = "expired"
	failed   = "failed"
	mismatch = "mismatch"
	unknown  = "unknown"
	unsent   = "unsent"
)

var (
	errOpen = errors.New("this person has an open row")
	errDead = errors.New("the process is dead")
)

// row is one verification in the product's database.
type row struct {
	id, session, person, owner string
	state, outcome             string
	sealed                     string
	code                       string // what the page shows; in a real product it is in sealed
	transID                    string // for the checks of the world alone
	shownAs                    string // the id in the details, of a verified person
	err                        error  // why it is unsent
	begunAt, openedAt, doneAt  time.Time
}

// leaseTime is how long after the last sign of life of a process others take its
// rows over.
const leaseTime = 15 * time.Second

// store is the database. It survives every process. What a dead process writes
// does not arrive.
type store struct {
	mu    sync.Mutex
	rows  map[string]*row
	order []*row
	beats map[string]time.Time
}

func newStore() *store { return &store{rows: map[string]*row{}, beats: map[string]time.Time{}} }

// change runs f on the row, unless the process is dead or the row is done.
func (s *store) change(r *replica, id string, f func(*row)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.dead.Load() {
		return errDead
	}
	if w := s.rows[id]; w != nil && w.state != done {
		f(w)
	}
	return nil
}

func (s *store) insert(r *replica, n *row) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.dead.Load() {
		return errDead
	}
	for _, other := range s.order {
		if other.person == n.person && other.state != done && !r.w.plan.trusting {
			return errOpen
		}
	}
	n.owner, n.state, n.begunAt = r.name, begun, time.Now()
	s.rows[n.id] = n
	s.order = append(s.order, n)
	return nil
}

func (s *store) remove(r *replica, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.dead.Load() {
		return errDead
	}
	for i, n := range s.order {
		if n.id == id {
			s.order = append(s.order[:i], s.order[i+1:]...)
			break
		}
	}
	delete(s.rows, id)
	return nil
}

// page is what the person's browser shows: the session's row.
func (s *store) page(session string) (row, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.order {
		if n.session == session {
			return *n, true
		}
	}
	return row{}, false
}

func (s *store) all() []row {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []row
	for _, n := range s.order {
		all = append(all, *n)
	}
	return all
}

func (s *store) beat(r *replica) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !r.dead.Load() {
		s.beats[r.name] = time.Now()
	}
}

// release gives the rows of a process that ends to the next one at once.
func (s *store) release(r *replica) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !r.dead.Load() {
		delete(s.beats, r.name)
	}
}

// adopt returns the rows whose process died, now r's.
func (s *store) adopt(r *replica) []row {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.dead.Load() {
		return nil
	}
	var adopted []row
	for _, n := range s.order {
		if n.state != done && n.owner != r.name && time.Since(s.beats[n.owner]) > leaseTime {
			n.owner = r.name
			adopted = append(adopted, *n)
		}
	}
	return adopted
}

// outcomeOf is the product's word for how a verification ended, or "" where it is
// not over: the details could not be read, say, and will be asked for again.
func outcomeOf(u nafath.Update) string {
	is := func(kind error) bool { return errors.Is(u.Err, kind) }
	switch {
	case u.Err == nil:
		return verified
	case is(nafath.ErrIdentityMismatch):
		return mismatch
	case is(nafath.ErrRejected):
		return rejected
	case is(nafath.ErrExpired), is(nafath.ErrTimeout):
		return expired
	case is(nafath.ErrFailed):
		return failed
	case u.Transaction.TransID != "":
		return ""
	case is(kyckit.ErrOutcomeUnknown):
		return unknown
	default:
		return unsent
	}
}
