package kycjwt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/textproto"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/redact"
	"github.com/kyckit/kyckit/internal/transport"
)

// uploadTimeout is the default for one try of an upload.
const uploadTimeout = 2 * time.Minute

// File is a multipart form with one file, as the Body of a Request. The file
// is streamed: it is never held in memory as a whole.
type File struct {
	// Field is the name of the file's form field. Empty means "file".
	Field string
	// Name is the file name that the provider sees. Required.
	Name string
	// ContentType is the file's media type. Empty means
	// "application/octet-stream".
	ContentType string
	// Reader supplies the file. It is read from its current position and not
	// closed. With an io.Seeker an upload that met an expired token is replayed
	// after the login; otherwise it ends in kyckit.ErrUnauthorized and the
	// caller opens the file anew. A Read in progress cannot be interrupted.
	Reader io.Reader
	// Size is the length of the file in bytes. Zero means unknown: the form is
	// then sent without a Content-Length. A Reader that yields more or less
	// breaks the upload off.
	Size int64
	// Fields are the form's further fields, sent before the file.
	Fields []Field
}

// Field is one plain field of a form.
type Field struct{ Name, Value string }

// Format implements fmt.Formatter and shows the type's name only.
func (File) Format(f fmt.State, _ rune) { redact.Format(f, "kycjwt.File") }

// LogValue implements slog.LogValuer.
func (File) LogValue() slog.Value { return redact.Value("kycjwt.File") }

// Format implements fmt.Formatter and shows the type's name only.
func (Field) Format(f fmt.State, _ rune) { redact.Format(f, "kycjwt.Field") }

// LogValue implements slog.LogValuer.
func (Field) LogValue() slog.Value { return redact.Value("kycjwt.Field") }

// upload is a form on its way. Its parts around the file are written once;
// each send reads them and the file again.
type upload struct {
	contentType string
	head, tail  []byte
	file        io.Reader
	seeker      io.Seeker // nil when the file can be read once only
	start       int64
	size        int64 // 0 when unknown

	reading sync.Mutex                 // held while the file is read or rewound
	current atomic.Pointer[uploadBody] // the send that may read the file
	failure atomic.Pointer[error]      // what the file's reader said, or one of the errors below
}

var (
	errShort = errors.New("the file is shorter than its Size")
	errLong  = errors.New("the file is longer than its Size")
	errCount = errors.New("the file's reader returned an impossible count")
	errStale = errors.New("another send reads the file")
)

func newUpload(op string, f *File) (*upload, error) {
	switch {
	case f.Reader == nil:
		return nil, invalid(op, "File.Reader is required")
	case f.Name == "":
		return nil, invalid(op, "File.Name is required")
	case f.Size < 0:
		return nil, invalid(op, "File.Size must not be negative")
	}
	for _, s := range []string{f.Field, f.Name, f.ContentType} {
		if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return nil, invalid(op, "File.Field, Name and ContentType must not hold control characters")
		}
	}
	u := &upload{file: f.Reader, size: f.Size}
	if s, ok := f.Reader.(io.Seeker); ok {
		// A pipe has a Seek that fails; it is then a plain reader.
		if at, err := s.Seek(0, io.SeekCurrent); err == nil {
			u.seeker, u.start = s, at
		}
	}
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	u.contentType = w.FormDataContentType()
	for _, field := range f.Fields {
		if err := w.WriteField(field.Name, field.Value); err != nil {
			return nil, invalid(op, "a form field cannot be encoded")
		}
	}
	name, contentType := f.Field, f.ContentType
	if name == "" {
		name = "file"
	}
	if contentType == "" {
		contentType = "application/octet-stream"
	}
	header := textproto.MIMEHeader{
		"Content-Disposition": {multipart.FileContentDisposition(name, f.Name)},
		"Content-Type":        {contentType},
	}
	if _, err := w.CreatePart(header); err != nil {
		return nil, invalid(op, "the form cannot be encoded")
	}
	u.head = bytes.Clone(form.Bytes())
	form.Reset()
	if err := w.Close(); err != nil {
		return nil, invalid(op, "the form cannot be encoded")
	}
	u.tail = bytes.Clone(form.Bytes())
	return u, nil
}

func (u *upload) body() transport.Body {
	length := int64(-1)
	if u.size > 0 {
		length = int64(len(u.head)+len(u.tail)) + u.size
	}
	return transport.Body{ContentType: u.contentType, Open: u.open, Length: length, OneShot: u.seeker == nil}
}

// open starts the form anew. An earlier send, which net/http may still be
// reading, gets no more of the file.
func (u *upload) open() (io.ReadCloser, error) {
	b := &uploadBody{u: u, head: u.head, tail: u.tail, left: u.size}
	u.current.Store(b)
	if u.seeker != nil {
		u.reading.Lock()
		defer u.reading.Unlock()
		if _, err := u.seeker.Seek(u.start, io.SeekStart); err != nil {
			return nil, u.fail(err)
		}
	}
	return b, nil
}

// fail remembers why the file could not be read.
func (u *upload) fail(err error) error {
	u.failure.Store(&err)
	return err
}

// explain replaces the error of an upload that its own reader broke off. The
// form was then incomplete, so there was nothing for the provider to accept.
func (u *upload) explain(op string, err error) error {
	if u == nil {
		return err
	}
	failure := u.failure.Load()
	var e *kyckit.Error
	if failure == nil || errors.As(err, &e) && e.StatusCode != 0 {
		return err
	}
	cause := *failure
	reason := "the file cannot be read to its end; the upload was broken off"
	if cause == errShort || cause == errLong { //nolint:errorlint // set below, never wrapped
		reason = cause.Error() + "; the upload was broken off"
	}
	failed := &kyckit.Error{Provider: provider, Op: op, Kind: kyckit.ErrInvalid, Reason: reason, Err: readerError{cause}}
	if e != nil {
		failed.Attempts = e.Attempts
	}
	return failed
}

// readerError hides the text of the caller's reader, which may name files,
// and keeps the error itself for errors.Is.
type readerError struct{ cause error }

func (readerError) Error() string   { return "the file's reader failed" }
func (e readerError) Unwrap() error { return e.cause }

func (readerError) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, readerError{}.Error()) }

// uploadBody is one send of the form.
type uploadBody struct {
	u          *upload
	head, tail []byte
	left       int64 // of the file, when its size is known
	ended      bool  // the file was read to its end
}

// Read yields the head, the file, the tail.
func (b *uploadBody) Read(p []byte) (int, error) {
	b.u.reading.Lock()
	defer b.u.reading.Unlock()
	if b.u.current.Load() != b {
		return 0, errStale
	}
	if len(b.head) > 0 {
		n := copy(p, b.head)
		b.head = b.head[n:]
		return n, nil
	}
	if !b.ended && len(p) > 0 {
		n, err := b.readFile(p)
		if n > 0 || err != nil {
			return n, err
		}
	}
	if !b.ended {
		return 0, nil
	}
	if len(b.tail) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.tail)
	b.tail = b.tail[n:]
	return n, nil
}

// readFile reads a piece of the file. At the end of a file of known size it
// makes sure that nothing follows, before the form is completed.
func (b *uploadBody) readFile(p []byte) (int, error) {
	known := b.u.size > 0
	var probe [1]byte
	switch {
	case known && b.left == 0:
		p = probe[:]
	case known && int64(len(p)) > b.left:
		p = p[:b.left]
	}
	n, err := b.u.file.Read(p)
	switch {
	case n < 0 || n > len(p):
		return 0, b.u.fail(errCount)
	case known && b.left == 0 && n > 0:
		return 0, b.u.fail(errLong)
	}
	b.left -= int64(n)
	switch {
	case err == io.EOF && known && b.left > 0: //nolint:errorlint // io.Reader's contract is io.EOF itself
		return 0, b.u.fail(errShort)
	case err == io.EOF: //nolint:errorlint // as above
		b.ended = true
		return n, nil
	case err != nil:
		return 0, b.u.fail(err)
	}
	return n, nil
}

// Close ends the send: what still reads it gets nothing more. It never waits
// for a Read in progress.
func (b *uploadBody) Close() error {
	b.u.current.CompareAndSwap(b, nil)
	return nil
}
