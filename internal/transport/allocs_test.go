//go:build !race

package transport_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/transport"
)

// A call costs little more than net/http itself, and a Trace that is nil or
// empty costs nothing.
func TestACallAllocatesLittle(t *testing.T) {
	answer := []byte(`{}`)
	instant := roundTrip(func(r *http.Request) (*http.Response, error) {
		_, _ = io.Copy(io.Discard, r.Body)
		return &http.Response{StatusCode: 200, ContentLength: 2, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(answer)), Request: r}, nil
	})
	cost := func(trace *kyckit.Trace) float64 {
		c, err := transport.New(transport.Config{
			Provider: "test", BaseURL: "https://api.example.test", HTTP: kyckit.HTTP{Client: &http.Client{Transport: instant}, Trace: trace},
		})
		require.NoError(t, err)
		return testing.AllocsPerRun(100, func() {
			ctx, end := c.Scope(context.Background())
			_, err := c.Do(ctx, start())
			end(&err)
		})
	}
	without := cost(nil)
	t.Logf("%v allocations", without)
	assert.LessOrEqual(t, without, 40.)
	assert.Equal(t, without, cost(&kyckit.Trace{})) //nolint:testifylint // counts
}
