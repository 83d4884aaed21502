package faceki_test

import (
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/faceki"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clientOf serves handler on loopback and returns a client of it that needs no
// token endpoint. Unlike the fake, the handler sees a request as it arrives.
func clientOf(t testing.TB, server *http.Server, change ...func(*faceki.Config)) *faceki.Client {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = server.Serve(l) }()
	base := &http.Transport{}
	t.Cleanup(func() {
		base.CloseIdleConnections()
		_ = server.Close()
	})
	cfg := faceki.Config{
		BaseURL: "http://" + l.Addr().String(),
		Auth:    auth.Static(kyckit.NewSecret("token")),
		HTTP:    kyckit.HTTP{Client: &http.Client{Transport: base}},
	}
	for _, c := range change {
		c(&cfg)
	}
	client, err := faceki.New(cfg)
	require.NoError(t, err)
	return client
}
