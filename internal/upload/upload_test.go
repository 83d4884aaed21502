package upload_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kyckit/kyckit/internal/transport"
	"github.com/kyckit/kyckit/internal/upload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// plain hides every method of a reader but Read.
type plain struct{ io.Reader }

// formOf has one file between a field and the end.
func formOf(t *testing.T, r io.Reader, change ...func(*upload.Source)) (*upload.Form, transport.Body) {
	t.Helper()
	form := upload.New()
	form.Field("note", "text", "")
	s, err := form.Source("scan", r)
	require.NoError(t, err)
	for _, c := range change {
		c(s)
	}
	form.File(s, "a.bin", "application/octet-stream")
	return form, form.Body()
}

// sent reads a body once from start to end.
func sent(t *testing.T, b transport.Body) []byte {
	t.Helper()
	r, err := b.Open()
	require.NoError(t, err)
	all, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return all
}

// parsed reads a body as a server does.
func parsed(t *testing.T, b transport.Body, all []byte) *multipart.Form {
	t.Helper()
	_, boundary, ok := strings.Cut(b.ContentType, "multipart/form-data; boundary=")
	require.True(t, ok)
	form, err := multipart.NewReader(bytes.NewReader(all), boundary).ReadForm(1 << 20)
	require.NoError(t, err)
	return form
}

func content(t *testing.T, h *multipart.FileHeader) string {
	t.Helper()
	f, err := h.Open()
	require.NoError(t, err)
	b, err := io.ReadAll(f)
	require.NoError(t, err)
	return string(b)
}

// FuzzForm checks that a form arrives as it was meant, has the announced length
// and is the same when it is sent again.
func FuzzForm(f *testing.F) {
	f.Add("name", "value", "scan.jpg", []byte("data"), uint16(1), false)
	f.Add(`a"; name="x`, "--boundary\r\n", `é\".png`, []byte{}, uint16(0), true)
	f.Add("line\r\nbreak", "", "a", []byte("\r\n--"), uint16(40_000), true)
	f.Add("n", "", "a", []byte("\xff\x00-"), uint16(30_000), false)
	f.Fuzz(func(t *testing.T, name, value, filename string, data []byte, times uint16, seeks bool) {
		if strings.ContainsFunc(filename, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return
		}
		data = bytes.Repeat(data[:min(len(data), 8)], int(times))
		var r io.Reader = bytes.NewReader(data)
		if !seeks {
			r = plain{r}
		}
		form := upload.New()
		form.Field(name, value, "text/plain")
		s, err := form.Source("scan", r)
		require.NoError(t, err)
		form.File(s, filename, "image/png")
		body := form.Body()
		require.Equal(t, seeks, !body.OneShot)
		all := sent(t, body)
		if seeks {
			require.EqualValues(t, len(all), body.Length)
			require.Equal(t, all, sent(t, body))
		} else {
			require.EqualValues(t, -1, body.Length)
			_, err := body.Open()
			require.ErrorIs(t, err, upload.ErrStopped)
		}
		require.Nil(t, form.Finish(0))

		// The standard library writes the same.
		_, boundary, _ := strings.Cut(body.ContentType, "boundary=")
		var want bytes.Buffer
		w := multipart.NewWriter(&want)
		require.NoError(t, w.SetBoundary(boundary))
		for _, p := range []struct{ disposition, contentType, data string }{
			{strings.TrimSuffix(multipart.FileContentDisposition(name, ""), `; filename=""`), "text/plain", value},
			{multipart.FileContentDisposition("scan", filename), "image/png", string(data)},
		} {
			part, err := w.CreatePart(map[string][]string{"Content-Disposition": {p.disposition}, "Content-Type": {p.contentType}})
			require.NoError(t, err)
			_, _ = io.WriteString(part, p.data)
		}
		require.NoError(t, w.Close())
		require.Equal(t, want.String(), string(all))
	})
}

func TestReadersArriveWhole(t *testing.T) {
	data := strings.Repeat("\x00\xffscan\r\n--", 10_000) // more than one chunk
	path := filepath.Join(t.TempDir(), "scan")
	require.NoError(t, os.WriteFile(path, []byte(data), 0o600))
	file, err := os.Open(path)
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	pipe, w, err := os.Pipe()
	require.NoError(t, err)
	go func() {
		_, _ = io.WriteString(w, data)
		_ = w.Close()
	}()
	for name, c := range map[string]struct {
		r      io.Reader
		length bool
	}{
		"file":         {file, true},
		"memory":       {strings.NewReader(data), true},
		"section":      {io.NewSectionReader(strings.NewReader(data), 0, int64(len(data))), true},
		"pipe":         {pipe, false},
		"buffer":       {bytes.NewBufferString(data), false},
		"byte by byte": {iotest.OneByteReader(strings.NewReader(data)), false},
		"data and EOF": {iotest.DataErrReader(strings.NewReader(data)), false},
	} {
		t.Run(name, func(t *testing.T) {
			form, body := formOf(t, c.r, func(s *upload.Source) {
				head, err := s.Peek(4, nil)
				require.NoError(t, err)
				require.Equal(t, data[:4], string(head))
			})
			all := sent(t, body)
			got := parsed(t, body, all)
			assert.Equal(t, "text", got.Value["note"][0])
			assert.Equal(t, data, content(t, got.File["scan"][0]))
			assert.Equal(t, c.length, body.Length == int64(len(all)))
			assert.Nil(t, form.Finish(0))
		})
	}
}

// Two parts can have the same reader, which is read from its position.
func TestTwoPartsOfOneReader(t *testing.T) {
	r := strings.NewReader("skipped|kept")
	_, err := r.Seek(8, io.SeekStart)
	require.NoError(t, err)
	form := upload.New()
	for _, field := range []string{"front", "back"} {
		s, err := form.Source(field, r)
		require.NoError(t, err)
		_, err = s.Peek(2, nil)
		require.NoError(t, err)
		form.File(s, "a", "")
	}
	body := form.Body()
	for range 2 {
		got := parsed(t, body, sent(t, body))
		require.Equal(t, "kept", content(t, got.File["front"][0]))
		require.Equal(t, "kept", content(t, got.File["back"][0]))
	}
}

func TestHold(t *testing.T) {
	data := strings.Repeat("0123456789", 100_000) // several pieces
	_, body := formOf(t, plain{strings.NewReader(data)}, func(s *upload.Source) {
		_, err := s.Peek(3, nil)
		require.NoError(t, err)
		s.Max = int64(len(data))
		require.False(t, s.Repeatable())
		require.NoError(t, s.Hold(nil))
		require.True(t, s.Repeatable())
	})
	first := sent(t, body)
	require.EqualValues(t, len(first), body.Length)
	require.Equal(t, first, sent(t, body))
	require.Equal(t, data, content(t, parsed(t, body, first).File["scan"][0]))

	s, err := upload.New().Source("scan", plain{strings.NewReader(data)})
	require.NoError(t, err)
	s.Max = int64(len(data)) - 1
	require.ErrorIs(t, s.Hold(nil), upload.ErrLimit)
}

type impossible struct{}

func (impossible) Read(p []byte) (int, error) { return len(p) + 1, nil }

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// stuck can seek away, but not back.
type stuck struct{ io.Reader }

func (stuck) Seek(_ int64, whence int) (int64, error) {
	if whence == io.SeekStart {
		return 0, errBroken
	}
	return 0, nil
}

var errBroken = errors.New("open /home/mirelle/passport.jpg: gone")

func TestReadersThatFail(t *testing.T) {
	long := func() io.Reader { return plain{strings.NewReader(strings.Repeat("x", 200_000))} }
	for name, c := range map[string]struct {
		r         io.Reader
		size, max int64
		want      error
	}{
		"at once":       {iotest.ErrReader(errBroken), -1, 0, errBroken},
		"in the middle": {io.MultiReader(long(), iotest.ErrReader(errBroken)), -1, 0, errBroken},
		"with a size":   {io.MultiReader(long(), iotest.ErrReader(errBroken)), 300_000, 0, errBroken},
		"short":         {long(), 200_001, 0, upload.ErrShort},
		"short memory":  {strings.NewReader("1234"), 5, 0, upload.ErrShort},
		"long":          {long(), 100, 0, upload.ErrLong},
		"long by one":   {strings.NewReader("1234"), 3, 0, upload.ErrLong},
		"limit":         {long(), -1, 199_999, upload.ErrLimit},
		"count":         {impossible{}, -1, 0, nil},
		"no progress":   {idle{}, -1, 0, io.ErrNoProgress},
		"own EOF":       {iotest.ErrReader(fmt.Errorf("not the end: %w", io.EOF)), -1, 0, io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			form, body := formOf(t, c.r, func(s *upload.Source) { s.Size, s.Max = c.size, c.max })
			r, err := body.Open()
			require.NoError(t, err)
			all, err := io.ReadAll(r)
			require.Error(t, err)
			require.NotContains(t, err.Error(), "mirelle")
			require.NotContains(t, string(all), strings.TrimPrefix(body.ContentType, "multipart/form-data; boundary=")+"--", "the form was not completed")
			failed := form.Finish(0)
			require.NotNil(t, failed)
			require.Equal(t, "scan", failed.Field)
			if c.want != nil {
				require.ErrorIs(t, failed, c.want)
			}
			require.NotContains(t, fmt.Sprintf("%v %+v %#v %s %v", failed, failed, failed, failed, *failed), "mirelle")
		})
	}
	_, err := upload.New().Source("scan", stuck{})
	require.ErrorIs(t, err, errBroken)
	s, err := upload.New().Source("scan", iotest.ErrReader(errBroken))
	require.NoError(t, err)
	_, err = s.Peek(1, nil)
	require.ErrorIs(t, err, errBroken)
}

// slow can seek and takes its time for each Read. It tells whether two of them
// overlapped.
type slow struct {
	*strings.Reader
	takes    time.Duration
	inside   atomic.Int32
	overlaps atomic.Bool
}

func (s *slow) Read(p []byte) (int, error) {
	if s.inside.Add(1) > 1 {
		s.overlaps.Store(true)
	}
	defer s.inside.Add(-1)
	time.Sleep(s.takes)
	return s.Reader.Read(p)
}

// A new send waits for the Read of the one before and starts from the
// beginning; the one before gets nothing more.
func TestNewSendDuringARead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data := strings.Repeat("x", 300_000)
		r := &slow{Reader: strings.NewReader(data), takes: time.Hour}
		form, body := formOf(t, r)
		stale, err := body.Open()
		require.NoError(t, err)
		ended := make(chan error)
		go func() {
			_, err := io.Copy(io.Discard, stale)
			ended <- err
		}()
		time.Sleep(90 * time.Minute) // in the second Read
		all := sent(t, body)
		require.ErrorIs(t, <-ended, upload.ErrStopped)
		require.Equal(t, data, content(t, parsed(t, body, all).File["scan"][0]))
		require.False(t, r.overlaps.Load())
		n, err := stale.Read(make([]byte, 1))
		require.Zero(t, n)
		require.ErrorIs(t, err, upload.ErrStopped)
		require.Nil(t, form.Finish(0), "a send that was given up is no failure")
	})
}

// Close ends a Read that hangs, and Finish waits for it no longer than it is
// told to.
func TestReadThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		form, body := formOf(t, &slow{Reader: strings.NewReader("x"), takes: time.Hour})
		r, err := body.Open()
		require.NoError(t, err)
		time.AfterFunc(time.Minute, func() { _ = r.Close() })
		start := time.Now()
		_, err = io.ReadAll(r)
		require.ErrorIs(t, err, upload.ErrStopped)
		require.Equal(t, time.Minute, time.Since(start))

		require.Nil(t, form.Finish(time.Second))
		require.Equal(t, time.Minute+time.Second, time.Since(start), "the Read goes on")
		require.Nil(t, form.Finish(2*time.Hour))
		require.Equal(t, time.Hour, time.Since(start), "waited for, and no longer")
	})
}

func TestPreparationThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, prepare := range map[string]func(*upload.Source, <-chan struct{}) error{
			"peek": func(s *upload.Source, quit <-chan struct{}) error { _, err := s.Peek(1, quit); return err },
			"hold": (*upload.Source).Hold,
		} {
			s, err := upload.New().Source("scan", &slow{Reader: strings.NewReader("x"), takes: time.Hour})
			require.NoError(t, err)
			quit := make(chan struct{})
			time.AfterFunc(time.Minute, func() { close(quit) })
			start := time.Now()
			require.ErrorIs(t, prepare(s, quit), upload.ErrStopped, name)
			require.Equal(t, time.Minute, time.Since(start))
		}
		time.Sleep(time.Hour) // the Reads return
	})
}
