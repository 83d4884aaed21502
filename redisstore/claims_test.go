package redisstore_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/redisstore"
	"github.com/kyckit/kyckit/webhook"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

func TestClaims(t *testing.T) {
	srv := startServer(t)
	other := func(c *redisstore.Config) {
		c.Key, c.OtherKeys = kyckit.NewSecret("\x02 a made-up key of 32 bytes..\xff\xfe!"), []kyckit.Secret{c.Key}
	}
	webhooktest.TestClaims(t, newStore(t, srv.client()).Claims(), newStore(t, srv.client()).Claims())
	t.Run("a new key", func(t *testing.T) {
		old, fresh := newStore(t, srv.client()).Claims(), newStore(t, srv.client(), other).Claims()
		claim, err := old.Claim(t.Context(), "d", time.Minute)
		require.NoError(t, err)
		_, err = fresh.Claim(t.Context(), "d", time.Minute)
		require.ErrorIs(t, err, webhook.ErrInProgress)
		require.NoError(t, claim.Commit(t.Context(), time.Minute))
		_, err = fresh.Claim(t.Context(), "d", time.Minute)
		require.ErrorIs(t, err, webhook.ErrDuplicate)
	})
}

func TestClaimsInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := inMemory(t)
		claims := newStore(t, client).Claims()
		claim, err := claims.Claim(t.Context(), "d", time.Minute)
		require.NoError(t, err)
		time.Sleep(59 * time.Second)
		_, err = claims.Claim(t.Context(), "d", time.Minute)
		require.ErrorIs(t, err, webhook.ErrInProgress)
		require.NoError(t, claim.Commit(t.Context(), 72*time.Hour))
		time.Sleep(71 * time.Hour)
		_, err = claims.Claim(t.Context(), "d", time.Minute)
		require.ErrorIs(t, err, webhook.ErrDuplicate)
		time.Sleep(2 * time.Hour)
		claim, err = claims.Claim(t.Context(), "d", time.Nanosecond)
		require.NoError(t, err)
		time.Sleep(2 * time.Millisecond)
		_, err = claims.Claim(t.Context(), "d", time.Minute)
		require.NoError(t, err, "a lease that rounds to nothing is no lock for ever")
		require.ErrorIs(t, claim.Commit(t.Context(), time.Hour), webhook.ErrInProgress)
		require.NoError(t, claim.Release(t.Context()))
		_, err = claims.Claim(t.Context(), "d", time.Minute)
		require.ErrorIs(t, err, webhook.ErrInProgress, "a late release takes nothing away")
		assert.NoError(t, context.Cause(t.Context()))
	})
}
