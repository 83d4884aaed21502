package faceki

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path"
	"strings"
	"time"
)

// Image is a JPEG or PNG picture to send. The type is read from the content;
// neither Name nor a file's extension is believed.
//
// The Reader is read from its current position to its end, while the request is
// sent: the image is never held in memory as a whole. An io.Seeker, such as an
// *os.File or a bytes.Reader, lets the request announce its length and lets it
// be repeated after a 401; see Config.BufferReaders for others. A reader must
// not be used elsewhere during the call. When a call ends early while a Read
// blocks, that Read is waited for up to a second and then left to return by
// itself, so give readers that can block for long a deadline of their own.
type Image struct {
	// Name is a file name to tell the provider, optional. Directories and
	// characters outside a-z, A-Z, 0-9, ".", "_" and "-" are dropped and the
	// extension is made to match the content.
	Name string
	// Reader yields the picture.
	Reader io.Reader
}

// Document is one identity document. Only passports have no back.
type Document struct {
	Front Image
	Back  Image
}

var (
	jpegMagic = []byte{0xff, 0xd8, 0xff}
	pngMagic  = []byte("\x89PNG\r\n\x1a\n")
)

// source is an image that was looked at and is ready to be sent.
type source struct {
	field       string // the part's name, for errors
	filename    string
	contentType string
	reader      io.Reader
	seeker      io.Seeker // nil: the reader can be read once only
	start       int64     // position of the seeker at the image's first byte
	size        int64     // -1: unknown
	head        []byte    // what was read of a reader that cannot go back
	max         int64

	// busy is held while the reader is in use, so that no two Reads overlap
	// and the end of the last one can be waited for.
	busy chan struct{}
	// Of a reader that may block: what was read ahead, and how that ended.
	buf, ahead []byte
	end        error
}

// newSource checks an image as far as it can be checked without reading it.
func newSource(ctx context.Context, op, field string, img Image, limit int64, buffer bool) (*source, error) {
	if img.Reader == nil {
		return nil, imageError(op, field, "has no image", ErrImage)
	}
	s := &source{field: field, reader: img.Reader, size: -1, max: limit, busy: make(chan struct{}, 1)}
	if err := s.measure(); err != nil {
		return nil, imageError(op, field, "cannot be read", ErrImage, &readerError{err})
	}
	if s.size > limit {
		return nil, imageError(op, field, "is larger than MaxImageBytes", ErrImageTooLarge)
	}

	head := make([]byte, len(pngMagic))
	n, err := s.readFull(head, ctx.Done())
	head = head[:n]
	if ctx.Err() != nil {
		return nil, contextError(op, ctx.Err())
	}
	if err != nil {
		return nil, imageError(op, field, "cannot be read", ErrImage, &readerError{err})
	}
	var ext string
	switch {
	case n == 0:
		return nil, imageError(op, field, "is empty", ErrImage)
	case bytes.HasPrefix(head, jpegMagic):
		s.contentType, ext = "image/jpeg", ".jpg"
	case bytes.Equal(head, pngMagic):
		s.contentType, ext = "image/png", ".png"
	default:
		return nil, imageError(op, field, "is neither JPEG nor PNG", ErrImage)
	}
	s.filename = fileName(img.Name, field) + ext

	switch {
	case s.seeker != nil:
		// Back to the start: another part may be given the same reader.
		if err := s.rewind(nil, nil); err != nil {
			return nil, imageError(op, field, "cannot be read", ErrImage, &readerError{err})
		}
	case buffer:
		return s, s.buffer(ctx, op, head)
	default:
		s.head = head
	}
	return s, nil
}

// measure finds out whether the reader can go back, and its size if so.
func (s *source) measure() error {
	seeker, ok := s.reader.(io.Seeker)
	if !ok {
		return nil
	}
	start, err := seeker.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil //nolint:nilerr // a pipe has the method, but cannot
	}
	end, err := seeker.Seek(0, io.SeekEnd)
	if err != nil {
		return nil //nolint:nilerr // nor this one
	}
	if _, err := seeker.Seek(start, io.SeekStart); err != nil {
		return err
	}
	s.seeker, s.start, s.size = seeker, start, max(end-start, 0)
	return nil
}

// bufferChunk is how much memory buffer takes at a time: no doubling, so that
// an image never needs twice its size.
const bufferChunk = 256 << 10

// buffer reads the rest of the image into memory.
func (s *source) buffer(ctx context.Context, op string, head []byte) error {
	held := &chunks{}
	held.add(head)
	for {
		chunk := make([]byte, bufferChunk)
		n, err := s.readFull(chunk, ctx.Done())
		held.add(chunk[:n])
		switch {
		case ctx.Err() != nil:
			return contextError(op, ctx.Err())
		case err != nil:
			return imageError(op, s.field, "cannot be read", ErrImage, &readerError{err})
		case held.size > s.max:
			return imageError(op, s.field, "is larger than MaxImageBytes", ErrImageTooLarge)
		case n < len(chunk):
			s.reader, s.seeker, s.size = held, held, held.size
			return nil
		}
	}
}

// chunks is an image in memory, in pieces.
type chunks struct {
	list [][]byte
	size int64
	at   int // the current piece
	off  int // what was read of it
}

func (c *chunks) add(b []byte) {
	if len(b) > 0 {
		c.list, c.size = append(c.list, b), c.size+int64(len(b))
	}
}

func (c *chunks) Read(p []byte) (int, error) {
	for c.at < len(c.list) && c.off == len(c.list[c.at]) {
		c.at, c.off = c.at+1, 0
	}
	if c.at == len(c.list) {
		return 0, io.EOF
	}
	n := copy(p, c.list[c.at][c.off:])
	c.off += n
	return n, nil
}

// Seek goes to the start, the one place that anybody asks for.
func (c *chunks) Seek(int64, int) (int64, error) {
	c.at, c.off = 0, 0
	return 0, nil
}

// errNoProgress says that a reader yields neither bytes nor an error.
var errNoProgress = errors.New("no progress")

// readFull fills p as far as the reader reaches; its end is no error.
func (s *source) readFull(p []byte, done <-chan struct{}) (int, error) {
	n, idle := 0, 0
	for n < len(p) {
		m, err := s.read(p[n:], done, nil)
		n += m
		switch {
		case errors.Is(err, io.EOF):
			return n, nil
		case err != nil:
			return n, err
		case m > 0:
			idle = 0
		default:
			if idle++; idle > 100 {
				return n, errNoProgress
			}
		}
	}
	return n, nil
}

// acquire takes the reader, unless one of the channels is closed.
func (s *source) acquire(done, quit <-chan struct{}) error {
	select {
	case s.busy <- struct{}{}:
	case <-done:
		return errUploadStopped
	case <-quit:
		return errUploadStopped
	}
	// Both may have been ready.
	select {
	case <-done:
	case <-quit:
	default:
		return nil
	}
	<-s.busy
	return errUploadStopped
}

// idle reports whether nobody reads.
func (s *source) idle() bool { return len(s.busy) == 0 }

// wait returns true when nobody reads any more.
func (s *source) wait(late <-chan time.Time) bool {
	select {
	case s.busy <- struct{}{}:
		<-s.busy
		return true
	case <-late:
		return false
	}
}

func (s *source) rewind(done, quit <-chan struct{}) error {
	if err := s.acquire(done, quit); err != nil {
		return err
	}
	defer func() { <-s.busy }()
	s.ahead, s.end = nil, nil
	_, err := s.seeker.Seek(s.start, io.SeekStart)
	return err
}

// read reads once. When done or quit is closed it returns, even if the reader
// does not: that Read then ends by itself, into a buffer that nobody sees.
func (s *source) read(p []byte, done, quit <-chan struct{}) (int, error) {
	if err := s.acquire(done, quit); err != nil {
		return 0, err
	}
	if !s.mayBlock() {
		defer func() { <-s.busy }()
		return readOnce(s.reader, p)
	}
	if len(s.ahead) == 0 && s.end == nil {
		if s.buf == nil {
			s.buf = make([]byte, readChunk)
		}
		type result struct {
			n   int
			err error
		}
		results := make(chan result, 1)
		go func() {
			n, err := readOnce(s.reader, s.buf)
			results <- result{n, err}
		}()
		select {
		case r := <-results:
			s.ahead, s.end = s.buf[:r.n], r.err
		case <-done:
			return 0, s.abandon(func() { <-results })
		case <-quit:
			return 0, s.abandon(func() { <-results })
		}
	}
	defer func() { <-s.busy }()
	n := copy(p, s.ahead)
	if s.ahead = s.ahead[n:]; len(s.ahead) > 0 {
		return n, nil
	}
	return n, s.end
}

// abandon leaves a Read to itself. The reader stays busy until it returns.
func (s *source) abandon(wait func()) error {
	go func() {
		wait()
		<-s.busy
	}()
	return errUploadStopped
}

// readChunk is how much is read ahead of a reader that may block.
const readChunk = 64 << 10

// mayBlock is false for readers of memory and of files on disk, which need no
// goroutine to be left behind.
func (s *source) mayBlock() bool {
	switch s.reader.(type) {
	case *bytes.Reader, *strings.Reader, *bytes.Buffer, *chunks:
		return false
	case *os.File:
		return s.seeker == nil
	default:
		return true
	}
}

// readOnce turns a count that no reader may return into an error.
func readOnce(r io.Reader, p []byte) (int, error) {
	n, err := r.Read(p)
	if n < 0 || n > len(p) {
		return 0, errNoProgress
	}
	return n, err
}

// maxFileName bounds the name that is sent.
const maxFileName = 64

// fileName makes a name without extension that is safe in a header.
func fileName(name, field string) string {
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	name = strings.TrimSuffix(name, path.Ext(name))
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-' {
			return r
		}
		return -1
	}, name)
	if name = strings.Trim(name, "."); name == "" {
		return field
	}
	return name[:min(len(name), maxFileName)]
}
