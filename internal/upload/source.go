package upload

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// What goes wrong with a reader, in a [ReaderError].
var (
	// ErrShort: it ended before Source.Size.
	ErrShort = fmt.Errorf("shorter than announced: %w", io.ErrUnexpectedEOF)
	// ErrLong: it goes on after Source.Size.
	ErrLong = errors.New("longer than announced")
	// ErrLimit: it yields more than Source.Max.
	ErrLimit = errors.New("larger than allowed")

	errCount = errors.New("impossible count")
)

// ErrStopped is the error of a reader that was not waited for.
var ErrStopped = errors.New("upload: stopped")

// ReaderError says that a file cannot be read to its end. It hides the text of
// the caller's reader, which may hold a file name, from everything but
// errors.Is and errors.As.
type ReaderError struct {
	// Field is the name of the file's part.
	Field string

	cause error
}

// Error does not show the cause.
func (*ReaderError) Error() string { return "the file's reader failed" }

// Unwrap returns the reader's own error, or one of this package's.
func (e *ReaderError) Unwrap() error { return e.cause }

// Format implements fmt.Formatter and does not show the cause.
func (e ReaderError) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }

// turn is the right to use the readers of a form, which may be one and the same.
type turn chan struct{}

// take waits for the turn. False means that quit was closed.
func (t turn) take(quit <-chan struct{}) bool {
	select {
	case t <- struct{}{}:
	case <-quit:
		return false
	}
	select {
	case <-quit: // both were ready
		t.pass()
		return false
	default:
		return true
	}
}

func (t turn) pass() { <-t }

// Source is a file of a form: a caller's reader from its position at the time
// of [Form.Source] to its end.
type Source struct {
	// Size is the file's length, -1 if unknown. More or less is an error.
	Size int64
	// Max is how much may be read; 0 means any amount.
	Max int64

	field  string
	reader io.Reader
	seeker io.Seeker // nil: the reader can be read once only
	start  int64     // position of the seeker at the first byte
	direct bool      // Read always returns soon

	// The fields below belong to whoever has the turn.
	turn  turn
	off   int64  // what was read
	head  []byte // of a reader that cannot seek: what Peek saw
	buf   []byte
	ahead []byte // in buf: what a Read brought and nobody took yet
	end   error  // how that Read ended
}

// chunk is how much is read at once of a reader that may hang.
const chunk = 64 << 10

// Source puts a reader under guard, and measures it if it can seek. The field
// is the name of its part.
func (f *Form) Source(field string, r io.Reader) (*Source, error) {
	s := &Source{Size: -1, field: field, reader: r, turn: f.turn}
	seeker, ok := r.(io.Seeker)
	if !ok {
		return s, nil
	}
	start, err := seeker.Seek(0, io.SeekCurrent)
	if err != nil {
		return s, nil //nolint:nilerr // a pipe has the method, but cannot
	}
	if end, err := seeker.Seek(0, io.SeekEnd); err == nil {
		s.Size = max(end-start, 0)
	}
	if _, err := seeker.Seek(start, io.SeekStart); err != nil {
		return nil, s.failed(err)
	}
	s.seeker, s.start = seeker, start
	switch r.(type) {
	case *bytes.Reader, *strings.Reader, *os.File:
		s.direct = true // needs no goroutine that can be left behind
	}
	return s, nil
}

// Repeatable reports whether a Source can be sent again.
func (s *Source) Repeatable() bool { return s.seeker != nil }

// Peek returns the first n bytes, fewer if there are no more, without taking
// them off. It gives up with ErrStopped when quit is closed.
func (s *Source) Peek(n int, quit <-chan struct{}) ([]byte, error) {
	head, err := s.fill(make([]byte, n), quit)
	switch {
	case err != nil:
		return nil, err
	case s.seeker != nil:
		return head, s.rewind(quit)
	}
	s.head, s.off = head, 0
	return head, nil
}

// fill reads into p as far as the reader reaches.
func (s *Source) fill(p []byte, quit <-chan struct{}) ([]byte, error) {
	n := 0
	for n < len(p) {
		m, err := s.read(p[n:], quit)
		n += m
		if err == io.EOF { //nolint:errorlint // io.Reader's contract is io.EOF itself
			break
		} else if err != nil {
			return nil, err
		}
	}
	return p[:n], nil
}

func (s *Source) rewind(quit <-chan struct{}) error {
	if !s.turn.take(quit) {
		return ErrStopped
	}
	defer s.turn.pass()
	s.off, s.ahead, s.end = 0, nil, nil
	_, err := s.seeker.Seek(s.start, io.SeekStart)
	return s.failed(err)
}

// read reads at least one byte, or returns io.EOF, ErrStopped or a ReaderError.
func (s *Source) read(p []byte, quit <-chan struct{}) (n int, err error) {
	if !s.turn.take(quit) {
		return 0, ErrStopped
	}
	if !s.direct && len(s.head)+len(s.ahead) == 0 && s.end == nil && !s.fetch(quit) {
		return 0, ErrStopped // the Read left behind has the turn
	}
	defer s.turn.pass()
	switch {
	case len(s.head) > 0:
		n = copy(p, s.head)
		s.head = s.head[n:]
	case s.direct:
		n, err = readSome(s.reader, p)
	default:
		n = copy(p, s.ahead)
		if s.ahead = s.ahead[n:]; len(s.ahead) == 0 {
			err = s.end
		}
	}
	s.off += int64(n)
	switch {
	case s.Size >= 0 && s.off > s.Size:
		err = ErrLong
	case s.Max > 0 && s.off > s.Max:
		err = ErrLimit
	case err == io.EOF && s.off < s.Size: //nolint:errorlint // as above
		err = ErrShort
	}
	return n, s.failed(err)
}

func (s *Source) failed(err error) error {
	if err == nil || err == io.EOF { //nolint:errorlint // as above
		return err
	}
	return &ReaderError{Field: s.field, cause: err}
}

// fetch reads ahead. When quit is closed it returns false, even if the reader
// does not return: that Read then ends by itself, and keeps the turn until it
// does.
func (s *Source) fetch(quit <-chan struct{}) bool {
	if s.buf == nil {
		s.buf = make([]byte, chunk)
	}
	done := make(chan struct{})
	go func() {
		n, err := readSome(s.reader, s.buf)
		s.ahead, s.end = s.buf[:n], err
		select {
		case done <- struct{}{}:
		case <-quit:
			s.turn.pass()
		}
	}()
	select {
	case <-done:
		return true
	case <-quit:
		return false
	}
}

// readSome reads until there is a byte or an error, and turns a count that no
// reader may return into an error.
func readSome(r io.Reader, p []byte) (int, error) {
	for range 100 {
		n, err := r.Read(p)
		if n < 0 || n > len(p) {
			return 0, errCount
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}
