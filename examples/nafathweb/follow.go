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
	// askAgain is how long after what could not be read, say the details, it is asked
	// for again; patience is for how long after the person's time is over.
	askAgain = 15 * time.Second
	patience = 10 * time.Minute
)

// view is the state of a verification as its page shows it.
type view struct {
	Stage   nafath.Stage
	Place   int       // in the queue; elsewhere where another process knows it
	Sending time.Time // when the request goes out, while queued
	Code    string
	Status  nafath.Status
	Ends    time.Time // when the person's time is over
	Outcome outcome
	Shown   string
}

// elsewhere is the place in the queue of another process.
const elsewhere = -1

// live is a verification that this process follows. Pages wait for changes.
type live struct {
	mu      sync.Mutex
	view    view
	changed chan struct{}        // closed at the next change
	v       *nafath.Verification // nil until it began
	stop    context.CancelFunc
	transID string // from the stored transaction on
}

// note makes room for a row that this process is about to hold.
func (a *app) note(id string) *live {
	l := &live{changed: make(chan struct{}), view: view{Stage: nafath.StageQueued}}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.live[id] = l
	return l
}

// drop forgets a row, and lets its pages look at the store.
func (a *app) drop(id string) {
	a.mu.Lock()
	l := a.live[id]
	delete(a.live, id)
	a.mu.Unlock()
	if l != nil {
		v, _ := l.get()
		l.set(v)
	}
}

func (l *live) began() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.v != nil
}

// cancel takes a creation out of the queue. What was sent goes on.
func (l *live) cancel() {
	l.mu.Lock()
	v := l.v
	l.mu.Unlock()
	if v != nil {
		v.Cancel()
	}
}

// end stops the following and returns the transaction that was followed, if there
// is one.
func (l *live) end() (transID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stop()
	return l.transID
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
// ends when the verification is done, when another process has the row, or when
// this process ends.
func (a *app) follow(r row, l *live, v *nafath.Verification) {
	ctx, stop := context.WithCancel(a.life)
	l.mu.Lock()
	l.v, l.stop = v, stop
	if r.State == stateOpen {
		l.view.Stage = nafath.StageOpen
	}
	l.mu.Unlock()
	a.working.Go(func() {
		defer a.drop(r.ID)
		defer stop()
		for v != nil {
			v = a.serve(ctx, &r, l, v)
		}
	})
}

// serve follows one handle, and returns the next one where what could not be read is
// asked for again.
func (a *app) serve(ctx context.Context, r *row, l *live, v *nafath.Verification) *nafath.Verification {
	for u := range v.Updates(ctx) {
		if u.Transaction.TransID != "" && !a.open(ctx, r, l, u.Transaction) {
			return nil // nobody sees the code
		}
		switch u.Stage {
		case nafath.StageQueued:
			l.set(view{Stage: u.Stage, Place: u.Place, Sending: time.Now().Add(u.ETA)})
		case nafath.StageOpen:
			l.set(view{Stage: u.Stage, Code: u.Transaction.Random, Status: u.Status, Ends: u.Transaction.CreatedAt.Add(a.lifetime)})
		case nafath.StageDone:
			end := view{Stage: u.Stage, Outcome: outcomeOf(u.Err), Shown: masked(u.Details)}
			if !final(u.Err) && r.State == stateOpen {
				if next := a.again(ctx, u.Transaction); next != nil || ctx.Err() != nil {
					return next
				}
				end.Outcome = outcomeFailed
			}
			if a.insist(ctx, "storing an outcome", func(ctx context.Context) (bool, error) {
				return a.store.done(ctx, r.ID, a.owner, end.Outcome, end.Shown)
			}) {
				l.set(end)
			}
			return nil
		}
	}
	return nil
}

// open stores the transaction, and reports whether its code may be shown.
func (a *app) open(ctx context.Context, r *row, l *live, tx nafath.Transaction) bool {
	if r.State == stateBegun {
		sealed, err := a.sealer.Seal(tx, r.ID)
		if err != nil {
			a.log.Error("a transaction cannot be sealed", slog.Any("err", err))
			return false
		}
		if !a.insist(ctx, "storing a transaction", func(ctx context.Context) (bool, error) {
			return a.store.opened(ctx, r.ID, a.owner, sealed)
		}) {
			return false
		}
		r.State = stateOpen
	}
	l.mu.Lock()
	l.transID = tx.TransID
	l.mu.Unlock()
	return true
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

// again asks again, after a while, for what could not be read. It returns nil when
// that has gone on for too long, or ctx ends: then the next process does.
func (a *app) again(ctx context.Context, tx nafath.Transaction) *nafath.Verification {
	select {
	case <-time.After(askAgain):
	case <-ctx.Done():
		return nil
	}
	if time.Since(tx.CreatedAt) > a.lifetime+patience {
		return nil
	}
	v, err := a.poller.Continue(tx)
	if err != nil && !errors.Is(err, nafath.ErrClosed) {
		a.log.Error("a verification cannot be continued", slog.Any("err", err))
	}
	if errors.Is(err, nafath.ErrClosed) {
		<-ctx.Done() // this process is about to end
	}
	return v
}

// insist repeats what the database refused, until it works or ctx ends, and reports
// whether it changed the row: nothing is shown before it is stored, or after
// another process took the row over.
func (a *app) insist(ctx context.Context, what string, do func(context.Context) (held bool, err error)) bool {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		once, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
		held, err := do(once)
		cancel()
		if err == nil {
			return held
		}
		a.log.Error(what+" failed", slog.String("err", typeOf(err)))
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return false
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
	case errors.Is(err, context.Canceled), errors.Is(err, nafath.ErrClosed), errors.Is(err, kyckit.ErrRateLimited), errors.Is(err, kyckit.ErrConflict):
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
