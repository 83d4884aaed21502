package kycjwt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/kycjwt"
	"github.com/kyckit/kyckit/kycjwt/kycjwttest"
	"github.com/kyckit/kyckit/kyctest"
)

// owner creates the person whose documents are uploaded.
func owner(t *testing.T, client *kycjwt.Client) kycjwt.Owner {
	t.Helper()
	made, err := client.CreatePerson(t.Context(), person())
	require.NoError(t, err)
	return kycjwt.Person(made.ID)
}

// plain hides every method of a reader but Read.
type plain struct{ io.Reader }

func TestUploadsArriveWhole(t *testing.T) {
	content := bytes.Repeat([]byte("\x00\xffscan\r\n--"), 100_000)
	path := filepath.Join(t.TempDir(), "scan.jpg")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	file, err := os.Open(path)
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	for name, r := range map[string]io.Reader{
		"file":         file,
		"memory":       bytes.NewReader(content),
		"plain":        plain{bytes.NewReader(content)},
		"byte by byte": iotest.OneByteReader(bytes.NewReader(content[:5000])),
		"data and EOF": iotest.DataErrReader(bytes.NewReader(content)),
		"empty":        strings.NewReader(""),
	} {
		fake, client := start(t, kycjwttest.Config{})
		made, err := client.UploadDocument(t.Context(), owner(t, client), kycjwt.DocumentParams{
			Category: "poa", Orientation: kycjwt.OrientationFront, Name: `sc"an é.jpg`, ContentType: "image/jpeg", Reader: r,
		})
		require.NoError(t, err, name)
		want := content
		switch name {
		case "byte by byte":
			want = content[:5000]
		case "empty":
			want = []byte{}
		}
		assert.True(t, bytes.Equal(want, fake.Document(made.ID)), name)
		assert.Contains(t, string(made.Raw), `"category":"poa"`)
		assert.Contains(t, string(made.Raw), `"orientation":"front"`)
		assert.Contains(t, string(made.Raw), `"content_type":"image/jpeg"`)
	}
}

func TestAnUploadIsStreamed(t *testing.T) {
	const size = 64 << 20
	who := kycjwt.Person("1")
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/login") {
			_, _ = io.WriteString(w, `{"access_token":"opaque","token_type":"bearer"}`)
			return
		}
		n, _ := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprintf(w, `{"id":"%d"}`, n)
	}))
	defer sink.Close()
	client, err := kycjwt.New(kycjwt.Config{BaseURL: sink.URL, Username: "u", Password: kyckit.NewSecret("p"), HTTP: kyckit.HTTP{Client: sink.Client()}})
	require.NoError(t, err)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	made, err := client.UploadDocument(t.Context(), who, kycjwt.DocumentParams{
		Category: "poa", Name: "a", Reader: io.LimitReader(zeros{}, size), Size: size,
	})
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	n, err := strconv.Atoi(made.ID)
	require.NoError(t, err)
	assert.Greater(t, n, size)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(size/4), "all that was ever allocated is far less than the file")
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestAnUploadOfKnownSizeHasALength(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	made, err := client.UploadDocument(t.Context(), owner(t, client), kycjwt.DocumentParams{
		Category: "poa", Name: "a", Reader: plain{strings.NewReader("12345")}, Size: 5,
	})
	require.NoError(t, err)
	assert.Equal(t, "12345", string(fake.Document(made.ID)))
	assert.NotContains(t, string(fake.Requests("upload document")[0].Body), "orientation", "sent only when given")
}

func TestAnUploadStartsAtTheReadersPosition(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	who := owner(t, client)
	fake.RevokeTokens()
	r := strings.NewReader("skipped|kept")
	_, err := r.Seek(8, io.SeekStart)
	require.NoError(t, err)
	made, err := client.UploadDocument(t.Context(), who, kycjwt.DocumentParams{Category: "poa", Name: "a", Reader: r})
	require.NoError(t, err, "a seekable upload is replayed after the login")
	assert.Equal(t, "kept", string(fake.Document(made.ID)))
	assert.Equal(t, 2, fake.Count("login"))
}

func TestAnUploadThatCannotBeReadTwiceIsNotReplayed(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	who := owner(t, client)
	fake.RevokeTokens()
	upload := func() error {
		_, err := client.UploadDocument(t.Context(), who, kycjwt.DocumentParams{
			Category: "poa", Name: "a", Reader: plain{strings.NewReader("scan")},
		})
		return err
	}
	err := upload()
	require.ErrorIs(t, err, kyckit.ErrUnauthorized)
	assert.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown, "a refused upload had no effect")
	require.NoError(t, upload(), "the refused token was dropped")
}

func TestAFailingReaderBreaksTheUploadOff(t *testing.T) {
	secret := errors.New("open /home/mirelle/passport.jpg: gone")
	big := bytes.Repeat([]byte("x"), 1<<20)
	for name, c := range map[string]struct {
		reader io.Reader
		size   int64
		reason string
		is     error
	}{
		"at once":       {iotest.ErrReader(secret), 0, "cannot be read", secret},
		"in the middle": {io.MultiReader(bytes.NewReader(big), iotest.ErrReader(secret)), 0, "cannot be read", secret},
		"with a size":   {io.MultiReader(bytes.NewReader(big), iotest.ErrReader(secret)), 2 << 20, "cannot be read", secret},
		"too short":     {plain{bytes.NewReader(big)}, 2 << 20, "shorter", nil},
		"too long":      {plain{bytes.NewReader(big)}, 1000, "longer", nil},
		"by one":        {strings.NewReader("12345"), 4, "longer", nil},
		"impossible":    {impossible{}, 0, "cannot be read", nil},
		"its own EOF":   {iotest.ErrReader(io.ErrUnexpectedEOF), 0, "cannot be read", io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			fake, client := start(t, kycjwttest.Config{})
			_, err := client.UploadDocument(t.Context(), owner(t, client), kycjwt.DocumentParams{
				Category: "poa", Name: "a", Reader: c.reader, Size: c.size,
			})
			require.ErrorIs(t, err, kyckit.ErrInvalid)
			e := asError(t, err)
			assert.Contains(t, e.Reason, c.reason)
			assert.NotContains(t, err.Error(), "mirelle")
			if c.is != nil {
				require.ErrorIs(t, err, c.is)
				assert.NotContains(t, fmt.Sprintf("%v %+v %#v %t", e.Err, e.Err, e.Err, e.Err), "mirelle")
			}
			assert.Zero(t, fake.Count("upload document"), "no complete form arrived")
		})
	}
}

type impossible struct{}

func (impossible) Read(p []byte) (int, error) { return len(p) + 1, nil }

func TestAStuckUploadEndsWithItsContextAndItsTimeout(t *testing.T) {
	for name, timeout := range map[string]time.Duration{"context": 0, "timeout": 5 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, client := startInMemory(t, kycjwttest.Config{}, func(c *kycjwt.Config) { c.HTTP.Timeout = timeout })
				who := owner(t, client)
				r, w := io.Pipe()
				defer func() { _ = w.Close() }() // lets the Read go that hangs
				ctx := t.Context()
				if timeout == 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, 5*time.Second)
					defer cancel()
				}
				begun := time.Now()
				_, err := client.UploadDocument(ctx, who, kycjwt.DocumentParams{Category: "poa", Name: "a", Reader: r})
				require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
				assert.Equal(t, timeout == 0, errors.Is(err, context.DeadlineExceeded))
				assert.Less(t, time.Since(begun), 7*time.Second, "the call goes on")
			})
		})
	}
}

func TestAnUploadIsSentOnce(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	who := owner(t, client)
	for i, fault := range []kyctest.Fault{{Status: 503}, {LoseAnswer: true}} {
		fake.Fail("other", 0, fault)
		err := client.Do(t.Context(), kycjwt.Request{
			Method: "PUT", Path: "/things", Repeatable: true, Body: &kycjwt.File{Name: "a", Reader: strings.NewReader("scan")},
		}, nil)
		require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
		assert.Equal(t, i+1, fake.Count("other"), "not even when it is marked as repeatable")
		fake.Heal()
		fake.Fail("upload document", 1, fault)
		_, err = client.UploadDocument(t.Context(), who, kycjwt.DocumentParams{
			Category: "poa", Name: "a", Reader: strings.NewReader("scan"),
		})
		require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
		assert.Equal(t, i+1, fake.Count("upload document"))
	}
}

func TestUploadInputIsChecked(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	who := kycjwt.Person("1")
	good := kycjwt.DocumentParams{Category: "poa", Name: "a", Reader: strings.NewReader("x")}
	for _, change := range []func(*kycjwt.DocumentParams){
		func(p *kycjwt.DocumentParams) { p.Category = "" },
		func(p *kycjwt.DocumentParams) { p.Name = "" },
		func(p *kycjwt.DocumentParams) { p.Name = "a\r\nX-Evil: 1" },
		func(p *kycjwt.DocumentParams) { p.ContentType = "image/jpeg\r\nX-Evil: 1" },
		func(p *kycjwt.DocumentParams) { p.Reader = nil },
		func(p *kycjwt.DocumentParams) { p.Size = -1 },
	} {
		p := good
		change(&p)
		_, err := client.UploadDocument(t.Context(), who, p)
		require.ErrorIs(t, err, kyckit.ErrInvalid)
	}
	for _, o := range []kycjwt.Owner{{}, {Type: "ghost", ID: "1"}, {Type: kycjwt.OwnerPerson}, kycjwt.Person("../x")} {
		_, err := client.UploadDocument(t.Context(), o, good)
		require.ErrorIs(t, err, kyckit.ErrInvalid)
	}
	require.ErrorIs(t, client.Post(t.Context(), "/x", (*kycjwt.File)(nil), nil), kyckit.ErrInvalid)
	assert.Empty(t, fake.Requests(""))
}

// A file's name tells the provider nothing of the caller's disk or a person.
func TestTheNameOfAFileIsCleaned(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	who := owner(t, client)
	for name, want := range map[string]string{
		"bill.pdf": "bill.pdf", `C:\Users\Noura\Desktop\my bill.PDF`: "mybill.PDF", "/home/noura/bill.pdf": "bill.pdf",
		`a"; filename="b.exe`: "afilenameb.exe", "فاتورة.pdf": "file.pdf", "..": "file",
	} {
		_, err := client.UploadDocument(t.Context(), who, kycjwt.DocumentParams{Category: "poa", Name: name, Reader: strings.NewReader("x")})
		require.NoError(t, err, name)
		sent := fake.Requests("upload document")
		last := sent[len(sent)-1]
		_, params, err := mime.ParseMediaType(last.Header.Get("Content-Type"))
		require.NoError(t, err)
		form := multipart.NewReader(bytes.NewReader(last.Body), params["boundary"])
		for {
			part, err := form.NextRawPart()
			require.NoError(t, err, "the form has a file")
			if part.FormName() == "file" {
				_, file, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
				require.NoError(t, err)
				assert.Equal(t, want, file["filename"], name)
				break
			}
		}
	}
}
