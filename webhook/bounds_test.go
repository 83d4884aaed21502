package webhook

import (
	"context"
	"crypto"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
)

// Every limit is stood on from both sides.

func TestWhichIDsAndTimestampsAreTaken(t *testing.T) {
	const secret = "made-up secret"
	for _, c := range []struct {
		header, text string
		unit         TimestampUnit
		kind         error
	}{
		{"X-Id", "!", 0, nil},
		{"X-Id", "~", 0, nil},
		{"X-Id", strings.Repeat("a", 256), 0, nil},
		{"X-Id", strings.Repeat("a", 257), 0, ErrBadSignature},
		{"X-Id", "", 0, ErrBadSignature},
		{"X-Id", " ", 0, ErrBadSignature},
		{"X-Id", "\x7f", 0, ErrBadSignature},
		{"X-Time", "0", UnixSeconds, nil},
		{"X-Time", strings.Repeat("9", 18), UnixSeconds, nil},
		{"X-Time", strings.Repeat("0", 19), UnixSeconds, ErrTimestamp},
		{"X-Time", "/", UnixSeconds, ErrTimestamp},
		{"X-Time", ":", UnixSeconds, ErrTimestamp},
		{"X-Time", "2023-11-14T22:13:20+00:00", RFC3339, nil},
		{"X-Time", "2023-11-14T22:13:20." + strings.Repeat("1", 43) + "Z", RFC3339, nil},
		{"X-Time", "2023-11-14T22:13:20." + strings.Repeat("1", 44) + "Z", RFC3339, ErrTimestamp},
		{"X-Time", "2023-11-14t22:13:20Z", RFC3339, ErrTimestamp},
		{"X-Time", "2023-11-14T22:13:20z", RFC3339, ErrTimestamp},
		{"X-Time", "2023-11-14 22:13:20Z", RFC3339, ErrTimestamp},
	} {
		s := Scheme{SignatureHeader: "X-Sig", IDHeader: "X-Id", Signed: "{id}\n{body}"}
		if c.header == "X-Time" {
			s = Scheme{SignatureHeader: "X-Sig", TimestampHeader: "X-Time", TimestampUnit: c.unit, Signed: "{timestamp}.{body}"}
		}
		a, err := newTemplate(s)
		require.NoError(t, err)
		content := strings.NewReplacer("{id}", c.text, "{timestamp}", c.text, "{body}", "b").Replace(s.Signed)
		d := deliver("b", c.header, c.text, "X-Sig", hexOf(crypto.SHA256.New, secret, content))
		require.ErrorIs(t, a.Authenticate(d), c.kind, "%s: %q", c.header, c.text)
	}
}

func hexOf(newHash func() hash.Hash, secret, content string) string {
	return hex.EncodeToString(sign(newHash, secret, content))
}

// The URL alphabet is taken with all of its padding or with none.
func TestPaddingOfTheURLAlphabet(t *testing.T) {
	for h, padding := range map[crypto.Hash]string{crypto.SHA256: "=", crypto.SHA384: "", crypto.SHA512: "=="} {
		a, err := newTemplate(Scheme{SignatureHeader: "X-Sig", Hash: h, Encoding: Base64URL, Signed: "{body}"})
		require.NoError(t, err)
		sig := base64.RawURLEncoding.EncodeToString(sign(h.New, "made-up secret", "b"))
		for _, pad := range []string{"", "=", "==", "===", "A"} {
			err := a.Authenticate(deliver("b", "X-Sig", sig+pad))
			if pad == "" || pad == padding {
				require.NoError(t, err, "%v with %q", h, pad)
			} else {
				require.ErrorIs(t, err, ErrBadSignature, "%v with %q", h, pad)
			}
		}
	}
}

func TestHowMuchASignatureHeaderMayHold(t *testing.T) {
	s := Scheme{
		SignatureHeader: "X-Sig", Grammar: GrammarPairs, GroupSeparator: ' ', TimestampKey: "t", SignatureKey: "v1", Signed: "{timestamp}.{body}",
	}
	a, err := newTemplate(s)
	require.NoError(t, err)
	right := "t=1700000000,v1=" + hexOf(crypto.SHA256.New, "made-up secret", "1700000000.b")
	wrong := "t=1700000000,v1=" + strings.Repeat("0", 64)
	for _, c := range []struct {
		name, header string
		good         bool
	}{
		{"4 groups", strings.Repeat(wrong+" ", 3) + right, true},
		{"5 groups", strings.Repeat(wrong+" ", 4) + right, false},
		{"16 signatures", "v1=" + strings.Repeat("0,v1=", 14) + "0," + right, true},
		{"17 signatures", "v1=" + strings.Repeat("0,v1=", 15) + "0," + right, false},
		{"4,096 bytes", right + ",x=" + strings.Repeat("y", 4096-len(right)-3), true},
		{"4,097 bytes", right + ",x=" + strings.Repeat("y", 4097-len(right)-3), false},
	} {
		err := a.Authenticate(deliver("b", "X-Sig", c.header))
		if c.good {
			require.NoError(t, err, c.name)
		} else {
			require.ErrorIs(t, err, ErrBadSignature, c.name)
		}
	}
}

// A long text that is signed beside the body is signed as a whole.
func TestALongHeaderIsSigned(t *testing.T) {
	for _, n := range []int{1, 255, 256, 257, 512, 10_000} {
		a, err := newTemplate(Scheme{SignatureHeader: "X-Sig", Signed: "{header:X-Long}\n{body}"})
		require.NoError(t, err)
		long := strings.Repeat("x", n)
		sig := hexOf(crypto.SHA256.New, "made-up secret", long+"\nb")
		require.NoError(t, a.Authenticate(deliver("b", "X-Long", long, "X-Sig", sig)), n)
		require.ErrorIs(t, a.Authenticate(deliver("b", "X-Long", long[1:]+"y", "X-Sig", sig)), ErrBadSignature, n)
	}
}

func TestWhatAnHMACIsMadeOf(t *testing.T) {
	secret := kyckit.NewSecret("made-up secret")
	for name, c := range map[string]struct {
		cfg  HMACConfig
		kind error
	}{
		"a secret and a key": {HMACConfig{
			Scheme:  Scheme{SignatureHeader: "X-Sig", Grammar: GrammarKeyed, Algorithm: "hmac-sha256", Signed: "{body}"},
			Secrets: []kyckit.Secret{secret}, Keys: []HMACKey{{ID: "k", Secret: secret}},
		}, nil},
		"neither":    {HMACConfig{Scheme: GitHub()}, kyckit.ErrInvalid},
		"https":      {HMACConfig{Scheme: timed("{url}{body}", 0), Secrets: []kyckit.Secret{secret}, PublicURL: "https://me.example/h"}, nil},
		"plain http": {HMACConfig{Scheme: timed("{url}{body}", 0), Secrets: []kyckit.Secret{secret}, PublicURL: "http://me.example/h"}, nil},
		"ftp":        {HMACConfig{Scheme: timed("{url}{body}", 0), Secrets: []kyckit.Secret{secret}, PublicURL: "ftp://me.example/h"}, kyckit.ErrInvalid},
	} {
		_, err := NewHMAC(c.cfg)
		require.ErrorIs(t, err, c.kind, name)
	}
}

func TestWhatSeparatesTheItemsOfAHeader(t *testing.T) {
	pairs := func(separator, assign, group byte) error {
		_, err := newTemplate(Scheme{
			SignatureHeader: "X-Sig", Grammar: GrammarPairs, SignatureKey: "v1", Signed: "{body}",
			Separator: separator, Assign: assign, GroupSeparator: group,
		})
		return err
	}
	require.NoError(t, pairs(',', '=', 0))
	require.NoError(t, pairs(',', '=', ' '))
	require.ErrorIs(t, pairs('=', '=', 0), kyckit.ErrInvalid)
	require.ErrorIs(t, pairs(',', '=', ','), kyckit.ErrInvalid)
	require.ErrorIs(t, pairs(',', '=', '='), kyckit.ErrInvalid)
}

func TestWhichHeaderNamesThereAre(t *testing.T) {
	for name, kind := range map[string]error{
		"X-Key": nil, strings.Repeat("a", 128): nil,
		"": kyckit.ErrInvalid, strings.Repeat("a", 129): kyckit.ErrInvalid,
		`"a`: kyckit.ErrInvalid, "a{": kyckit.ErrInvalid, "a b": kyckit.ErrInvalid, "a\x7f": kyckit.ErrInvalid, "a\x80": kyckit.ErrInvalid,
	} {
		_, err := NewAPIKey(APIKeyConfig{Header: name, Keys: []kyckit.Secret{kyckit.NewSecret("a made-up key")}})
		require.ErrorIs(t, err, kind, "%q", name)
	}
}

// Without a signature nothing needs the body.
func TestWhatIsRefusedBeforeTheBodyIsRead(t *testing.T) {
	for name, a := range map[string]Authenticator{"X-DLT-Signature": edAuth(t), "X-Hub-Signature-256": vectors()[0].auth(t)} {
		head := a.(HeadAuthenticator)
		require.ErrorIs(t, head.AuthenticateHead(deliver("")), ErrNoSignature)
		require.NoError(t, head.AuthenticateHead(deliver("", name, "x")))
	}
}

func TestWhatALogSaysOfALayer(t *testing.T) {
	assert.Equal(t, "[name=a result=accepted secret=2]", Layer{Name: "a", Secret: 2}.LogValue().String())
	assert.Equal(t, "[name=a result=accepted]", Layer{Name: "a"}.LogValue().String())
	refused := Layer{Name: "a", Err: errors.New("planted")}.LogValue().String()
	assert.NotContains(t, refused, "accepted")
	assert.NotContains(t, refused, "planted")
}

func TestHowLongACredentialMayBe(t *testing.T) {
	const most = 4096
	secret := func(n int) []kyckit.Secret { return []kyckit.Secret{kyckit.NewSecret(strings.Repeat("a", n))} }
	key := func(n int) error {
		_, err := NewAPIKey(APIKeyConfig{Header: "X-Key", Prefix: "Bearer ", Keys: secret(n - len("Bearer "))})
		return err
	}
	basic := func(n int) error {
		_, err := NewBasic(BasicConfig{Username: "u", Passwords: secret(n - len("u:"))})
		return err
	}
	path := func(n int) error {
		_, err := NewSecretPath(SecretPathConfig{Prefix: "/", Tokens: secret(n)})
		return err
	}
	require.NoError(t, key(most))
	require.ErrorIs(t, key(most+1), kyckit.ErrInvalid)
	require.NoError(t, path(most))
	require.ErrorIs(t, path(most+1), kyckit.ErrInvalid)
	require.NoError(t, path(16))
	require.ErrorIs(t, path(15), kyckit.ErrInvalid)
	const pair = (most - len("Basic ")) / 4 * 3 // in base64
	require.NoError(t, basic(pair))
	require.ErrorIs(t, basic(pair+1), kyckit.ErrInvalid)

	// The longest ones are accepted, and an empty one is none.
	a, err := NewAPIKey(APIKeyConfig{Header: "X-Key", Keys: secret(most)})
	require.NoError(t, err)
	require.NoError(t, a.Authenticate(deliver("", "X-Key", strings.Repeat("a", most))))
	require.ErrorIs(t, a.Authenticate(deliver("", "X-Key", strings.Repeat("a", most+1))), ErrBadSignature)
	require.ErrorIs(t, a.Authenticate(deliver("", "X-Key", "")), ErrNoSignature)
	require.ErrorIs(t, a.Authenticate(deliver("", "X-Key", "", "X-Key", "")), ErrBadSignature)
	a, err = NewSecretPath(SecretPathConfig{Prefix: "/", Tokens: secret(most)})
	require.NoError(t, err)
	d := deliver("")
	d.URL.Path = "/" + strings.Repeat("a", most)
	require.NoError(t, a.Authenticate(d))
}

// The lease outlasts what may happen while a delivery is handled.
func TestHowLongADeliveryIsHeld(t *testing.T) {
	for _, c := range []struct{ timeout, set, want time.Duration }{
		{0, 0, time.Minute},
		{30 * time.Second, 0, 80 * time.Second},
		{30 * time.Second, time.Second, time.Second},
	} {
		var lease time.Duration
		h := newHandler(t, HandlerConfig{
			HandleTimeout: c.timeout, Lease: c.set,
			Claims: claimsFunc(func(_ string, l time.Duration) (Claim, error) { lease = l; return nil, errors.New("down") }),
		})
		post(h, `{}`)
		assert.Equal(t, c.want, lease)
	}
}

// unsure is a claim whose first commits fail.
type unsure struct{ fails, commits int }

func (u *unsure) Commit(context.Context, time.Duration) error {
	if u.commits++; u.commits <= u.fails {
		return errors.New("down")
	}
	return nil
}

func (*unsure) Release(context.Context) error { return nil }

func TestACommitIsTriedThreeTimes(t *testing.T) {
	for fails, took := range map[int]time.Duration{0: 0, 1: 50 * time.Millisecond, 2: 150 * time.Millisecond, 3: 150 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			u := &unsure{fails: fails}
			h := newHandler(t, HandlerConfig{Claims: claimsFunc(func(string, time.Duration) (Claim, error) { return u, nil })})
			start := time.Now()
			assert.Equal(t, 200, post(h, `{}`).Code)
			assert.Equal(t, took, time.Since(start), "%d fail", fails)
			assert.Equal(t, min(fails+1, 3), u.commits)
		})
	}
}

func TestAnEmptyBodyIsDecodedWithoutPanic(t *testing.T) {
	var v struct{}
	require.ErrorIs(t, new(Delivery).Decode(&v), ErrMalformed)
}
