package cafsmartauth

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
)

// claimsOf returns the header and the claims of a token as they stand.
func claimsOf(t *testing.T, token string) (header, payload string) {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)
	h, err := base64.RawURLEncoding.Strict().DecodeString(parts[0])
	require.NoError(t, err)
	p, err := base64.RawURLEncoding.Strict().DecodeString(parts[1])
	require.NoError(t, err)
	return string(h), string(p)
}

func TestMint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t)
		token, err := c.Mint("000.111.222-85", 90*time.Second)
		require.NoError(t, err)
		assert.EqualValues(t, 1, c.Minted())
		header, payload := claimsOf(t, token.Access.Reveal())
		assert.Equal(t, plainHeader, header)
		assert.JSONEq(t, `{"iss":"client-0001","exp":946684890,"personId":"00011122285"}`, payload)
		assert.Equal(t, int64(946684890), token.Expiry.Unix())

		// A reader that is not ours agrees.
		parsed, err := jwt.Parse(token.Access.Reveal(), func(*jwt.Token) (any, error) { return []byte(testSecret), nil },
			jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired())
		require.NoError(t, err)
		assert.Equal(t, testCPF, parsed.Claims.(jwt.MapClaims)["personId"])
	})
}

func TestMintForms(t *testing.T) {
	for form, want := range map[CPFForm]string{CPFDigits: "00011122285", CPFPunctuated: "000.111.222-85", CPFAsGiven: "000111222-85"} {
		c := newClient(t, func(cfg *Config) { cfg.CPFForm = form })
		token, err := c.Mint("000111222-85", time.Minute)
		require.NoError(t, err)
		_, payload := claimsOf(t, token.Access.Reveal())
		var got map[string]any
		require.NoError(t, json.Unmarshal([]byte(payload), &got))
		assert.Equal(t, want, got["personId"])
	}
}

func TestMintRefusesLifetimes(t *testing.T) {
	c := newClient(t, allUsers, func(cfg *Config) { cfg.MaxTTL = time.Hour })
	for _, ttl := range []time.Duration{0, -time.Minute, time.Millisecond, time.Hour + 1, 1 << 62} {
		for _, mint := range []func() error{
			func() error { _, err := c.Mint(testCPF, ttl); return err },
			func() error { _, err := c.MintAllUsersTestToken(ttl); return err },
		} {
			err := mint()
			require.ErrorIs(t, err, kyckit.ErrInvalid)
			assert.Equal(t, "cafsmartauth: mint: invalid: ttl must be from one second to MaxTTL", err.Error())
		}
	}
	_, err := newClient(t).Mint(testCPF, 24*time.Hour)
	require.NoError(t, err)
	_, err = newClient(t).Mint(testCPF, 24*time.Hour+1)
	require.ErrorIs(t, err, kyckit.ErrInvalid)
}

func TestAllUsersTokenIsASeparateThing(t *testing.T) {
	token, err := newClient(t).MintAllUsersTestToken(time.Minute)
	require.ErrorIs(t, err, kyckit.ErrInvalid)
	assert.Contains(t, err.Error(), "Config.AllowAllUsersTestToken")
	assert.True(t, token.Access.IsZero())

	c := newClient(t, allUsers)
	token, err = c.MintAllUsersTestToken(time.Minute)
	require.NoError(t, err)
	_, payload := claimsOf(t, token.Access.Reveal())
	assert.NotContains(t, payload, "personId")
	assert.Contains(t, payload, `"exp":`)
	// An empty CPF never makes one by accident.
	_, err = c.Mint("", time.Minute)
	require.ErrorIs(t, err, kyckit.ErrInvalid)
}

func TestMintAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools forget")
	}
	c := newClient(t)
	for _, cpf := range []string{testCPF, "111.444.777-35"} {
		assert.LessOrEqual(t, testing.AllocsPerRun(1000, func() {
			if _, err := c.Mint(cpf, time.Minute); err != nil {
				t.Error(err)
			}
		}), 2.0)
	}
}
