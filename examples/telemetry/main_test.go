package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTelemetryIsWritten(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-after", "100ms"}, &out))
	for _, want := range []string{
		"POST /verifications", "verified", "declined", "nafath request", "auth token",
		`nafath details`, `for "POST /verifications"`, "REDACTED",
		"http.client.request.duration", "kyckit.call.duration", "kyckit.nafath.verifications", "kyckit.nafath.status=completed",
		"kyckit.nafath.budget.limit", "kyckit.auth.token.exchanges",
	} {
		assert.Contains(t, out.String(), want)
	}
	for _, secret := range []string{"100000008", "Noura", "Bearer"} {
		assert.NotContains(t, out.String(), secret)
	}
	assert.NotContains(t, out.String(), "nafath status  ", "checks have no spans unless asked for")
}
