package auth_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/auth/authtest"
	"github.com/kyckit/kyckit/kyctest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// inMemory starts a token server that works inside a synctest bubble.
func inMemory(t *testing.T, cfg authtest.Config) *authtest.Server {
	t.Helper()
	cfg.Options = kyctest.Options{InMemory: true}
	s := authtest.NewServer(cfg)
	t.Cleanup(s.Close)
	return s
}

// onLoopback starts a token server on a real socket.
func onLoopback(t *testing.T, cfg authtest.Config) *authtest.Server {
	t.Helper()
	s := authtest.NewServer(cfg)
	t.Cleanup(s.Close)
	return s
}

// counted is a source of numbered tokens without a server.
type counted struct {
	calls atomic.Int32
	next  func(ctx context.Context, n int) (auth.Token, error)
}

func (c *counted) Token(ctx context.Context) (auth.Token, error) {
	return c.next(ctx, int(c.calls.Add(1)))
}

func newCache(t *testing.T, src auth.Source) *auth.Cache {
	t.Helper()
	c, err := auth.NewCache(auth.CacheConfig{Source: src})
	require.NoError(t, err)
	return c
}

func token(access string, life time.Duration) auth.Token {
	t := auth.Token{Access: kyckit.NewSecret(access), Type: "Bearer"}
	if life > 0 {
		t.Expiry = time.Now().Add(life)
	}
	return t
}
