package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/kyckit/kyckit/nafath"
)

const (
	// leaseTime is how long after its last sign of life a process's verifications
	// are taken over by another; leaseEvery is how often it gives one. The clocks of
	// the processes must agree to a few seconds.
	leaseTime  = 15 * time.Second
	leaseEvery = 5 * time.Second
	// keepRows is how long the outcome can be looked at.
	keepRows = 24 * time.Hour
)

// keepLeases tells the other processes that this one is alive, and takes over
// what dead ones followed: their own after a restart, too.
func (a *app) keepLeases() {
	for last := time.Now(); ; {
		ctx, cancel := context.WithTimeout(a.life, leaseEvery)
		now := time.Now()
		if err := a.keep(ctx, now); err == nil {
			last = now
		} else if a.life.Err() == nil {
			a.log.Error("renewing leases failed", slog.String("err", typeOf(err)))
		}
		if time.Since(last) > leaseTime-leaseEvery {
			a.sendNothing() // others take the rows over
		}
		_ = a.store.forget(ctx, now.Add(-keepRows))
		cancel()
		select {
		case <-time.After(leaseEvery):
		case <-a.life.Done():
			return
		}
	}
}

// keep renews this process's leases, lets go of what others took over meanwhile,
// and follows what nobody does.
func (a *app) keep(ctx context.Context, now time.Time) error {
	before := a.followed()
	held, err := a.store.renew(ctx, a.owner, now.Add(leaseTime))
	if err != nil {
		return err
	}
	adopted, err := a.store.adopt(ctx, a.owner, now, now.Add(leaseTime))
	if err != nil {
		return err
	}
	for _, r := range append(held, adopted...) {
		delete(before, r.ID)
		a.mu.Lock()
		l := a.live[r.ID]
		a.mu.Unlock()
		switch {
		case l == nil:
			a.resume(ctx, r)
		case r.Session == "": // the person left, by way of another process
			l.cancel()
		}
	}
	for _, l := range before { // done by now, or another process's
		a.letGo(l)
	}
	return nil
}

// followed returns the verifications that began, by row.
func (a *app) followed() map[string]*live {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := map[string]*live{}
	for id, l := range a.live {
		if l.began() {
			all[id] = l
		}
	}
	return all
}

// sendNothing takes all out of the queue: after a stall, this process no longer
// knows that their rows are its own.
func (a *app) sendNothing() {
	for _, l := range a.followed() {
		l.cancel()
	}
}

// letGo ends what this process does for a row.
func (a *app) letGo(l *live) {
	l.cancel()
	transID := l.end()
	if transID != "" {
		a.poller.Forget(transID)
	}
}

// resume goes on with a row that nobody follows.
func (a *app) resume(ctx context.Context, r row) {
	if r.State == stateBegun {
		a.conclude(ctx, r, outcomeUnknown)
		return
	}
	tx, err := a.sealer.Open(r.Sealed, r.ID)
	if err == nil {
		var v *nafath.Verification
		if v, err = a.poller.Continue(tx); err == nil {
			a.follow(r, a.note(r.ID), v)
			return
		}
	}
	if errors.Is(err, nafath.ErrClosed) {
		return // this process is about to end as well
	}
	a.log.Error("a stored verification cannot be continued", slog.Any("err", err))
	a.conclude(ctx, r, outcomeExpired)
}

func (a *app) conclude(ctx context.Context, r row, o outcome) {
	if _, err := a.store.done(ctx, r.ID, a.owner, o, ""); err != nil {
		a.log.Error("storing an outcome failed", slog.String("err", typeOf(err))) // the next round finds the row again
	}
}
