package kycjwt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/textproto"
	"strings"
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
	// caller opens the file anew. When the call's context ends during a Read, the
	// call returns at once and one goroutine waits for that Read to return.
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
	ctx         context.Context // the call's; an upload lives as long as its call
	limit       time.Duration   // of one send
	contentType string
	head, tail  []byte
	file        io.Reader
	seeker      io.Seeker // nil when the file can be read once only
	start       int64
	size        int64 // 0 when unknown

	reading chan struct{}              // holds one value while the file is read or rewound
	current atomic.Pointer[uploadBody] // the send that may read the file
	failure atomic.Pointer[error]      // what the file's reader said, or one of the errors below
}

var (
	errShort = errors.New("the file is shorter than its Size")
	errLong  = errors.New("the file is longer than its Size")
	errCount = errors.New("the file's reader returned an impossible count")
	errLate  = errors.New("the send took too long")
	errStale = errors.New("another send reads the file")
)

func newUpload(ctx context.Context, limit time.Duration, op string, f *File) (*upload, error) {
	switch {
	case f == nil || f.Reader == nil:
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
	u := &upload{ctx: ctx, limit: limit, file: f.Reader, size: f.Size, reading: make(chan struct{}, 1)}
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
	b := &uploadBody{u: u, head: u.head, tail: u.tail, left: u.size, closed: make(chan struct{})}
	u.current.Store(b)
	if u.seeker != nil {
		if err := u.acquire(b); err != nil {
			return nil, err
		}
		defer u.release()
		if _, err := u.seeker.Seek(u.start, io.SeekStart); err != nil {
			return nil, u.fail(err)
		}
	}
	return b, nil
}

// acquire waits until nobody reads the file, which a Read that hangs may
// prevent for ever.
func (u *upload) acquire(b *uploadBody) error {
	select {
	case u.reading <- struct{}{}:
		return nil
	case <-u.ctx.Done():
		return u.ctx.Err()
	case <-b.late:
		return errLate
	case <-b.closed:
		return errStale
	}
}

func (u *upload) release() { <-u.reading }

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
