package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/kyckit/kyckit/nafath"
)

const (
	heartbeat = 15 * time.Second
	writeTime = 10 * time.Second // for one event; a browser that reads nothing is let go
	lookEvery = time.Second      // at the store, for what another process follows
	// streamTime is how long one stream lasts; the browser then asks again, and its
	// session goes on. streamsEach is how many a session may have: a browser has six
	// connections to a site.
	streamTime  = 20 * time.Minute
	streamsEach = 6
)

// events sends the whole state of the session's verification at once and after
// each change, until it is done (server-sent events).
func (a *app) events(w http.ResponseWriter, r *http.Request) {
	s, ok := a.session(w, r)
	if !ok {
		http.Error(w, "no session", http.StatusForbidden)
		return
	}
	if !a.enter(s) {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "too many streams", http.StatusTooManyRequests)
		return
	}
	defer a.exit(s)
	over := time.After(streamTime)
	l, control := languageOf(r), http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would keep the events
	last := ""
	for {
		v, changed, err := a.current(r, s)
		if err != nil {
			switch {
			case last != "": // the browser asks again
			case errors.Is(err, errNoRow):
				http.Error(w, "no verification", http.StatusNotFound)
			default:
				http.Error(w, "not now", http.StatusServiceUnavailable)
			}
			return
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
		case <-over:
			return
		case <-r.Context().Done():
			return
		case <-a.life.Done():
			return
		}
	}
}

// enter counts a stream of a session, and reports whether it may be opened.
func (a *app) enter(s session) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.streams[s.id] >= streamsEach {
		return false
	}
	a.streams[s.id]++
	return true
}

func (a *app) exit(s session) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.streams[s.id]--; a.streams[s.id] == 0 {
		delete(a.streams, s.id)
	}
}
