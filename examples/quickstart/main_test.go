package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
)

func TestQuickstart(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want string
	}{
		{nil, "Verified."},
		{[]string{"-reject"}, "declined"},
		{[]string{"-expire"}, "nobody answered"},
	} {
		t.Run(tc.want, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			require.NoError(t, run(t.Context(), append(tc.args, "-after", "100ms"), noEnv, &out))
			assert.Contains(t, out.String(), tc.want)
			assert.Contains(t, out.String(), "confirm this number")
			assert.NotContains(t, out.String(), "\r", "a pipe is no terminal")
			assert.Equal(t, 1, strings.Count(out.String(), "waiting for the person"), "one line a change")
			assert.NotContains(t, out.String(), "1000000008")
			assert.NotContains(t, out.String(), "Noura")
		})
	}
}

func TestQuickstartLeavesWhenStopped(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	var out bytes.Buffer
	err := run(ctx, []string{"-after", "1h"}, noEnv, &out)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestRealProviderNeedsCredentials(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), []string{"-base-url", "https://api.example.com", "-token-url", "https://api.example.com/oauth/token"}, noEnv, &out)
	require.ErrorIs(t, err, kyckit.ErrInvalid)
	assert.Contains(t, err.Error(), "ClientID")
}

// It must not pass for a real verification that the fake answered.
func TestHalfARealProviderIsRefused(t *testing.T) {
	for _, flag := range []string{"-base-url", "-token-url"} {
		var out bytes.Buffer
		require.ErrorContains(t, run(t.Context(), []string{flag, "https://api.example.com"}, noEnv, &out), "both")
		assert.Empty(t, out.String())
	}
}

func noEnv(string) string { return "" }
