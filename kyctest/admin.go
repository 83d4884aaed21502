package kyctest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// AdminPath is where the routes of Admin begin.
const AdminPath = "/_admin/"

// maxAdmin bounds the body of an admin request, and maxScripted how many faults
// one request scripts.
const (
	maxAdmin    = 1 << 20
	maxScripted = 10_000
)

// Admin returns an HTTP interface to a fake, so that tests in any language can
// drive it. Mount it under [AdminPath].
//
//	GET  /_admin/transactions                    the prompts, as JSON
//	POST /_admin/transactions/{transId}/approve  also reject, expire, error; needs no body
//	POST /_admin/faults                          {"op":"status","n":2,"status":503}
//	POST /_admin/reset                           Fake.Reset
//	GET  /_admin/requests                        [{"op","method","path"}] of what arrived
//
// A fault is for the next n calls of op, 0 for every call until the reset. It
// may have "delay" (such as "2s"), "header" (an object of strings), "body",
// "truncate", "hangup" and "loseAnswer" as well, see [Fault]; an array scripts
// several. Answers have no body but for errors, {"error"}. Nothing of this is
// recorded.
func Admin(f Fake) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_admin/transactions", func(w http.ResponseWriter, _ *http.Request) {
		prompts := f.Prompts()
		if prompts == nil {
			prompts = []Prompt{}
		}
		WriteJSON(w, http.StatusOK, prompts)
	})
	mux.HandleFunc("POST /_admin/transactions/{transId}/{answer}", func(w http.ResponseWriter, r *http.Request) {
		answer := r.PathValue("answer")
		if !slices.Contains([]string{"approve", "reject", "expire", "error"}, answer) {
			adminError(w, http.StatusNotFound, "the answers are approve, reject, expire and error")
			return
		}
		switch err := f.Answer(r.PathValue("transId"), answer); {
		case errors.Is(err, ErrNoPrompt):
			adminError(w, http.StatusNotFound, err.Error())
		case err != nil:
			adminError(w, http.StatusConflict, err.Error())
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	})
	mux.HandleFunc("POST /_admin/faults", func(w http.ResponseWriter, r *http.Request) {
		script, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAdmin))
		if err == nil {
			err = Script(f, script)
		}
		if err != nil {
			adminError(w, http.StatusBadRequest, err.Error())
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /_admin/reset", func(w http.ResponseWriter, _ *http.Request) {
		f.Reset()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /_admin/requests", func(w http.ResponseWriter, _ *http.Request) {
		type line struct {
			Op     string `json:"op"`
			Method string `json:"method"`
			Path   string `json:"path"`
		}
		lines := []line{}
		for _, r := range f.Requests("") {
			lines = append(lines, line{r.Op, r.Method, r.Path})
		}
		WriteJSON(w, http.StatusOK, lines)
	})
	return mux
}

func adminError(w http.ResponseWriter, status int, text string) {
	WriteJSON(w, status, map[string]string{"error": text})
}

// scripted is a fault as JSON.
type scripted struct {
	Op         string            `json:"op"`
	N          int               `json:"n"`
	Status     int               `json:"status"`
	Delay      string            `json:"delay"`
	Header     map[string]string `json:"header"`
	Body       string            `json:"body"`
	Truncate   bool              `json:"truncate"`
	Hangup     bool              `json:"hangup"`
	LoseAnswer bool              `json:"loseAnswer"`
}

// Script scripts the faults of a JSON object, or of an array of such objects,
// whose fields are those of the faults of [Admin]. On an error nothing is
// scripted.
func Script(f Fake, script []byte) error {
	var list []scripted
	if text := bytes.TrimSpace(script); len(text) > 0 && text[0] != '[' {
		script = append(append([]byte{'['}, text...), ']')
	}
	d := json.NewDecoder(bytes.NewReader(script))
	d.DisallowUnknownFields()
	if err := d.Decode(&list); err != nil {
		return errors.New(`a fault is a JSON object such as {"op":"status","n":2,"status":503}, with delay, header, body, truncate, hangup, loseAnswer besides`)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something after the faults")
	}
	faults := make([]Fault, len(list))
	for i, s := range list {
		var err error
		if faults[i], err = s.fault(f.Operations()); err != nil {
			return err
		}
	}
	for i, s := range list {
		if s.N == 0 {
			f.Fail(s.Op, 0, faults[i])
		}
		for n := range s.N {
			f.Fail(s.Op, n+1, faults[i])
		}
	}
	return nil
}

func (s scripted) fault(operations []string) (Fault, error) {
	f := Fault{Status: s.Status, Body: s.Body, Truncate: s.Truncate, Hangup: s.Hangup, LoseAnswer: s.LoseAnswer}
	switch {
	case !slices.Contains(operations, s.Op):
		return f, errors.New("op is one of " + strings.Join(operations, ", "))
	case s.N < 0 || s.N > maxScripted:
		return f, errors.New("n is 0 for every call, or at most 10000")
	case s.Status != 0 && (s.Status < 200 || s.Status > 599):
		return f, errors.New("status is from 200 to 599")
	}
	if s.Delay != "" {
		var err error
		if f.Delay, err = time.ParseDuration(s.Delay); err != nil || f.Delay < 0 {
			return f, errors.New(`delay is a duration such as "1.5s"`)
		}
	}
	for k, v := range s.Header {
		if f.Header == nil {
			f.Header = http.Header{}
		}
		f.Header.Set(k, v)
	}
	if f.Delay == 0 && f.Status == 0 && f.Header == nil && f.Body == "" && !f.Truncate && !f.Hangup && !f.LoseAnswer {
		return f, errors.New("a fault needs a status, a delay, a header, a body, truncate, hangup or loseAnswer")
	}
	return f, nil
}
