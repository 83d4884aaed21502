package faceki

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/transport"
)

// upload is a multipart body that is produced while it is sent: texts in
// memory, images from their readers. Its length is known when every image can
// be measured.
type upload struct {
	op       string
	boundary string
	segments []segment
	length   int64           // -1: unknown
	oneShot  bool            // an image cannot be read twice
	done     <-chan struct{} // of the call's context
	limit    time.Duration   // how long one sending may take

	mu      sync.Mutex
	current *uploadBody
	failure error // why an image could not be sent; a *kyckit.Error
}

// segment is a run of text or an image.
type segment struct {
	text  string
	image *source
}

func newUpload(ctx context.Context, op string, limit time.Duration, fields [][2]string, images []*source) *upload {
	u := &upload{op: op, boundary: rand.Text(), done: ctx.Done(), limit: limit}
	var text strings.Builder
	for _, f := range fields {
		fmt.Fprintf(&text, "--%s\r\nContent-Disposition: form-data; name=%q\r\nContent-Type: text/plain\r\n\r\n%s\r\n",
			u.boundary, f[0], f[1])
	}
	for _, img := range images {
		fmt.Fprintf(&text, "--%s\r\nContent-Disposition: form-data; name=%q; filename=%q\r\nContent-Type: %s\r\n\r\n",
			u.boundary, img.field, img.filename, img.contentType)
		u.add(segment{text: text.String()})
		u.add(segment{image: img})
		text.Reset()
		text.WriteString("\r\n")
	}
	fmt.Fprintf(&text, "--%s--\r\n", u.boundary)
	u.add(segment{text: text.String()})
	return u
}

func (u *upload) add(s segment) {
	u.segments = append(u.segments, s)
	size := int64(len(s.text))
	if s.image != nil {
		size = s.image.size
		u.oneShot = u.oneShot || s.image.seeker == nil
	}
	if size < 0 || u.length < 0 {
		u.length = -1
		return
	}
	u.length += size
}

func (u *upload) body() transport.Body {
	return transport.Body{
		ContentType: "multipart/form-data; boundary=" + u.boundary,
		Open:        u.open,
		Length:      u.length,
		OneShot:     u.oneShot,
	}
}

var (
	errUploadStopped = errors.New("faceki: the upload was stopped")
	errUploadFailed  = errors.New("faceki: an image cannot be sent")
)

// open starts the body anew, after the body before it has let go of the
// readers.
func (u *upload) open() (io.ReadCloser, error) {
	u.mu.Lock()
	last := u.current
	u.mu.Unlock()
	if last != nil && (u.oneShot || !last.stop()) {
		return nil, errUploadStopped
	}
	b := &uploadBody{upload: u, quit: make(chan struct{})}
	// net/http waits for a Read in progress even when the request has timed
	// out, so the body must end by itself a little after that.
	b.timer = time.AfterFunc(u.limit+stopGrace, b.leave)
	u.mu.Lock()
	u.current = b
	u.mu.Unlock()
	return b, nil
}

// finish ends the use of the readers and returns why an image could not be
// sent, if that is what happened.
func (u *upload) finish() error {
	u.mu.Lock()
	last := u.current
	u.mu.Unlock()
	if last != nil {
		last.stop()
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.failure
}

func (u *upload) fail(err *kyckit.Error) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.failure == nil {
		u.failure = err
	}
	return errUploadFailed
}

// uploadBody is one sending of an upload. net/http may read and close it from
// a goroutine that outlives the call.
type uploadBody struct {
	upload *upload
	at     int   // the current segment
	off    int64 // what was read of it

	once  sync.Once
	quit  chan struct{}
	timer *time.Timer
}

// leave lets no further Read through and ends one in progress.
func (b *uploadBody) leave() { b.once.Do(func() { close(b.quit) }) }

// Close ends the body.
func (b *uploadBody) Close() error {
	b.timer.Stop()
	b.leave()
	return nil
}

// stopGrace is how long a reader in the middle of a Read is waited for. Readers
// of memory and of files need microseconds.
const stopGrace = time.Second

// stop closes the body and waits until the readers are at rest. False means
// that one of them is not.
func (b *uploadBody) stop() bool {
	_ = b.Close()
	var late <-chan time.Time
	for _, seg := range b.upload.segments {
		if seg.image == nil || seg.image.idle() {
			continue
		}
		if late == nil {
			timer := time.NewTimer(stopGrace)
			defer timer.Stop()
			late = timer.C
		}
		if !seg.image.wait(late) {
			return false
		}
	}
	return true
}

func (b *uploadBody) Read(p []byte) (int, error) {
	for b.at < len(b.upload.segments) {
		seg := b.upload.segments[b.at]
		var n int
		var done bool
		var err error
		if seg.image == nil {
			n = copy(p, seg.text[b.off:])
			b.off += int64(n)
			done = b.off == int64(len(seg.text))
		} else {
			n, done, err = b.readImage(seg.image, p)
		}
		if err != nil {
			return n, err
		}
		if done {
			b.at, b.off = b.at+1, 0
		}
		if n > 0 || !done {
			return n, nil
		}
	}
	return 0, io.EOF
}

// readImage reads on in an image; done says that it has ended.
func (b *uploadBody) readImage(s *source, p []byte) (n int, done bool, err error) {
	u := b.upload
	unreadable := func(cause error) error {
		return u.fail(imageError(u.op, s.field, "cannot be read to its end; the request was not completed", ErrImage, &readerError{cause}))
	}
	if b.off == 0 && s.seeker != nil {
		// Here and not when the body is opened, so that two parts can have the
		// same reader.
		if err := s.rewind(u.done, b.quit); errors.Is(err, errUploadStopped) {
			return 0, false, err
		} else if err != nil {
			return 0, false, unreadable(err)
		}
	}
	if b.off < int64(len(s.head)) {
		n = copy(p, s.head[b.off:])
		b.off += int64(n)
		return n, false, nil
	}
	if s.size >= 0 {
		if b.off == s.size {
			return 0, true, nil
		}
		p = p[:min(int64(len(p)), s.size-b.off)]
	}
	n, err = s.read(p, u.done, b.quit)
	b.off += int64(n)
	switch {
	case b.off > s.max:
		return 0, false, u.fail(imageError(u.op, s.field, "is larger than MaxImageBytes; the request was not completed", ErrImageTooLarge))
	case err == nil:
		return n, b.off == s.size, nil
	case errors.Is(err, errUploadStopped):
		return n, false, err
	case !errors.Is(err, io.EOF):
		return n, false, unreadable(err)
	case s.size >= 0 && b.off < s.size:
		return n, false, unreadable(io.ErrUnexpectedEOF)
	default:
		return n, true, nil
	}
}
