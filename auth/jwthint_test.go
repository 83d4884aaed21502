package auth_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/auth/authtest"
)

// The bubble's clock starts at midnight of 2000-01-01 UTC.
const bubble = 946684800

func TestJWTHints(t *testing.T) {
	const unknown = -1
	for _, tc := range []struct {
		name, exp string
		iat       bool
		want      time.Duration
	}{
		{"an integer", fmt.Sprint(bubble + 3600), false, time.Hour - time.Second},
		{"a float", fmt.Sprint(bubble+3600) + ".75", false, time.Hour - 250*time.Millisecond},
		{"with an exponent", "9.46688400e8", false, time.Hour - time.Second},
		{"a string", fmt.Sprintf("%q", fmt.Sprint(bubble+3600)), false, time.Hour - time.Second},
		{"one second", fmt.Sprint(bubble + 1), false, 500 * time.Millisecond},
		{"with iat", fmt.Sprint(bubble + 3600), true, time.Hour - time.Second},
		{"in milliseconds", fmt.Sprint((bubble + 3600) * 1000), false, unknown},
		{"in microseconds, with iat", fmt.Sprint((bubble + 3600) * 1000000), true, unknown},
		{"now", fmt.Sprint(bubble), false, unknown},
		{"in the past", fmt.Sprint(bubble - 3600), false, unknown},
		{"in the past, with iat", fmt.Sprint(bubble - 3600), true, unknown},
		{"in two years", fmt.Sprint(bubble + 2*366*86400), false, unknown},
		{"negative", "-5", false, unknown},
		{"zero", "0", false, unknown},
		{"huge", "1e300", false, unknown},
		{"beyond floats", "1e999", false, unknown},
		{"a word", `"tomorrow"`, false, unknown},
		{"null", "null", false, unknown},
		{"a list", "[1]", false, unknown},
		{"missing", "-", false, unknown},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := inMemory(t, authtest.Config{JWT: true, IAT: tc.iat, ExpClaim: tc.exp})
				src, err := s.PasswordLogin(auth.Tuning{})
				require.NoError(t, err)
				start := time.Now()
				tok, err := src.Token(t.Context())
				require.NoError(t, err)
				if tc.want == unknown {
					assert.Zero(t, tok.Expiry)
					return
				}
				assert.Equal(t, tc.want, tok.Expiry.Sub(start))
			})
		})
	}
}

func TestExpiresInBeatsTheHint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inMemory(t, authtest.Config{JWT: true, ExpClaim: fmt.Sprint(bubble + 60), Lifetime: time.Hour})
		src, err := s.ClientCredentials(auth.Tuning{})
		require.NoError(t, err)
		tok, err := src.Token(t.Context())
		require.NoError(t, err)
		assert.Equal(t, time.Hour, time.Until(tok.Expiry))
	})
}
