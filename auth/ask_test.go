package auth_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
)

func TestSourceThatEndsItsGoroutineTrapsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, auth.SourceFunc(func(context.Context) (auth.Token, error) {
			runtime.Goexit()
			return auth.Token{}, nil
		}))
		_, err := c.Token(t.Context())
		require.ErrorIs(t, err, kyckit.ErrUnavailable)
	})
}

func TestSourceThatPanicsFailsTheAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, &counted{next: func(_ context.Context, n int) (auth.Token, error) {
			if n <= 3 {
				panic("planted")
			}
			return token("one", time.Minute), nil
		}})
		_, err := c.Token(t.Context())
		require.ErrorIs(t, err, kyckit.ErrUnavailable)
		assert.NotContains(t, err.Error(), "planted")
		var e *kyckit.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, "the source panicked", e.Reason)
		require.ErrorContains(t, e.Err, "planted", "who looks for the cause finds it")
		time.Sleep(e.RetryAfter)
		_, err = c.Token(t.Context())
		require.NoError(t, err)
	})
}

func TestSourceThatIgnoresItsContextTrapsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		src := &counted{next: func(_ context.Context, n int) (auth.Token, error) {
			if n <= 2 {
				<-stuck
			}
			return token(fmt.Sprint("tok", n), time.Hour), nil
		}}
		c, err := auth.NewCache(auth.CacheConfig{Source: src, Tuning: auth.Tuning{Timeout: 5 * time.Second}})
		require.NoError(t, err)
		for range 2 {
			start := time.Now()
			_, err = c.Token(t.Context())
			require.ErrorIs(t, err, kyckit.ErrUnavailable)
			require.NotErrorIs(t, err, context.DeadlineExceeded)
			assert.LessOrEqual(t, time.Since(start), 6*time.Second)
			time.Sleep(time.Second)
		}
		tok, err := c.Token(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "tok3", tok.Access.Reveal())
		close(stuck)
		synctest.Wait()
		tok, err = c.Token(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "tok3", tok.Access.Reveal(), "a late answer changes nothing")
	})
}

func TestCallsThatAreLeftBehindAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		src := &counted{next: func(context.Context, int) (auth.Token, error) {
			<-stuck
			return token("one", time.Hour), nil
		}}
		c, err := auth.NewCache(auth.CacheConfig{Source: src, Tuning: auth.Tuning{Timeout: 100 * time.Millisecond}})
		require.NoError(t, err)
		for range 100 {
			_, err = c.Token(t.Context())
			require.ErrorIs(t, err, kyckit.ErrUnavailable)
			time.Sleep(time.Second)
		}
		assert.EqualValues(t, 4, src.calls.Load())
		close(stuck)
		time.Sleep(time.Second)
		_, err = c.Token(t.Context())
		require.NoError(t, err)
	})
}

func TestCloseDoesNotWaitForASourceThatIgnoresItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		defer close(stuck)
		c := newCache(t, auth.SourceFunc(func(context.Context) (auth.Token, error) {
			<-stuck
			return auth.Token{}, errors.New("too late")
		}))
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := c.Token(t.Context())
			assert.ErrorIs(t, err, kyckit.ErrUnavailable)
			assert.NotErrorIs(t, err, context.Canceled)
		})
		synctest.Wait()
		start := time.Now()
		require.NoError(t, c.Close())
		assert.LessOrEqual(t, time.Since(start), time.Second)
		wg.Wait()
	})
}

// The source may have a time limit of its own, as an http.Client has. Callers
// tell by the context's errors that their own time is over.
func TestContextErrorOfASourceIsNotTheCallers(t *testing.T) {
	for _, cause := range []error{
		context.DeadlineExceeded,
		fmt.Errorf("planted: %w", context.Canceled),
		&kyckit.Error{Kind: context.DeadlineExceeded},
		&kyckit.Error{Kind: kyckit.ErrUnavailable, StatusCode: 504, Err: context.DeadlineExceeded},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newCache(t, auth.SourceFunc(func(context.Context) (auth.Token, error) { return auth.Token{}, cause }))
			_, err := c.Token(t.Context())
			require.ErrorIs(t, err, kyckit.ErrUnavailable)
			require.NotErrorIs(t, err, context.DeadlineExceeded)
			require.NotErrorIs(t, err, context.Canceled)
			var own, given *kyckit.Error
			require.ErrorAs(t, err, &own)
			if errors.As(cause, &given) {
				assert.Equal(t, given.StatusCode, own.StatusCode)
			}
		})
	}
}
