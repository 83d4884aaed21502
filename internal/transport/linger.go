package transport

import (
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// lingerTime is how long Close waits for the answer. The answer has arrived by
// then and only has to be read.
const lingerTime = time.Second

// linger keeps the answer to a request with a streamed body from being lost. A
// server that refuses early answers and closes the connection before it has
// read the whole body. Of the two, net/http returns what it notices first: the
// answer, or that the rest of the body cannot be sent. But it reports a failed
// sending only after it has closed the body. So Close waits until the answer
// was read, which the caller tells by calling answered.
func linger(req *http.Request) (answered func()) {
	done := make(chan struct{})
	wrap := func(body io.ReadCloser) io.ReadCloser {
		return &outgoing{ReadCloser: body, ctx: req.Context(), done: done}
	}
	req.Body = wrap(req.Body)
	if open := req.GetBody; open != nil {
		req.GetBody = func() (io.ReadCloser, error) {
			body, err := open()
			if err != nil {
				return nil, err
			}
			return wrap(body), nil
		}
	}
	return sync.OnceFunc(func() { close(done) })
}

// outgoing is a body that is being sent.
type outgoing struct {
	io.ReadCloser
	ctx  context.Context // of the request that it belongs to
	done <-chan struct{}
	half atomic.Bool // some of it was read and more is to come
}

func (o *outgoing) Read(p []byte) (int, error) {
	n, err := o.ReadCloser.Read(p)
	if err != nil || n > 0 {
		o.half.Store(err == nil)
	}
	return n, err
}

func (o *outgoing) Close() error {
	if o.half.Swap(false) {
		late := time.NewTimer(lingerTime)
		defer late.Stop()
		select {
		case <-o.done:
		case <-o.ctx.Done():
		case <-late.C:
		}
	}
	return o.ReadCloser.Close()
}
