package main

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/kyckit/kyckit/nafath"
)

const (
	heartbeat = 15 * time.Second
	writeTime = 10 * time.Second // for one event; a browser that reads nothing is let go
	lookEvery = time.Second      // at the store, for what another process follows
)

// events sends the whole state of the session's verification at once and after
// each change, until it is done (server-sent events).
func (a *app) events(w http.ResponseWriter, r *http.Request) {
	s, _, ok := a.keys.readSession(r, time.Now())
	if !ok {
		http.Error(w, "no session", http.StatusForbidden)
		return
	}
	l, control := languageOf(r), http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would keep the events
	last := ""
	for {
		v, changed, err := a.current(r, s)
		if err != nil {
			if last == "" {
				http.Error(w, "no verification", http.StatusNotFound)
			}
			return // the browser asks again
		}
		event, err := json.Marshal(l.state(v, time.Now()))
		if err != nil {
			return
		}
		text := ": still here\n\n"
		if string(event) != last {
			text, last = "data: "+string(event)+"\n\n", string(event)
		}
		_ = control.SetWriteDeadline(time.Now().Add(writeTime))
		if _, err := w.Write([]byte(text)); err != nil {
			return
		}
		if control.Flush() != nil || v.Stage == nafath.StageDone {
			return
		}
		wait := heartbeat
		if changed == nil {
			wait = lookEvery
		}
		select {
		case <-changed:
		case <-time.After(wait):
		case <-r.Context().Done():
			return
		case <-a.life.Done():
			return
		}
	}
}
