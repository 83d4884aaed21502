package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptrace"
	"sync/atomic"
)

// errNotRepeated is the error of a try whose request was written and would have
// been sent again by a layer below.
var errNotRepeated = errors.New("sent, not answered, and not sent again")

// passage follows the request of one try through the base transport and sees to
// it that the request is written at most once.
//
// net/http sends a request again by itself: over HTTP/2 when the server resets
// the stream or goes away, over HTTP/1.1 when an idle connection fails a GET. A
// server, or the proxy in front of it, may have acted all the same. Callers'
// transports may retry, too. All of them ask for a connection before they send,
// so a request that has been written already is stopped there.
type passage struct {
	asked, connected, reused atomic.Bool
	stopped                  atomic.Bool
	closed                   atomic.Bool // the connection of the next write
	writes                   atomic.Int32
	conn                     atomic.Pointer[net.Conn]
	cancel                   context.CancelFunc // of the try
	trace                    httptrace.ClientTrace
}

// watch returns the context of the request. A transport that does not report to
// it as net/http does is taken to have a connection.
func (p *passage) watch(ctx context.Context, cancel context.CancelFunc) context.Context {
	p.cancel = cancel
	p.trace = httptrace.ClientTrace{GetConn: p.getConn, GotConn: p.gotConn, WroteHeaders: p.wroteHeaders}
	return httptrace.WithClientTrace(ctx, &p.trace)
}

func (p *passage) getConn(string) {
	p.asked.Store(true)
	if p.written() {
		p.stop()
	}
}

// gotConn runs before the request is written. Over HTTP/2 the end of the context
// prevents that. Over HTTP/1.1 net/http writes without a look at the context, so
// the connection, which then belongs to this request alone, is closed.
func (p *passage) gotConn(info httptrace.GotConnInfo) {
	if !p.written() {
		p.connected.Store(true)
		p.reused.Store(info.Reused)
		p.conn.Store(&info.Conn)
		return
	}
	p.stop()
	p.closed.Store(false)
	if info.Conn != nil && !shared(info.Conn) {
		defer func() { _ = recover() }() // HTTP/3 transports show connections that cannot be used
		_ = info.Conn.Close()
		p.closed.Store(true)
	}
}

// wroteHeaders is called once a request that is sent, and for what net/http writes
// into a connection that gotConn closed: that reaches nobody.
func (p *passage) wroteHeaders() {
	if !p.closed.Load() {
		p.writes.Add(1)
	}
}

func (p *passage) written() bool { return p.writes.Load() > 0 }

func (p *passage) stop() {
	p.stopped.Store(true)
	p.cancel()
}

// shared reports whether other requests are on the connection, too.
func shared(conn net.Conn) bool {
	c, ok := conn.(interface{ ConnectionState() tls.ConnectionState })
	return ok && c.ConnectionState().NegotiatedProtocol == "h2"
}

// judge reports whether the provider may have got the request of a try that
// ended with err, and returns the error to go on with. Without a connection
// nothing was sent, whatever err says: a timeout does not tell what it
// interrupted. Where the server refused the TLS handshake, nothing was handled.
// And once the request was written, a later failure to connect does not mean
// that nothing was sent.
func (p *passage) judge(err error) (_ error, sent bool) {
	if conn := p.conn.Load(); conn != nil && !p.reused.Load() {
		err = lateAlert(*conn, err, p.written())
	}
	refused := errors.As(err, new(*tlsRefusal))
	switch {
	case p.stopped.Load():
		return errNotRepeated, true
	case p.asked.Load() && !p.connected.Load(), refused && !p.reused.Load():
		return err, false
	case !wasNotSent(err):
		return err, true
	case p.written():
		return errNotRepeated, true
	}
	return err, false
}
