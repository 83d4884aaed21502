package nafath

import (
	"context"
	"slices"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/poll"
	"github.com/kyckit/kyckit/internal/transport"
)

// Stage says how far a verification has come.
type Stage string

const (
	// StageQueued says that the creation waits for a slot of the tenant's limit, or
	// is in flight. Nobody has a code that could be confirmed.
	StageQueued Stage = "queued"
	// StageOpen says that the transaction exists. Store it, then show its code.
	StageOpen Stage = "open"
	// StageDone says that nothing follows. Details were compared with the person, or Err
	// says why there are none.
	StageDone Stage = "done"
)

// Update is the state of a verification at one moment. Which fields are set
// depends on Stage. It prints redacted.
type Update struct {
	kyckit.Redacted
	Stage Stage
	// Place in the queue, 1 being the next; 0 while the creation is in flight.
	Place int
	// ETA is how long it will take until the creation is sent, from the moment
	// of the Update. It may grow when an owner who has none queued comes, when
	// answers are slow, or after a 429.
	ETA time.Duration
	// Transaction is set from StageOpen on, and in StageDone if there is one.
	Transaction Transaction
	// Status is the last one seen; "" before the first answer.
	Status Status
	// Details are the person's. They are a copy of this Update's own.
	Details *Details
	// Err is nil or one of the errors of Verify.
	Err error
}

// Verification is the handle of one person's verification, from Begin, BeginAs
// or Continue. All methods are safe for concurrent use. It ends by itself, also
// when nobody follows it.
type Verification struct {
	kyckit.Redacted
	p *state
	e *entry
}

// Updates tells the present state at once and then each change. The channel is
// closed after the state of StageDone, or when ctx ends. A slow reader misses
// states in between, never the last, and delays nobody. Any number may follow.
func (v *Verification) Updates(ctx context.Context) <-chan Update {
	f := &follower{updates: make(chan Update, 1)}
	if v == nil || v.e == nil {
		f.updates <- Update{Stage: StageDone, Err: errHandle()}
		close(f.updates)
		return f.updates
	}
	v.p.mu.Lock()
	defer v.p.mu.Unlock()
	if v.e.stage() == StageQueued {
		v.p.showPlaces()
	}
	f.updates <- v.p.update(v.e)
	if v.e.finished {
		close(f.updates)
		return f.updates
	}
	v.e.followers = append(v.e.followers, f)
	f.leave = context.AfterFunc(ctx, func() { v.p.unfollow(v.e, f) })
	return f.updates
}

// Wait blocks until the verification is done and returns the person, who then is
// the one it was begun for, or an error of Verify. Any number of callers share
// the one details call. When ctx ends the error is the context's, and the
// verification goes on.
func (v *Verification) Wait(ctx context.Context) (*Details, error) {
	if v == nil || v.e == nil {
		return nil, errHandle()
	}
	v.p.mu.Lock()
	over := v.e.overChan()
	v.p.attend(v.e, 1)
	v.p.link(ctx, v.e)
	v.p.mu.Unlock()
	select {
	case <-over:
	case <-ctx.Done():
		select {
		case <-over: // both: the outcome says more
		default:
			v.p.mu.Lock()
			v.p.attend(v.e, -1)
			v.p.mu.Unlock()
			return nil, &kyckit.Error{Provider: provider, Op: "wait", Kind: ctx.Err()}
		}
	}
	told(v.e)
	if v.e.outcome != nil {
		return nil, v.e.outcome
	}
	return v.e.person.clone(), nil
}

// Cancel takes a creation out of the queue, for a person who left, and reports
// whether it did: nothing was sent then, nothing will be, and the verification is
// done with context.Canceled. A creation in flight and an open transaction go on;
// Poller.Forget ends the watch over the latter.
func (v *Verification) Cancel() bool {
	return v != nil && v.e != nil && v.e.ticket != nil && v.p.requests.Withdraw(v.e.ticket)
}

func errHandle() *kyckit.Error {
	return transport.InputError(provider, "wait", "the Verification was not made by a Poller")
}

func (e *entry) stage() Stage {
	switch {
	case e.finished:
		return StageDone
	case e.tx.TransID != "":
		return StageOpen
	default:
		return StageQueued
	}
}

func (p *state) update(e *entry) Update {
	u := Update{Stage: e.stage(), Status: e.status}
	if e.tx.TransID != "" {
		u.Transaction = e.tx
	}
	switch u.Stage {
	case StageQueued:
		u.Place = e.place
		if u.Place > 0 {
			u.ETA = max(0, e.due-p.now())
		}
	case StageDone:
		u.Details, u.Err = e.person.clone(), e.outcome
	case StageOpen:
	}
	return u
}

// follower is one reader of Updates. Its channel holds the latest state alone;
// only the Poller sends, under its mutex.
type follower struct {
	updates chan Update
	leave   func() bool
}

// publish tells all followers the present state.
func (p *state) publish(e *entry) {
	for _, f := range e.followers {
		select {
		case <-f.updates:
		default:
		}
		f.updates <- p.update(e)
		if e.finished {
			close(f.updates)
			f.leave()
		}
	}
	if e.finished {
		e.followers = nil
	}
}

func (p *state) unfollow(e *entry, f *follower) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(e.followers, f); i >= 0 {
		e.followers = slices.Delete(e.followers, i, i+1)
		close(f.updates)
	}
}

// moved follows the queue of creations: it is called when places or times changed.
func (p *state) moved() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.showPlaces()
}

// sameTime is by how much a slot may move before its followers are told.
const sameTime = time.Second

// showPlaces notes the places of all who are queued, and tells the followers of
// those whose place or time changed.
func (p *state) showPlaces() {
	if len(p.queued) == 0 {
		return
	}
	type spot struct {
		place int
		due   time.Duration
	}
	now, spots := p.now(), map[*entry]spot{}
	p.requests.Places(func(t *poll.Ticket, place int, wait time.Duration) {
		if e := p.queued[t]; e != nil {
			spots[e] = spot{place, now + wait}
		}
	})
	for _, e := range p.queued {
		s := spots[e]
		shift := max(s.due-e.due, e.due-s.due)
		changed := s.place != e.place || s.place > 0 && shift > sameTime
		if changed {
			e.place, e.due = s.place, s.due
			p.publish(e)
		}
	}
}
