package nafath_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
)

// The made-up person of these tests; the number passes the Luhn check.
const citizen = "1000000008"

func setup(t *testing.T, cfg nafathtest.Config) (*nafathtest.Server, *nafath.Client) {
	t.Helper()
	fake := nafathtest.NewServer(cfg)
	t.Cleanup(fake.Close)
	client, err := nafath.New(fake.ClientConfig())
	require.NoError(t, err)
	return fake, client
}

func TestWholeVerification(t *testing.T) {
	for name, cfg := range map[string]nafathtest.Config{
		"documented": {}, "enveloped details": {EnvelopeDetails: true}, "numeric code": {NumericRandom: true},
	} {
		t.Run(name, func(t *testing.T) {
			fake, client := setup(t, cfg)
			tx, err := client.Request(t.Context(), citizen)
			require.NoError(t, err)
			assert.Equal(t, citizen, tx.NationalID)
			assert.NotEmpty(t, tx.Random)
			assert.WithinDuration(t, time.Now(), tx.CreatedAt, time.Minute)

			status, err := client.Status(t.Context(), tx)
			require.NoError(t, err)
			assert.Equal(t, nafath.StatusWaiting, status)
			_, err = client.Details(t.Context(), tx.TransID)
			require.ErrorIs(t, err, kyckit.ErrNotFound, "not before the person approved")

			require.Error(t, fake.Approve(tx.TransID, tx.Random+"0"))
			require.NoError(t, fake.Approve(tx.TransID, tx.Random))
			status, err = client.Status(t.Context(), tx)
			require.NoError(t, err)
			assert.Equal(t, nafath.StatusCompleted, status)
			d, err := client.Details(t.Context(), tx.TransID)
			require.NoError(t, err)
			assert.Equal(t, citizen, d.IDNumber)
			assert.Equal(t, tx.TransID, d.TransID)
			assert.Equal(t, "Noura Test Sample", d.EnglishName())
			require.NotNil(t, d.UserType)
			assert.Equal(t, nafath.UserNational, *d.UserType)
			assert.Nil(t, d.NationalityCode)
			assert.JSONEq(t, `{"city":"Sampleville"}`, string(d.NationalAddress))
			assert.NotEmpty(t, d.Raw)
			assert.Equal(t, 1, fake.Count("token"), "one token serves all calls")
		})
	}
}

func TestDocumentedErrors(t *testing.T) {
	body := func(status int, message string) string {
		return fmt.Sprintf(`{"version":null,"statusCode":%d,"messages":[%q],"result":null}`, status, message)
	}
	for _, tc := range []struct {
		status int
		body   string
		kind   error
		code   string
	}{
		{400, body(400, "TransId is required"), kyckit.ErrInvalid, ""},
		{401, body(401, "Unauthorized"), kyckit.ErrUnauthorized, ""},
		{403, body(403, "no permission"), kyckit.ErrForbidden, ""},
		{404, body(404, "Transaction not found"), kyckit.ErrNotFound, ""},
		{409, body(409, "already exists"), kyckit.ErrConflict, ""},
		{422, body(422, "422-031-046 Invalid national ID 1000000008"), kyckit.ErrInvalid, "422-031-046"},
		{429, body(429, "Too many requests"), kyckit.ErrRateLimited, ""},
		{500, body(500, "internal"), kyckit.ErrUnavailable, ""},
		{400, body(400, "code 400-034-050 for Noura"), kyckit.ErrConflict, "400-034-050"},
		{400, `{"code":"400-034-051","reference":"x"}`, kyckit.ErrNotFound, "400-034-051"},
		{410, body(410, "400-034-053"), kyckit.ErrNotFound, "400-034-053"},
		{422, body(422, "400-034-051"), kyckit.ErrNotFound, "400-034-051"},
		{200, body(400, "400-034-051"), kyckit.ErrNotFound, "400-034-051"},
		{200, body(200, "400-034-053"), kyckit.ErrNotFound, "400-034-053"},
		{429, body(429, "400-034-051"), kyckit.ErrRateLimited, "400-034-051"},
		{401, body(401, "400-034-053"), kyckit.ErrUnauthorized, "400-034-053"},
		{403, body(403, "400-034-051"), kyckit.ErrForbidden, "400-034-051"},
		{409, body(409, "400-034-051"), kyckit.ErrConflict, "400-034-051"},
		{500, body(500, "400-034-051"), kyckit.ErrUnavailable, "400-034-051"},
		{200, body(503, "400-034-053"), kyckit.ErrUnavailable, "400-034-053"},
		{200, body(403, "400-034-053"), kyckit.ErrForbidden, "400-034-053"},
		{200, body(422, "Invalid national ID"), kyckit.ErrInvalid, "422"},
		{200, body(401, "Unauthorized"), kyckit.ErrUnauthorized, "401"},
		{200, `{"statusCode":"500","messages":"broken","result":null}`, kyckit.ErrUnavailable, "500"},
		{502, "<html><body>Bad gateway for 1000000008</body></html>", kyckit.ErrUnavailable, ""},
		{200, "<html><body>Welcome</body></html>", kyckit.ErrDecode, ""},
		{200, "", kyckit.ErrDecode, ""},
		{204, "", kyckit.ErrDecode, ""},
		{200, `{"statusCode":200,"result":{"status":"COMPL`, kyckit.ErrDecode, ""},
		{200, `{"statusCode":200,"result":null}`, kyckit.ErrDecode, ""},
		{200, `{"statusCode":200,"result":{}}`, kyckit.ErrDecode, ""},
		{200, `{"status":"COMPLETED"}`, kyckit.ErrDecode, ""},
		{200, `{"statusCode":200,"result":{"status":"WAITING","status":"COMPLETED"}}`, kyckit.ErrDecode, ""},
		{200, `{"statusCode":200,"result":{"status":"WAITING","Status":"COMPLETED"}}`, kyckit.ErrDecode, ""},
		{200, `[]`, kyckit.ErrDecode, ""},
		{200, strings.Repeat("[", 100_000), kyckit.ErrDecode, ""},
	} {
		t.Run(fmt.Sprint(tc.status, " ", tc.body[:min(len(tc.body), 40)]), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake, client := setup(t, nafathtest.Config{Options: kyctest.Options{InMemory: true}})
				tx, err := client.Request(t.Context(), citizen)
				require.NoError(t, err)
				for op, call := range map[string]func() error{
					"status":  func() error { _, err := client.Status(t.Context(), tx); return err },
					"details": func() error { _, err := client.Details(t.Context(), tx.TransID); return err },
					"request": func() error { _, err := client.Request(t.Context(), citizen); return err },
				} {
					fake.Fail(op, 0, kyctest.Fault{Status: tc.status, Body: tc.body})
					err := call()
					require.ErrorIs(t, err, tc.kind, op)
					var e *kyckit.Error
					require.ErrorAs(t, err, &e)
					assert.Equal(t, tc.status, e.StatusCode)
					assert.Equal(t, tc.code, e.Code, op)
					assert.Equal(t, tc.body, string(e.Body()))
					assert.NotContains(t, err.Error(), citizen)
					assert.NotContains(t, err.Error(), "Noura")
				}
			})
		})
	}
}

func TestRequestIsNeverRepeated(t *testing.T) {
	for name, fault := range map[string]kyctest.Fault{
		"500": {Status: 500}, "503": {Status: 503}, "lost answer": {LoseAnswer: true}, "hangup": {Hangup: true},
		"truncated": {Status: 200, Body: "{", Truncate: true}, "html": {Status: 200, Body: "<html>"}, "empty": {Status: 200},
		"redirect":         {Status: 302, Header: http.Header{"Location": {"https://kyckit.invalid/"}}},
		"slow":             {Delay: time.Hour},
		"10 MB":            {Status: 200, Body: strings.Repeat(" ", 10<<20)},
		"failing envelope": {Status: 200, Body: `{"statusCode":500,"messages":[],"result":null}`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake, client := setup(t, nafathtest.Config{Options: kyctest.Options{InMemory: true}})
				fake.Fail("request", 0, fault)
				_, err := client.Request(t.Context(), citizen)
				require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
				assert.Equal(t, 1, fake.Count("request"))
				if fault.Status >= 500 {
					require.ErrorIs(t, err, kyckit.ErrUnavailable)
				}
			})
		})
	}
}

func TestARefusedTokenIsReplacedOnce(t *testing.T) {
	fake, client := setup(t, nafathtest.Config{})
	tx, err := client.Request(t.Context(), citizen)
	require.NoError(t, err)
	fake.RevokeTokens()
	_, err = client.Status(t.Context(), tx)
	require.NoError(t, err)
	assert.Equal(t, 2, fake.Count("token"))
	fake.RevokeTokens()
	_, err = client.Request(t.Context(), citizen)
	require.NoError(t, err, "a 401 was not accepted, so the call may go out again")
	assert.Equal(t, 3, fake.Count("request"))
}

func TestWrongCredentials(t *testing.T) {
	fake := nafathtest.NewServer(nafathtest.Config{})
	defer fake.Close()
	fake.Fail("token", 0, kyctest.Fault{Status: 401, Body: `{"error":"invalid_client"}`})
	client, err := nafath.New(fake.ClientConfig())
	require.NoError(t, err)
	_, err = client.Request(t.Context(), citizen)
	require.ErrorIs(t, err, kyckit.ErrUnauthorized)
	require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
	assert.Zero(t, fake.Count("request"))
}

func TestInputIsCheckedBeforeAnythingIsSent(t *testing.T) {
	fake, client := setup(t, nafathtest.Config{})
	good := nafath.Transaction{TransID: "t", Random: "01", NationalID: citizen}
	for _, change := range []func(*nafath.Transaction){
		func(tx *nafath.Transaction) { tx.TransID = "" },
		func(tx *nafath.Transaction) { tx.Random = "" },
		func(tx *nafath.Transaction) { tx.NationalID = "123" },
	} {
		tx := good
		change(&tx)
		_, err := client.Status(t.Context(), tx)
		require.ErrorIs(t, err, kyckit.ErrInvalid)
	}
	for _, id := range []string{"", "..", "a/b", "../request", "%2e%2e"} {
		_, err := client.Details(t.Context(), id)
		require.ErrorIs(t, err, kyckit.ErrInvalid, id)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := client.Request(ctx, citizen)
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
	assert.Zero(t, fake.Count("request")+fake.Count("status")+fake.Count("details"))
}

// The code is opaque: a number arrives as it is written, a string keeps its
// leading zeros, and both are echoed exactly.
func TestPitfall2RandomIsOpaque(t *testing.T) {
	for sent, want := range map[string]string{`"07"`: "07", `7`: "7", `"a-1"`: "a-1", `907`: "907", `7.0`: "7"} {
		fake, client := setup(t, nafathtest.Config{})
		fake.Fail("request", 1, kyctest.Fault{Status: 201, Body: `{"statusCode":201,"result":{"transId":"t-1","random":` + sent + `}}`})
		tx, err := client.Request(t.Context(), citizen)
		require.NoError(t, err)
		assert.Equal(t, want, tx.Random)
		_, _ = client.Status(t.Context(), tx)
		var body map[string]any
		require.NoError(t, json.Unmarshal(fake.Requests("status")[0].Body, &body))
		assert.Equal(t, map[string]any{"transId": "t-1", "random": want, "nationalId": citizen}, body)
	}
	for _, sent := range []string{`true`, `{}`, `[1]`, `1.5`, `-3`, `null`, `""`} {
		fake, client := setup(t, nafathtest.Config{})
		fake.Fail("request", 1, kyctest.Fault{Status: 200, Body: `{"result":{"transId":"t-1","random":` + sent + `}}`})
		_, err := client.Request(t.Context(), citizen)
		require.ErrorIs(t, err, kyckit.ErrDecode, sent)
		require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown, sent)
	}
}

func TestStatusValues(t *testing.T) {
	for sent, want := range map[string]nafath.Status{
		"WAITING": nafath.StatusWaiting, "Completed": nafath.StatusCompleted, " rejected ": nafath.StatusRejected,
		"EXPIRED": nafath.StatusExpired, "error": nafath.StatusError, "Paused": "Paused",
	} {
		fake, client := setup(t, nafathtest.Config{})
		fake.Fail("status", 1, kyctest.Fault{Status: 200, Body: `{"statusCode":200,"result":{"status":"` + sent + `"}}`})
		got, err := client.Status(t.Context(), nafath.Transaction{TransID: "t", Random: "1", NationalID: citizen})
		require.NoError(t, err)
		assert.Equal(t, want, got)
		assert.Equal(t, want != "WAITING" && want != "Paused", got.Terminal())
	}
}

// A status is believed for the transaction it was asked for alone.
func TestAStatusThatNamesAnotherTransactionIsNotBelieved(t *testing.T) {
	const id = "0b5f3c1e-5a39-4f0e-9d2b-6f1f4c3d2a10"
	tx := nafath.Transaction{TransID: id, Random: "1", NationalID: citizen}
	for body, believed := range map[string]bool{
		`{"statusCode":200,"result":{"status":"COMPLETED","transId":"` + id + `"}}`:                  true,
		`{"statusCode":200,"result":{"status":"COMPLETED","transId":"` + strings.ToUpper(id) + `"}}`: true,
		`{"statusCode":200,"result":{"status":"COMPLETED","transId":null}}`:                          true,
		`{"statusCode":200,"transId":"` + id + `","result":{"status":"COMPLETED"}}`:                  true,
		`{"statusCode":200,"result":{"status":"COMPLETED","transId":"other"}}`:                       false,
		`{"statusCode":200,"result":{"status":"COMPLETED","transId":7}}`:                             false,
		`{"statusCode":200,"transId":"other","result":{"status":"COMPLETED"}}`:                       false,
		`{"statusCode":200,"result":{"status":"COMPLETED","transId":"` + id + ` "}}`:                 false,
	} {
		fake, client := setup(t, nafathtest.Config{})
		fake.Fail("status", 1, kyctest.Fault{Status: 200, Body: body})
		status, err := client.Status(t.Context(), tx)
		if believed {
			require.NoError(t, err, body)
			assert.Equal(t, nafath.StatusCompleted, status)
			continue
		}
		require.ErrorIs(t, err, kyckit.ErrDecode, body)
		assert.Empty(t, status)
	}
	fake, client := setup(t, nafathtest.Config{})
	fake.Fail("status", 1, kyctest.Fault{Status: 200, Body: `{"result":{"status":"COMPLETED","transId":"ABC"}}`})
	_, err := client.Status(t.Context(), nafath.Transaction{TransID: "abc", Random: "1", NationalID: citizen})
	require.ErrorIs(t, err, kyckit.ErrDecode, "case counts in what is no UUID")
}
