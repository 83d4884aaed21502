package transport

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"
)

var errTryTimeout = errors.New("no complete answer in time")

// try sends one request and reads its whole answer, so that a connection lost
// in the middle of a body is an error of the try and can be retried as such.
type try struct {
	client *Client
	base   http.RoundTripper
}

func (t *try) RoundTrip(req *http.Request) (*http.Response, error) {
	c, st := t.client, stateOf(req.Context())
	timeout := cmp.Or(c.timeout, defaultTimeout)
	if c.timeout == 0 && st != nil && st.call.Timeout > 0 {
		timeout = st.call.Timeout
	}
	ctx, cancel := context.WithTimeoutCause(req.Context(), timeout, errTryTimeout)
	defer cancel()
	var conn *dial
	traced := ctx
	if st != nil && !st.call.Repeatable {
		conn = &dial{}
		traced = conn.watch(ctx)
	}
	sent := req.WithContext(traced)
	answered := func() {}
	if st != nil && st.body.Load() != nil {
		// net/http waits for a Read of the body in progress even when the time
		// is over. It may be of a body that net/http opened anew by itself.
		defer context.AfterFunc(ctx, func() { _ = (*st.body.Load()).Close() })()
		answered = linger(sent)
	}

	start := time.Now()
	resp, err := t.base.RoundTrip(sent)
	if err == nil {
		err = complete(resp)
	}
	if err == nil {
		err = bufferBody(resp, req.Method, c.maxBytes, answered)
		dropBadLocation(resp, req.URL)
		resp.Request = req
	}
	if err != nil && context.Cause(ctx) == errTryTimeout && req.Context().Err() == nil { //nolint:errorlint // the cause is set above, never wrapped
		err = errTryTimeout
	}
	if err != nil && conn != nil && conn.failed() {
		err = &NotSentError{err}
	}
	if st != nil && (err == nil || !wasNotSent(err)) { // errors.As costs memory also for nothing
		st.sent.Add(1)
	}
	t.log(req.Context(), st, resp, err, time.Since(start))
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// log writes the only record of a try. Everything in it is the module's own
// word or a number; the request id is filtered by requestID.
func (t *try) log(ctx context.Context, st *state, resp *http.Response, err error, took time.Duration) {
	l := t.client.logger
	if l == nil || st == nil || !l.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := [...]slog.Attr{
		slog.String("provider", t.client.provider),
		slog.String("op", st.call.Op),
		slog.String("method", st.call.Method),
		slog.String("path", st.call.Path),
		slog.Int("attempt", int(st.tries.Load())+1),
		slog.Duration("duration", took),
		{},
		{},
	}
	n := 6
	if err != nil {
		attrs[n] = slog.String("failure", reason(err))
		n++
	} else {
		attrs[n] = slog.Int("status", resp.StatusCode)
		n++
		if id := requestID(resp, t.client.requestIDHeader); id != "" {
			attrs[n] = slog.String("request_id", id)
			n++
		}
	}
	l.LogAttrs(ctx, slog.LevelDebug, "kyckit call", attrs[:n]...)
}

// buffered is a body that is wholly in memory: a request's, or a response's
// that was read to its end within the limit.
type buffered struct {
	bytes.Reader
	data []byte
}

func newBuffered(data []byte) *buffered {
	b := &buffered{data: data}
	b.Reset(data)
	return b
}

func (*buffered) Close() error { return nil }

// bufferBody reads the answer to its end and calls answered then.
func bufferBody(resp *http.Response, method string, limit int64, answered func()) error {
	data, err := readBody(resp, method, limit)
	answered()
	_ = resp.Body.Close()
	if err != nil && resp.StatusCode != http.StatusRequestEntityTooLarge {
		// A 413 says it all in its status, and its body may be lost in the
		// reset that follows.
		return err
	}
	resp.Body = newBuffered(data)
	return nil
}
