package main

import (
	"bytes"
	"embed"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/kyckit/kyckit/nafath"
)

//go:embed web
var files embed.FS

// assets serves the style and the script, and no template.
func assets() http.Handler {
	mux := http.NewServeMux()
	for _, name := range []string{"live.js", "style.css"} {
		mux.HandleFunc("GET /static/"+name, func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, "web/"+name) })
	}
	return mux
}

func parsePages() *template.Template {
	return template.Must(template.New("").ParseFS(files, "web/*.html"))
}

var pages = parsePages()

// page is what the templates show.
type page struct {
	*language
	Path    string
	Problem string // a text
	State   state
	AppLink template.URL
}

// state is a view in words. It is what a page shows and what each event holds,
// whole, so that an event that is missed costs nothing.
type state struct {
	Stage  nafath.Stage `json:"stage"`
	Queue  string       `json:"queue"`
	Code   string       `json:"code"`
	Left   int          `json:"left"` // seconds
	Clock  string       `json:"clock"`
	Status string       `json:"status"`
	Result string       `json:"result"`
	Person string       `json:"person"` // masked
	Good   bool         `json:"good"`
	Leave  bool         `json:"leave"` // nothing was sent: the queue can be left
}

func (l *language) state(v view, now time.Time) state {
	s := state{Stage: v.Stage}
	switch v.Stage {
	case nafath.StageQueued:
		s.Status, s.Leave = l.Soon, v.Place != 0
		if s.Leave {
			s.Status = l.InQueue
		}
		if v.Place > 0 {
			eta := max(0, int(v.Sending.Sub(now).Round(time.Second)/time.Second))
			s.Queue = strings.NewReplacer("{place}", strconv.Itoa(v.Place), "{eta}", strconv.Itoa(eta)).Replace(l.Queue)
		}
	case nafath.StageOpen:
		s.Code, s.Status = v.Code, l.Waiting
		s.Left = max(0, int(v.Ends.Sub(now)/time.Second))
		s.Clock = time.Time{}.Add(time.Duration(s.Left) * time.Second).Format("4:05")
		if v.Status == nafath.StatusCompleted {
			s.Status, s.Code = l.Checking, ""
		}
	case nafath.StageDone:
		s.Status, s.Good = l.NotVerified, v.Outcome == outcomeVerified
		if s.Good {
			s.Status = l.Verified
		}
		s.Result, s.Person = l.Outcomes[v.Outcome], v.Shown
	}
	return s
}

// current returns the state of the session's verification and, if this process
// follows it, a channel that is closed at its next change.
func (a *app) current(r *http.Request, s session) (view, <-chan struct{}, error) {
	row, err := a.store.bySession(r.Context(), s.id)
	if err == nil && row.Began != "" {
		err = a.store.seen(r.Context(), row.ID)
	}
	if err != nil {
		return view{}, nil, err
	}
	a.mu.Lock()
	l := a.live[row.ID]
	a.mu.Unlock()
	if l != nil && row.State != stateDone {
		v, changed := l.get()
		return v, changed, nil
	}
	// It is over, or another process follows it.
	v := view{Stage: nafath.StageQueued, Place: elsewhere, Outcome: row.Outcome, Shown: row.Shown}
	switch row.State {
	case stateDone:
		v.Stage = nafath.StageDone
	case stateOpen:
		tx, err := a.sealer.Open(row.Sealed, row.ID)
		if err != nil {
			return view{}, nil, err
		}
		v.Stage, v.Code, v.Ends = nafath.StageOpen, tx.Random, tx.CreatedAt.Add(a.lifetime)
	}
	return v, nil, nil
}

func (a *app) startPage(w http.ResponseWriter, r *http.Request) {
	if s, ok := a.session(w, r); !ok {
		_, cookie := a.keys.newSession(nil, time.Now())
		http.SetCookie(w, cookie)
	} else if v, _, err := a.current(r, s); err == nil && v.Stage != nafath.StageDone {
		a.toVerification(w, r) // whoever comes back in the middle finds what they began
		return
	}
	a.show(w, http.StatusOK, "start.html", page{language: languageOf(r), Path: "/"})
}

func (a *app) verificationPage(w http.ResponseWriter, r *http.Request) {
	l := languageOf(r)
	s, ok := a.session(w, r)
	if !ok {
		http.Redirect(w, r, "/?lang="+l.Code, http.StatusSeeOther)
		return
	}
	v, _, err := a.current(r, s)
	switch {
	case errors.Is(err, errNoRow):
		http.Redirect(w, r, "/?lang="+l.Code, http.StatusSeeOther)
	case err != nil:
		a.fail(w, r, "reading", err)
	default:
		a.show(w, http.StatusOK, "verification.html", page{
			language: l, Path: "/verification", State: l.state(v, time.Now()), AppLink: a.appLink,
		})
	}
}

// session returns the browser's session, for another while.
func (a *app) session(w http.ResponseWriter, r *http.Request) (session, bool) {
	now := time.Now()
	s, raw, ok := a.keys.readSession(r, now)
	if ok {
		a.keys.prolong(w, raw, now)
	}
	return s, ok
}

// refuse shows the start page again and says why nothing was sent, and when to try
// again.
func (a *app) refuse(w http.ResponseWriter, r *http.Request, status int, why string, after time.Duration) {
	now := time.Now()
	if _, _, ok := a.keys.readSession(r, now); !ok {
		_, cookie := a.keys.newSession(nil, now)
		http.SetCookie(w, cookie)
	}
	l := languageOf(r)
	problem := l.Errors[why]
	if after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(after/time.Second)+1))
		problem += " " + l.after(after)
	}
	a.show(w, status, "start.html", page{language: l, Path: "/", Problem: problem})
}

// fail says that the page cannot be shown now, and lets the browser ask again. It
// says nothing about what was sent: a verification may be open.
func (a *app) fail(w http.ResponseWriter, r *http.Request, doing string, err error) {
	if r.Context().Err() == nil {
		a.log.Error(doing+" failed", slog.String("err", typeOf(err)))
	}
	w.Header().Set("Retry-After", "5")
	l := languageOf(r)
	a.show(w, http.StatusServiceUnavailable, "trouble.html", page{language: l, Path: "/verification", Problem: l.Trouble})
}

func (a *app) show(w http.ResponseWriter, status int, name string, p page) {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, p); err != nil {
		a.log.Error("a page cannot be written", slog.String("page", name), slog.String("err", typeOf(err)))
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}
