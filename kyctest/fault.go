package kyctest

import (
	"io"
	"net/http"
	"time"
)

// Fault is what happens to a call in place of the fake's own answer. Fields
// combine: a Delay comes before whatever else is set.
type Fault struct {
	// Delay holds the answer back.
	Delay time.Duration
	// Status answers with this HTTP status, Header and Body; the fake's own
	// handler does not run. Zero means 200 when Header, Body or Truncate is set,
	// and the fake's own answer otherwise.
	Status int
	// Header is sent with Status.
	Header http.Header
	// Body is sent with Status.
	Body string
	// Truncate announces a longer body than Body and closes the connection.
	Truncate bool
	// Hangup closes the connection before the fake's handler runs.
	Hangup bool
	// LoseAnswer runs the fake's handler, so the call takes effect, and closes
	// the connection instead of answering.
	LoseAnswer bool
}

// fault pairs a Fault with the calls it applies to.
type fault struct {
	op    string
	at    int // the n-th call from when it was set; 0 means every call
	Fault Fault
}

// serve answers a call with the fault; next is the fake's own handler.
func (f Fault) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if f.Delay > 0 {
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		}
	}
	switch {
	case f.Hangup:
		panic(http.ErrAbortHandler)
	case f.LoseAnswer:
		next.ServeHTTP(discard{http.Header{}}, r)
		panic(http.ErrAbortHandler)
	case f.Status != 0 || f.Header != nil || f.Body != "" || f.Truncate:
		for k, v := range f.Header {
			w.Header()[http.CanonicalHeaderKey(k)] = v
		}
		if f.Truncate {
			w.Header().Set("Content-Length", "1000000")
		}
		if f.Status != 0 {
			w.WriteHeader(f.Status)
		}
		_, _ = io.WriteString(w, f.Body)
		if f.Truncate {
			if fl, ok := w.(http.Flusher); ok {
				fl.Flush()
			}
			panic(http.ErrAbortHandler)
		}
	default:
		next.ServeHTTP(w, r)
	}
}

// discard takes an answer that nobody will see.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}
