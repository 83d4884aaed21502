package auth_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
)

// Every limit is stood on from both sides.

func TestWhatAMinterIsMadeOf(t *testing.T) {
	for _, tc := range []struct {
		issuer int // bytes
		maxTTL time.Duration
		kind   error
	}{
		{0, time.Hour, kyckit.ErrInvalid},
		{1, time.Hour, nil},
		{1024, time.Hour, nil},
		{1025, time.Hour, kyckit.ErrInvalid},
		{1, time.Second - 1, kyckit.ErrInvalid},
		{1, time.Second, nil},
	} {
		m, err := auth.NewMinter(auth.MinterConfig{
			Issuer: strings.Repeat("i", tc.issuer), Secret: kyckit.NewSecret(strings.Repeat("k", 32)), MaxTTL: tc.maxTTL,
		})
		require.ErrorIs(t, err, tc.kind, "%+v", tc)
		assert.Equal(t, err == nil, m != nil)
	}
}

func TestWhatIsMinted(t *testing.T) {
	m, err := auth.NewMinter(auth.MinterConfig{Issuer: "issuer", Secret: kyckit.NewSecret(strings.Repeat("k", 32)), MaxTTL: time.Hour})
	require.NoError(t, err)
	for ttl, kind := range map[time.Duration]error{
		time.Second - 1: kyckit.ErrInvalid, time.Second: nil, time.Hour: nil, time.Hour + 1: kyckit.ErrInvalid,
	} {
		_, err := m.Mint("a", ttl)
		require.ErrorIs(t, err, kind, "%v", ttl)
		_, err = m.MintUnbound(ttl)
		require.ErrorIs(t, err, kind, "%v", ttl)
	}
	for _, id := range []string{"0", "9", "a", "z", "A", "Z", ".", "-", "_", strings.Repeat("a", 64)} {
		_, err := m.Mint(id, time.Minute)
		require.NoError(t, err, "%q", id)
	}
	for _, id := range []string{"", "/", ":", "@", "[", "`", "{", "\x7f", "é", strings.Repeat("a", 65)} {
		_, err := m.Mint(id, time.Minute)
		require.ErrorIs(t, err, kyckit.ErrInvalid, "%q", id)
	}
}

type sender func(*http.Request) (*http.Response, error)

func (f sender) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestWhichTokensAreSent(t *testing.T) {
	for access, fine := range map[string]bool{
		"!": true, "~": true, strings.Repeat("a", 32<<10): true,
		"": false, " ": false, "a b": false, "a\x7f": false, "a\n": false, "é": false, strings.Repeat("a", 32<<10+1): false,
	} {
		sent := ""
		rt := auth.NewTransport(sender(func(r *http.Request) (*http.Response, error) {
			sent = r.Header.Get("Authorization")
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(""))}, nil
		}), auth.Static(kyckit.NewSecret(access)))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://kyckit.invalid/", nil)
		require.NoError(t, err)
		resp, err := rt.RoundTrip(req)
		if !fine {
			require.Error(t, err)
			assert.Empty(t, sent)
			continue
		}
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, "Bearer "+access, sent)
	}
}
