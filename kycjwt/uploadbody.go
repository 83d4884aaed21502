package kycjwt

import (
	"io"
	"sync"
	"time"
)

// uploadBody is one send of the form. net/http waits for a Read in progress
// before it returns, so a Read here ends with the call's context, and with the
// time for one try, even where the caller's reader hangs.
type uploadBody struct {
	u          *upload
	head, tail []byte
	buf        []byte // what the file is read into; nobody else's while no Read is in progress
	left       int64  // of the file, when its size is known
	ended      bool   // the file was read to its end
	late       <-chan time.Time
	closing    sync.Once
	closed     chan struct{}
}

// Read yields the head, the file, the tail.
func (b *uploadBody) Read(p []byte) (int, error) {
	switch {
	case b.u.current.Load() != b:
		return 0, errStale
	case len(p) == 0:
		return 0, nil
	case len(b.head) > 0:
		n := copy(p, b.head)
		b.head = b.head[n:]
		return n, nil
	}
	if b.late == nil {
		b.late = time.After(b.u.limit)
	}
	for !b.ended {
		n, err := b.readFile(p)
		if n > 0 || err != nil {
			return n, err
		}
	}
	if len(b.tail) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.tail)
	b.tail = b.tail[n:]
	return n, nil
}

// piece is what one Read of the file yielded.
type piece struct {
	data []byte
	err  error
}

// maxPiece is how much of the file is read at once.
const maxPiece = 64 << 10

// readFile reads a piece of the file. At the end of a file of known size it
// makes sure that nothing follows, before the form is completed.
func (b *uploadBody) readFile(p []byte) (int, error) {
	known := b.u.size > 0
	want := min(len(p), maxPiece)
	if known {
		want = int(min(int64(want), max(b.left, 1)))
	}
	got, err := b.read(want)
	if err != nil {
		return 0, err
	}
	n := len(got.data)
	if known && b.left == 0 && n > 0 {
		return 0, b.u.fail(errLong)
	}
	b.left -= int64(n)
	switch {
	case got.err == io.EOF && known && b.left > 0: //nolint:errorlint // io.Reader's contract is io.EOF itself
		return 0, b.u.fail(errShort)
	case got.err == io.EOF: //nolint:errorlint // as above
		b.ended = true
	case got.err != nil:
		return 0, b.u.fail(got.err)
	}
	return copy(p, got.data), nil
}

// read asks the file for up to n bytes and waits until they are here, the call
// is over or the send is closed.
func (b *uploadBody) read(n int) (piece, error) {
	if err := b.u.acquire(b); err != nil {
		return piece{}, err
	}
	if cap(b.buf) < n {
		b.buf = make([]byte, n)
	}
	data := b.buf[:n]
	done := make(chan piece, 1)
	go func() {
		defer b.u.release()
		n, err := b.u.file.Read(data)
		if n < 0 || n > len(data) {
			n, err = 0, errCount
		}
		done <- piece{data[:n], err}
	}()
	select {
	case got := <-done:
		return got, nil
	case <-b.u.ctx.Done():
		return piece{}, b.u.ctx.Err()
	case <-b.late:
		return piece{}, errLate
	case <-b.closed:
		return piece{}, errStale
	}
}

// Close ends the send: what still reads it gets nothing more. It never waits
// for a Read in progress.
func (b *uploadBody) Close() error {
	b.closing.Do(func() { close(b.closed) })
	b.u.current.CompareAndSwap(b, nil)
	return nil
}
