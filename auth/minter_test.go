package auth_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
)

func TestMintedTokenIsReadByAnotherLibrary(t *testing.T) {
	m, err := auth.NewMinter(auth.MinterConfig{Issuer: "invented-client", Secret: kyckit.NewSecret("invented-secret")})
	require.NoError(t, err)
	for _, person := range []string{"7", "12345678901", "012.345.678-90"} {
		tok, err := m.Mint(person, time.Hour)
		require.NoError(t, err)
		claims := jwt.MapClaims{}
		_, err = jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired()).
			ParseWithClaims(tok.Access.Reveal(), claims, func(*jwt.Token) (any, error) { return []byte("invented-secret"), nil })
		require.NoError(t, err)
		assert.Equal(t, jwt.MapClaims{"iss": "invented-client", "exp": float64(tok.Expiry.Unix()), "personId": person}, claims)
	}
}

const (
	mintIssuer = "11111111-2222-4333-8444-555555555555"
	mintSecret = "invented-secret-of-some-length"
)

func newMinter(t testing.TB, issuer, secret string) *auth.Minter {
	t.Helper()
	m, err := auth.NewMinter(auth.MinterConfig{Issuer: issuer, Secret: kyckit.NewSecret(secret)})
	require.NoError(t, err)
	return m
}

func TestMintedTokenByteForByte(t *testing.T) {
	m := newMinter(t, mintIssuer, mintSecret)
	tok, err := m.Mint("12345678901", time.Hour)
	require.NoError(t, err)
	parts := strings.Split(tok.Access.Reveal(), ".")
	require.Len(t, parts, 3)
	decode := func(s string) string {
		b, err := base64.RawURLEncoding.DecodeString(s)
		require.NoError(t, err)
		return string(b)
	}
	assert.Equal(t, `{"alg":"HS256","typ":"JWT"}`, decode(parts[0]))
	assert.Equal(t, fmt.Sprintf(`{"iss":%q,"exp":%d,"personId":"12345678901"}`, mintIssuer, tok.Expiry.Unix()), decode(parts[1]))
	mac := hmac.New(sha256.New, []byte(mintSecret))
	mac.Write([]byte(parts[0] + "." + parts[1]))
	assert.Equal(t, string(mac.Sum(nil)), decode(parts[2]))
	assert.Equal(t, "Bearer", tok.Type)
	assert.Len(t, tok.Access.Reveal(), 199)
}

func TestUnboundTokenHasNoPerson(t *testing.T) {
	m := newMinter(t, mintIssuer, mintSecret)
	tok, err := m.MintUnbound(time.Hour)
	require.NoError(t, err)
	claims := readBack(t, tok.Access.Reveal(), mintSecret)
	assert.Equal(t, jwt.MapClaims{"iss": mintIssuer, "exp": json.Number(strconv.FormatInt(tok.Expiry.Unix(), 10))}, claims)
	_, err = m.MintUnbound(25 * time.Hour)
	require.ErrorIs(t, err, kyckit.ErrInvalid)
}

func TestZeroValuesDoNotPanic(t *testing.T) {
	for _, m := range []*auth.Minter{nil, {}} {
		_, err := m.Mint("1", time.Hour)
		require.ErrorIs(t, err, kyckit.ErrInvalid)
		_, err = m.MintUnbound(time.Hour)
		require.ErrorIs(t, err, kyckit.ErrInvalid)
		assert.Zero(t, m.Minted())
	}
	for _, c := range []*auth.Cache{nil, {}} {
		_, err := c.Token(t.Context())
		require.ErrorIs(t, err, kyckit.ErrInvalid)
		c.Invalidate(auth.Token{})
		require.NoError(t, c.Close())
	}
	assert.NotPanics(t, func() { _ = fmt.Sprint(new(auth.Cache), new(auth.Minter), auth.Token{}) })
}

func TestMintGuards(t *testing.T) {
	m, err := auth.NewMinter(auth.MinterConfig{Issuer: "i", Secret: kyckit.NewSecret(mintSecret), MaxTTL: time.Hour})
	require.NoError(t, err)
	for _, person := range []string{
		"", " ", "1 2", `1"2`, `1\2`, "1\n", "\x00", "é", "\xff", "1/2", "<", "1@2", "`", "[", "{", "^", strings.Repeat("1", 65),
	} {
		_, err := m.Mint(person, time.Minute)
		require.ErrorIs(t, err, kyckit.ErrInvalid, "%q", person)
		if person != "" {
			assert.NotContains(t, strings.TrimPrefix(err.Error(), "auth: mint: invalid: personId must be 1 to 64 of the characters A-Z a-z 0-9 . - _"), person)
		}
	}
	for _, ttl := range []time.Duration{0, -1, -time.Hour, time.Second - 1, time.Hour + 1, math.MaxInt64, math.MinInt64} {
		_, err := m.Mint("1", ttl)
		require.ErrorIs(t, err, kyckit.ErrInvalid, ttl)
	}
	for _, ttl := range []time.Duration{time.Second, time.Hour} {
		_, err := m.Mint("azAZ09.-_", ttl)
		require.NoError(t, err)
	}
	m = newMinter(t, "i", mintSecret)
	_, err = m.Mint("1", 24*time.Hour)
	require.NoError(t, err)
	_, err = m.Mint("1", 24*time.Hour+1)
	require.ErrorIs(t, err, kyckit.ErrInvalid, "the default maximum is a day")
}

func TestMintedExpiryIsInWholeSecondsAndNeverLaterThanAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMinter(t, "i", mintSecret)
		for range 20 {
			time.Sleep(137 * time.Millisecond)
			tok, err := m.Mint("1", 90*time.Second)
			require.NoError(t, err)
			assert.Zero(t, tok.Expiry.Nanosecond())
			assert.LessOrEqual(t, time.Until(tok.Expiry), 90*time.Second)
			assert.Greater(t, time.Until(tok.Expiry), 89*time.Second)
		}
	})
}

func TestMintFromManyGoroutines(t *testing.T) {
	m := newMinter(t, mintIssuer, mintSecret)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 200 {
				person := fmt.Sprintf("%d.%d", w, i)
				tok, err := m.Mint(person, time.Minute)
				assert.NoError(t, err)
				assert.Equal(t, person, readBack(t, tok.Access.Reveal(), mintSecret)["personId"])
			}
		})
	}
	wg.Wait()
}

// readBack verifies with another library, at its strictest.
func readBack(t assert.TestingT, token, secret string) jwt.MapClaims {
	claims := jwt.MapClaims{}
	_, err := jwt.NewParser(
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired(), jwt.WithStrictDecoding(), jwt.WithJSONNumber(),
	).ParseWithClaims(token, claims, func(*jwt.Token) (any, error) { return []byte(secret), nil })
	assert.NoError(t, err)
	return claims
}

func FuzzMint(f *testing.F) {
	f.Add(mintIssuer, mintSecret, "12345678901", int64(time.Hour))
	f.Add("", "s", "1", int64(1))
	f.Add("a\"\\\u2028<é>\x00", "\x00", "012.345.678-90", int64(time.Second))
	f.Add("ab", strings.Repeat("k", 100), "_", int64(24*time.Hour))
	f.Fuzz(func(t *testing.T, issuer, secret, person string, ttl int64) {
		m, err := auth.NewMinter(auth.MinterConfig{Issuer: issuer, Secret: kyckit.NewSecret(secret)})
		if err != nil {
			require.ErrorIs(t, err, kyckit.ErrInvalid)
			return
		}
		tok, err := m.Mint(person, time.Duration(ttl))
		if err != nil {
			require.ErrorIs(t, err, kyckit.ErrInvalid)
			return
		}
		// What encoding/json would have written, read back, is what we wrote.
		plain, err := json.Marshal(map[string]any{"iss": issuer, "exp": tok.Expiry.Unix(), "personId": person})
		require.NoError(t, err)
		var want map[string]any
		dec := json.NewDecoder(bytes.NewReader(plain))
		dec.UseNumber()
		require.NoError(t, dec.Decode(&want))
		assert.Equal(t, jwt.MapClaims(want), readBack(t, tok.Access.Reveal(), secret))
	})
}
