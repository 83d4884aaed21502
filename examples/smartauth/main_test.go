package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/cafsmartauth/cafsmartauthtest"
)

func noEnv(string) string { return "" }

func TestEveryOutcomeEndsAsItSays(t *testing.T) {
	wants := map[string]string{
		"authorized": "Verified", "new-context": "is new", "denied": "person_not_alive", "denied-unsigned": "Denied.",
		"pending": "Not yet", "pending-unsigned": "Not yet", "expired": "expired attestation", "from-the-future": "from the future",
		"forged": "forged", "tampered": "forged", "other-person": "another person", "other-policy": "another policy",
		"access-token": "access token instead", "alg-none": "not signed", "alg-hs512": "not one of HS256", "alg-rs256": "not one of HS256",
	}
	require.Len(t, wants, len(cafsmartauthtest.Outcomes()))
	for _, outcome := range cafsmartauthtest.Outcomes() {
		name := string(outcome)
		var out bytes.Buffer
		require.NoError(t, run(t.Context(), []string{"-outcome", name}, noEnv, &out), name)
		assert.Contains(t, out.String(), wants[name], name)
		assert.NotContains(t, out.String(), "000.111.222")
		assert.NotContains(t, out.String(), "00011122285")
		assert.NotContains(t, out.String(), "eyJ")
		assert.Equal(t, strings.Contains(out.String(), "Sent again"), strings.Contains(out.String(), "Verified"), name)
	}
}

func TestShowToken(t *testing.T) {
	var out bytes.Buffer
	env := map[string]string{"SMARTAUTH_CLIENT_ID": "an-id", "SMARTAUTH_CLIENT_SECRET": "a-secret"}
	require.NoError(t, run(t.Context(), []string{"-show-token"}, func(k string) string { return env[k] }, &out))
	assert.Contains(t, out.String(), "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.")
	assert.NotContains(t, out.String(), "a-secret")
	assert.Contains(t, out.String(), "used before")
}

func TestBadInput(t *testing.T) {
	var out bytes.Buffer
	require.ErrorContains(t, run(t.Context(), []string{"-outcome", "help"}, noEnv, &out), "alg-none")
	require.ErrorContains(t, run(t.Context(), []string{"-cpf", "123"}, noEnv, &out), "not a CPF")
	require.Error(t, run(t.Context(), []string{"-nonsense"}, noEnv, &out))
}
