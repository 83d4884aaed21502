package webhook

import (
	"crypto/ed25519"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
)

// A vector with a synthetic key, made by an implementation other than Go's.
const (
	edKey       = "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"
	edTimestamp = "1761740142"
	edBody      = `{"notification_id":"11111111-2222-4333-8444-555555555555","notification_type":"entitlementCompleted","details":{"riskScore":15}}`
	edSignature = "pIiCikkAhC8NaBL9HAWbaDlNNpm6Upe_tLeUk51B5Cpk90pN-zoWHsokPzcOooI71B97-wEILWqbxAu_SHjsDg"
	edBodyOnly  = "9Mdtl-wA_pl3MddOxEeH9t5a7R08F4or22C7Nq3hgJUdhapJrkhuwmLZhO6cfJahPhMGrZF7zQC5dm08aYoUBA"
)

func edAuth(t testing.TB, change ...func(*Ed25519Config)) Authenticator {
	t.Helper()
	key, err := ParseEd25519PublicKey(edKey)
	require.NoError(t, err)
	cfg := Ed25519Config{PublicKeys: []ed25519.PublicKey{key}, SignatureHeader: "X-DLT-Signature", TimestampHeader: "X-DLT-Timestamp"}
	for _, c := range change {
		c(&cfg)
	}
	a, err := NewEd25519(cfg)
	require.NoError(t, err)
	return a
}

func edDelivery(sig string) *Delivery {
	return deliver(edBody, "X-DLT-Signature", sig, "X-DLT-Timestamp", edTimestamp)
}

func TestEd25519Vector(t *testing.T) {
	a := edAuth(t)
	std := strings.NewReplacer("-", "+", "_", "/").Replace(edSignature)
	for _, sig := range []string{edSignature, edSignature + "==", std, std + "=="} {
		require.NoError(t, a.Authenticate(edDelivery(sig)))
	}
	mixed := strings.Replace(edSignature, "_", "/", 1)
	for _, sig := range []string{edBodyOnly, edSignature + "=", edSignature + "A", edSignature[1:], mixed, edSignature + "\n", strings.Repeat("A", 1<<20)} {
		require.ErrorIs(t, a.Authenticate(edDelivery(sig)), ErrBadSignature)
	}
	require.ErrorIs(t, a.Authenticate(edDelivery("")), ErrNoSignature)

	d := edDelivery(edSignature)
	d.Header.Set("X-DLT-Timestamp", "1761740143")
	require.ErrorIs(t, a.Authenticate(d), ErrBadSignature)
	d = edDelivery(edSignature)
	d.Body = append(d.Body, ' ')
	require.ErrorIs(t, a.Authenticate(d), ErrBadSignature)
	d = edDelivery(edSignature)
	d.Header.Del("X-DLT-Timestamp")
	require.ErrorIs(t, a.Authenticate(d), ErrTimestamp)
	d = edDelivery(edSignature)
	d.Header.Add("X-DLT-Signature", edSignature)
	require.ErrorIs(t, a.Authenticate(d), ErrBadSignature)
}

func TestEd25519Tolerance(t *testing.T) {
	for offset, want := range map[time.Duration]error{0: nil, time.Minute: nil, -time.Minute: nil, 61 * time.Second: ErrTimestamp, -61 * time.Second: ErrTimestamp} {
		a := edAuth(t, func(c *Ed25519Config) {
			c.Tolerance = time.Minute
			c.Now = func() time.Time { return time.Unix(1761740142, 0).Add(offset) }
		})
		require.ErrorIs(t, a.Authenticate(edDelivery(edSignature)), want, offset)
	}
}

// TestEd25519TimestampCannotSwallowTheBody: the bytes signed are the same, the
// split is another.
func TestEd25519TimestampCannotSwallowTheBody(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	a := edAuth(t, func(c *Ed25519Config) { c.PublicKeys = []ed25519.PublicKey{public} })
	sig := base64.StdEncoding.EncodeToString(ed25519.Sign(private, []byte(`1.{"a":0.5}`)))
	require.NoError(t, a.Authenticate(deliver(`{"a":0.5}`, "X-DLT-Signature", sig, "X-DLT-Timestamp", "1")))
	require.ErrorIs(t, a.Authenticate(deliver(`5}`, "X-DLT-Signature", sig, "X-DLT-Timestamp", `1.{"a":0`)), ErrTimestamp)
}

func TestEd25519ConfigIsChecked(t *testing.T) {
	key := make(ed25519.PublicKey, 32)
	key[0] = 1
	for name, cfg := range map[string]Ed25519Config{
		"no keys":        {SignatureHeader: "S", TimestampHeader: "T"},
		"short key":      {SignatureHeader: "S", TimestampHeader: "T", PublicKeys: []ed25519.PublicKey{key[1:]}},
		"nil key":        {SignatureHeader: "S", TimestampHeader: "T", PublicKeys: []ed25519.PublicKey{key, nil}},
		"zero key":       {SignatureHeader: "S", TimestampHeader: "T", PublicKeys: []ed25519.PublicKey{make(ed25519.PublicKey, 32)}},
		"no header":      {TimestampHeader: "T", PublicKeys: []ed25519.PublicKey{key}},
		"no time header": {SignatureHeader: "S", PublicKeys: []ed25519.PublicKey{key}},
		"same header":    {SignatureHeader: "S", TimestampHeader: "s", PublicKeys: []ed25519.PublicKey{key}},
	} {
		_, err := NewEd25519(cfg)
		assert.ErrorIs(t, err, kyckit.ErrInvalid, name)
	}
	for unit, kind := range map[TimestampUnit]error{UnixSeconds: nil, UnixMillis: nil, RFC3339: nil, RFC3339 + 1: kyckit.ErrInvalid} {
		_, err := NewEd25519(Ed25519Config{SignatureHeader: "S", TimestampHeader: "T", PublicKeys: []ed25519.PublicKey{key}, TimestampUnit: unit})
		require.ErrorIs(t, err, kind, "unit %d", unit)
	}
	_, err := ParseEd25519PublicKey(edKey[1:])
	require.ErrorIs(t, err, kyckit.ErrInvalid)
}

func TestEd25519AllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations cannot be counted under the race detector")
	}
	a, good, forged := edAuth(t), edDelivery(edSignature), edDelivery(edBodyOnly)
	assert.Zero(t, testing.AllocsPerRun(100, func() { _ = a.Authenticate(good) }))
	// The standard library makes an error value for a signature that is wrong.
	assert.LessOrEqual(t, testing.AllocsPerRun(100, func() { _ = a.Authenticate(forged) }), 1.0)
}
