package main

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/nafath"
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
	row := row{
		ID: rand.Text(), Visitor: old.visitor, State: stateBegun, Owner: a.owner, Created: now,
		Person: digest(a.keys.person, id), Address: digest(a.keys.address, address(r)),
	}
	person, visitor, addr, err := a.store.started(r.Context(), row, now.Add(-time.Hour))
	switch {
	case err != nil:
		a.fail(w, r, "counting", err)
		return
	case person >= a.limits.person || visitor >= a.limits.visitor || addr >= a.limits.address:
		a.refuse(w, r, http.StatusTooManyRequests, "often", time.Hour)
		return
	}
	s := a.keys.newSession(w, raw, now) // the cookie that the verification belongs to is seen by nobody before
	row.Session = s.id
	switch err := a.store.insert(r.Context(), row, now.Add(leaseTime)); {
	case errors.Is(err, errPersonOpen):
		a.refuse(w, r, http.StatusConflict, "open", 0)
		return
	case err != nil:
		a.fail(w, r, "storing", err)
		return
	}
	v, err := a.poller.BeginAs(old.visitor, id)
	if err != nil { // nothing was sent
		if err := a.store.remove(r.Context(), row.ID); err != nil {
			a.log.Error("removing a row failed", slog.String("err", typeOf(err)))
		}
		a.refuseBegin(w, r, err)
		return
	}
	a.follow(row, v)
	http.Redirect(w, r, "/verification?lang="+languageOf(r).Code, http.StatusSeeOther)
}

// refuseBegin says why BeginAs sent nothing.
func (a *app) refuseBegin(w http.ResponseWriter, r *http.Request, err error) {
	var e *kyckit.Error
	switch {
	case errors.Is(err, kyckit.ErrConflict):
		a.refuse(w, r, http.StatusConflict, "open", 0)
	case errors.Is(err, kyckit.ErrRateLimited) && errors.As(err, &e):
		a.refuse(w, r, http.StatusTooManyRequests, "busy", e.RetryAfter)
	case errors.Is(err, nafath.ErrClosed):
		a.refuse(w, r, http.StatusServiceUnavailable, "busy", 10*time.Second)
	default:
		a.fail(w, r, "beginning", err)
	}
}

// leave ends the session: the next verification starts from the first page,
// where the person is asked before anything is sent.
func (a *app) leave(w http.ResponseWriter, r *http.Request) {
	if _, raw, ok := a.keys.readSession(r, time.Now()); ok {
		a.keys.newSession(w, raw, time.Now())
	}
	http.Redirect(w, r, "/?lang="+languageOf(r).Code, http.StatusSeeOther)
}
