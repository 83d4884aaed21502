package auth_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
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
		{"in milliseconds", fmt.Sprint(int64(bubble+3600) * 1000), false, unknown},
		{"in microseconds, with iat", fmt.Sprint(int64(bubble+3600) * 1000000), true, unknown},
		{"now", fmt.Sprint(bubble), false, unknown},
		{"in the past", fmt.Sprint(bubble - 3600), false, unknown},
		{"in the past, with iat", fmt.Sprint(bubble - 3600), true, unknown},
		{"in 366 days", fmt.Sprint(bubble + 366*86400), false, 366*24*time.Hour - time.Second},
		{"in more than 366 days", fmt.Sprint(bubble + 366*86400 + 1), false, unknown},
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

// answering returns a source of a password login that is answered with token
// and the given Date header.
func answering(t *testing.T, token, date string) *auth.Cache {
	t.Helper()
	src, err := auth.NewPasswordLogin(auth.PasswordLoginConfig{
		LoginURL: "https://kyc.example.test/login", Username: "u", Password: kyckit.NewSecret("p"),
		HTTP: kyckit.HTTP{Client: &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			body := `{"access_token":"` + token + `"}`
			h := http.Header{}
			if date != "" {
				h.Set("Date", date)
			}
			return &http.Response{StatusCode: 200, Header: h, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body))}, nil
		})}},
	})
	require.NoError(t, err)
	return src
}

func jwtOf(claims string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

func TestHintsWithoutATrustworthyDate(t *testing.T) {
	minute := fmt.Sprint(bubble + 60)
	for _, tc := range []struct {
		name, claims, date string
		want               time.Duration
	}{
		{"no date, no iat: the local clock", `{"exp":` + minute + `}`, "", 59 * time.Second},
		{"no date, iat by a clock an hour ahead", `{"exp":` + fmt.Sprint(bubble+3660) + `,"iat":` + fmt.Sprint(bubble+3600) + `}`, "", 59 * time.Second},
		{"a date that is no date", `{"exp":` + minute + `}`, "yesterday", 59 * time.Second},
		{"the shorter of date and iat", `{"exp":` + minute + `,"iat":` + fmt.Sprint(bubble-600) + `}`, "Sat, 01 Jan 2000 00:00:30 GMT", 29 * time.Second},
		{"a date beyond belief, with iat", `{"exp":` + minute + `,"iat":` + fmt.Sprint(bubble) + `}`, "Thu, 01 Jan 1970 00:00:00 GMT", 59 * time.Second},
		{"a date beyond belief, without iat: the local clock", `{"exp":` + minute + `}`, "Thu, 01 Jan 1970 00:00:00 GMT", 59 * time.Second},
		{"an iat after exp, with a date", `{"exp":` + minute + `,"iat":` + fmt.Sprint(bubble+61) + `}`, "Sat, 01 Jan 2000 00:00:30 GMT", 29 * time.Second},
		{"a lifetime in the place of a time", `{"exp":3600}`, "Sat, 01 Jan 2000 00:00:00 GMT", -1},
		{"in the past by every clock", `{"exp":` + fmt.Sprint(bubble-5) + `}`, "Sat, 01 Jan 2000 00:00:00 GMT", -1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				tok, err := answering(t, jwtOf(tc.claims), tc.date).Token(t.Context())
				require.NoError(t, err)
				if tc.want < 0 {
					assert.Zero(t, tok.Expiry)
					return
				}
				assert.Equal(t, tc.want, tok.Expiry.Sub(start))
			})
		})
	}
}

func TestTokensThatOnlyLookLikeJWTs(t *testing.T) {
	exp := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"exp":%d}`, bubble+60))
	for _, access := range []string{
		"opaque", "a.b", "a." + exp, "a." + exp + ".c.d", "a.!!!.c", "a..c", "...", jwtOf(`[]`), jwtOf(`{"exp"`), jwtOf(``), jwtOf(`null`),
	} {
		synctest.Test(t, func(t *testing.T) {
			tok, err := answering(t, access, "Sat, 01 Jan 2000 00:00:00 GMT").Token(t.Context())
			require.NoError(t, err)
			assert.Zero(t, tok.Expiry, access)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		tok, err := answering(t, "a."+exp+".", "Sat, 01 Jan 2000 00:00:00 GMT").Token(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 59*time.Second, time.Until(tok.Expiry), "no signature is no matter: it is a hint")
	})
}
