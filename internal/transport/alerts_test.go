package transport_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/transport"
)

// A server that ends the handshake with an alert has handled nothing, and the error
// says whether a client certificate is what it misses.
func TestWhatAnAlertMeans(t *testing.T) {
	const (
		certificate = "the server refused the client certificate"
		handshake   = "the server refused the TLS handshake"
	)
	alerts := map[byte]string{39: "", 40: handshake, 47: "", 48: certificate, 49: certificate, 50: "", 70: handshake, 71: handshake, 80: "", 109: handshake, 112: handshake, 116: certificate, 120: handshake}
	for alert := byte(41); alert <= 46; alert++ {
		alerts[alert] = certificate
	}
	for alert, want := range alerts {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		served := make(chan struct{})
		go func() {
			defer close(served)
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = conn.Write([]byte{21, 3, 3, 0, 2, 2, alert}) // RFC 8446, section 6: a fatal alert in a record
			_, _ = conn.Read(make([]byte, 4096))
			_ = conn.Close()
		}()
		c, err := transport.New(transport.Config{Provider: "test", BaseURL: "https://" + l.Addr().String(), HTTP: kyckit.HTTP{Retry: kyckit.Retry{MaxAttempts: 1}}})
		require.NoError(t, err)
		_, err = c.Do(t.Context(), start())
		require.NoError(t, l.Close())
		<-served
		require.ErrorIs(t, err, kyckit.ErrUnavailable, "alert %d", alert)
		require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
		if want == "" {
			assert.NotContains(t, err.Error(), "refused", "alert %d", alert)
			continue
		}
		assert.Contains(t, err.Error(), want, "alert %d", alert)
		assert.Contains(t, err.Error(), "nothing was handled")
	}
}
