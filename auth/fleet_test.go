package auth_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/auth/authtest"
)

func TestFleetWithShortLivesDoesNotRefreshTogether(t *testing.T) {
	// At such lives chance alone makes a crowd now and then.
	crowds := 0
	const runs = 15
	for range runs {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			var at []time.Time
			var caches []*auth.Cache
			for range 100 {
				caches = append(caches, newCache(t, &counted{next: func(_ context.Context, n int) (auth.Token, error) {
					if n > 1 {
						mu.Lock()
						defer mu.Unlock()
						at = append(at, time.Now())
					}
					return token("one", 10*time.Second), nil
				}}))
			}
			for range 1000 {
				for _, c := range caches {
					_, err := c.Token(t.Context())
					assert.NoError(t, err)
				}
				synctest.Wait()
				if len(at) >= len(caches) {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			if mostWithin(at, 100*time.Millisecond) > 15 {
				crowds++
			}
		})
	}
	t.Logf("%d of %d runs with more than 15 in 100 ms", crowds, runs)
	assert.LessOrEqual(t, crowds, runs/3)
}

// mostWithin is the most of the times, in order, that any span of that length
// holds.
func mostWithin(at []time.Time, span time.Duration) int {
	most := 0
	for i := range at {
		n := 0
		for _, other := range at[i:] {
			if other.Sub(at[i]) <= span {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

func TestCachesStartedTogetherDoNotRefreshTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inMemory(t, authtest.Config{Lifetime: time.Hour})
		const replicas = 100
		var caches []*auth.Cache
		for range replicas {
			src, err := s.ClientCredentials(auth.Tuning{})
			require.NoError(t, err)
			_, err = src.Token(t.Context())
			require.NoError(t, err)
			caches = append(caches, src)
		}
		for begin := time.Now(); time.Since(begin) < time.Hour; time.Sleep(50 * time.Millisecond) {
			if time.Since(begin) < 57*time.Minute { // long steps, but none into the time of the refreshes
				time.Sleep(time.Minute)
			}
			for _, c := range caches {
				_, err := c.Token(t.Context())
				assert.NoError(t, err)
			}
			synctest.Wait()
		}
		refreshes := s.Requests(authtest.OpToken)[replicas:]
		require.Len(t, refreshes, replicas)
		var at []time.Time
		for _, r := range refreshes {
			at = append(at, r.Time)
		}
		most := mostWithin(at, 100*time.Millisecond)
		t.Logf("at most %d of %d within 100 ms", most, replicas)
		assert.LessOrEqual(t, most, 15)
	})
}
