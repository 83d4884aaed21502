package cafsmartauth

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The tests of this file are named after what goes wrong in integrations.

func TestPitfallPersonIdInAccessTokenPeopleIdInAttestation(t *testing.T) {
	c := newClient(t)
	token, err := c.Mint(testCPF, time.Minute)
	require.NoError(t, err)
	_, claims := claimsOf(t, token.Access.Reveal())
	assert.Contains(t, claims, `"personId"`)
	assert.NotContains(t, claims, "peopleId")

	swapped := without("peopleId")
	swapped["personId"] = testCPF
	_, err = c.VerifyAttestation(attestation(swapped), want)
	require.ErrorIs(t, err, ErrMalformed)
}

func TestPitfallAccessTokenIsNoAttestation(t *testing.T) {
	c := newClient(t, allUsers)
	bound, err := c.Mint(testCPF, time.Minute)
	require.NoError(t, err)
	unbound, err := c.MintAllUsersTestToken(time.Minute)
	require.NoError(t, err)
	for _, token := range []string{
		bound.Access.Reveal(), unbound.Access.Reveal(),
		attestation(map[string]any{"iss": testID}),
		attestation(map[string]any{"iss": testID, "exp": time.Now().Add(-time.Hour).Unix(), "personId": testCPF}),
	} {
		_, err := c.VerifyAttestation(token, want)
		require.ErrorIs(t, err, ErrAccessToken)
		_, err = c.VerifyAnswer(Answer{Attestation: token, IsAuthorized: true}, want)
		require.ErrorIs(t, err, ErrAccessToken)
	}
}

func TestPitfallIsAuthorizedMustBeBooleanTrue(t *testing.T) {
	c := newClient(t)
	_, err := c.VerifyAttestation(attestation(with("isAuthorized", false)), want)
	require.ErrorIs(t, err, ErrDenied)
	for _, claims := range []map[string]any{
		without("isAuthorized"), with("isAuthorized", "true"), with("isAuthorized", 1), with("isAuthorized", nil),
		with("isAuthorized", json.RawMessage(`"True"`)), with("isAuthorized", map[string]any{"value": true}),
	} {
		_, err := c.VerifyAttestation(attestation(claims), want)
		require.ErrorIs(t, err, ErrMalformed)
	}
}

func TestPitfallExpIsANumberOfSeconds(t *testing.T) {
	c := newClient(t)
	token, err := c.Mint(testCPF, time.Hour)
	require.NoError(t, err)
	_, payload := claimsOf(t, token.Access.Reveal())
	var claims map[string]any
	require.NoError(t, json.Unmarshal([]byte(payload), &claims))
	assert.InDelta(t, time.Now().Add(time.Hour).Unix(), claims["exp"], 2)

	for _, exp := range []any{time.Now().Add(time.Hour).UnixMilli(), "9999999999", 0, nil, true} {
		_, err := c.VerifyAttestation(attestation(with("exp", exp)), want)
		require.ErrorIs(t, err, ErrMalformed)
	}
}

func TestPitfallLeadingZerosOfACPF(t *testing.T) {
	c := newClient(t)
	token, err := c.Mint("000.111.222-85", time.Minute)
	require.NoError(t, err)
	_, payload := claimsOf(t, token.Access.Reveal())
	assert.Contains(t, payload, `"personId":"00011122285"`)
	for _, people := range []any{"11122285", 11122285} {
		_, err = c.VerifyAttestation(attestation(with("peopleId", people)), want)
		require.Error(t, err)
	}
	_, err = c.VerifyAttestation(attestation(with("peopleId", "000.111.222-85")), want)
	require.NoError(t, err)
}

func TestPitfallPendingIsKnownFromTheAppOnly(t *testing.T) {
	c := newClient(t)
	signedNo := attestation(with("isAuthorized", false))
	for _, tc := range []struct {
		name   string
		answer Answer
		is     error
		cause  NotAuthorizedError
	}{
		{"denied", Answer{Attestation: signedNo}, ErrDenied, NotAuthorizedError{AttemptID: "fa01e0000000000000000001", Signed: true}},
		{"pending", Answer{Attestation: signedNo, Pending: true}, ErrPending, NotAuthorizedError{AttemptID: "fa01e0000000000000000001", Pending: true, Signed: true}},
		{"no attestation", Answer{AttemptID: "a1"}, ErrDenied, NotAuthorizedError{AttemptID: "a1"}},
		{"no attestation, pending", Answer{AttemptID: "a1", Pending: true}, ErrPending, NotAuthorizedError{AttemptID: "a1", Pending: true}},
		{"nothing at all", Answer{}, ErrDenied, NotAuthorizedError{}},
		{"the app says yes", Answer{IsAuthorized: true, AttemptID: "a1"}, ErrDenied, NotAuthorizedError{AttemptID: "a1"}},
	} {
		a, err := c.VerifyAnswer(tc.answer, want)
		assert.Nil(t, a, tc.name)
		require.ErrorIs(t, err, tc.is, tc.name)
		var cause *NotAuthorizedError
		require.ErrorAs(t, err, &cause, tc.name)
		assert.Equal(t, tc.cause, *cause, tc.name)
	}
	// What the app says can neither let in nor keep out.
	_, err := c.VerifyAnswer(Answer{Attestation: attestation(good()), Pending: true}, want)
	require.NoError(t, err)
	_, err = c.VerifyAnswer(Answer{Attestation: attestation(with("peopleId", "11144477735")), Pending: true}, want)
	require.ErrorIs(t, err, ErrWrongPerson)

	// iOS passes an empty string, the others null.
	for _, body := range []string{`{"isAuthorized":false,"attestation":"","attemptId":"a1"}`, `{"isAuthorized":false,"attestation":null,"attemptId":"a1"}`, `{"isAuthorized":false}`} {
		var answer Answer
		require.NoError(t, json.Unmarshal([]byte(body), &answer))
		_, err := c.VerifyAnswer(answer, want)
		require.ErrorIs(t, err, ErrDenied)
	}
}
