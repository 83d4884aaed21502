package transport

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/kyckit/kyckit"
)

// state follows one call through the layers: it is the context of the call's
// requests. A middleware may pass the call on from several goroutines, and return
// while one of them is still at it.
type state struct {
	context.Context // the caller's

	client *Client
	call   *Call
	begun  atomic.Bool
	info   kyckit.CallInfo               // for hooks, if there are any
	tries  atomic.Int32                  // requests that were sent, or were about to be
	more   atomic.Int32                  // requests that a layer below sent all the same
	status atomic.Int32                  // of the last answer
	sent   atomic.Int32                  // those that the provider may have got, and one more while sending goes on
	body   atomic.Pointer[io.ReadCloser] // what Body.Open returned last
}

type stateKey struct{}

// Value returns the state itself for its key, so that it is found in contexts
// that are made from it.
func (st *state) Value(key any) any {
	if key == (stateKey{}) {
		return st
	}
	return st.Context.Value(key)
}

func stateOf(ctx context.Context) *state {
	st, _ := ctx.Value(stateKey{}).(*state)
	return st
}

// attempts is what the provider can have seen.
func (st *state) attempts() int { return int(st.tries.Load() + st.more.Load()) }

// track remembers what open returned last.
func (st *state) track(open func() (io.ReadCloser, error)) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) {
		body, err := open()
		if err == nil {
			st.body.Store(&body)
		}
		return body, err
	}
}

// Innermost reports whether rt is the innermost layer of a Client. What is built
// on it gets that client's requests only: a user's own request may carry the
// context of a call, but does not come this way. The header map of such a request
// is its own, so that the layer above may set headers in place before it sends.
func Innermost(rt http.RoundTripper) bool {
	_, ok := rt.(*try)
	return ok
}

// Once reports whether the call of this context forbids a second request.
func Once(ctx context.Context) bool {
	st := stateOf(ctx)
	return st != nil && st.call.Once
}
