package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
)

func none(string) string { return "" }

func TestRunSurvivesAnExpiredToken(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), nil, none, &out))
	assert.Equal(t, `Created the person 00000000-0000-4000-8000-000000000001.
The questionnaire "onboarding" is answered with 3 answers.
The provider's key changes: the token is dead.
Answered all the same.
The person has the document 00000000-0000-4000-8000-000000000003, uploaded now: true.
It took 2 logins.
An event is handled: entitlementCompleted.
The delivery is answered with 200.
The delivery is answered with 200.
`, out.String())
}

func TestRunTellsOfRefusedCredentials(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), []string{"-password", "wrong"}, none, &out)
	require.ErrorIs(t, err, kyckit.ErrUnauthorized)
	assert.Contains(t, err.Error(), "LOGIN_BAD_CREDENTIALS")
}

func TestRunTellsOfAnUnknownQuestionnaire(t *testing.T) {
	var out bytes.Buffer
	require.ErrorIs(t, run(t.Context(), []string{"-questionnaire", "other"}, none, &out), kyckit.ErrNotFound)
}

func TestRunWantsAPasswordForARealProvider(t *testing.T) {
	var out bytes.Buffer
	require.ErrorIs(t, run(t.Context(), []string{"-base", "https://kyc.example"}, none, &out), kyckit.ErrInvalid)
}
