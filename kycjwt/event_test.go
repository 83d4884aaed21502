package kycjwt_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/kycjwt"
	"github.com/kyckit/kyckit/kycjwt/kycjwttest"
	"github.com/kyckit/kyckit/webhook"
)

// vector is a delivery signed by another implementation of Ed25519.
type vector struct {
	PublicKey       string `json:"public_key_b64url_unpadded"`
	PublicKeyPadded string `json:"public_key_b64url_padded"`
	Timestamp       string `json:"timestamp"`
	Body            []byte `json:"raw_body_b64"`
	Signature       string `json:"signature_b64url_unpadded"`
	SignaturePadded string `json:"signature_b64url_padded"`
	SignatureStd    string `json:"signature_b64std"`
	MustReject      struct {
		BodyOnly       string `json:"body_only_signature_b64url"`
		WrongTimestamp string `json:"wrong_timestamp"`
		BodyWithSpace  []byte `json:"body_with_extra_space_b64"`
	} `json:"must_reject"`
}

func loadVector(t testing.TB) vector {
	t.Helper()
	raw, err := os.ReadFile("testdata/webhook-ed25519.json")
	require.NoError(t, err)
	var v vector
	require.NoError(t, json.Unmarshal(raw, &v))
	return v
}

func delivery(body []byte, timestamp, signature string) *webhook.Delivery {
	return &webhook.Delivery{Method: http.MethodPost, Body: body, Header: http.Header{
		"X-Dlt-Timestamp": {timestamp}, "X-Dlt-Signature": {signature},
	}}
}

func TestPitfallKeysAndSignaturesComeInBothAlphabetsPaddedOrNot(t *testing.T) {
	v := loadVector(t)
	key, err := base64.RawURLEncoding.DecodeString(v.PublicKey)
	require.NoError(t, err)
	for _, spelling := range []string{v.PublicKey, v.PublicKeyPadded, base64.StdEncoding.EncodeToString(key), base64.RawStdEncoding.EncodeToString(key)} {
		a, err := kycjwt.NewAuthenticator(kycjwt.AuthenticatorConfig{PublicKeys: []string{spelling}})
		require.NoError(t, err, spelling)
		for _, signature := range []string{v.Signature, v.SignaturePadded, v.SignatureStd} {
			require.NoError(t, a.Authenticate(delivery(v.Body, v.Timestamp, signature)), signature)
		}
	}
}

func TestPitfallTheRawBytesAndTheTimestampAreSigned(t *testing.T) {
	v := loadVector(t)
	a, err := kycjwt.NewAuthenticator(kycjwt.AuthenticatorConfig{PublicKeys: []string{v.PublicKey}})
	require.NoError(t, err)
	for name, d := range map[string]*webhook.Delivery{
		"body-only signature": delivery(v.Body, v.Timestamp, v.MustReject.BodyOnly),
		"another timestamp":   delivery(v.Body, v.MustReject.WrongTimestamp, v.Signature),
		"an added space":      delivery(v.MustReject.BodyWithSpace, v.Timestamp, v.Signature),
		"no signature":        delivery(v.Body, v.Timestamp, ""),
		"no timestamp":        delivery(v.Body, "", v.Signature),
		"no headers":          {Method: http.MethodPost, Body: v.Body, Header: http.Header{}},
		"a short signature":   delivery(v.Body, v.Timestamp, v.Signature[:40]),
		"no base64":           delivery(v.Body, v.Timestamp, "!"+v.Signature[1:]),
	} {
		require.Error(t, a.Authenticate(d), name)
	}
}

func TestNewAuthenticatorNamesTheRefusedSetting(t *testing.T) {
	v := loadVector(t)
	for field, cfg := range map[string]kycjwt.AuthenticatorConfig{
		"PublicKeys":    {},
		"PublicKeys[1]": {PublicKeys: []string{v.PublicKey, "AAAA"}},
		"PublicKeys[0]": {PublicKeys: []string{""}},
		"Tolerance":     {PublicKeys: []string{v.PublicKey}, Tolerance: -1},
		"TimestampUnit": {PublicKeys: []string{v.PublicKey}, TimestampUnit: 99},
	} {
		_, err := kycjwt.NewAuthenticator(cfg)
		require.ErrorIs(t, err, kyckit.ErrInvalid, field)
		assert.Contains(t, asError(t, err).Reason, field)
	}
}

func TestAToleranceIsAppliedOnceItIsSet(t *testing.T) {
	v := loadVector(t)
	for after, ok := range map[time.Duration]bool{0: true, 4 * time.Minute: true, 6 * time.Minute: false, -6 * time.Minute: false} {
		a, err := kycjwt.NewAuthenticator(kycjwt.AuthenticatorConfig{
			PublicKeys: []string{v.PublicKey}, Tolerance: 5 * time.Minute,
			Now: func() time.Time { return time.Unix(1761740142, 0).Add(after) },
		})
		require.NoError(t, err)
		err = a.Authenticate(delivery(v.Body, v.Timestamp, v.Signature))
		if ok {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, webhook.ErrTimestamp)
		}
	}
}

func TestPitfallADeliveryIsAnsweredWithExactly200AndHandledOnce(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	hook, err := client.RegisterWebhook(t.Context(), kycjwt.WebhookParams{URL: "https://us.example/kyc"})
	require.NoError(t, err)
	authenticator, err := kycjwt.NewAuthenticator(kycjwt.AuthenticatorConfig{PublicKeys: []string{hook.PublicKey}})
	require.NoError(t, err)
	var handled []kycjwt.Event
	handler, err := webhook.NewHandler(webhook.HandlerConfig{
		Authenticate: authenticator,
		Key:          kycjwt.EventKey,
		Handle: func(_ context.Context, d *webhook.Delivery) error {
			event, err := kycjwt.ParseEvent(d.Body)
			if err == nil {
				handled = append(handled, event)
			}
			return err
		},
	})
	require.NoError(t, err)
	deliver := func(body string, change func(*http.Request)) int {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "https://us.example/kyc", strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		require.NoError(t, fake.Sign(req, "", time.Now(), []byte(body)))
		change(req)
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, req)
		return rec.Code
	}
	same := func(*http.Request) {}
	const first = `{"notification_id":"n-1","notification_type":"failedIDV","details":{"status":"failed","messages":[]}}`
	assert.Equal(t, 200, deliver(first, same))
	assert.Equal(t, 200, deliver(first, same), "the same event again")
	assert.Equal(t, 200, deliver(`{"notification_id":"n-1", "notification_type":"failedIDV"}`, same), "and in another spelling")
	assert.Equal(t, 200, deliver(`{"notification_id":"n-2","notification_type":"somethingNew"}`, same))
	assert.Equal(t, 400, deliver(`{"notification_id":"n-3"}`, same))
	assert.Equal(t, 401, deliver(first, func(r *http.Request) { r.Header.Set("X-DLT-Timestamp", "1") }))
	require.Len(t, handled, 2)
	assert.Equal(t, "n-1", handled[0].NotificationID)
	assert.Equal(t, kycjwt.EventType("somethingNew"), handled[1].Type, "an unknown type is no error")
}

func TestParseEventReadsTheDocumentedTypes(t *testing.T) {
	event, err := kycjwt.ParseEvent(loadVector(t).Body)
	require.NoError(t, err)
	assert.Equal(t, kycjwt.EventEntitlementCompleted, event.Type)
	require.NotNil(t, event.EntitlementResult)
	assert.Equal(t, "15", string(event.EntitlementResult.RiskScore))

	parse := func(kind kycjwt.EventType, details string) kycjwt.Event {
		t.Helper()
		event, err := kycjwt.ParseEvent([]byte(`{"notification_id":"n","created_at":"2025-01-02 03:04","owner_id":"o","owner_type":"person",
			"external_id":null,"entitlement_trigger_id":"t","entitlement_id":17,"notification_type":"` + string(kind) + `","details":` + details + `}`))
		require.NoError(t, err)
		assert.Equal(t, "2025-01-02 03:04", event.CreatedAt)
		assert.Equal(t, []string{"o", "person", "", "t", "17"},
			[]string{event.OwnerID, event.OwnerType, event.ExternalID, event.EntitlementTriggerID, event.EntitlementID})
		return event
	}
	q := parse(kycjwt.EventQuestionnaireRequired, `{"pending_questionnaire_ids":["a","b"],"reason":"onboarding"}`)
	assert.Equal(t, &kycjwt.QuestionnaireRequired{PendingQuestionnaireIDs: []string{"a", "b"}, Reason: "onboarding"}, q.QuestionnaireRequired)
	idv := parse(kycjwt.EventIDVRequired, `{"workflow_id":"w","branch":"b","name":"n","new":1}`)
	assert.Equal(t, &kycjwt.IDVRequired{WorkflowID: "w", Branch: "b", Name: "n"}, idv.IDVRequired)
	for _, kind := range []kycjwt.EventType{kycjwt.EventIDVCompleted, kycjwt.EventIDVFailed, kycjwt.EventIDVError} {
		got := parse(kind, `{"status":"s","messages":[{"timestamp":1,"statusCode":"x","description":"d"}]}`).IDVResult
		require.NotNil(t, got)
		assert.Equal(t, "d", got.Messages[0].Description)
		assert.Equal(t, "1", string(got.Messages[0].Timestamp))
	}
	failed := parse(kycjwt.EventEntitlementFailed, `{"why":"unknown"}`)
	assert.JSONEq(t, `{"why":"unknown"}`, string(failed.Details))
	for _, details := range []string{`null`, `[]`, `"x"`, `7`, `{"messages":"none"}`} {
		odd := parse(kycjwt.EventIDVFailed, details)
		assert.Nil(t, odd.IDVResult, "details of another shape lose no event")
		if details == "null" {
			assert.Nil(t, odd.Details)
		} else {
			assert.JSONEq(t, details, string(odd.Details))
		}
	}
}

func TestParseEventIsStrictAboutWhatMakesAnEvent(t *testing.T) {
	for _, body := range []string{
		``, `null`, `[]`, `7`, `{}`, `<html>`,
		`{"notification_id":"n"}`,
		`{"notification_type":"failedIDV"}`,
		`{"notification_id":"","notification_type":"failedIDV"}`,
		`{"notification_id":"n","notification_type":""}`,
		`{"notification_id":"n","notification_type":7}`,
		`{"notification_id":{},"notification_type":"failedIDV"}`,
		`{"notification_id":"n","notification_type":"failedIDV"} {}`,
		`{"notification_id":"n","notification_id":"m","notification_type":"failedIDV"}`,
		`{"notification_id":"n","notification_type":"failedIDV","Notification_Type":"completedIDV"}`,
		`{"notification_id":"n","notification_type":"failedIDV",}`,
		`{"notification_id":"n","notification_type":"failedIDV","details":{"status":"x","Status":"y"}}`,
		`{"notification_id":"n","notification_type":"failedIDV","details":{"messages":[{"description":"x","Description":"y"}]}}`,
		`{"notification_id":"n","notification_type":"requirementsIDV","details":{"workflow_id":"x","WORKFLOW_ID":"y"}}`,
		"{\"notification_id\":\"n\xff\",\"notification_type\":\"failedIDV\"}",
	} {
		_, err := kycjwt.ParseEvent([]byte(body))
		require.ErrorIs(t, err, kyckit.ErrInvalid, "%q", body)
		require.ErrorIs(t, err, webhook.ErrMalformed, "%q", body)
		require.ErrorIs(t, err, kyckit.ErrDecode, "%q", body)
		assert.Equal(t, "event", asError(t, err).Op)
		assert.NotEmpty(t, asError(t, err).Reason)
	}
}
