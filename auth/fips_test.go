package auth_test

import (
	"crypto/fips140"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
)

// TestFIPSOnlyModeIsFeltInTheConstructor runs itself in a process of that mode,
// where crypto/hmac panics at a key below 14 bytes.
func TestFIPSOnlyModeIsFeltInTheConstructor(t *testing.T) {
	if !fips140.Enforced() {
		exe, err := os.Executable()
		require.NoError(t, err)
		cmd := exec.CommandContext(t.Context(), exe, "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Contains(t, string(out), "--- PASS")
		return
	}
	_, err := auth.NewMinter(auth.MinterConfig{Issuer: "i", Secret: kyckit.NewSecret("thirteen-byte")})
	require.ErrorIs(t, err, kyckit.ErrInvalid)
	assert.ErrorContains(t, err, "Secret must have at least 14 bytes")
	m, err := auth.NewMinter(auth.MinterConfig{Issuer: "i", Secret: kyckit.NewSecret("fourteen-bytes")})
	require.NoError(t, err)
	_, err = m.Mint("00000000191", time.Minute)
	require.NoError(t, err)
}
