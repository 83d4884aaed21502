package facekitest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"path"
	"strings"
)

var (
	jpegMagic = []byte{0xff, 0xd8, 0xff, 0xe0}
	pngMagic  = []byte("\x89PNG\r\n\x1a\n")
)

// JPEG returns bytes that begin like a JPEG picture, at least four.
func JPEG(size int) []byte { return picture(jpegMagic, size) }

// PNG returns bytes that begin like a PNG picture, at least eight.
func PNG(size int) []byte { return picture(pngMagic, size) }

// period is after how many bytes a picture's bytes come again.
const period = 256

func picture(magic []byte, size int) []byte {
	b := make([]byte, max(size, len(magic)))
	i := copy(b, magic)
	for ; i < min(len(b), 2*period); i++ {
		b[i] = byte(i * 31)
	}
	for i < len(b) {
		i += copy(b[i:], b[period:i])
	}
	return b
}

// Stream returns a reader that begins like a JPEG picture, has the given size,
// holds nothing in memory and cannot seek.
func Stream(size int64) io.Reader {
	return io.MultiReader(bytes.NewReader(jpegMagic), io.LimitReader(filler{}, size-int64(len(jpegMagic))))
}

type filler struct{}

func (filler) Read(p []byte) (int, error) {
	if len(p) > 0 {
		p[0] = 0x55
	}
	for i := 1; i < len(p); i *= 2 {
		copy(p[i:], p[:i])
	}
	return len(p), nil
}

// Upload is what arrived with one verification or search.
type Upload struct {
	// Fields are the text parts.
	Fields map[string]string
	// Files are the images in order.
	Files []File
}

// File is one image that arrived.
type File struct {
	Field       string
	Name        string
	ContentType string
	Size        int64
	SHA256      string // in hex
}

// File returns the image of a field; its Field is empty if there is none.
func (u Upload) File(field string) File {
	for _, f := range u.Files {
		if f.Field == field {
			return f
		}
	}
	return File{}
}

// Uploads returns what arrived and was complete, in order, refused images
// included.
func (s *Server) Uploads() []Upload {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Upload(nil), s.uploads...)
}

var errTooLarge = errors.New("image too large")

// maxText is how long a text part may be.
const maxText = 4096

// readUpload reads a multipart request and checks its images. A code of 0 means
// that they are good. The only error is errTooLarge.
func (s *Server) readUpload(r *http.Request) (u Upload, code int, err error) {
	u.Fields = map[string]string{}
	mr, err := r.MultipartReader()
	if err != nil {
		return u, 5002, nil //nolint:nilerr // the code tells
	}
	seen := map[string]bool{}
	for {
		part, err := mr.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return u, 5002, nil //nolint:nilerr // the code tells
		}
		if seen[part.FormName()] {
			return u, 5002, nil
		}
		seen[part.FormName()] = true
		if part.FileName() == "" {
			value, err := io.ReadAll(io.LimitReader(part, maxText+1))
			if err != nil || len(value) > maxText {
				return u, 5002, nil //nolint:nilerr // the code tells
			}
			u.Fields[part.FormName()] = string(value)
			continue
		}
		f, good, err := s.readFile(part)
		switch {
		case errors.Is(err, errTooLarge):
			return u, 0, err
		case err != nil:
			return u, 5002, nil //nolint:nilerr // the code tells
		}
		if !good && code == 0 {
			code = 8001
		}
		u.Files = append(u.Files, f)
	}
	s.mu.Lock()
	s.uploads = append(s.uploads, u)
	s.mu.Unlock()
	return u, code, nil
}

// readFile checks that an image is one and is labelled as what it is.
func (s *Server) readFile(part *multipart.Part) (f File, good bool, err error) {
	sum := sha256.New()
	var head bytes.Buffer
	n, err := io.Copy(io.MultiWriter(sum, &limited{&head, 8}), io.LimitReader(part, s.cfg.MaxImageBytes+1))
	if err != nil {
		return f, false, err
	}
	if n > s.cfg.MaxImageBytes {
		return f, false, errTooLarge
	}
	f = File{
		Field: part.FormName(), Name: part.FileName(), ContentType: part.Header.Get("Content-Type"),
		Size: n, SHA256: hex.EncodeToString(sum.Sum(nil)),
	}
	kind, _, _ := mime.ParseMediaType(f.ContentType)
	ext := strings.ToLower(path.Ext(f.Name))
	switch {
	case bytes.HasPrefix(head.Bytes(), jpegMagic[:3]):
		good = kind == "image/jpeg" && (ext == ".jpg" || ext == ".jpeg")
	case bytes.HasPrefix(head.Bytes(), pngMagic):
		good = kind == "image/png" && ext == ".png"
	}
	return f, good, nil
}

// limited keeps the first bytes written to it.
type limited struct {
	buf *bytes.Buffer
	max int
}

func (l *limited) Write(p []byte) (int, error) {
	if room := l.max - l.buf.Len(); room > 0 {
		l.buf.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
