package kycjwt

import (
	"cmp"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/upload"
)

// uploadTimeout is the default for one try of an upload.
const uploadTimeout = 2 * time.Minute

// File is a multipart form with one file, as the Body of a Request. The file
// is streamed: it is never held in memory as a whole.
type File struct {
	kyckit.Redacted
	// Field is the name of the file's form field. Empty means "file".
	Field string
	// Name is the file name that the provider sees. Directories and characters
	// outside a-z, A-Z, 0-9, ".", "_" and "-" are dropped; where nothing is left
	// of it, "file" stands in. Required.
	Name string
	// ContentType is the file's media type. Empty means
	// "application/octet-stream".
	ContentType string
	// Reader supplies the file. It is read from its current position and not
	// closed. With an io.Seeker an upload that met an expired token is replayed
	// after the login; otherwise it ends in kyckit.ErrUnauthorized and the
	// caller opens the file anew. It must not be used elsewhere during the call.
	// When the call's context ends during a Read, the call waits for that Read
	// for a tenth of a second and then leaves it to return by itself.
	Reader io.Reader
	// Size is the length of the file in bytes. Zero means unknown: the form is
	// then sent without a Content-Length. A Reader that yields more or less
	// breaks the upload off.
	Size int64
	// Fields are the form's further fields, sent before the file.
	Fields []Field
}

// Field is one plain field of a form.
type Field struct {
	kyckit.Redacted
	Name, Value string
}

// newForm makes the form of a file.
func newForm(op string, f *File) (*upload.Form, error) {
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
	form := upload.New()
	for _, field := range f.Fields {
		form.Field(field.Name, field.Value, "")
	}
	source, err := form.Source(cmp.Or(f.Field, "file"), f.Reader)
	if err != nil {
		return nil, unreadableFile(op, err)
	}
	if source.Size = f.Size; f.Size == 0 {
		source.Size = -1
	}
	name, ext := upload.CleanName(f.Name)
	form.File(source, cmp.Or(name, "file")+ext, cmp.Or(f.ContentType, "application/octet-stream"))
	return form, nil
}

// readGrace is how long a Read of the file in progress is waited for after its
// call. Readers of memory and of files need microseconds.
const readGrace = 100 * time.Millisecond

// unreadableFile is the error of a file whose reader broke the upload off.
func unreadableFile(op string, cause error) *kyckit.Error {
	reason := "the file cannot be read to its end"
	switch {
	case errors.Is(cause, upload.ErrShort):
		reason = "the file is shorter than its Size"
	case errors.Is(cause, upload.ErrLong):
		reason = "the file is longer than its Size"
	}
	e := invalid(op, reason+"; the upload was broken off")
	e.Err = cause
	return e
}
