package credential_test

import (
	"crypto"
	"crypto/fips140"
	"crypto/hmac"
	_ "crypto/md5"
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha3"
	_ "crypto/sha512"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/internal/credential"
)

func TestText(t *testing.T) {
	for given, want := range map[string]string{
		"":                "is required",
		" \t\r\n":         "is required",
		"\uFEFF":          "is required",
		"\uFEFF\n":        "is required",
		"\uFEFFsecret":    "must not begin with a byte order mark",
		"secret\n":        "must not end in a line break or blank",
		"secret\r\n":      "must not end in a line break or blank",
		"secret ":         "must not end in a line break or blank",
		"secret\t":        "must not end in a line break or blank",
		"secret\u00a0":    "must not end in a line break or blank",
		"secret\u2028":    "must not end in a line break or blank",
		"secret":          "",
		" two words":      "",
		"line\nbreak":     "",
		"in\uFEFFside":    "",
		"\xff\xfe binary": "",
	} {
		assert.Equal(t, want, credential.Text(given), "%q", given)
	}
	assert.Equal(t, "must be UTF-8", credential.UTF8Text("caf\xe9"))
	assert.Equal(t, "is required", credential.UTF8Text(""))
	assert.Empty(t, credential.UTF8Text("café"))
}

// TestHMAC asks crypto/hmac itself, in this mode and in a process that runs in
// FIPS 140-only mode.
func TestHMAC(t *testing.T) {
	for h := crypto.MD5; h <= crypto.BLAKE2b_512; h++ {
		if !h.Available() {
			continue
		}
		for _, n := range []int{0, 1, 13, 14, 64} {
			reason := credential.HMAC(h, n)
			assert.Equal(t, panics(h, n), reason != "", "%v with a key of %d bytes: %q", h, n, reason)
		}
	}
	if fips140.Enforced() {
		return
	}
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestHMAC$", "-test.count=1")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "PASS")
}

func panics(h crypto.Hash, n int) (panicked bool) {
	defer func() { panicked = recover() != nil }()
	mac := hmac.New(h.New, []byte(strings.Repeat("k", n)))
	_, _ = mac.Write([]byte("x"))
	mac.Sum(nil)
	return false
}
