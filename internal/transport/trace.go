package transport

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/kyckit/kyckit"
)

// hooks is the caller's Trace, and what it is told of every call of a client.
type hooks struct {
	kyckit.Trace
	provider string
	server   string
	port     int
}

// newHooks returns nil when there is nobody to tell.
func newHooks(trace *kyckit.Trace, provider, base string) *hooks {
	if trace == nil || trace.Call == nil && trace.Try == nil {
		return nil
	}
	h := &hooks{Trace: *trace, provider: provider}
	if u, err := url.Parse(base); err == nil {
		h.server = u.Hostname()
		switch h.port, _ = strconv.Atoi(u.Port()); {
		case h.port != 0:
		case u.Scheme == "https":
			h.port = 443
		default:
			h.port = 80
		}
	}
	return h
}

// span is one logical call that hooks are told of: from Do to the end of the
// function that reads the answer. It is the context that Scope returns.
type span struct {
	context.Context // the caller's

	taken atomic.Bool
	begun time.Time
	end   func(kyckit.CallEnd)
	st    *state
	told  joined // the context of the call's requests, if the hook returned one
}

type spanKey struct{}

// Value returns the span itself for its key.
func (s *span) Value(key any) any {
	if key == (spanKey{}) {
		return s
	}
	return s.Context.Value(key)
}

func nothing(*error) {}

// Scope lets a call end, for hooks, with the function that makes it instead of
// with Do: what is wrong with the answer is part of the call. The first call
// that is made with the context is the one that is meant. The function that
// Scope returns is to be deferred with the address of the error that the caller
// gets.
func (c *Client) Scope(ctx context.Context) (context.Context, func(*error)) {
	if c == nil || c.hooks == nil {
		return ctx, nothing
	}
	s := &span{Context: ctx}
	return s, s.finish
}

// traced is do with hooks.
func (c *Client) traced(ctx context.Context, call *Call) (_ *Response, err error) {
	s, _ := ctx.Value(spanKey{}).(*span)
	if s == nil || s.taken.Swap(true) {
		s = &span{}
		defer s.finish(&err)
	}
	st := &state{client: c, call: call, info: kyckit.CallInfo{
		Provider: c.hooks.provider, Op: call.Op, Method: call.Method, Path: call.Path, URL: c.base + call.Path,
		Server: c.hooks.server, Port: c.hooks.port,
	}}
	s.st, s.begun = st, time.Now()
	st.Context = ctx
	if c.hooks.Call != nil {
		guard(func() {
			told, end := c.hooks.Call(ctx, st.info)
			s.end = end
			if told != nil {
				s.told = joined{ctx, told, told.Value(spanKey{}) == s}
				st.Context = &s.told
			}
		})
	}
	return c.do(st) //nolint:contextcheck // the state is the context
}

func (s *span) finish(err *error) {
	if s.end == nil {
		return
	}
	end := kyckit.CallEnd{
		Err: *err, StatusCode: int(s.st.status.Load()), Tries: int(s.st.tries.Load()), Duration: time.Since(s.begun),
	}
	guard(func() { s.end(end) })
}

// guard keeps a panic of a hook from the call.
func guard(hook func()) {
	defer func() { _ = recover() }()
	hook()
}

// joined has the values of a context that a hook returned. Its end is that of the
// call: a hook can neither end a call nor keep it from ending.
type joined struct {
	context.Context // of the call

	values context.Context // the hook's
	all    bool            // that is made from Context and has its values, too
}

func (j *joined) Value(key any) any {
	if key == (stateKey{}) {
		return j.Context.Value(key)
	}
	if v := j.values.Value(key); v != nil || j.all {
		return v
	}
	return j.Context.Value(key)
}

// attempt is one request that hooks are told of.
type attempt struct {
	st    *state
	begun time.Time
	took  time.Duration // to the end of the answer's head
	end   func(kyckit.TryEnd)
	told  joined // the context of the request, if the hook returned one
}

// beginTry tells the hook of a request that is about to be sent. It returns the
// request's context and the headers to send with it, nil for no others.
func (st *state) beginTry(req *http.Request, resend int) (ctx context.Context, header http.Header, _ *attempt) {
	ctx = req.Context()
	t := &attempt{st: st, begun: time.Now()}
	info := kyckit.TryInfo{Resend: resend, Header: make(http.Header)}
	guard(func() {
		told, end := st.client.hooks.Try(ctx, st.info, info)
		t.end = end
		if told != nil {
			t.told = joined{ctx, told, told.Value(stateKey{}) == st}
			ctx = &t.told
		}
	})
	return ctx, added(req.Header, info.Header), t
}

// added returns sent with the headers that a hook adds, or nil when there are
// none. What is sent already stays as it is, and what decides how net/http sends
// a request or reads an answer is not a hook's business.
func added(sent, more http.Header) http.Header {
	var all http.Header
	for name, values := range more {
		name = http.CanonicalHeaderKey(name)
		if _, taken := sent[name]; taken || reserved(name) || len(values) == 0 ||
			slices.ContainsFunc(values, func(v string) bool { return !ValidHeader(name, v) }) {
			continue
		}
		if all == nil {
			all = maps.Clone(sent)
		}
		all[name] = slices.Clone(values)
	}
	return all
}

func reserved(name string) bool {
	switch name {
	case "Accept-Encoding", "Authorization", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Cookie",
		"Expect", "Host", "Idempotency-Key", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection", "Range", "Te",
		"Trailer", "Transfer-Encoding", "Upgrade", "X-Idempotency-Key":
		return true
	}
	return false
}

// head notes that the answer's head is there.
func (t *attempt) head() {
	if t != nil {
		t.took = time.Since(t.begun)
	}
}

// finish tells the hook how the request ended.
func (t *attempt) finish(resp *http.Response, err error) {
	if t == nil || t.end == nil {
		return
	}
	end := kyckit.TryEnd{Duration: t.took}
	if t.took == 0 {
		end.Duration = time.Since(t.begun)
	}
	if resp != nil {
		end.StatusCode, end.Protocol = resp.StatusCode, protocol(resp)
	}
	if err != nil {
		end.Err = t.st.client.tryError(t.st, err)
	}
	guard(func() { t.end(end) })
	t.end = nil
}

func protocol(resp *http.Response) string {
	switch {
	case resp.ProtoMajor == 1 && resp.ProtoMinor == 1:
		return "1.1"
	case resp.ProtoMajor >= 2:
		return strconv.Itoa(resp.ProtoMajor)
	}
	return strconv.Itoa(resp.ProtoMajor) + "." + strconv.Itoa(resp.ProtoMinor)
}

// tryError is the error of one request, of this module's own words.
func (c *Client) tryError(st *state, err error) *kyckit.Error {
	e := &kyckit.Error{Provider: st.info.Provider, Op: st.call.Op, Kind: kyckit.ErrUnavailable, Attempts: 1, Reason: reason(err), Err: safeCause(err)}
	switch {
	case errors.Is(err, errTryTimeout), errors.Is(err, context.DeadlineExceeded):
		e.Kind, e.Err = context.DeadlineExceeded, nil
	case errors.Is(err, context.Canceled):
		e.Kind, e.Err = context.Canceled, nil
	case errors.Is(err, errTooLarge):
		e.Kind = kyckit.ErrDecode
	}
	return e
}

// Traced reports whether hooks are told of the calls.
func (c *Client) Traced() bool { return c != nil && c.hooks != nil }
