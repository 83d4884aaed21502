package upload

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"strings"
	"sync"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/transport"
)

// Form is a multipart form that is produced while it is sent.
type Form struct {
	boundary string
	parts    []part
	text     bytes.Buffer // what follows the last file
	oneShot  bool         // a file cannot be read twice
	turn     turn         // to use a reader

	mu      sync.Mutex
	current *send
	failure *ReaderError
}

// part is a run of text with the file that follows it, if any.
type part struct {
	text   string
	source *Source
}

// New returns an empty form.
func New() *Form {
	f := &Form{boundary: rand.Text(), turn: make(turn, 1), parts: make([]part, 0, 4)}
	f.text.Grow(512)
	return f
}

// Field adds a plain field. An empty contentType sends none.
func (f *Form) Field(name, value, contentType string) {
	// The name is escaped as that of a file is.
	f.header(strings.TrimSuffix(multipart.FileContentDisposition(name, ""), `; filename=""`), contentType)
	f.text.WriteString(value)
	f.text.WriteString("\r\n")
}

// File adds a file, whose Size must be final. Neither filename nor contentType
// may hold control characters.
func (f *Form) File(s *Source, filename, contentType string) {
	f.header(multipart.FileContentDisposition(s.field, filename), contentType)
	f.parts = append(f.parts, part{f.text.String(), s})
	f.oneShot = f.oneShot || s.seeker == nil
	f.text.Reset()
	f.text.WriteString("\r\n")
}

func (f *Form) header(disposition, contentType string) {
	fmt.Fprintf(&f.text, "--%s\r\nContent-Disposition: %s\r\n", f.boundary, disposition)
	if contentType != "" {
		fmt.Fprintf(&f.text, "Content-Type: %s\r\n", contentType)
	}
	f.text.WriteString("\r\n")
}

// Body completes the form, once. The body announces its length if every Source has a
// Size, and can be sent anew if every reader can seek.
func (f *Form) Body() transport.Body {
	f.text.WriteString("--" + f.boundary + "--\r\n")
	f.parts = append(f.parts, part{text: f.text.String()})
	length := int64(0)
	for _, p := range f.parts {
		if length += int64(len(p.text)); p.source == nil {
			continue
		}
		if p.source.Size < 0 {
			length = -1
			break
		}
		length += p.source.Size
	}
	return transport.Body{
		ContentType: "multipart/form-data; boundary=" + f.boundary,
		Open:        f.open,
		Length:      length,
		OneShot:     f.oneShot,
	}
}

// open starts the body anew. An earlier send, which net/http may still be
// reading, gets no more of the files.
func (f *Form) open() (io.ReadCloser, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.current != nil {
		if f.oneShot {
			return nil, ErrStopped
		}
		_ = f.current.Close()
	}
	f.current = &send{form: f, parts: f.parts, quit: make(chan struct{})}
	return f.current, nil
}

// Finish ends the use of the readers and returns what was wrong with one of
// them, if that broke the body off. A Read in progress is waited for as long as
// grace; after that it is left to return by itself.
func (f *Form) Finish(grace time.Duration) *ReaderError {
	f.mu.Lock()
	if f.current != nil {
		_ = f.current.Close()
	}
	f.mu.Unlock()
	if len(f.turn) > 0 {
		late := make(chan struct{})
		defer time.AfterFunc(grace, func() { close(late) }).Stop()
		if f.turn.take(late) {
			f.turn.pass()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failure
}

// Verdict ends the use of the readers, as Finish does, after a call that ended
// in err. It returns err; but where a reader broke the body off and no answer
// came, it returns what broken makes of the reader's failure, because half a
// form is nothing for a provider to accept.
func (f *Form) Verdict(ctx context.Context, grace time.Duration, err error, broken func(*ReaderError) *kyckit.Error) error {
	failed := f.Finish(grace)
	var told *kyckit.Error
	if failed == nil || err == nil || errors.As(err, &told) && told.StatusCode != 0 {
		return err
	}
	e := broken(failed)
	if told != nil {
		e.Attempts = told.Attempts
	}
	if ctx.Err() != nil {
		e.Err = errors.Join(e.Err, ctx.Err())
	}
	return e
}

// errFailed stands for a ReaderError below net/http.
var errFailed = errors.New("upload: a file cannot be sent")

// fail keeps the first failure for Finish.
func (f *Form) fail(err error) error {
	var failure *ReaderError
	if !errors.As(err, &failure) {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failure == nil {
		f.failure = failure
	}
	return errFailed
}

// send is one sending of a form. net/http may read and close it from goroutines
// that outlive the call.
type send struct {
	form   *Form
	parts  []part  // still to come
	text   string  // left of the current part
	source *Source // of the current part, until it was read

	once sync.Once
	quit chan struct{}
}

// Close ends the send and a Read of it in progress, whatever the file's reader
// does.
func (s *send) Close() error {
	s.once.Do(func() { close(s.quit) })
	return nil
}

// Read yields the texts and the files in turn.
func (s *send) Read(p []byte) (int, error) {
	for {
		switch {
		case len(p) == 0:
			return 0, nil
		case s.text != "":
			n := copy(p, s.text)
			s.text = s.text[n:]
			return n, nil
		case s.source != nil:
			n, err := s.source.read(p, s.quit)
			if err == io.EOF { //nolint:errorlint // io.Reader's contract is io.EOF itself
				s.source = nil
			} else if err != nil {
				return 0, s.form.fail(err)
			}
			if n > 0 {
				return n, nil
			}
		case len(s.parts) == 0:
			return 0, io.EOF
		default:
			// Not before the file in front was read: two parts may have the
			// same reader.
			if next := s.parts[0].source; next != nil && next.seeker != nil {
				if err := next.rewind(s.quit); err != nil {
					return 0, s.form.fail(err)
				}
			}
			s.text, s.source, s.parts = s.parts[0].text, s.parts[0].source, s.parts[1:]
		}
	}
}
