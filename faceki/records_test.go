package faceki_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/faceki"
	"github.com/kyckit/kyckit/faceki/facekitest"
	"github.com/kyckit/kyckit/kyctest"
)

func TestRecords(t *testing.T) {
	ctx := context.Background()
	fake, client := newFake(t)
	id := fake.AddRecord(map[string]any{"record_identifier": "order-5117", "link": "l-1", "face_id": "f-1"})
	fake.AddRecord(map[string]any{"record_identifier": "order-5118"})

	for _, filter := range []faceki.RecordFilter{
		{RequestID: id}, {RecordIdentifier: "order-5117"}, {Link: "l-1"}, {FaceID: "f-1"}, {RequestID: id, Link: "l-1"},
	} {
		records, err := client.Records(ctx, filter)
		require.NoError(t, err)
		require.Len(t, records, 1)
		require.Equal(t, id, records[0].RequestID)
		require.Equal(t, "MIRA EXAMPLE TESTER", records[0].Documents[0].FullName)
		require.False(t, records[0].CreatedAt.IsZero())
	}
	require.Equal(t, url.Values{"requestId": {id}, "link": {"l-1"}}, fake.Requests(facekitest.OpRecords)[4].Query)
}

func TestRecordsNeedAFilter(t *testing.T) {
	fake, client := newFake(t)
	_, err := client.Records(context.Background(), faceki.RecordFilter{})
	require.ErrorIs(t, err, kyckit.ErrInvalid)
	require.Zero(t, fake.Count(facekitest.OpRecords))
}

// Which of two equal keys counts would decide who passes.
func TestAKeyThatOccursTwiceIsRefused(t *testing.T) {
	fake, client := newFake(t)
	for _, body := range []string{
		`{"status":true,"code":200,"result":[{"requestId":"r-1","decision":"DECLINED","decision":"ACCEPTED"}]}`,
		`{"status":false,"status":true,"code":200,"result":[{"requestId":"r-1","decision":"ACCEPTED"}]}`,
		`{"status":true,"code":5004,"code":200,"result":[{"requestId":"r-1","decision":"ACCEPTED"}]}`,
	} {
		fake.Fail(facekitest.OpRecords, 1, kyctest.Fault{Status: http.StatusOK, Body: body})
		_, err := client.Records(t.Context(), faceki.RecordFilter{RequestID: "r-1"})
		require.ErrorIs(t, err, kyckit.ErrDecode, body)
	}
}

// An empty list and code 8013 are the same answer.
func TestRecordsNotFound(t *testing.T) {
	ctx := context.Background()
	fake, client := newFake(t)
	_, err := client.Records(ctx, faceki.RecordFilter{RequestID: "nobody"})
	require.ErrorIs(t, err, kyckit.ErrNotFound)

	for _, f := range []kyctest.Fault{
		facekitest.Refusal(8013), facekitest.RefusalStatus(http.StatusNotFound, 8013), facekitest.RefusalWith(200, []any{}),
		{Status: http.StatusOK, Body: `{"status":true,"code":200,"result":null}`},
	} {
		fake.Fail(facekitest.OpRecords, 1, f)
		_, err = client.Records(ctx, faceki.RecordFilter{RequestID: "nobody"})
		require.ErrorIs(t, err, kyckit.ErrNotFound)
	}
}

func TestRecordsPathAndEnvelopeOfTheOlderAPI(t *testing.T) {
	fake, client := newFake(t, func(c *faceki.Config) { c.Paths.Records = "/kycverify/api/kycverify/records" })
	id := fake.AddRecord(nil)
	records, err := client.Records(context.Background(), faceki.RecordFilter{RequestID: id})
	require.NoError(t, err)
	require.Equal(t, id, records[0].RequestID)
	require.Equal(t, "/kycverify/api/kycverify/records", fake.Requests(facekitest.OpRecords)[0].Path)
}

func TestRecordsAreRetried(t *testing.T) {
	fake, client := newFake(t, fastRetries)
	id := fake.AddRecord(nil)
	fake.Fail(facekitest.OpRecords, 1, kyctest.Fault{Status: 503})
	fake.Fail(facekitest.OpRecords, 2, kyctest.Fault{Hangup: true})
	records, err := client.Records(context.Background(), faceki.RecordFilter{RequestID: id})
	require.NoError(t, err)
	require.Len(t, records, 1)
	require.Equal(t, 3, fake.Count(facekitest.OpRecords))
}

func TestSearchByFace(t *testing.T) {
	ctx := context.Background()
	fake, client := newFake(t)
	records, err := client.SearchByFace(ctx, png(5000))
	require.NoError(t, err, "nobody found is a result")
	require.Empty(t, records)
	fake.Fail(facekitest.OpSearch, 1, facekitest.Refusal(8013))
	records, err = client.SearchByFace(ctx, png(5000))
	require.NoError(t, err)
	require.Empty(t, records)

	id := fake.AddRecord(nil)
	records, err = client.SearchByFace(ctx, png(5000))
	require.NoError(t, err)
	require.Equal(t, id, records[0].RequestID)
	uploads := fake.Uploads()
	require.Len(t, uploads[len(uploads)-1].Files, 1)
	require.Empty(t, uploads[0].Fields)

	fake.Fail(facekitest.OpSearch, 1, facekitest.Refusal(8006))
	_, err = client.SearchByFace(ctx, png(5000))
	require.ErrorIs(t, err, faceki.ErrRetakeSelfie)

	_, err = client.SearchByFace(ctx, faceki.Image{Reader: strings.NewReader("no image")})
	require.ErrorIs(t, err, faceki.ErrImage)

	before := fake.Count(facekitest.OpSearch)
	fake.Fail(facekitest.OpSearch, 1, kyctest.Fault{Status: 500})
	_, err = client.SearchByFace(ctx, png(5000))
	require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
	require.Equal(t, before+1, fake.Count(facekitest.OpSearch), "a paid call is not repeated")
}

func TestWorkflowRules(t *testing.T) {
	ctx := context.Background()
	fake, client := newFake(t)
	rules, err := client.WorkflowRules(ctx, "w 1&x=2")
	require.NoError(t, err)
	require.Equal(t, "w 1&x=2", rules.WorkflowID)
	require.Equal(t, []string{"ID Card"}, rules.Documents)
	require.Equal(t, 95, *rules.FaceMatchScore)

	_, err = client.WorkflowRules(ctx, "")
	require.ErrorIs(t, err, kyckit.ErrInvalid)
	fake.SetRules(nil)
	_, err = client.WorkflowRules(ctx, "w")
	require.ErrorIs(t, err, faceki.ErrConfiguration)
	fake.Fail(facekitest.OpRules, 1, facekitest.RefusalWith(200, []any{}))
	_, err = client.WorkflowRules(ctx, "w")
	require.ErrorIs(t, err, kyckit.ErrDecode)
}

// Values of unexpected types leave their field empty and nothing else.
func TestRecordWithUnexpectedTypes(t *testing.T) {
	var r faceki.Record
	require.NoError(t, json.Unmarshal([]byte(`{
		"requestId": 17, "decision": {"value":"ACCEPTED"}, "unknown": {"a":[1,2]}, "__v": "3",
		"document_data": {"full_name":"LUKA", "age": 36, "passed": "true", "document_number": 410000014,
			"document_face_match": {"similarity":"97.5", "confidence":"NaN"}, "more": null},
		"document_data_confidence": [{"reference":7, "age":"0.5", "mrz":"high"}, 3],
		"selfie_data": [], "verification_summary": {"face_verified": 1, "document_verified": null},
		"warnings": "one", "errorCodes": [5004, "8004", {"code":1}, null, "FACE"],
		"createdAt": 17, "updatedAt": "2024-09-17", "images": null, "deviceDetails": "x"
	}`), &r))
	require.Equal(t, "17", r.RequestID)
	require.Empty(t, r.Decision)
	require.False(t, r.Decision.Accepted())
	require.Equal(t, 3, *r.Revision)
	require.Len(t, r.Documents, 1)
	require.Equal(t, "36", r.Documents[0].Age)
	require.Equal(t, "410000014", r.Documents[0].DocumentNumber)
	require.True(t, *r.Documents[0].Passed)
	require.InDelta(t, 97.5, *r.Documents[0].FaceMatch.Similarity, 0)
	require.Nil(t, r.Documents[0].FaceMatch.Confidence)
	require.Equal(t, faceki.DocumentConfidence{Reference: "7", Fields: map[string]float64{"age": 0.5}}, r.DocumentConfidence[0])
	require.Nil(t, r.Summary.FaceVerified)
	require.Len(t, r.Warnings, 1)
	require.Equal(t, []string{"5004", "8004"}, r.Codes())
	require.ErrorIs(t, faceki.CodeError(r.Codes()[1]), faceki.ErrRetakeSelfie)
	require.True(t, r.CreatedAt.IsZero())
	require.Contains(t, string(r.Raw), `"a":[1,2]`)
	_, err := json.Marshal(r)
	require.NoError(t, err)
}
