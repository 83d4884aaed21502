package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/nafath"
)

const (
	// leaseTime is how long after its last sign of life a process's verifications
	// are taken over by another; leaseEvery is how often it gives one.
	leaseTime  = 15 * time.Second
	leaseEvery = 5 * time.Second
	// keepRows is how long the outcome can be looked at.
	keepRows = 24 * time.Hour
)

// view is the state of a verification as its page shows it.
type view struct {
	Stage   nafath.Stage
	Place   int
	Sending time.Time // when the request goes out, while queued
	Code    string
	Status  nafath.Status
	Ends    time.Time // when the person's time is over
	Outcome outcome
	Shown   string
}

// live is a verification that this process follows. Pages wait for changes.
type live struct {
	mu      sync.Mutex
	view    view
	changed chan struct{} // closed at the next change
}

func (l *live) set(v view) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.view = v
	close(l.changed)
	l.changed = make(chan struct{})
}

// get returns the state and a channel that is closed when it changes.
func (l *live) get() (view, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.view, l.changed
}

// follow stores each state of a verification, then shows it, in this order. It
// returns when the verification is done, or when the process ends.
func (a *app) follow(r row, v *nafath.Verification) {
	l := &live{changed: make(chan struct{})}
	l.view = view{Stage: nafath.StageQueued}
	if r.State == stateOpen {
		l.view.Stage = nafath.StageOpen
	}
	a.mu.Lock()
	a.live[r.ID] = l
	a.mu.Unlock()
	a.working.Go(func() {
		for u := range v.Updates(a.life) {
			if r.State == stateBegun && u.Transaction.TransID != "" {
				sealed, err := a.sealer.Seal(u.Transaction, r.ID)
				if err != nil {
					a.log.Error("a transaction cannot be sealed", slog.Any("err", err))
					continue
				}
				a.insist("storing a transaction", func(ctx context.Context) error { return a.store.opened(ctx, r.ID, sealed) })
				r.State = stateOpen
			}
			switch u.Stage {
			case nafath.StageQueued:
				l.set(view{Stage: u.Stage, Place: u.Place, Sending: time.Now().Add(u.ETA)})
			case nafath.StageOpen:
				l.set(view{Stage: u.Stage, Code: u.Transaction.Random, Status: u.Status, Ends: u.Transaction.CreatedAt.Add(a.lifetime)})
			case nafath.StageDone:
				if !final(u.Err) && r.State == stateOpen {
					a.later(r, u.Transaction)
					break
				}
				end := view{Stage: u.Stage, Outcome: outcomeOf(u.Err), Shown: masked(u.Details)}
				a.insist("storing an outcome", func(ctx context.Context) error { return a.store.done(ctx, r.ID, end.Outcome, end.Shown) })
				l.set(end)
			}
		}
		a.mu.Lock()
		delete(a.live, r.ID)
		a.mu.Unlock()
	})
}

// final reports whether nothing more can come of a verification that has a
// transaction. Where the register could not be read, say, it can be asked again.
func final(err error) bool {
	for _, kind := range []error{nafath.ErrRejected, nafath.ErrExpired, nafath.ErrFailed, nafath.ErrTimeout, nafath.ErrIdentityMismatch} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return err == nil
}

// later asks again for what could not be read. After the end of this process the
// next one does.
func (a *app) later(r row, tx nafath.Transaction) {
	select {
	case <-time.After(leaseTime):
	case <-a.life.Done():
		return
	}
	v, err := a.poller.Continue(tx)
	switch {
	case err == nil:
		a.follow(r, v)
	case !errors.Is(err, nafath.ErrClosed): // too old by now
		a.log.Error("a verification cannot be continued", slog.Any("err", err))
		a.insist("storing an outcome", func(ctx context.Context) error { return a.store.done(ctx, r.ID, outcomeExpired, "") })
	}
}

// insist repeats what the database refused, until it works or the process ends:
// nothing is shown before it is stored.
func (a *app) insist(what string, do func(context.Context) error) {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(a.life), 5*time.Second)
		err := do(ctx)
		cancel()
		if err == nil {
			return
		}
		a.log.Error(what+" failed", slog.String("err", typeOf(err)))
		select {
		case <-time.After(wait):
		case <-a.life.Done():
			return
		}
	}
}

// outcomeOf says in a stored word how Verification ended.
func outcomeOf(err error) outcome {
	switch {
	case err == nil:
		return outcomeVerified
	case errors.Is(err, nafath.ErrIdentityMismatch):
		return outcomeMismatch
	case errors.Is(err, nafath.ErrRejected):
		return outcomeRejected
	case errors.Is(err, nafath.ErrExpired), errors.Is(err, nafath.ErrTimeout):
		return outcomeExpired
	case errors.Is(err, kyckit.ErrOutcomeUnknown):
		return outcomeUnknown
	case errors.Is(err, nafath.ErrClosed), errors.Is(err, kyckit.ErrRateLimited), errors.Is(err, kyckit.ErrConflict):
		return outcomeUnsent
	default:
		return outcomeFailed
	}
}

// masked is what the result page shows: enough to recognise oneself.
func masked(d *nafath.Details) string {
	if d == nil {
		return ""
	}
	var b strings.Builder
	for _, name := range []string{d.EnglishFirstName, d.EnglishLastName} {
		for _, first := range name { // its first letter
			b.WriteString(string(first) + "••• ")
			break
		}
	}
	if id := d.IDNumber; len(id) > 4 {
		b.WriteString("••••••" + id[len(id)-4:])
	}
	return b.String()
}

// keepLeases tells the other processes that this one is alive, and takes over
// what dead ones followed: their own after a restart, too.
func (a *app) keepLeases() {
	for {
		ctx, cancel := context.WithTimeout(a.life, leaseEvery)
		now := time.Now()
		if err := a.store.renew(ctx, a.owner, now.Add(leaseTime)); err != nil {
			a.log.Error("renewing leases failed", slog.String("err", typeOf(err)))
		}
		a.adopt(ctx, now)
		_ = a.store.forget(ctx, now.Add(-keepRows))
		cancel()
		select {
		case <-time.After(leaseEvery):
		case <-a.life.Done():
			return
		}
	}
}

func (a *app) adopt(ctx context.Context, now time.Time) {
	rows, err := a.store.adopt(ctx, a.owner, now, now.Add(leaseTime))
	if err != nil {
		a.log.Error("adopting failed", slog.String("err", typeOf(err)))
		return
	}
	for _, r := range rows {
		a.mu.Lock()
		mine := a.live[r.ID] != nil // our own lease ran out while the database was away
		a.mu.Unlock()
		if mine {
			continue
		}
		if err := a.resume(ctx, r); err != nil {
			a.log.Error("a stored verification cannot be continued", slog.Any("err", err))
		}
	}
}

// resume goes on with a row of a process that died.
func (a *app) resume(ctx context.Context, r row) error {
	if r.State == stateBegun {
		return a.store.done(ctx, r.ID, outcomeUnknown, "")
	}
	tx, err := a.sealer.Open(r.Sealed, r.ID)
	if err == nil {
		var v *nafath.Verification
		if v, err = a.poller.Continue(tx); err == nil {
			a.follow(r, v)
			return nil
		}
	}
	if errors.Is(err, nafath.ErrClosed) {
		return nil // this process is about to end as well
	}
	return errors.Join(err, a.store.done(ctx, r.ID, outcomeExpired, ""))
}
