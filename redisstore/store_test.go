package redisstore_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/redisstore"
)

// noNotifications keeps go-redis from asking the server for something that only
// a paid one has.
var noNotifications = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}

func TestConfig(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	defer client.Close() //nolint:errcheck // nothing is lost
	for field, change := range map[string]func(*redisstore.Config){
		"Client is":               func(c *redisstore.Config) { c.Client = nil },
		"Client ":                 func(c *redisstore.Config) { c.Client = (*redis.Client)(nil) },
		"Client is required":      func(c *redisstore.Config) { c.Client = (*redis.ClusterClient)(nil) },
		"Tenant is":               func(c *redisstore.Config) { c.Tenant = "" },
		"Tenant must":             func(c *redisstore.Config) { c.Tenant = "a}b" },
		"Tenant must ":            func(c *redisstore.Config) { c.Tenant = "a b" },
		"Prefix must":             func(c *redisstore.Config) { c.Prefix = "{x}" },
		"Prefix must be":          func(c *redisstore.Config) { c.Prefix = strings.Repeat("x", 200) },
		"Key must be 32":          func(c *redisstore.Config) { c.Key = kyckit.NewSecret("short") },
		"Key must":                func(c *redisstore.Config) { c.Key = kyckit.Secret{} },
		"Key must be random":      func(c *redisstore.Config) { c.Key = kyckit.NewSecret(strings.Repeat("\x00", 32)) },
		"OtherKeys[1] must be 32": func(c *redisstore.Config) { c.OtherKeys = []kyckit.Secret{c.Key, kyckit.NewSecret("x")} },
	} {
		cfg := redisstore.Config{Client: client, Tenant: "test", Key: kyckit.NewSecret(testKey)}
		change(&cfg)
		_, err := redisstore.New(cfg)
		require.ErrorIs(t, err, kyckit.ErrInvalid, field)
		var e *kyckit.Error
		require.ErrorAs(t, err, &e)
		assert.Truef(t, strings.HasPrefix(e.Reason, strings.TrimSpace(field)), "%q does not begin with %q", e.Reason, field)
	}
	// A server that is not there is no matter of New.
	s := newStore(t, client)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	require.ErrorIs(t, s.Check(ctx), kyckit.ErrUnavailable)
	var client2 redisstore.Client = &redis.ClusterClient{}
	var client3 redisstore.Client = &redis.Ring{}
	_, _ = client2, client3
}

func TestTheZeroStoreIsRefused(t *testing.T) {
	var s redisstore.Store
	require.ErrorIs(t, s.Check(t.Context()), kyckit.ErrInvalid)
	_, err := s.Tokens(auth.Static(kyckit.NewSecret("t"))).Token(t.Context())
	require.ErrorIs(t, err, kyckit.ErrInvalid)
	_, err = s.Claims().Claim(t.Context(), "k", time.Second)
	require.ErrorIs(t, err, kyckit.ErrInvalid)
	require.ErrorIs(t, s.Signals().Publish(t.Context(), [16]byte{}), kyckit.ErrInvalid)
	require.ErrorIs(t, s.Signals().Subscribe(t.Context(), func([16]byte) {}), kyckit.ErrInvalid)
}

// forms are the ways in which a value would be found in a store that keeps it, or
// a plain hash of it.
func forms(value string) [][]byte {
	sums := [][]byte{[]byte(value)}
	md, s1, s2, s5 := md5.Sum([]byte(value)), sha1.Sum([]byte(value)), sha256.Sum256([]byte(value)), sha512.Sum512([]byte(value))
	for _, sum := range [][]byte{[]byte(value), md[:], s1[:], s2[:], s5[:], s2[:16], s2[:24], s1[:16]} {
		sums = append(sums, sum,
			[]byte(hex.EncodeToString(sum)), []byte(strings.ToUpper(hex.EncodeToString(sum))),
			[]byte(base64.RawStdEncoding.EncodeToString(sum)), []byte(base64.RawURLEncoding.EncodeToString(sum)))
	}
	return sums
}

func absent(t *testing.T, where, content string, planted ...string) {
	t.Helper()
	for _, p := range planted {
		for _, form := range forms(p) {
			if i := bytes.Index([]byte(content), form); i >= 0 {
				t.Errorf("%s holds %q as %q: …%s…", where, p, form, content[max(0, i-40):min(len(content), i+60)])
				break
			}
		}
	}
}

// Nothing that anybody could recognise a person or a credential by goes to the
// store, by its own monitor and by a dump.
func TestNoPersonalDataInTheStore(t *testing.T) {
	srv := startServer(t)
	client := srv.client()
	s := newStore(t, client)
	planted := []string{"1087654321", "transaction-4711-abc", "delivery of 1087654321", "t0ken-of-the-provider", testKey}
	stop := srv.monitor()

	claim, err := s.Claims().Claim(t.Context(), planted[2], time.Minute)
	require.NoError(t, err)
	claim2, err := s.Claims().Claim(t.Context(), planted[0], time.Minute)
	require.NoError(t, err)
	require.NoError(t, claim.Commit(t.Context(), time.Hour))
	require.NoError(t, claim2.Commit(t.Context(), time.Hour))
	_, err = s.Claims().Claim(t.Context(), planted[1], time.Minute)
	require.NoError(t, err)
	require.NoError(t, s.Signals().Publish(t.Context(), s.Signals().Digest(planted[1])))
	tok, err := s.Tokens(auth.Static(kyckit.NewSecret(planted[3]))).Token(t.Context())
	require.NoError(t, err)
	require.Equal(t, planted[3], tok.Access.Reveal())
	require.NoError(t, s.Check(t.Context()))

	content := dump(t, client)
	require.Contains(t, content, "kyckit:{test}:token")
	require.Contains(t, content, "kyckit:{test}:claim:")
	seen := stop()
	require.Contains(t, seen, "kyckit:{test}:signals")
	absent(t, "the dump", content, planted...)
	absent(t, "the monitor", seen, planted...)
}
