package faceki_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/faceki"
	"github.com/kyckit/kyckit/faceki/facekitest"
	"github.com/kyckit/kyckit/kyctest"
)

func TestVerifyInput(t *testing.T) {
	fake, client := newFake(t, func(c *faceki.Config) { c.MaxImageBytes = 10_000 })
	errReader := errors.New("disk of Luka Mockman broke")
	for name, tc := range map[string]struct {
		change func(*faceki.VerifyParams)
		want   error
	}{
		"no workflow":            {func(p *faceki.VerifyParams) { p.WorkflowID = "" }, kyckit.ErrInvalid},
		"line break in workflow": {func(p *faceki.VerifyParams) { p.WorkflowID = "a\r\nb" }, kyckit.ErrInvalid},
		"line break in id":       {func(p *faceki.VerifyParams) { p.RecordIdentifier = "a\nb" }, kyckit.ErrInvalid},
		"id not UTF-8":           {func(p *faceki.VerifyParams) { p.RecordIdentifier = "\xff" }, kyckit.ErrInvalid},
		"long id":                {func(p *faceki.VerifyParams) { p.RecordIdentifier = strings.Repeat("a", 257) }, kyckit.ErrInvalid},
		"no documents":           {func(p *faceki.VerifyParams) { p.Documents = nil }, kyckit.ErrInvalid},
		"four documents":         {func(p *faceki.VerifyParams) { p.Documents = make([]faceki.Document, 4) }, kyckit.ErrInvalid},
		"no selfie":              {func(p *faceki.VerifyParams) { p.Selfie = faceki.Image{} }, faceki.ErrImage},
		"back without front":     {func(p *faceki.VerifyParams) { p.Documents[0].Front = faceki.Image{} }, faceki.ErrImage},
		"text file as image": {func(p *faceki.VerifyParams) {
			p.Selfie = faceki.Image{Name: "selfie.jpg", Reader: strings.NewReader("this is no picture")}
		}, faceki.ErrImage},
		"GIF":               {func(p *faceki.VerifyParams) { p.Selfie.Reader = strings.NewReader("GIF89a\x01\x00\x01\x00") }, faceki.ErrImage},
		"two bytes of JPEG": {func(p *faceki.VerifyParams) { p.Selfie.Reader = strings.NewReader("\xff\xd8") }, faceki.ErrImage},
		"empty image":       {func(p *faceki.VerifyParams) { p.Selfie.Reader = strings.NewReader("") }, faceki.ErrImage},
		"empty stream":      {func(p *faceki.VerifyParams) { p.Selfie.Reader = http.NoBody }, faceki.ErrImage},
		"too large":         {func(p *faceki.VerifyParams) { p.Documents[0].Back = jpeg(10_001) }, faceki.ErrImageTooLarge},
		"unreadable":        {func(p *faceki.VerifyParams) { p.Selfie.Reader = iotest.ErrReader(errReader) }, errReader},
		"no progress":       {func(p *faceki.VerifyParams) { p.Selfie.Reader = idle{} }, faceki.ErrImage},
	} {
		t.Run(name, func(t *testing.T) {
			p := params()
			tc.change(&p)
			record, err := client.Verify(context.Background(), p)
			require.Nil(t, record)
			require.ErrorIs(t, err, tc.want)
			require.ErrorIs(t, err, kyckit.ErrInvalid)
			require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
			require.NotContains(t, err.Error(), "Luka")
			var failed *faceki.VerifyError
			require.ErrorAs(t, err, &failed)
			require.NotEmpty(t, failed.RecordIdentifier)
		})
	}
	require.Zero(t, fake.Count(facekitest.OpToken), "nothing was sent, not even for a token")
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// The default limit refuses 50 MB: at once where the size can be seen, else
// when the limit is reached, and then the request is not completed.
func TestImageOf50MB(t *testing.T) {
	fake, client := newFake(t)
	p := params()
	p.Selfie = faceki.Image{Reader: io.NewSectionReader(zeros{}, 0, 50_000_000)}
	_, err := client.Verify(context.Background(), p)
	require.ErrorIs(t, err, faceki.ErrImageTooLarge)
	require.Zero(t, fake.Count(facekitest.OpToken))

	p = params()
	p.Selfie = faceki.Image{Reader: facekitest.Stream(50_000_000)}
	_, err = client.Verify(context.Background(), p)
	require.ErrorIs(t, err, faceki.ErrImageTooLarge)
	require.ErrorIs(t, err, faceki.ErrImage)
	require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
	require.Empty(t, fake.Uploads())

	fake, client = newFake(t, func(c *faceki.Config) { c.BufferReaders = true })
	p = params()
	p.Selfie = faceki.Image{Reader: facekitest.Stream(50_000_000)}
	_, err = client.Verify(context.Background(), p)
	require.ErrorIs(t, err, faceki.ErrImageTooLarge)
	require.Zero(t, fake.Count(facekitest.OpToken), "refused before it was sent")

	fake, client = newFake(t, func(c *faceki.Config) { c.MaxImageBytes = 60_000_000 })
	p = params()
	p.Selfie = faceki.Image{Reader: facekitest.Stream(50_000_000)}
	_, err = client.Verify(context.Background(), p)
	require.NoError(t, err)
	require.EqualValues(t, 50_000_000, fake.Uploads()[0].File("selfie").Size)
}

type zeros struct{}

func (zeros) ReadAt(p []byte, _ int64) (int, error) { clear(p); return len(p), nil }

// failing yields a picture and breaks in the middle of it.
func failing(seekable bool) faceki.Image {
	r := io.MultiReader(bytes.NewReader(facekitest.JPEG(100_000)), iotest.ErrReader(errBroken))
	if !seekable {
		return faceki.Image{Reader: r}
	}
	return faceki.Image{Reader: &shrinking{bytes.NewReader(facekitest.JPEG(100_000))}}
}

var errBroken = errors.New("the disk of Luka Mockman broke")

// shrinking says that it is larger than it is, as a file does that is cut while
// it is read.
type shrinking struct{ *bytes.Reader }

func (s *shrinking) Seek(offset int64, whence int) (int64, error) {
	n, err := s.Reader.Seek(offset, whence)
	if whence == io.SeekEnd {
		n += 50_000
	}
	return n, err
}

func TestReaderThatFailsMidway(t *testing.T) {
	for name, seekable := range map[string]bool{"stream": false, "file that shrinks": true} {
		t.Run(name, func(t *testing.T) {
			fake, client := newFake(t)
			p := params()
			p.Documents[0].Back = failing(seekable)
			_, err := client.Verify(context.Background(), p)
			require.ErrorIs(t, err, faceki.ErrImage)
			require.ErrorIs(t, err, kyckit.ErrInvalid)
			require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown, "half a request cannot be accepted")
			if !seekable {
				require.ErrorIs(t, err, errBroken)
			}
			require.Contains(t, err.Error(), "document_1_back")
			require.NotContains(t, err.Error(), "Luka")
			require.Empty(t, fake.Uploads())
			require.LessOrEqual(t, fake.Count(facekitest.OpVerify), 1)
		})
	}
}

func TestTooLargeForTheProvider(t *testing.T) {
	fake, client := newFake(t)
	fake.Fail(facekitest.OpVerify, 1, facekitest.HTML(http.StatusRequestEntityTooLarge))
	_, err := client.Verify(context.Background(), params())
	require.ErrorIs(t, err, faceki.ErrImageTooLarge)
	require.ErrorIs(t, err, kyckit.ErrInvalid)
	var e *kyckit.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, http.StatusRequestEntityTooLarge, e.StatusCode)
	require.Contains(t, string(e.Body()), "<html>")

	fake.Fail(facekitest.OpRecords, 1, facekitest.HTML(http.StatusRequestEntityTooLarge))
	_, err = client.Records(context.Background(), faceki.RecordFilter{RequestID: "x"})
	require.NotErrorIs(t, err, faceki.ErrImageTooLarge, "there was no image")
}

// A server that does not take the whole image answers while it is still being
// sent, and resets the connection.
func TestTooLargeForTheProviderWhileItIsSent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.ReadFull(conn, make([]byte, 2000))
			_, _ = io.WriteString(conn, "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>")
			_ = conn.Close() // with much unread, which makes it a reset
		}
	}()
	client, err := faceki.New(faceki.Config{BaseURL: "http://" + l.Addr().String(), Auth: auth.Static(kyckit.NewSecret("token"))})
	require.NoError(t, err)
	for i := range 10 {
		p := params()
		if p.Selfie = jpeg(8_000_000); i%2 == 1 {
			p.Selfie = once(p.Selfie)
		}
		_, err = client.Verify(context.Background(), p)
		require.ErrorIs(t, err, faceki.ErrImageTooLarge)
		require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
		var e *kyckit.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, "<html>", string(e.Body()))
	}
}

// A stream cannot be sent twice: the 401 comes back, nothing was verified, and
// the next call has a new token. With BufferReaders the call succeeds.
func TestRefusedTokenAndReaderThatCannotSeek(t *testing.T) {
	ctx := context.Background()
	stream := func() faceki.VerifyParams {
		p := params()
		p.Selfie = once(p.Selfie)
		return p
	}
	for _, inBody := range []bool{false, true} {
		fake, client := newFake(t)
		fake.RefuseInBody(inBody)
		_, err := client.Verify(ctx, stream())
		require.NoError(t, err)
		fake.RevokeTokens()
		_, err = client.Verify(ctx, stream())
		require.ErrorIs(t, err, kyckit.ErrUnauthorized)
		require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
		require.Equal(t, 2, fake.Count(facekitest.OpVerify))
		_, err = client.Verify(ctx, stream())
		require.NoError(t, err)
		require.Equal(t, 2, fake.Count(facekitest.OpToken))
	}

	fake, client := newFake(t, func(c *faceki.Config) { c.BufferReaders = true })
	_, err := client.Verify(ctx, stream())
	require.NoError(t, err)
	fake.RevokeTokens()
	p := stream()
	p.Selfie = once(jpeg(1_000_000)) // several chunks
	_, err = client.Verify(ctx, p)
	require.NoError(t, err)
	require.Equal(t, sum(facekitest.JPEG(1_000_000)), fake.Uploads()[1].File("selfie").SHA256)
	require.NotEmpty(t, fake.Requests(facekitest.OpVerify)[2].Header.Get("Content-Length"))
}

// An answer that comes before the images were read ends the use of the readers.
func TestReadersAreFreeAfterAnEarlyAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := clientOfPipes(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).EnableFullDuplex() // or the server reads on first
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		})})
		block := &blocking{Reader: bytes.NewReader(facekitest.JPEG(100)), free: make(chan struct{})}
		defer close(block.free)
		p := params()
		p.Documents[0].Front = faceki.Image{Reader: block}
		start := time.Now()
		_, err := client.Verify(t.Context(), p)
		require.ErrorIs(t, err, faceki.ErrImageTooLarge)
		require.LessOrEqual(t, time.Since(start), 2*time.Second, "a Read that blocks is not waited for")

		client = clientOfPipes(t, &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
		})})
		p = params()
		p.Documents[0].Front = faceki.Image{Reader: &blocking{Reader: bytes.NewReader(facekitest.JPEG(100)), free: block.free}}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		start = time.Now()
		_, err = client.Verify(ctx, p)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.LessOrEqual(t, time.Since(start), 2*time.Second)
	})
}

// rotating is a token source whose tokens can be dropped.
type rotating struct{ n atomic.Int64 }

func (r *rotating) Token(context.Context) (auth.Token, error) {
	return auth.Token{Access: kyckit.NewSecret(fmt.Sprintf("token-%d", r.n.Load())), Type: "Bearer"}, nil
}

func (r *rotating) Invalidate(auth.Token) { r.n.Add(1) }

// A 401 that comes while the images are still on their way: the first sending
// has let go of the readers before the second begins.
func TestRefusedTokenInTheMiddleOfAnUpload(t *testing.T) {
	var got string
	client := clientOf(t, &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer token-0" {
			_ = http.NewResponseController(w).EnableFullDuplex()
			_, _ = io.ReadFull(r.Body, make([]byte, 100_000))
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if file, _, err := r.FormFile("selfie"); assert.NoError(t, err) {
			b, _ := io.ReadAll(file)
			got = sum(b)
		}
		_, _ = io.WriteString(w, `{"status":true,"code":200,"result":{"decision":"ACCEPTED"}}`)
	})}, func(c *faceki.Config) { c.Auth = &rotating{} })
	p := params()
	p.Selfie = jpeg(8_000_000)
	record, err := client.Verify(context.Background(), p)
	require.NoError(t, err)
	require.True(t, record.Decision.Accepted())
	require.Equal(t, sum(facekitest.JPEG(8_000_000)), got)
}

// A reader that blocks before the first byte does not outlast the context.
func TestReaderThatBlocksAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := facekitest.NewServer(facekitest.Config{Options: kyctest.Options{InMemory: true}})
		defer fake.Close()
		for _, buffer := range []bool{false, true} {
			cfg := fake.ClientConfig()
			cfg.BufferReaders = buffer
			client, err := faceki.New(cfg)
			require.NoError(t, err)
			r, w := io.Pipe()
			p := params()
			p.Selfie = faceki.Image{Reader: r}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			start := time.Now()
			_, err = client.Verify(ctx, p)
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
			assert.Equal(t, time.Minute, time.Since(start))
			require.NoError(t, w.Close())
		}
		require.Zero(t, fake.Count(facekitest.OpToken))
	})
}

// A reader that stalls in the middle does not outlast the time that one try may
// take, although net/http waits for it. What was sent is not complete, but that
// is not known for sure.
func TestReaderThatStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := facekitest.NewServer(facekitest.Config{Options: kyctest.Options{InMemory: true}})
		defer fake.Close()
		for timeout, want := range map[time.Duration]time.Duration{0: 120 * time.Second, 5 * time.Second: 5 * time.Second} {
			cfg := fake.ClientConfig()
			cfg.HTTP.Timeout = timeout
			client, err := faceki.New(cfg)
			require.NoError(t, err)
			stalled := &blocking{Reader: bytes.NewReader(facekitest.JPEG(100)), free: make(chan struct{})}
			p := params()
			p.Selfie = faceki.Image{Reader: stalled}
			start := time.Now()
			_, err = client.Verify(t.Context(), p)
			require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
			assert.InDelta(t, want.Seconds(), time.Since(start).Seconds(), 2.1)
			close(stalled.free)
		}
		require.Empty(t, fake.Uploads())
	})
}

// blocking yields some bytes and then blocks.
type blocking struct {
	io.Reader
	free chan struct{}
}

func (b *blocking) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		<-b.free
	}
	return n, err
}
