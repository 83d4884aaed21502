package faceki_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/faceki"
	"github.com/kyckit/kyckit/faceki/facekitest"
	"github.com/kyckit/kyckit/kyctest"
)

func sample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return b
}

func answer(body []byte) kyctest.Fault {
	return kyctest.Fault{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: string(body)}
}

func decodeAny(t *testing.T, b []byte) any {
	t.Helper()
	var v any
	require.NoError(t, json.Unmarshal(b, &v))
	return v
}

// missing lists what of want is not in got: every key and value must be there.
func missing(path string, want, got any) []string {
	switch w := want.(type) {
	case map[string]any:
		g, _ := got.(map[string]any)
		var out []string
		for k, v := range w {
			out = append(out, missing(path+"."+k, v, g[k])...)
		}
		return out
	case []any:
		g, _ := got.([]any)
		if len(g) != len(w) {
			return []string{fmt.Sprintf("%s: %d items, not %d", path, len(g), len(w))}
		}
		var out []string
		for i := range w {
			out = append(out, missing(fmt.Sprintf("%s[%d]", path, i), w[i], g[i])...)
		}
		return out
	case nil:
		if got == nil || got == "" {
			return nil
		}
	default:
		if want == got {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s: %v, not %v", path, got, want)}
}

// requireLossless checks that the fields of v hold everything of the sample, and
// raw all of its bytes.
func requireLossless(t *testing.T, want any, v any, raw []byte) {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	require.Empty(t, missing("", want, decodeAny(t, b)))
	require.Equal(t, want, decodeAny(t, raw))
}

func result(t *testing.T, body []byte) any {
	t.Helper()
	return decodeAny(t, body).(map[string]any)["result"]
}

func TestSamplesDecodeWithoutLoss(t *testing.T) {
	ctx := context.Background()
	fake, client := newFake(t)

	t.Run("records", func(t *testing.T) {
		body := sample(t, "records_success.json")
		fake.Fail(facekitest.OpRecords, 1, answer(body))
		records, err := client.Records(ctx, faceki.RecordFilter{RecordIdentifier: "order-5117"})
		require.NoError(t, err)
		require.Len(t, records, 1)
		requireLossless(t, result(t, body).([]any)[0], records[0], records[0].Raw)
		assert.InDelta(t, 0.87, records[0].DocumentConfidence[0].Fields["placeOfBirth"], 0)
		assert.InDelta(t, 98.75, *records[0].Documents[0].FaceMatch.Confidence, 0)
		assert.True(t, *records[0].Summary.ImageQuality)
	})
	t.Run("face match", func(t *testing.T) {
		body := sample(t, "face_match_success.json")
		fake.Fail(facekitest.OpSearch, 1, answer(body))
		records, err := client.SearchByFace(ctx, jpeg(100))
		require.NoError(t, err)
		require.Len(t, records, 1)
		requireLossless(t, result(t, body).([]any)[0], records[0], records[0].Raw)
	})
	for _, name := range []string{"kyc_verification_accepted.json", "kyc_verification_declined.json"} {
		t.Run(name, func(t *testing.T) {
			body := sample(t, name)
			fake.Fail(facekitest.OpVerify, 1, answer(body))
			record, err := client.Verify(ctx, params())
			require.NoError(t, err)
			requireLossless(t, result(t, body), record, record.Raw)
		})
	}
	for _, name := range []string{"workflow_rules_by_id.json", "workflow_rules_by_link.json"} {
		t.Run(name, func(t *testing.T) {
			body := sample(t, name)
			fake.Fail(facekitest.OpRules, 1, answer(body))
			rules, err := client.WorkflowRules(ctx, facekitest.WorkflowID)
			require.NoError(t, err)
			requireLossless(t, result(t, body), rules, rules.Raw)
		})
	}
	t.Run("link", func(t *testing.T) {
		body := sample(t, "link_success.json")
		fake.Fail(facekitest.OpLink, 1, answer(body))
		link, err := client.CreateLink(ctx, faceki.LinkParams{WorkflowID: facekitest.WorkflowID})
		require.NoError(t, err)
		assert.Equal(t, "c81d4e2e-bcf2-4e6a-869b-7d92d5a1f0aa", link.ID)
		assert.Equal(t, "https://verification.mock.test/c81d4e2e-bcf2-4e6a-869b-7d92d5a1f0aa", link.URL)
		assert.JSONEq(t, string(body), string(link.Raw))
	})
	t.Run("webhook", func(t *testing.T) {
		body := sample(t, "webhook_kyc_completed.json")
		e, err := faceki.ParseEvent(body)
		require.NoError(t, err)
		requireLossless(t, decodeAny(t, body), e, e.Raw)
	})
	t.Run("portal webhook", func(t *testing.T) {
		body := sample(t, "webhook_portal_update.json")
		e, err := faceki.ParseEvent(body)
		require.NoError(t, err)
		requireLossless(t, decodeAny(t, body), e, e.Raw)
	})
}

func TestSamplesOfFailures(t *testing.T) {
	ctx := context.Background()
	for name, want := range map[string]error{
		"kyc_verification_face_cropped_result_array.json":     faceki.ErrRetakeSelfie,
		"kyc_verification_liveness_failed_result_object.json": faceki.ErrRetakeSelfie,
		"kyc_verification_liveness_failed_result_string.json": faceki.ErrRetakeSelfie,
		"v3_wallet_credit.json":                               faceki.ErrBilling,
		"v3_unauthorized.json":                                kyckit.ErrUnauthorized,
		"token_error_422.json":                                kyckit.ErrInvalid,
	} {
		t.Run(name, func(t *testing.T) {
			fake, client := newFake(t)
			fake.Fail(facekitest.OpVerify, 0, answer(sample(t, name)))
			_, err := client.Verify(ctx, params())
			require.ErrorIs(t, err, want)
			require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
		})
	}
}

// A record that was stored as JSON comes back as it was.
func TestRecordRoundTrip(t *testing.T) {
	var list struct {
		Result []faceki.Record `json:"result"`
	}
	require.NoError(t, json.Unmarshal(sample(t, "records_success.json"), &list))
	first := list.Result[0]
	b, err := json.Marshal(first)
	require.NoError(t, err)
	var second faceki.Record
	require.NoError(t, json.Unmarshal(b, &second))
	require.JSONEq(t, string(first.AML[0]), string(second.AML[0]))
	first.Raw, second.Raw, first.AML, second.AML = nil, nil, nil, nil // raw values differ in white space
	require.Equal(t, first, second)
	require.Error(t, json.Unmarshal([]byte(`[]`), &second))
}
