package redisstore_test

import (
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/internal/leaktest"
	"github.com/kyckit/kyckit/redisstore"
)

// A store, and what it hands out, shows neither its key, nor a delivery's, nor a
// token, however it is printed or walked.
func TestNothingLeaks(t *testing.T) {
	const key, delivery, token = "\x01 a planted key of 32 bytes..\xff\xfe!", "delivery-of-1087654321", "pl4nted-t0ken"
	srv := startServer(t)
	cfg := redisstore.Config{Client: srv.client(), Tenant: "test", Key: kyckit.NewSecret(key)}
	s, err := redisstore.New(cfg)
	require.NoError(t, err)
	claim, err := s.Claims().Claim(t.Context(), delivery, 1)
	require.NoError(t, err)
	src := s.Tokens(auth.Static(kyckit.NewSecret(token)))
	_, err = src.Token(t.Context())
	require.NoError(t, err)
	srv.kill()
	_, failed := s.Claims().Claim(t.Context(), delivery, 1)
	require.Error(t, failed)
	broken := s.Check(t.Context())
	require.Error(t, broken)
	_, bad := redisstore.New(redisstore.Config{Client: (*redis.Client)(nil), Key: kyckit.NewSecret(key)})
	require.Error(t, bad)
	for name, v := range map[string]any{
		"the configuration": cfg, "the store": s, "its claims": s.Claims(), "its signals": s.Signals(), "a claim": claim, "the token's source": src,
		"a failed claim": failed, "a failed check": broken, "a refused setting": bad,
	} {
		leaktest.Silent(t, name, leaktest.Printed(v)+leaktest.Encoded(v), key, delivery, token)
	}

	// Reflection looks into the client too, which must be at rest for that.
	rest := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaintNotificationsConfig: noNotifications})
	defer func() { assert.NoError(t, rest.Close()) }()
	cfg.Client = rest
	idle, err := redisstore.New(cfg)
	require.NoError(t, err)
	for name, v := range map[string]any{
		"the configuration": cfg, "the store": idle, "its claims": idle.Claims(), "its signals": idle.Signals(),
		"the token's source": idle.Tokens(auth.Static(kyckit.NewSecret(token))),
	} {
		leaktest.Silent(t, name, leaktest.Reachable(v), key, delivery, token)
	}
	leaktest.Types(t, []any{redisstore.Config{}, &redisstore.Store{}})
}
