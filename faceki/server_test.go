package faceki_test

import (
	"context"
	"net"
	"net/http"
	"sync"
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
	return clientOn(t, server, l, &http.Transport{}, change...)
}

// clientOfPipes is clientOf on a network of pipes, for a bubble.
func clientOfPipes(t testing.TB, server *http.Server) *faceki.Client {
	t.Helper()
	l := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	return clientOn(t, server, l, &http.Transport{DialContext: l.dial})
}

// pipes is a listener in memory.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (*pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func clientOn(t testing.TB, server *http.Server, l net.Listener, base *http.Transport, change ...func(*faceki.Config)) *faceki.Client {
	t.Helper()
	go func() { _ = server.Serve(l) }()
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
