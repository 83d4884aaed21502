package faceki

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/upload"
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
	kyckit.Redacted
	// Name is a file name to tell the provider, optional. Directories and
	// characters outside a-z, A-Z, 0-9, ".", "_" and "-" are dropped and the
	// extension is made to match the content.
	Name string
	// Reader yields the picture.
	Reader io.Reader
}

// Document is one identity document. Only passports have no back.
type Document struct {
	kyckit.Redacted
	Front Image
	Back  Image
}

var (
	jpegMagic = []byte{0xff, 0xd8, 0xff}
	pngMagic  = []byte("\x89PNG\r\n\x1a\n")
)

// part is an image with the name of its form field.
type part struct {
	field string
	image Image
}

// form makes the body of a call with images. They are checked as far as they
// can be without reading them.
func (c *Client) form(ctx context.Context, op string, fields [][2]string, images []part) (*upload.Form, error) {
	form := upload.New()
	for _, f := range fields {
		form.Field(f[0], f[1], "text/plain")
	}
	for _, p := range images {
		if err := c.addImage(form, ctx.Done(), op, p); errors.Is(err, upload.ErrStopped) {
			return nil, contextError(op, ctx.Err())
		} else if err != nil {
			return nil, err
		}
	}
	return form, nil
}

func (c *Client) addImage(form *upload.Form, done <-chan struct{}, op string, p part) error {
	if p.image.Reader == nil {
		return imageError(op, p.field, "has no image", ErrImage)
	}
	s, err := form.Source(p.field, p.image.Reader)
	if err != nil {
		return beforeSending(op, err)
	}
	if s.Max = c.maxImage; s.Size > s.Max {
		return imageError(op, p.field, tooLarge, ErrImageTooLarge)
	}
	head, err := s.Peek(len(pngMagic), done)
	if err != nil {
		return beforeSending(op, err)
	}
	var contentType, ext string
	switch {
	case len(head) == 0:
		return imageError(op, p.field, "is empty", ErrImage)
	case bytes.HasPrefix(head, jpegMagic):
		contentType, ext = "image/jpeg", ".jpg"
	case bytes.Equal(head, pngMagic):
		contentType, ext = "image/png", ".png"
	default:
		return imageError(op, p.field, "is neither JPEG nor PNG", ErrImage)
	}
	if c.buffer && !s.Repeatable() {
		if err := s.Hold(done); err != nil {
			return beforeSending(op, err)
		}
	}
	name, _ := upload.CleanName(p.image.Name)
	form.File(s, cmp.Or(name, p.field)+ext, contentType)
	return nil
}

const tooLarge = "is larger than MaxImageBytes"

// unreadable is the error of an image whose reader failed.
func unreadable(op string, failed *upload.ReaderError, effect string) *kyckit.Error {
	switch {
	case errors.Is(failed, upload.ErrLimit):
		return imageError(op, failed.Field, tooLarge+effect, ErrImageTooLarge)
	case errors.Is(failed, upload.ErrLong):
		return imageError(op, failed.Field, "grew while it was read"+effect, ErrImage)
	default:
		return imageError(op, failed.Field, "cannot be read to its end"+effect, ErrImage, failed)
	}
}

// beforeSending is unreadable for an error that may be about something else.
func beforeSending(op string, err error) error {
	if failed, ok := errors.AsType[*upload.ReaderError](err); ok {
		return unreadable(op, failed, "")
	}
	return err
}
