package auth

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/redact"
	"github.com/kyckit/kyckit/internal/transport"
)

// NewTransport returns a RoundTripper that sends a bearer token from src with
// every request. Nil base means http.DefaultTransport; with a nil src every
// request fails.
//
// A 401 drops the token if src has a method Invalidate(Token), as [Cache] has,
// and the request is sent once more with a new one; all requests that were
// refused together share one exchange. A request whose body cannot be rewound
// (no GetBody, or one that fails) is not repeated and its 401 returned. A 403
// is always returned as it is.
//
// The token goes to https only, loopback aside: any other request fails before
// it is sent. A redirect to another host or scheme is followed without it. The
// caller's request is not changed. Safe for concurrent use if base and src are.
func NewTransport(base http.RoundTripper, src Source) http.RoundTripper {
	if transport.Missing(base) {
		base = http.DefaultTransport
	}
	t := &bearerTransport{next: base.RoundTrip, invalidate: func(Token) {}}
	if transport.Missing(src) {
		src = SourceFunc(func(context.Context) (Token, error) {
			return Token{}, failure(kyckit.ErrInvalid, "there is no token source")
		})
	}
	t.fetch = src.Token
	t.cache, _ = src.(*Cache)
	if inv, ok := src.(invalidator); ok {
		t.invalidate, t.drops = inv.Invalidate, true
	}
	return t
}

// bearerTransport keeps what it calls in closures, which no dumper of
// structures looks into.
type bearerTransport struct {
	next       func(*http.Request) (*http.Response, error)
	fetch      func(context.Context) (Token, error)
	cache      *Cache // the source, when it is one
	invalidate func(Token)
	drops      bool // invalidate does something
	last       atomic.Pointer[grant]
}

// grant is a token ready to send.
type grant struct {
	token  Token
	header []string
	entry  *entry // of the cache, when the source is one
}

// Format implements fmt.Formatter: every verb writes a redacted form.
func (*bearerTransport) Format(f fmt.State, _ rune) { redact.Format(f, "auth.Transport") }

func (t *bearerTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !sameOrigin(req) {
		return t.next(req)
	}
	if !transport.SecureURL(req.URL) {
		closeBody(req)
		return nil, &transport.NotSentError{Err: &kyckit.Error{
			Provider: provider, Op: opToken, Kind: kyckit.ErrInvalid, Reason: "a token is sent to https only (http only on loopback)",
		}}
	}
	ctx := req.Context()
	g, err := t.grant(ctx)
	if err != nil {
		closeBody(req)
		return nil, &transport.NotSentError{Err: err}
	}
	resp, err := t.send(req, g, transport.Owned(ctx))
	if err != nil || resp == nil || resp.StatusCode != http.StatusUnauthorized {
		g.note(resp)
		return resp, err
	}
	if g.entry != nil {
		t.cache.drop(g.entry) //nolint:contextcheck // serves all callers, not this one
	} else {
		t.invalidate(g.token)
	}
	hasBody := req.Body != nil && req.Body != http.NoBody
	if transport.Once(ctx) || hasBody && req.GetBody == nil {
		return resp, nil
	}
	fresh, err := t.grant(ctx)
	if err == nil && !t.drops && fresh.token.Access.Reveal() == g.token.Access.Reveal() {
		return resp, nil
	}
	replay := *req
	if err == nil && hasBody {
		body, failed := req.GetBody()
		if failed != nil {
			return resp, nil //nolint:nilerr // cannot be rewound after all: the refusal is the answer
		}
		replay.Body = body
	}
	discard(resp)
	if err != nil {
		// Not quite unsent, but refused: nothing came of it.
		return nil, &transport.NotSentError{Err: err}
	}
	// A second 401 is final. The new token stays: that it is the fault of the
	// token is no longer likely, and each drop costs an exchange.
	resp, err = t.send(&replay, fresh, false)
	fresh.note(resp)
	if err == nil && resp != nil {
		resp.Request = req
	}
	return resp, err
}

// note remembers what the provider thinks of the token; resp is nil when there
// was no answer.
func (g grant) note(resp *http.Response) {
	e := g.entry
	switch {
	case e == nil || resp == nil:
	case resp.StatusCode == http.StatusUnauthorized:
		e.refused.Store(true)
	case resp.StatusCode/100 != 2:
	case e.refused.Load():
		e.acceptedStill.Store(true)
	case !e.accepted.Load():
		e.accepted.Store(true)
	}
}

// send sends req with the token, on a copy unless the request is the module's
// own.
func (t *bearerTransport) send(req *http.Request, g grant, inPlace bool) (*http.Response, error) {
	if inPlace {
		if has := req.Header["Authorization"]; len(has) != 1 || &has[0] != &g.header[0] {
			req.Header["Authorization"] = g.header
		}
		return t.next(req)
	}
	// A shallow copy with its own header map is enough: values are replaced,
	// never written to.
	clone := *req
	clone.Header = make(http.Header, len(req.Header)+1)
	for k, v := range req.Header {
		clone.Header[k] = v
	}
	clone.Header["Authorization"] = g.header
	resp, err := t.next(&clone)
	if err == nil && resp != nil { // net/http reports those who return neither
		resp.Request = req // without the token
	}
	return resp, err
}

func (t *bearerTransport) grant(ctx context.Context) (grant, error) {
	if t.cache != nil {
		e, err := t.cache.entry(ctx)
		if err != nil {
			return grant{}, err
		}
		if e.header == nil {
			return grant{}, unsendable()
		}
		return grant{e.token, e.header, e}, nil
	}
	token, err := t.fetch(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return grant{}, gaveUp(ctx.Err())
		}
		return grant{}, asError(err)
	}
	access := token.Access.Reveal()
	if last := t.last.Load(); last != nil && last.token.Access.Reveal() == access {
		return grant{token, last.header, nil}, nil
	}
	g := &grant{token, headerOf(access), nil}
	if g.header == nil {
		return grant{}, unsendable()
	}
	t.last.Store(g)
	return *g, nil
}

func unsendable() error {
	return failure(kyckit.ErrDecode, "the source returned a token that cannot stand in a header")
}

// headerOf is the value of the Authorization header, or nil when access cannot
// stand in one. It is shared by all requests and never written to; its capacity
// is its length, so that appending to it copies.
func headerOf(access string) []string {
	if !sendable(access) {
		return nil
	}
	return []string{bearer + " " + access}
}

// sameOrigin reports that req is no redirect that left the scheme or host its
// chain began with. Where the chain cannot be followed, it is not.
func sameOrigin(req *http.Request) bool {
	for r := req; r.Response != nil; {
		r = r.Response.Request
		if r == nil || r.URL == nil || r.URL.Scheme != req.URL.Scheme || r.URL.Host != req.URL.Host {
			return false
		}
	}
	return true
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

// discard reads what is left of a small answer, so that its connection can be
// used again.
func discard(resp *http.Response) {
	if resp.Body == nil { // only a fake's
		return
	}
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	_ = resp.Body.Close()
}
