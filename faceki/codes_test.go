package faceki_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/faceki"
	"github.com/kyckit/kyckit/faceki/facekitest"
)

// sentinels are all that an error of this package can be.
var sentinels = map[string]error{
	"retake": faceki.ErrRetakeSelfie, "selfie": faceki.ErrSelfie, "document": faceki.ErrDocument,
	"failed": faceki.ErrVerificationFailed, "link": faceki.ErrLink, "billing": faceki.ErrBilling,
	"configuration": faceki.ErrConfiguration, "unknown code": faceki.ErrUnknownCode,
	"unauthorized": kyckit.ErrUnauthorized, "forbidden": kyckit.ErrForbidden, "invalid": kyckit.ErrInvalid,
	"not found": kyckit.ErrNotFound, "conflict": kyckit.ErrConflict, "unavailable": kyckit.ErrUnavailable,
	"decode": kyckit.ErrDecode, "rate": kyckit.ErrRateLimited,
}

func kindsOf(err error) []string {
	out := []string{}
	for name, s := range sentinels {
		if errors.Is(err, s) {
			out = append(out, name)
		}
	}
	return out
}

// The table of the documentation and of the SDKs, written down a second time.
var classes = map[int][]string{
	1: {"unauthorized"}, 400: {"invalid"}, 422: {"invalid"}, 500: {"unavailable"}, 1000: {"unavailable"},
	5001: {"invalid", "configuration"}, 7001: {"invalid", "configuration"},
	5002: {"invalid"}, 8001: {"invalid"}, 5006: {"invalid", "document"},
	5003: {"forbidden", "billing"},
	5004: {"invalid", "retake", "selfie"}, 8003: {"invalid", "retake", "selfie"}, 8004: {"invalid", "retake", "selfie"},
	8005: {"invalid", "retake", "selfie"}, 8006: {"invalid", "retake", "selfie"}, 8007: {"invalid", "retake", "selfie"},
	8008: {"invalid", "retake", "selfie"}, 8009: {"invalid", "retake", "selfie"},
	8018: {"invalid", "selfie"}, 8019: {"invalid", "selfie"},
	5005: {"invalid", "failed"}, 5007: {"invalid", "failed"}, 5008: {"invalid", "failed"},
	5010: {"invalid", "document"}, 5011: {"invalid", "document"}, 5012: {"invalid", "document"},
	8002: {"invalid", "document"}, 8010: {"invalid", "document"}, 8011: {"invalid", "document"}, 8012: {"invalid", "document"},
	8013: {"not found"},
	5009: {"conflict", "link"}, 8014: {"invalid", "link"}, 8015: {"conflict", "link"}, 8016: {"invalid", "link"}, 8017: {"conflict", "link"},
	9999: {"invalid", "unknown code"}, 503: {"unavailable"}, 403: {"forbidden"}, 429: {"rate"},
}

func TestCodeTable(t *testing.T) {
	for _, code := range facekitest.Codes() {
		require.Contains(t, classes, code)
	}
	fake, client := newFake(t)
	for code, want := range classes {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			fake.Fail(facekitest.OpRules, 1, facekitest.Refusal(code))
			if code == 1 || code >= 500 && code < 600 {
				fake.Fail(facekitest.OpRules, 2, facekitest.Refusal(code))
			}
			_, err := client.WorkflowRules(context.Background(), facekitest.WorkflowID)
			fake.Heal()
			var e *kyckit.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, strconv.Itoa(code), e.Code)
			assert.Equal(t, http.StatusOK, e.StatusCode)
			assert.NotEmpty(t, e.Message())
			assert.NotContains(t, err.Error(), e.Message())
			assert.ElementsMatch(t, want, kindsOf(err))
			assert.ElementsMatch(t, want, kindsOf(faceki.CodeError(strconv.Itoa(code))))
		})
	}
	for _, none := range []string{"0", "200", "", "FACE_CROPPED", "8004x"} {
		assert.NoError(t, faceki.CodeError(none))
	}
}

// The same codes mean the same outside 2xx and in the older envelope.
func TestCodesOfOtherEnvelopes(t *testing.T) {
	ctx := context.Background()
	fake, client := newFake(t)
	link := faceki.LinkParams{WorkflowID: facekitest.WorkflowID}

	fake.Fail(facekitest.OpLink, 1, facekitest.LinkRefusal(5009))
	_, err := client.CreateLink(ctx, link)
	require.ErrorIs(t, err, faceki.ErrLink)
	require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)

	fake.Fail(facekitest.OpLink, 1, facekitest.RefusalStatus(http.StatusUnprocessableEntity, 8016))
	_, err = client.CreateLink(ctx, link)
	require.ErrorIs(t, err, faceki.ErrLink)

	fake.Fail(facekitest.OpVerify, 1, facekitest.RefusalStatus(http.StatusInternalServerError, 5004))
	_, err = client.Verify(ctx, params())
	require.ErrorIs(t, err, faceki.ErrRetakeSelfie, "the code says more than the status")
	require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)

	fake.Fail(facekitest.OpVerify, 1, facekitest.Refusal(500))
	_, err = client.Verify(ctx, params())
	require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown, "an internal error leaves a verification open")
	require.ErrorIs(t, err, kyckit.ErrUnavailable)

	fake.Fail(facekitest.OpRules, 1, facekitest.Errors(http.StatusBadRequest, "Somebody's text"))
	_, err = client.WorkflowRules(ctx, facekitest.WorkflowID)
	require.ErrorIs(t, err, kyckit.ErrInvalid)
	var e *kyckit.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, "Somebody's text", e.Message())

	fake.Fail(facekitest.OpRules, 1, facekitest.Errors(http.StatusOK, "no code"))
	_, err = client.WorkflowRules(ctx, facekitest.WorkflowID)
	require.ErrorIs(t, err, kyckit.ErrDecode)

	fake.Fail(facekitest.OpRules, 1, facekitest.HTML(http.StatusNotFound))
	_, err = client.WorkflowRules(ctx, facekitest.WorkflowID)
	require.ErrorIs(t, err, kyckit.ErrNotFound)
}

func TestDecisions(t *testing.T) {
	for d, accepted := range map[faceki.Decision]bool{
		"ACCEPTED": true, "APPROVED": true, "DECLINED": false, "REVIEW": false, "": false, "accepted": false,
		"ACCEPTED ": false, "PARTIALLY_ACCEPTED": false, "true": false,
	} {
		assert.Equal(t, accepted, d.Accepted(), string(d))
	}
}
