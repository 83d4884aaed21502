package faceki_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
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

// A webhook body of a megabyte stays one, whatever it is made of.
func TestLongArraysTakeLittleMemory(t *testing.T) {
	for name, event := range map[string]string{
		"documents":   `{"requestId":"r","status":"X","kycData":{"requestId":"r","document_data":[%s]}}`,
		"confidences": `{"requestId":"r","status":"X","kycData":{"requestId":"r","document_data_confidence":[%s]}}`,
		"warnings":    `{"requestId":"r","status":"X","kycData":{"requestId":"r","warnings":[%s]}}`,
		"records":     `{"requestId":"r","status":"X","kycData":[%s]}`,
	} {
		t.Run(name, func(t *testing.T) {
			body := fmt.Appendf(nil, event, strings.Repeat("{},", 30_000)+"{}")
			var e faceki.Event
			var err error
			n := allocated(func() { e, err = faceki.ParseEvent(body) })
			require.Less(t, n, uint64(30*len(body)))
			if name == "records" {
				require.ErrorIs(t, err, kyckit.ErrDecode)
				return
			}
			require.NoError(t, err)
			require.Empty(t, e.Record.Documents)
			require.Empty(t, e.Record.Warnings)
			require.Greater(t, len(e.Record.Raw), 90_000, "nothing is lost")
		})
	}
}

// What is long for a good reason is read.
func TestLongListOfRecords(t *testing.T) {
	fake, client := newFake(t)
	record := `{"requestId":"r,[\"\\","document_data":[{"full_name":"A, \"]\\"},{"full_name":"B"}],"warnings":[[1,2],{"a":[3,4]}]}`
	list := "[" + strings.Repeat(record+",", 1199) + record + "]"
	fake.Fail(facekitest.OpRecords, 1, answer([]byte(`{"status":true,"code":200,"result":`+list+`}`)))
	records, err := client.Records(context.Background(), faceki.RecordFilter{Link: "l"})
	require.NoError(t, err)
	require.Len(t, records, 1200)
	require.Len(t, records[1199].Documents, 2)
	require.Len(t, records[1199].Warnings, 2)

	fake.Fail(facekitest.OpRecords, 1, answer([]byte(`{"status":true,"code":200,"result":[`+strings.Repeat("{},", 5000)+`{}]}`)))
	_, err = client.Records(context.Background(), faceki.RecordFilter{Link: "l"})
	require.ErrorIs(t, err, kyckit.ErrDecode)

	var one faceki.Record
	texts := `"` + strings.Repeat(`[,{\",`, 2000) + `"`
	require.NoError(t, one.UnmarshalJSON([]byte(`{"warnings":[`+texts+`,`+strings.TrimSuffix(strings.Repeat("[0,0],", 999), ",")+`]}`)))
	require.Len(t, one.Warnings, 1000)
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
