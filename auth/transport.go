package auth

import (
	"context"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/transport"
)

// NewTransport returns a RoundTripper that sends a bearer token from src with
// every request. Nil base means http.DefaultTransport; with a nil src every
// request fails.
//
// After a 401 the request is sent once more with a new token; all requests that
// were refused together share one exchange. Where the new token is accepted, it
// takes the place of the old one. Until then all other requests keep theirs: a
// resource that refuses every token takes nothing else down. When no new token
// can be had, the 401 is returned. So is that of a request whose body cannot be
// rewound (no GetBody, or one that fails), but the next request has the new
// token. A 403 is always returned as it is.
//
// The exchanges that refused tokens cause are bounded, whoever causes them: ten
// in a row that help nobody, then one a minute, and not more than 120 in any
// hour. A revoked token is replaced at once, or within a little more than a
// minute where the ten are used up.
//
// All that holds for a src that is a [Cache]. Any other one with a method
// Invalidate(Token) is told of a refused token within the same budget, and asked
// again; without that method it is asked again.
//
// The token goes to https only, loopback aside, and when hosts are given to
// those only, such as "api.example.com" or "api.example.com:8443": any other
// request fails before it is sent. A redirect to another host or scheme is
// followed without the token. The caller's request is not changed. Safe for
// concurrent use if base and src are.
func NewTransport(base http.RoundTripper, src Source, hosts ...string) http.RoundTripper {
	if transport.Missing(base) {
		base = http.DefaultTransport
	}
	t := &bearerTransport{next: base.RoundTrip, own: transport.Innermost(base), refuses: transport.Refusal(base), base: time.Now()} //nolint:bodyclose // a function, not an answer
	for _, host := range hosts {
		t.hosts = append(t.hosts, hostOf(host))
	}
	if transport.Missing(src) {
		src = SourceFunc(func(context.Context) (Token, error) {
			return Token{}, failure(kyckit.ErrInvalid, "there is no token source")
		})
	}
	t.fetch = src.Token
	t.cache, _ = src.(*Cache)
	if inv, ok := src.(invalidator); ok {
		t.invalidate = inv.Invalidate
	}
	return t
}

// bearerTransport keeps what it calls in closures, which no dumper of
// structures looks into.
type bearerTransport struct {
	kyckit.Redacted
	next       func(*http.Request) (*http.Response, error)
	own        bool // all requests are the module's own
	refuses    func(*http.Response) bool
	fetch      func(context.Context) (Token, error)
	cache      *Cache      // the source, when it is one
	invalidate func(Token) // the source's; nil for none
	hosts      []string    // the only ones that get a token; none for all
	last       atomic.Pointer[grant]
	base       time.Time

	mu     sync.Mutex
	budget budget // of a source that is not a Cache
}

// grant is a token ready to send.
type grant struct {
	token  Token
	header []string
	entry  *entry // of the cache, when the source is one
}

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
	if len(t.hosts) > 0 && !slices.Contains(t.hosts, hostOf(req.URL.Host)) {
		closeBody(req)
		return nil, &transport.NotSentError{Err: failure(kyckit.ErrInvalid, "the token is not for this host")}
	}
	ctx := req.Context()
	g, err := t.grant(req)
	if err != nil {
		closeBody(req)
		return nil, &transport.NotSentError{Err: err}
	}
	resp, err := t.send(req, g, t.own)
	if err != nil || resp == nil || !t.refuses(resp) {
		return resp, err
	}
	hasBody := req.Body != nil && req.Body != http.NoBody
	repeatable := (!t.own || !transport.Once(ctx)) && (!hasBody || req.GetBody != nil)
	fresh, ok := t.another(req, g, repeatable)
	if !ok {
		if err := ctx.Err(); err != nil {
			discard(resp)
			// The request was sent and refused, so it had no effect, as if
			// unsent.
			return nil, &transport.NotSentError{Err: gaveUp(err)}
		}
		return resp, nil
	}
	replay := *req
	if hasBody {
		body, failed := req.GetBody()
		if failed != nil {
			return resp, nil //nolint:nilerr // cannot be rewound after all: the refusal is the answer
		}
		replay.Body = body
	}
	discard(resp)
	// A second 401 is the answer: that the token is the reason is no longer
	// likely.
	resp, err = t.send(&replay, fresh, false)
	if err == nil && resp != nil {
		t.learn(resp, fresh, req)
		resp.Request = req
	}
	return resp, err
}

// hostOf is a host as it is compared: without the default port of https.
func hostOf(host string) string { return strings.TrimSuffix(strings.ToLower(host), ":443") }

// another returns what to repeat a refused request with, and false when the
// refusal is the answer.
func (t *bearerTransport) another(req *http.Request, g grant, repeatable bool) (grant, bool) {
	ctx := req.Context()
	if t.cache != nil {
		e := t.cache.another(ctx, g.entry, placeOf(req), repeatable)
		if e == nil {
			return grant{}, false
		}
		return grant{e.token, e.header, e}, true
	}
	if t.invalidate != nil {
		if !t.mayExchange() {
			return grant{}, false
		}
		guard(func() { t.invalidate(g.token) })
	}
	if !repeatable {
		return grant{}, false
	}
	fresh, err := t.grant(req)
	if err != nil || fresh.token.Access.Reveal() == g.token.Access.Reveal() {
		return grant{}, false
	}
	return fresh, true
}

// mayExchange asks the budget for a source that is not a [Cache].
func (t *bearerTransport) mayExchange() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.budget.take(time.Since(t.base))
}

// learn takes note of what the provider did with a new token.
func (t *bearerTransport) learn(resp *http.Response, g grant, req *http.Request) {
	switch status := resp.StatusCode; {
	case t.refuses(resp):
		if g.entry != nil {
			t.cache.disproved(g.entry, placeOf(req))
		}
	case status >= 500, status == http.StatusProxyAuthRequired, status == http.StatusRequestTimeout, status == http.StatusTooManyRequests:
		// The server that answered so may not have looked at the token.
	case g.entry != nil:
		t.cache.proved(g.entry)
	default:
		t.mu.Lock()
		t.budget.notVain()
		t.mu.Unlock()
	}
}

// send sends req with the token: in its own header map while nobody else has
// that, or on a copy. A map that was sent is not changed: net/http may still
// read it when the answer is there.
func (t *bearerTransport) send(req *http.Request, g grant, inPlace bool) (*http.Response, error) {
	if inPlace {
		req.Header["Authorization"] = g.header
		return t.next(req)
	}
	// A shallow copy with its own header map is enough: values are replaced,
	// never written to.
	clone := *req
	clone.Header = make(http.Header, len(req.Header)+1)
	maps.Copy(clone.Header, req.Header)
	clone.Header["Authorization"] = g.header
	resp, err := t.next(&clone)
	if err == nil && resp != nil { // net/http reports those who return neither
		resp.Request = req // without the token
	}
	return resp, err
}

func (t *bearerTransport) grant(req *http.Request) (grant, error) {
	ctx := req.Context()
	if t.cache != nil {
		e, err := t.cache.entry(ctx)
		if err == nil && e.refused.Load() != nil {
			err = t.cache.hopeless(e, req)
		}
		if err != nil {
			return grant{}, err
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
		return grant{}, failure(kyckit.ErrDecode, noHeader)
	}
	t.last.Store(g)
	return *g, nil
}

const noHeader = "the source returned a token that cannot stand in a header"

// headerOf is the value of the Authorization header, or nil when access cannot
// stand in one. It is shared by all requests and never written to; its capacity
// is its length, so that appending to it copies.
func headerOf(access string) []string {
	if !sendable(access) {
		return nil
	}
	return []string{bearer + " " + access}
}

// sameOrigin reports whether req has the scheme and host that its chain of
// redirects began with. It is false where the chain cannot be followed.
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

// discardTime is how long the rest of a refusal is waited for.
const discardTime = 100 * time.Millisecond

// discard reads what is left of a small answer, so that its connection can be
// used again, but does not wait for a body that never ends.
func discard(resp *http.Response) {
	if resp.Body == nil { // only a fake's
		return
	}
	if _, inMemory := resp.Body.(io.Seeker); inMemory || resp.Body == http.NoBody {
		_ = resp.Body.Close()
		return
	}
	late := time.AfterFunc(discardTime, func() { _ = resp.Body.Close() })
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	late.Stop()
	_ = resp.Body.Close()
}
