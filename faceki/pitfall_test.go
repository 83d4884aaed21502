package faceki_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/faceki"
	"github.com/kyckit/kyckit/faceki/facekitest"
	"github.com/kyckit/kyckit/kyctest"
)

// 0 is success in one envelope and 200 in the other; neither stands for the
// other, and a status is a bool in answers and a word in webhooks.
func TestPitfallSuccessDiffersByEnvelope(t *testing.T) {
	ctx := context.Background()
	fake, client := newFake(t)
	for body, good := range map[string]bool{
		`{"status":true,"code":200,"result":{}}`:                               true,
		`{"status":true,"code":"200","result":{}}`:                             true,
		`{"responseCode":0,"data":{}}`:                                         true,
		`{"responseCode":0,"data":{},"new":{"code":1}}`:                        true,
		`{"status":true,"code":200,"result":{},"errors":[]}`:                   true,
		`{"status":true,"code":0,"result":{}}`:                                 false,
		`{"responseCode":200,"data":{}}`:                                       false,
		`{"status":false,"code":200,"result":{}}`:                              false,
		`{"status":"true","code":200,"result":{}}`:                             false,
		`{"status":"ACCEPTED","code":200,"result":{}}`:                         false,
		`{"code":200,"result":{}}`:                                             false,
		`{"status":true,"result":{}}`:                                          false,
		`{"status":true,"code":200,"statusCode":200,"result":{}}`:              false,
		`{"status":true,"code":200,"result":{},"errors":[{"message":"x"}]}`:    false,
		`{"status":true,"code":200,"responseCode":5001,"result":{},"data":{}}`: false,
		`{"status":true,"code":true,"result":{}}`:                              false,
		`{"requestId":"r","status":"ACCEPTED"}`:                                false,
		`{"result":{}}`:                                                        false,
	} {
		fake.Fail(facekitest.OpRules, 1, kyctest.Fault{Status: http.StatusOK, Body: body})
		_, err := client.WorkflowRules(ctx, "w")
		require.Equal(t, good, err == nil, body)
	}
}

// A failing code inside a 2xx is an error, whatever stands in result, even a
// record that says ACCEPTED.
func TestPitfallFailureInside2xx(t *testing.T) {
	fake, client := newFake(t)
	for _, result := range []any{nil, "", "text", 7, true, []any{}, map[string]any{"decision": "ACCEPTED", "requestId": "r"}} {
		fake.Fail(facekitest.OpVerify, 1, facekitest.RefusalWith(5003, result))
		record, err := client.Verify(context.Background(), params())
		require.ErrorIs(t, err, faceki.ErrBilling)
		require.Nil(t, record)
		var e *kyckit.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, "5003", e.Code)
		require.Equal(t, "NOT_ENOUGH_WALLET_CREDIT", e.Message())
		require.Equal(t, http.StatusOK, e.StatusCode)
		require.NotEmpty(t, e.Body())
	}
}

// result of another type than the call's own.
func TestPitfallResultVariesInType(t *testing.T) {
	ctx := context.Background()
	fake, client := newFake(t)
	for _, result := range []any{"text", 7, true, []any{1}, []any{"x"}} {
		fake.Fail(facekitest.OpRecords, 1, facekitest.RefusalWith(200, result))
		_, err := client.Records(ctx, faceki.RecordFilter{RequestID: "r"})
		require.ErrorIs(t, err, kyckit.ErrDecode, "%v", result)
	}
	fake.Fail(facekitest.OpRecords, 1, facekitest.RefusalWith(200, map[string]any{"requestId": "r"}))
	records, err := client.Records(ctx, faceki.RecordFilter{RequestID: "r"})
	require.NoError(t, err, "one record alone")
	require.Equal(t, "r", records[0].RequestID)
}

func TestPitfallDeclinedIsAResult(t *testing.T) {
	fake, client := newFake(t)
	for _, d := range []faceki.Decision{faceki.DecisionDeclined, faceki.DecisionReview, "SOMETHING_NEW"} {
		fake.SetDecision(d)
		record, err := client.Verify(context.Background(), params())
		require.NoError(t, err)
		require.Equal(t, d, record.Decision)
		require.False(t, record.Decision.Accepted())
	}
}

func TestPitfallAcceptedAndApproved(t *testing.T) {
	require.True(t, faceki.DecisionAccepted.Accepted())
	require.True(t, faceki.DecisionApproved.Accepted())
}

// A wrong path is refused with code 1 too. It costs one new token, not one a
// call, and never loops.
func TestPitfallCodeOneNeverLoops(t *testing.T) {
	ctx := context.Background()
	fake, client := newFake(t)
	fake.Fail(facekitest.OpRules, 0, facekitest.Refusal(1))
	for range 5 {
		_, err := client.WorkflowRules(ctx, "w")
		require.ErrorIs(t, err, kyckit.ErrUnauthorized)
		var e *kyckit.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, http.StatusOK, e.StatusCode)
		require.Equal(t, "1", e.Code)
	}
	require.Equal(t, 6, fake.Count(facekitest.OpRules))
	require.Equal(t, 2, fake.Count(facekitest.OpToken))

	// A token that is really refused elsewhere is still replaced.
	fake.RefuseInBody(true)
	fake.RevokeTokens()
	_, err := client.Verify(ctx, params())
	require.NoError(t, err)
}

// A token that helped ends the matter: when it is refused later, even soon, it
// is replaced as well.
func TestPitfallCodeOneTwiceInAMinute(t *testing.T) {
	fake, client := newFake(t)
	fake.RefuseInBody(true)
	for range 3 {
		_, err := client.Verify(context.Background(), params())
		require.NoError(t, err)
		fake.RevokeTokens()
	}
	require.Equal(t, 3, fake.Count(facekitest.OpToken))
}

// In the legacy mode the secret stands in a URL, which net/http puts into its
// errors.
func TestPitfallLegacyTokenURLIsNotPrinted(t *testing.T) {
	var log bytes.Buffer
	for _, f := range []kyctest.Fault{
		{Hangup: true},
		{Status: 500, Body: facekitest.ClientSecret},
		{Status: 200, Body: "{", Truncate: true},
		{Status: 302, Header: http.Header{"Location": {"https://kyckit.invalid/?clientSecret=" + facekitest.ClientSecret}}},
	} {
		synctest.Test(t, func(t *testing.T) {
			fake := facekitest.NewServer(facekitest.Config{Options: kyctest.Options{InMemory: true}})
			defer fake.Close()
			cfg := fake.ClientConfig()
			cfg.TokenMode = faceki.TokenLegacyQuery
			cfg.HTTP.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			client, err := faceki.New(cfg)
			require.NoError(t, err)
			fake.Fail(facekitest.OpToken, 0, f)
			_, err = client.WorkflowRules(t.Context(), "w")
			require.Error(t, err)
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err)+log.String(), facekitest.ClientSecret)
		})
	}
	require.NotEmpty(t, log.String())
}

// The link's id is an id and not the URL.
func TestPitfallLinkIDIsNotTheURL(t *testing.T) {
	_, client := newFake(t)
	link, err := client.CreateLink(context.Background(), faceki.LinkParams{WorkflowID: "w"})
	require.NoError(t, err)
	require.NotContains(t, link.ID, "/")
	require.NotEqual(t, link.ID, link.URL)
}

// The documentation prints http addresses.
func TestPitfallPlainHTTPIsRefused(t *testing.T) {
	_, err := faceki.New(faceki.Config{ClientID: "id", ClientSecret: kyckit.NewSecret("s"), BaseURL: "http://sdk.faceki.com"})
	require.ErrorIs(t, err, kyckit.ErrInvalid)

	fake, client := newFake(t)
	fake.Fail(facekitest.OpRecords, 1, kyctest.Fault{Status: http.StatusTemporaryRedirect, Header: http.Header{"Location": {"http://sdk.faceki.test/x"}}})
	_, err = client.Records(context.Background(), faceki.RecordFilter{RequestID: "r"})
	require.ErrorIs(t, err, kyckit.ErrDecode, "the bearer does not follow a redirect to another host")
}

func TestPitfallNumbersAsStrings(t *testing.T) {
	fake, client := newFake(t)
	fake.AddRecord(map[string]any{"document_data": []any{map[string]any{"age": 36, "document_number": 410000014, "passed": true}}})
	fake.Fail(facekitest.OpRules, 1, kyctest.Fault{Status: 200, Body: `{"status":false,"code":"5001","result":null}`})
	_, err := client.WorkflowRules(context.Background(), "w")
	require.ErrorIs(t, err, faceki.ErrConfiguration)
	records, err := client.SearchByFace(context.Background(), jpeg(10))
	require.NoError(t, err)
	require.Equal(t, "36", records[0].Documents[0].Age)
	require.Equal(t, "410000014", records[0].Documents[0].DocumentNumber)
}

// Dates are given as they came.
func TestPitfallDatesAreNotParsed(t *testing.T) {
	fake, client := newFake(t)
	fake.AddRecord(map[string]any{"document_data": []any{map[string]any{"dob": "12", "date_of_birth": "19910412"}}})
	records, err := client.SearchByFace(context.Background(), jpeg(10))
	require.NoError(t, err)
	require.Equal(t, "12", records[0].Documents[0].DOB)
	require.Equal(t, "19910412", records[0].Documents[0].DateOfBirth)
}

// A verification is sent once; what became of it is found by the identifier of
// the error, which is set even when the caller gave none.
func TestPitfallVerificationIsNotRepeated(t *testing.T) {
	ctx := context.Background()
	for name, f := range map[string]kyctest.Fault{
		"answer lost": {LoseAnswer: true},
		"503":         {Status: 503}, "500": {Status: 500}, "hangup": {Hangup: true},
		"truncated": {Status: 200, Body: "{", Truncate: true}, "HTML": {Status: 200, Body: "<html>"},
		"no envelope": {Status: 200, Body: `{"requestId":"r"}`},
	} {
		t.Run(name, func(t *testing.T) {
			fake, client := newFake(t, fastRetries)
			fake.Fail(facekitest.OpVerify, 0, f)
			record, err := client.Verify(ctx, params())
			require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
			require.Nil(t, record)
			require.Equal(t, 1, fake.Count(facekitest.OpVerify))
			var failed *faceki.VerifyError
			require.ErrorAs(t, err, &failed)
			require.Len(t, failed.RecordIdentifier, 26)
			var e *kyckit.Error
			require.ErrorAs(t, err, &e)

			records, err := client.Records(ctx, faceki.RecordFilter{RecordIdentifier: failed.RecordIdentifier})
			if f.LoseAnswer {
				require.NoError(t, err, "it did run")
				require.True(t, records[0].Decision.Accepted())
			} else {
				require.ErrorIs(t, err, kyckit.ErrNotFound)
			}
		})
	}
}

func TestPitfallRateLimitIsNotAnUnknownOutcome(t *testing.T) {
	fake, client := newFake(t)
	fake.Fail(facekitest.OpVerify, 1, kyctest.Fault{Status: 429, Header: http.Header{"Retry-After": {"7"}}})
	_, err := client.Verify(context.Background(), params())
	require.ErrorIs(t, err, kyckit.ErrRateLimited)
	var e *kyckit.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, 7*time.Second, e.RetryAfter)
	require.Equal(t, 1, fake.Count(facekitest.OpVerify))
}

// A workflow without storage leaves nothing to fetch; what the verification
// itself gave is not thrown away.
func TestPitfallNothingStored(t *testing.T) {
	fake, client := newFake(t)
	fake.Fail(facekitest.OpRecords, 0, facekitest.RefusalWith(200, []any{}))
	record, err := client.VerifyAndFetch(context.Background(), params())
	require.ErrorIs(t, err, kyckit.ErrNotFound)
	require.True(t, record.Decision.Accepted())
}

// Only passports have no back, and a front that is sent again as back is fine.
func TestPitfallPassportHasNoBack(t *testing.T) {
	fake, client := newFake(t)
	p := params()
	p.Documents = []faceki.Document{{Front: jpeg(100)}}
	_, err := client.Verify(context.Background(), p)
	require.NoError(t, err)
	require.Empty(t, fake.Uploads()[0].File("document_1_back").Field)
}

// Keys that this version does not know are no error, and are kept.
func TestPitfallSchemaGrows(t *testing.T) {
	fake, client := newFake(t)
	id := fake.AddRecord(map[string]any{"newField": map[string]any{"deep": []any{1}}, "__v": 7})
	records, err := client.Records(context.Background(), faceki.RecordFilter{RequestID: id})
	require.NoError(t, err)
	require.Contains(t, string(records[0].Raw), `"newField":{"deep":[1]}`)
	require.Equal(t, 7, *records[0].Revision)
}
