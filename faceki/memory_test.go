package faceki_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/faceki"
	"github.com/kyckit/kyckit/faceki/facekitest"
)

// swallow reads a request without keeping it and says yes.
func swallow() *http.Server {
	return &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"status":true,"code":200,"message":"OK","result":{"requestId":"r-1","decision":"ACCEPTED"}}`)
	})}
}

// allocated is everything that was allocated while f ran, an upper bound of its
// peak.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

const image20MB = 20 << 20

// The memory of a verification does not grow with its images: less than 1 MiB is
// allocated in all for one of 20 MiB, client and server together.
func TestVerifyStreamsItsImages(t *testing.T) {
	client := clientOf(t, swallow())
	name := filepath.Join(t.TempDir(), "selfie.jpg")
	require.NoError(t, os.WriteFile(name, facekitest.JPEG(image20MB), 0o600))
	file, err := os.Open(name)
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	held := facekitest.PNG(image20MB)

	verify := func(selfie io.Reader) func() {
		return func() {
			record, err := client.Verify(context.Background(), faceki.VerifyParams{
				WorkflowID: "w",
				Selfie:     faceki.Image{Reader: selfie},
				Documents:  []faceki.Document{{Front: faceki.Image{Reader: bytes.NewReader(held[:1000])}}},
			})
			require.NoError(t, err)
			require.True(t, record.Decision.Accepted())
		}
	}
	verify(bytes.NewReader(held))() // connects
	for name, reader := range map[string]io.Reader{
		"file": file, "memory": bytes.NewReader(held), "stream": facekitest.Stream(image20MB),
	} {
		t.Run(name, func(t *testing.T) {
			n := allocated(verify(reader))
			t.Logf("allocated %d KiB", n>>10)
			require.Less(t, n, uint64(1<<20))
		})
	}
}

// With BufferReaders a stream is held once, not twice.
func TestBufferedStreamIsHeldOnce(t *testing.T) {
	client := clientOf(t, swallow(), func(c *faceki.Config) { c.BufferReaders = true })
	n := allocated(func() {
		_, err := client.SearchByFace(context.Background(), faceki.Image{Reader: facekitest.Stream(image20MB)})
		require.NoError(t, err)
	})
	t.Logf("allocated %d KiB", n>>10)
	require.Less(t, n, uint64(image20MB+image20MB/10))
}

func BenchmarkVerify20MB(b *testing.B) {
	client := clientOf(b, swallow())
	selfie, front := facekitest.JPEG(image20MB), facekitest.PNG(1000)
	b.SetBytes(image20MB)
	b.ReportAllocs()
	for b.Loop() {
		_, err := client.Verify(context.Background(), faceki.VerifyParams{
			WorkflowID: "w",
			Selfie:     faceki.Image{Reader: bytes.NewReader(selfie)},
			Documents:  []faceki.Document{{Front: faceki.Image{Reader: bytes.NewReader(front)}}},
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
