package faceki_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/faceki"
	"github.com/kyckit/kyckit/faceki/facekitest"
	"github.com/kyckit/kyckit/kyctest"
)

func newFake(t *testing.T, change ...func(*faceki.Config)) (*facekitest.Server, *faceki.Client) {
	t.Helper()
	fake := facekitest.NewServer(facekitest.Config{})
	t.Cleanup(fake.Close)
	cfg := fake.ClientConfig()
	for _, c := range change {
		c(&cfg)
	}
	client, err := faceki.New(cfg)
	require.NoError(t, err)
	return fake, client
}

func jpeg(size int) faceki.Image {
	return faceki.Image{Reader: bytes.NewReader(facekitest.JPEG(size))}
}

func png(size int) faceki.Image {
	return faceki.Image{Reader: bytes.NewReader(facekitest.PNG(size))}
}

// once hides everything of a reader but Read.
func once(img faceki.Image) faceki.Image {
	return faceki.Image{Name: img.Name, Reader: struct{ io.Reader }{img.Reader}}
}

func params() faceki.VerifyParams {
	return faceki.VerifyParams{
		WorkflowID: facekitest.WorkflowID,
		Selfie:     jpeg(5000),
		Documents:  []faceki.Document{{Front: png(7000), Back: jpeg(3000)}},
	}
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func TestVerify(t *testing.T) {
	fake, client := newFake(t)
	p := params()
	p.RecordIdentifier = "order-5117"
	p.Selfie.Name = `C:\photos\Luka's "best".PNG`
	p.Documents = append(p.Documents, faceki.Document{Front: png(100)}, faceki.Document{Front: jpeg(200), Back: png(300)})
	record, err := client.Verify(context.Background(), p)
	require.NoError(t, err)
	require.True(t, record.Decision.Accepted())
	require.Equal(t, "order-5117", record.RecordIdentifier)
	require.NotEmpty(t, record.RequestID)
	require.Equal(t, "company-fake", record.CompanyID)
	require.Equal(t, facekitest.WorkflowID, record.WorkflowID)
	require.Equal(t, "branch-fake", record.BranchID)

	require.Len(t, fake.Uploads(), 1)
	u := fake.Uploads()[0]
	require.Equal(t, map[string]string{"workflowId": facekitest.WorkflowID, "record_identifier": "order-5117"}, u.Fields)
	require.Equal(t, []facekitest.File{
		{Field: "selfie", Name: "Lukasbest.jpg", ContentType: "image/jpeg", Size: 5000, SHA256: sum(facekitest.JPEG(5000))},
		{Field: "document_1_front", Name: "document_1_front.png", ContentType: "image/png", Size: 7000, SHA256: sum(facekitest.PNG(7000))},
		{Field: "document_1_back", Name: "document_1_back.jpg", ContentType: "image/jpeg", Size: 3000, SHA256: sum(facekitest.JPEG(3000))},
		{Field: "document_2_front", Name: "document_2_front.png", ContentType: "image/png", Size: 100, SHA256: sum(facekitest.PNG(100))},
		{Field: "document_3_front", Name: "document_3_front.jpg", ContentType: "image/jpeg", Size: 200, SHA256: sum(facekitest.JPEG(200))},
		{Field: "document_3_back", Name: "document_3_back.png", ContentType: "image/png", Size: 300, SHA256: sum(facekitest.PNG(300))},
	}, u.Files)
}

// A file, a reader that is not at its start, one that cannot seek, and one
// reader for two parts.
func TestVerifyReaders(t *testing.T) {
	fake, client := newFake(t)
	name := filepath.Join(t.TempDir(), "selfie")
	require.NoError(t, os.WriteFile(name, facekitest.JPEG(100_000), 0o600))
	file, err := os.Open(name)
	require.NoError(t, err)
	defer func() { _ = file.Close() }()

	shared := bytes.NewReader(append([]byte("prefix"), facekitest.PNG(50_000)...))
	_, err = shared.Seek(6, io.SeekStart)
	require.NoError(t, err)
	stuttering := iotest.DataErrReader(iotest.OneByteReader(bytes.NewReader(facekitest.JPEG(3000))))

	_, err = client.Verify(context.Background(), faceki.VerifyParams{
		WorkflowID: "w",
		Selfie:     faceki.Image{Reader: file},
		Documents: []faceki.Document{
			{Front: faceki.Image{Reader: shared}, Back: faceki.Image{Reader: shared}},
			{Front: faceki.Image{Reader: stuttering}},
		},
	})
	require.NoError(t, err)
	u := fake.Uploads()[0]
	require.Equal(t, sum(facekitest.JPEG(100_000)), u.File("selfie").SHA256)
	require.Equal(t, sum(facekitest.PNG(50_000)), u.File("document_1_front").SHA256)
	require.Equal(t, sum(facekitest.PNG(50_000)), u.File("document_1_back").SHA256)
	require.Equal(t, sum(facekitest.JPEG(3000)), u.File("document_2_front").SHA256)
}

// The length is announced when all readers can tell it.
func TestVerifyAnnouncesItsLength(t *testing.T) {
	fake, client := newFake(t)
	_, err := client.Verify(context.Background(), params())
	require.NoError(t, err)
	p := params()
	p.Selfie = once(p.Selfie)
	_, err = client.Verify(context.Background(), p)
	require.NoError(t, err)
	requests := fake.Requests(facekitest.OpVerify)
	require.NotEmpty(t, requests[0].Header.Get("Content-Length"))
	require.Empty(t, requests[1].Header.Get("Content-Length"))
}

// The decision is in the result whatever its shape; no record is no yes.
func TestResultShapes(t *testing.T) {
	ctx := context.Background()
	fake, client := newFake(t)
	fake.SetDecision(faceki.DecisionReview)
	for shape, want := range map[facekitest.Shape]faceki.Decision{
		facekitest.ShapeObject: faceki.DecisionReview, facekitest.ShapeArray: faceki.DecisionReview,
		facekitest.ShapeString: "", facekitest.ShapeNull: "", facekitest.ShapeNumber: "",
	} {
		fake.SetShape(shape)
		record, err := client.Verify(ctx, params())
		require.NoError(t, err, string(shape))
		require.Equal(t, want, record.Decision, string(shape))
		require.NotEmpty(t, record.RecordIdentifier)
		require.False(t, record.Decision.Accepted())
		// What the answer did not tell can be read.
		records, err := client.Records(ctx, faceki.RecordFilter{RecordIdentifier: record.RecordIdentifier})
		require.NoError(t, err)
		require.Equal(t, faceki.DecisionReview, records[0].Decision)
	}

	p := params()
	p.RecordIdentifier = "mine"
	mine := map[string]any{"record_identifier": "mine", "decision": "DECLINED"}
	other := map[string]any{"record_identifier": "other", "decision": "ACCEPTED"}
	fake.Fail(facekitest.OpVerify, 1, facekitest.RefusalWith(200, []any{other, mine}))
	record, err := client.Verify(ctx, p)
	require.NoError(t, err)
	require.Equal(t, faceki.DecisionDeclined, record.Decision)

	p = params()
	fake.Fail(facekitest.OpVerify, 1, facekitest.RefusalWith(200, []any{other, mine}))
	_, err = client.Verify(ctx, p)
	require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown, "somebody else's record is not ours")
}

func TestVerifyAndFetch(t *testing.T) {
	ctx := context.Background()
	fake, client := newFake(t)
	record, err := client.VerifyAndFetch(ctx, params())
	require.NoError(t, err)
	require.Equal(t, "MIRA EXAMPLE TESTER", record.Documents[0].FullName)
	require.NotEmpty(t, record.RecordIdentifier)

	fake.SetShape(facekitest.ShapeNull)
	record, err = client.VerifyAndFetch(ctx, params())
	require.NoError(t, err, "found by the record identifier")
	require.NotEmpty(t, record.RequestID)

	// A server that ignores the filter must not swap people.
	fake.Fail(facekitest.OpRecords, 1, answer(sample(t, "records_success.json")))
	record, err = client.VerifyAndFetch(ctx, params())
	require.ErrorIs(t, err, kyckit.ErrDecode)
	require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
	require.Empty(t, record.RequestID)

	fake.SetShape(facekitest.ShapeObject)
	fake.Fail(facekitest.OpRecords, 1, facekitest.Refusal(8013))
	record, err = client.VerifyAndFetch(ctx, params())
	require.ErrorIs(t, err, kyckit.ErrNotFound)
	require.True(t, record.Decision.Accepted(), "what the verification gave is kept")
	var failed *faceki.VerifyError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, record.RecordIdentifier, failed.RecordIdentifier)

	fake.Fail(facekitest.OpVerify, 1, facekitest.Refusal(5003))
	record, err = client.VerifyAndFetch(ctx, params())
	require.ErrorIs(t, err, faceki.ErrBilling)
	require.Nil(t, record)
}

// 120 s by default, one try only, and what happened can be found out.
func TestVerifyTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := facekitest.NewServer(facekitest.Config{Options: kyctest.Options{InMemory: true}})
		defer fake.Close()
		client, err := faceki.New(fake.ClientConfig())
		require.NoError(t, err)

		fake.Fail(facekitest.OpVerify, 1, kyctest.Fault{Delay: 119 * time.Second})
		_, err = client.Verify(t.Context(), params())
		require.NoError(t, err)

		fake.Fail(facekitest.OpVerify, 1, kyctest.Fault{Delay: 121 * time.Second})
		start := time.Now()
		_, err = client.Verify(t.Context(), params())
		require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
		assert.Equal(t, 120*time.Second, time.Since(start))
		assert.Equal(t, 2, fake.Count(facekitest.OpVerify))

		fake.Fail(facekitest.OpVerify, 1, kyctest.Fault{Delay: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		start = time.Now()
		_, err = client.Verify(ctx, params())
		require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 7*time.Second, time.Since(start))

		ctx, cancel = context.WithCancel(t.Context())
		cancel()
		_, err = client.Verify(ctx, params())
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
		_, err = client.SearchByFace(ctx, jpeg(100))
		require.ErrorIs(t, err, context.Canceled)
	})
}

// A lone record with the identifier of somebody else is not ours, and nothing
// of it is handed out or followed.
func TestSomebodyElsesRecordIsNotTaken(t *testing.T) {
	ctx := context.Background()
	fake, client := newFake(t)
	stranger := fake.AddRecord(map[string]any{"record_identifier": "stranger", "decision": "ACCEPTED"})
	lone := func(fields string) kyctest.Fault {
		return answer([]byte(`{"status":true,"code":200,"message":"OK","result":` + fields + `}`))
	}
	theirs := `{"requestId":"` + stranger + `","record_identifier":"stranger","decision":"ACCEPTED"}`
	for _, result := range []string{theirs, "[" + theirs + "]"} {
		fake.Fail(facekitest.OpVerify, 1, lone(result))
		record, err := client.Verify(ctx, params())
		require.ErrorIs(t, err, kyckit.ErrDecode, result)
		require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown, "ours may have run")
		require.Nil(t, record)

		fake.Fail(facekitest.OpVerify, 1, lone(result))
		record, err = client.VerifyAndFetch(ctx, params())
		require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown, result)
		require.Nil(t, record)
		require.Zero(t, fake.Count(facekitest.OpRecords), "the stranger's requestId is not followed")
	}

	// An answer that names a request alone leads to the stranger's record.
	fake.Fail(facekitest.OpVerify, 1, lone(`{"requestId":"`+stranger+`","decision":"DECLINED"}`))
	record, err := client.VerifyAndFetch(ctx, params())
	require.ErrorIs(t, err, kyckit.ErrDecode)
	require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
	require.Equal(t, faceki.DecisionDeclined, record.Decision, "what the verification itself gave is kept")
	require.NotEqual(t, "stranger", record.RecordIdentifier)
}

// A server that ignores the filter hands out nobody's record.
func TestRecordsAreThoseAskedFor(t *testing.T) {
	ctx := context.Background()
	fake, client := newFake(t)
	const record = `{"requestId":"r-1","link":"l-1","face_id":"f-1","record_identifier":"order-1","decision":"ACCEPTED"}`
	list := func(records ...string) kyctest.Fault {
		return answer([]byte(`{"status":true,"code":200,"result":[` + strings.Join(records, ",") + `]}`))
	}
	for _, filter := range []faceki.RecordFilter{
		{RequestID: "r-2"}, {Link: "l-2"}, {FaceID: "f-2"}, {RecordIdentifier: "order-2"}, {RequestID: "r-2", Link: "l-2"},
	} {
		for _, f := range []kyctest.Fault{list(record), list(`{"decision":"DECLINED"}`, record)} {
			fake.Fail(facekitest.OpRecords, 1, f)
			records, err := client.Records(ctx, filter)
			require.ErrorIs(t, err, kyckit.ErrDecode)
			require.Empty(t, records)
		}
	}
	for _, filter := range []faceki.RecordFilter{{RequestID: "r-1"}, {RequestID: "r-1", Link: "l-2"}} {
		fake.Fail(facekitest.OpRecords, 1, list(record, `{"decision":"DECLINED"}`))
		records, err := client.Records(ctx, filter)
		require.NoError(t, err)
		require.Len(t, records, 2)
	}
}
