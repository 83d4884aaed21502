package nafath

import "context"

// Origin tells a kyckit.Trace whose verification a call of a Poller is for. The
// Poller's status checks and details calls hang on no caller: their context is
// the Poller's. Origin returns the context of the caller who asked for the
// verification or waits for it, so that a span can be linked to that caller's;
// nil where none is known, as after Begin. It is for its values: it may have
// ended long ago. False means that the context is not of such a call.
func Origin(ctx context.Context) (caller context.Context, ok bool) {
	o, ok := ctx.Value(originKey{}).(*origin)
	if !ok {
		return nil, false
	}
	return o.caller, true
}

type originKey struct{}

// origin is the context of a call of the Poller.
type origin struct {
	context.Context // the Poller's

	caller context.Context // kept for its values
}

// Value returns the origin itself for its key.
func (o *origin) Value(key any) any {
	if key == (originKey{}) {
		return o
	}
	return o.Context.Value(key)
}

// link remembers who asked for a verification or waits for it, the first of them.
// Without a Trace nobody asks, and no caller's context is kept. The caller of
// link holds p.mu.
func (p *state) link(ctx context.Context, e *entry) {
	if e.caller == nil && p.cfg.Client.http.Traced() {
		e.caller = ctx
	}
}

// onBehalf returns the context of a call of the Poller for a verification.
func (p *state) onBehalf(e *entry) context.Context {
	if !p.cfg.Client.http.Traced() {
		return p.life
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return &origin{p.life, e.caller}
}
