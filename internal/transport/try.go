package transport

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
)

var (
	errTryTimeout = errors.New("no complete answer in time")
	errNoReturn   = errors.New("the transport did not return")
)

// try sends one request and reads its whole answer, so that a connection lost
// in the middle of a body is an error of the try and can be retried as such.
type try struct {
	client *Client
	base   http.RoundTripper
}

func (t *try) RoundTrip(req *http.Request) (resp *http.Response, err error) {
	c, st := t.client, stateOf(req.Context())
	resend := int(st.tries.Add(1)) - 1
	asked, header := req.Context(), req.Header //nolint:contextcheck // it is the request's
	var told *attempt
	if c.hooks != nil && c.hooks.Try != nil {
		var more http.Header
		if asked, more, told = st.beginTry(req, resend); more != nil {
			header = more
		}
		defer func() { told.finish(nil, errNoReturn) }() // when it panics
	}
	timeout := cmp.Or(c.timeout, st.call.Timeout, defaultTimeout)
	ctx, cancel := context.WithTimeoutCause(asked, timeout, errTryTimeout)
	defer cancel()
	way := &passage{}
	sent := req.WithContext(way.watch(ctx, cancel))
	sent.Header = header
	answered := func() {}
	if st.body.Load() != nil {
		// net/http waits for a Read of the body in progress even when the time
		// is over. It may be of a body that net/http opened anew by itself.
		defer context.AfterFunc(ctx, func() { _ = (*st.body.Load()).Close() })()
		answered = linger(sent)
	}

	var start time.Time
	if c.logger != nil {
		start = time.Now()
	}
	st.sent.Add(1) // until the contrary is known: the transport may panic
	resp, err = t.base.RoundTrip(sent)
	if err == nil {
		err = complete(resp)
	}
	if err == nil {
		told.head()
		st.status.Store(int32(resp.StatusCode)) //nolint:gosec // of three digits
		err = bufferBody(resp, req.Method, c.maxBytes, cancel)
		answered()
		dropBadLocation(resp, req.URL)
		resp.Request = req
	}
	mayBeSent := err == nil
	if err != nil {
		if context.Cause(ctx) == errTryTimeout && req.Context().Err() == nil { //nolint:errorlint // the cause is set above, never wrapped
			err = errTryTimeout
		}
		err, mayBeSent = way.judge(alerted(err))
		if !mayBeSent && !st.call.Repeatable {
			err = &NotSentError{err}
		}
	}
	st.more.Add(max(way.writes.Load()-1, 0)) // by a transport that could not be stopped
	if !mayBeSent {
		st.sent.Add(-1)
	}
	told.finish(resp, err)
	t.log(asked, st, resend+1, resp, err, start)
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// log writes the only record of a try. Everything in it is the module's own
// word or a number; the request id is filtered by requestID.
func (t *try) log(ctx context.Context, st *state, attempt int, resp *http.Response, err error, start time.Time) {
	l := t.client.logger
	if l == nil || !l.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := [...]slog.Attr{
		slog.String("provider", t.client.provider),
		slog.String("op", st.call.Op),
		slog.String("method", st.call.Method),
		slog.String("path", st.call.Path),
		slog.Int("attempt", attempt),
		slog.Duration("duration", time.Since(start)),
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

// buffered is the body of an answer that was read to its end within the limit.
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

// outgoingBytes is the body of a request. It offers no way to rewind it: a
// layer below would do so while net/http still reads.
type outgoingBytes struct{ r bytes.Reader }

func newOutgoing(data []byte) *outgoingBytes {
	b := &outgoingBytes{}
	b.r.Reset(data)
	return b
}

func (b *outgoingBytes) Read(p []byte) (int, error) { return b.r.Read(p) }

func (*outgoingBytes) Close() error { return nil }

// refusalTime is how long the body of a 401 is waited for. Its status says what
// is to be done, and a call with a new token waits behind it.
const refusalTime = time.Second

// bufferBody reads the answer to its end. Calling cancel must end a Read.
func bufferBody(resp *http.Response, method string, limit int64, cancel func()) error {
	var enough atomic.Bool
	if resp.StatusCode == http.StatusUnauthorized {
		defer time.AfterFunc(refusalTime, func() { enough.Store(true); cancel() }).Stop()
	}
	data, err := readBody(resp, method, limit)
	_ = resp.Body.Close()
	if err != nil && resp.StatusCode != http.StatusRequestEntityTooLarge && !enough.Load() {
		// A 413 says it all in its status, and its body may be lost in the
		// reset that follows.
		return err
	}
	resp.Body = newBuffered(withoutMark(data))
	return nil
}
