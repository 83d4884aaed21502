package transport

import (
	"context"
	"net/http/httptrace"
	"sync/atomic"
)

// dial watches whether a try came to have a connection. Without one nothing was
// sent, however the try ended: when time runs out or the caller gives up, the
// error does not tell in the middle of what.
type dial struct{ asked, connected atomic.Bool }

// watch returns a context whose request reports to d. A transport that is not
// net/http's and does not report is taken to have a connection.
func (d *dial) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { d.asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { d.connected.Store(true) },
	})
}

// failed reports whether a connection was asked for in vain.
func (d *dial) failed() bool { return d.asked.Load() && !d.connected.Load() }
