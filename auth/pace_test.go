package auth_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/auth/authtest"
	"github.com/kyckit/kyckit/kyctest"
)

// Without a token recovery must be felt within a second, the exchange included.
func TestWaitsWithoutAToken(t *testing.T) {
	for range 20 { // they are drawn at random
		synctest.Test(t, func(t *testing.T) {
			c := newCache(t, auth.SourceFunc(func(context.Context) (auth.Token, error) {
				return auth.Token{}, &kyckit.Error{Kind: kyckit.ErrUnavailable}
			}))
			for range 10 { // the first time there are three attempts
				_, err := c.Token(t.Context())
				var e *kyckit.Error
				require.ErrorAs(t, err, &e)
				assert.GreaterOrEqual(t, e.RetryAfter, 675*time.Millisecond)
				assert.LessOrEqual(t, e.RetryAfter, 750*time.Millisecond)
				time.Sleep(e.RetryAfter)
			}
		})
	}
}

// Callers without a token are held where the endpoint asks for a second, and
// sent away where it asks for more.
func TestHowLongARetryAfterIsWaitedFor(t *testing.T) {
	for seconds, held := range map[string]bool{"1": true, "2": false} {
		synctest.Test(t, func(t *testing.T) {
			s := inMemory(t, authtest.Config{})
			src, err := s.ClientCredentials(auth.Tuning{})
			require.NoError(t, err)
			s.Fail(authtest.OpToken, 1, kyctest.Fault{Status: 503, Header: map[string][]string{"Retry-After": {seconds}}})
			start := time.Now()
			_, err = src.Token(t.Context())
			if held {
				require.NoError(t, err)
				assert.Equal(t, time.Second, time.Since(start))
			} else {
				require.ErrorIs(t, err, kyckit.ErrUnavailable)
				assert.Zero(t, time.Since(start))
			}
		})
	}
}

func TestOneTryOfAnExchangeTakesTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inMemory(t, authtest.Config{})
		src, err := s.ClientCredentials(auth.Tuning{Timeout: time.Minute})
		require.NoError(t, err)
		s.Fail(authtest.OpToken, 1, kyctest.Fault{Delay: 9 * time.Second})
		start := time.Now()
		tok, err := src.Token(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 9*time.Second, time.Since(start))
		src.Invalidate(tok)
		s.Fail(authtest.OpToken, 1, kyctest.Fault{Delay: time.Hour})
		start = time.Now()
		_, err = src.Token(t.Context())
		require.NoError(t, err)
		assert.InDelta(t, 10.4, time.Since(start).Seconds(), 0.1, "a try, a wait, a try")
	})
}

func TestNobodyAsksForATokenThatNobodyUses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &counted{next: func(_ context.Context, n int) (auth.Token, error) {
			if n == 1 {
				return token("one", time.Hour), nil
			}
			return auth.Token{}, &kyckit.Error{Kind: kyckit.ErrUnavailable}
		}}
		c := newCache(t, src)
		tok, err := c.Token(t.Context())
		require.NoError(t, err)
		time.Sleep(time.Until(tok.Expiry) - 20*time.Second)
		_, err = c.Token(t.Context()) // begins a refresh, which fails
		require.NoError(t, err)
		time.Sleep(time.Hour)
		assert.EqualValues(t, 2, src.calls.Load())
	})
}
