//go:build !race

package auth_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
)

// The race detector makes pools forget, so allocations are counted without it.

func TestMintAllocations(t *testing.T) {
	m := newMinter(t, mintIssuer, mintSecret)
	n := testing.AllocsPerRun(1000, func() { _, _ = m.Mint("12345678901", time.Hour) })
	assert.LessOrEqual(t, n, 2.0)
}

func TestRoundTripAllocations(t *testing.T) {
	resp := &http.Response{StatusCode: 200, Body: http.NoBody}
	base := roundTripper(func(*http.Request) (*http.Response, error) { return resp, nil })
	c := newCache(t, auth.Static(kyckit.NewSecret("abc")))
	_, err := c.Token(t.Context())
	require.NoError(t, err)
	for name, src := range map[string]auth.Source{"cache": c, "any": auth.Static(kyckit.NewSecret("abc"))} {
		rt := auth.NewTransport(base, src)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://kyc.example.test/", nil)
		require.NoError(t, err)
		req.Header.Set("Accept", "application/json")
		req.Header.Set("User-Agent", "test")
		n := testing.AllocsPerRun(100, func() { _, _ = rt.RoundTrip(req) })
		assert.LessOrEqual(t, n, 3.0, name)
	}
	assert.Zero(t, testing.AllocsPerRun(100, func() { _, _ = c.Token(t.Context()) }))
}
