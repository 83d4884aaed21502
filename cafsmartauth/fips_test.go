package cafsmartauth

import (
	"crypto/fips140"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
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
	_, err := New(Config{ClientID: testID, ClientSecret: kyckit.NewSecret("thirteen-byte")})
	require.ErrorIs(t, err, kyckit.ErrInvalid)
	assert.ErrorContains(t, err, "ClientSecret must have at least 14 bytes")
	c, err := New(Config{ClientID: testID, ClientSecret: kyckit.NewSecret("fourteen-bytes")})
	require.NoError(t, err)
	_, err = c.Mint(testCPF, time.Minute)
	require.NoError(t, err)
	_, err = c.VerifyAttestation(attestation(good()), want)
	require.Error(t, err, "signed with another secret")
}
