package main

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/nafath"
)

const (
	limitTime = time.Hour       // what the limits count over
	storeTime = 5 * time.Second // for a statement that goes on although the visitor left
)

// begin starts a verification: the only place that lets a phone ring. What may
// be wrong is looked at first, the row is written, and only then is it begun.
func (a *app) begin(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	old, raw, ok := a.keys.readSession(r, now)
	if !ok {
		a.refuse(w, r, http.StatusForbidden, "session", 0)
		return
	}
	id, err := nafath.Normalise(r.PostFormValue("nationalId"))
	if err != nil {
		a.refuse(w, r, http.StatusUnprocessableEntity, "id", 0)
		return
	}
	if v, _, err := a.current(r, old); err == nil && v.Stage != nafath.StageDone {
		a.toVerification(w, r) // from another tab: each session has one
		return
	}
	s, cookie := a.keys.newSession(raw, now)
	row := row{
		ID: rand.Text(), Session: s.id, Visitor: old.visitor, State: stateBegun, Owner: a.owner, Began: old.id, Created: now,
		Person: digest(a.keys.person, id), Address: digest(a.keys.address, address(r)),
	}
	// A visitor who goes away must not leave half of what follows.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), storeTime)
	defer cancel()
	refused := a.tryBegin(ctx, row, id)
	if refused == nil || refused.again && a.sameClick(ctx, row) {
		// The cookie that the verification belongs to is seen by nobody before.
		http.SetCookie(w, cookie)
		a.toVerification(w, r)
		return
	}
	if refused.err != nil && r.Context().Err() == nil {
		a.log.Error("beginning failed", slog.String("err", typeOf(refused.err)))
	}
	a.refuse(w, r, refused.status, refused.why, refused.after)
}

// refusal says why nothing was sent.
type refusal struct {
	status int
	why    string // a key of language.Errors
	after  time.Duration
	again  bool // it may be the same form a second time
	err    error
}

// tryBegin writes the row and begins the verification.
func (a *app) tryBegin(ctx context.Context, r row, id string) *refusal {
	if refused := a.limited(ctx, r, 0); refused != nil {
		return refused
	}
	l := a.note(r.ID) // before the row is there for keepLeases to find
	switch err := a.store.insert(ctx, r, time.Now().Add(leaseTime)); {
	case errors.Is(err, errPersonOpen):
		a.drop(r.ID)
		return &refusal{status: http.StatusConflict, why: "open", again: true}
	case err != nil:
		a.undo(ctx, r) // it may be there although the answer was lost
		return &refusal{status: http.StatusServiceUnavailable, why: "internal", err: err}
	}
	// Now that this row counts, too, no two can slip below a limit together.
	if refused := a.limited(ctx, r, 1); refused != nil {
		a.undo(ctx, r)
		return refused
	}
	v, err := a.poller.BeginAs(r.Visitor, id)
	if err != nil {
		a.undo(ctx, r)
		return refusedBegin(err)
	}
	a.follow(r, l, v)
	return nil
}

// undo removes a row of which nothing was sent. If that fails, keepLeases finds
// the row and ends it.
func (a *app) undo(ctx context.Context, r row) {
	if err := a.store.remove(ctx, r.ID); err != nil {
		a.log.Error("removing a row failed", slog.String("err", typeOf(err)))
	}
	a.drop(r.ID)
}

// limited says whether a person, a visitor or an address began too many already,
// and until when. More is how many of them may be there beyond the limit.
func (a *app) limited(ctx context.Context, r row, more int) *refusal {
	for _, l := range []struct {
		most          int
		column, value string
	}{{a.limits.person, "person", r.Person}, {a.limits.visitor, "visitor", r.Visitor}, {a.limits.address, "address", r.Address}} {
		last, err := a.store.newest(ctx, l.most+more, l.column, l.value, r.Created.Add(-limitTime))
		switch {
		case err != nil:
			return &refusal{status: http.StatusServiceUnavailable, why: "internal", err: err}
		case !last.IsZero():
			return &refusal{status: http.StatusTooManyRequests, why: "often", after: last.Add(limitTime).Sub(r.Created), again: true}
		}
	}
	return nil
}

// refusedBegin says why BeginAs sent nothing.
func refusedBegin(err error) *refusal {
	var e *kyckit.Error
	switch {
	case errors.Is(err, kyckit.ErrConflict):
		return &refusal{status: http.StatusConflict, why: "open"}
	case errors.Is(err, kyckit.ErrRateLimited) && errors.As(err, &e):
		return &refusal{status: http.StatusTooManyRequests, why: "busy", after: e.RetryAfter}
	case errors.Is(err, nafath.ErrClosed):
		return &refusal{status: http.StatusServiceUnavailable, why: "closing", after: 10 * time.Second}
	default:
		return &refusal{status: http.StatusInternalServerError, why: "internal", err: err}
	}
}

// sameClick hands the visitor's browser what a first click of the same form began.
func (a *app) sameClick(ctx context.Context, r row) bool {
	same, err := a.store.sameClick(ctx, r)
	if err != nil {
		a.log.Error("looking for a first click failed", slog.String("err", typeOf(err)))
	}
	return same
}

// leave ends the session and takes its verification out of the queue: the next one
// starts from the first page, where the person is asked before anything is sent.
func (a *app) leave(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	if s, raw, ok := a.keys.readSession(r, now); ok {
		a.cancel(r.Context(), s)
		if err := a.store.leave(r.Context(), s.id); err != nil {
			a.fail(w, r, "leaving", err)
			return
		}
		_, cookie := a.keys.newSession(raw, now)
		http.SetCookie(w, cookie)
	}
	http.Redirect(w, r, "/?lang="+languageOf(r).Code, http.StatusSeeOther)
}

// cancel takes the session's verification out of this process's queue.
func (a *app) cancel(ctx context.Context, s session) {
	if row, err := a.store.bySession(ctx, s.id); err == nil {
		a.mu.Lock()
		l := a.live[row.ID]
		a.mu.Unlock()
		if l != nil {
			l.cancel()
		}
	}
}

func (a *app) toVerification(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "/verification?lang="+languageOf(r).Code, http.StatusSeeOther)
}
