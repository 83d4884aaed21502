package auth_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
)

func TestTenThousandColdCallersShareOneExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		c, err := auth.NewCache(auth.CacheConfig{Source: auth.SourceFunc(func(context.Context) (auth.Token, error) {
			asked.Add(1)
			time.Sleep(50 * time.Millisecond)
			return auth.Token{Access: kyckit.NewSecret("one"), Expiry: time.Now().Add(time.Hour)}, nil
		})})
		require.NoError(t, err)
		leader, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := c.Token(leader)
			assert.ErrorIs(t, err, context.Canceled)
		})
		synctest.Wait()
		for range 10_000 {
			wg.Go(func() {
				tok, err := c.Token(t.Context())
				assert.NoError(t, err)
				assert.Equal(t, "one", tok.Access.Reveal())
			})
		}
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			start := time.Now()
			_, err := c.Token(ctx)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, time.Millisecond, time.Since(start))
		})
		leave()
		wg.Wait()
		assert.EqualValues(t, 1, asked.Load())
	})
}
