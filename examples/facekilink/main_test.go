package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEveryOutcomeEndsAsItSays(t *testing.T) {
	wants := map[string]string{
		"accepted": "Verified: M… E… T…, document …07, decision ACCEPTED.",
		"declined": "Not verified: decision DECLINED.",
		"review":   "decision APPROVED.",
		"forged":   "Not verified: decision DECLINED.",
		"lost":     "No webhook came",
	}
	require.Len(t, wants, len(outcomes))
	for name, want := range wants {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			args := []string{"-outcome", name}
			if name == "lost" {
				args = append(args, "-patience", "20ms")
			}
			require.NoError(t, run(t.Context(), args, &out))
			assert.Contains(t, out.String(), want)
			for _, personal := range []string{"MIRA", "TESTER", "700000007", "1991"} {
				assert.NotContains(t, out.String(), personal)
			}
		})
	}
}

func TestBadInput(t *testing.T) {
	var out bytes.Buffer
	require.ErrorContains(t, run(t.Context(), []string{"-outcome", "help"}, &out), "forged")
	require.Error(t, run(t.Context(), []string{"-nonsense"}, &out))
}
