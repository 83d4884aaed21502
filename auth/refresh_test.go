package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/auth/authtest"
	"github.com/kyckit/kyckit/internal/transport"
	"github.com/kyckit/kyckit/kyctest"
)

// load calls src at a steady rate, each call on its own goroutine, and reports
// the outcome of each.
func load(ctx context.Context, src auth.Source, rate int, span time.Duration, each func(at, took time.Duration, tok auth.Token, err error)) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	begin := time.Now()
	for i := range int(span.Seconds() * float64(rate)) {
		time.Sleep(time.Until(begin.Add(time.Duration(i) * time.Second / time.Duration(rate))))
		wg.Go(func() {
			start := time.Now()
			tok, err := src.Token(ctx)
			took := time.Since(start)
			mu.Lock()
			defer mu.Unlock()
			each(start.Sub(begin), took, tok, err)
		})
	}
	wg.Wait()
}

func TestNoCallWaitsWhileATokenIsRefreshed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inMemory(t, authtest.Config{Lifetime: 10 * time.Second, Latency: 200 * time.Millisecond})
		src, err := s.ClientCredentials(auth.Tuning{})
		require.NoError(t, err)
		_, err = src.Token(t.Context())
		require.NoError(t, err)
		var slowest time.Duration
		load(t.Context(), src, 2000, 11*time.Second, func(_, took time.Duration, tok auth.Token, err error) {
			assert.NoError(t, err)
			slowest = max(slowest, took)
		})
		assert.Less(t, slowest, time.Millisecond)
		assert.Equal(t, 2, s.Exchanges())
	})
}

func TestShortLivesLeaveTimeForTheRefresh(t *testing.T) {
	for range 50 { // the moment is drawn at random
		synctest.Test(t, func(t *testing.T) {
			s := inMemory(t, authtest.Config{Lifetime: 2 * time.Second, Latency: 200 * time.Millisecond})
			src, err := s.ClientCredentials(auth.Tuning{})
			require.NoError(t, err)
			_, err = src.Token(t.Context())
			require.NoError(t, err)
			load(t.Context(), src, 200, 4*time.Second, func(_, took time.Duration, _ auth.Token, err error) {
				assert.NoError(t, err)
				assert.Less(t, took, time.Millisecond)
			})
			assert.LessOrEqual(t, s.Exchanges(), 4)
		})
	}
}

func TestOldTokenServesWhileTheEndpointIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inMemory(t, authtest.Config{Lifetime: 40 * time.Second})
		src, err := s.ClientCredentials(auth.Tuning{})
		require.NoError(t, err)
		_, err = src.Token(t.Context())
		require.NoError(t, err)
		time.Sleep(32 * time.Second) // refreshes are due from here on
		s.Fail(authtest.OpToken, 0, kyctest.Fault{Status: 503})
		time.AfterFunc(7*time.Second, s.Heal)
		before := s.Exchanges()
		load(t.Context(), src, 1000, 7*time.Second, func(_, took time.Duration, tok auth.Token, err error) {
			assert.NoError(t, err)
			assert.Zero(t, took)
			assert.True(t, s.Living(tok.Access.Reveal()))
		})
		asked := s.Exchanges() - before
		assert.GreaterOrEqual(t, asked, 2)
		assert.LessOrEqual(t, asked, 6)
		// Past the expiry of the first token there is no stall and no failure.
		load(t.Context(), src, 1000, 5*time.Second, func(_, took time.Duration, tok auth.Token, err error) {
			assert.NoError(t, err)
			assert.Less(t, took, time.Millisecond)
			assert.True(t, s.Living(tok.Access.Reveal()))
		})
	})
}

func TestTokenThatDiesInsideAnOutage(t *testing.T) {
	for _, dies := range []time.Duration{0, 500 * time.Millisecond, 2 * time.Second, 4900 * time.Millisecond} {
		t.Run(dies.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := inMemory(t, authtest.Config{Lifetime: 30 * time.Second})
				src, err := s.ClientCredentials(auth.Tuning{})
				require.NoError(t, err)
				first, err := src.Token(t.Context())
				require.NoError(t, err)
				time.Sleep(time.Until(first.Expiry) - dies)
				s.Fail(authtest.OpToken, 0, kyctest.Fault{Status: 503})
				const outage = 5 * time.Second
				time.AfterFunc(outage, s.Heal)
				before := s.Exchanges()
				asked := 0
				time.AfterFunc(outage-time.Nanosecond, func() { asked = s.Exchanges() - before })
				var recovered time.Duration
				const patience = 250 * time.Millisecond
				var wg sync.WaitGroup
				begin := time.Now()
				for range 7000 {
					time.Sleep(time.Millisecond)
					wg.Go(func() {
						ctx, cancel := context.WithTimeout(t.Context(), patience)
						defer cancel()
						start := time.Now()
						tok, err := src.Token(ctx)
						assert.LessOrEqual(t, time.Since(start), patience, "held past the deadline")
						at := start.Sub(begin)
						switch {
						case err == nil:
							assert.True(t, s.Living(tok.Access.Reveal()), "a dead token at %v", at)
							if at >= outage && recovered == 0 {
								recovered = at
							}
						case at < dies:
							assert.NoError(t, err, "the token still lives at %v", at)
						case at > outage+time.Second:
							assert.NoError(t, err, "not recovered at %v", at)
						case !errors.Is(err, context.DeadlineExceeded):
							assert.ErrorIs(t, err, kyckit.ErrUnavailable)
							var e *kyckit.Error
							if assert.ErrorAs(t, err, &e) {
								assert.Positive(t, e.RetryAfter)
								assert.LessOrEqual(t, e.RetryAfter, time.Second)
							}
						}
					})
				}
				wg.Wait()
				t.Logf("requests in the outage: %d, first success after: %v", asked, recovered-outage)
				assert.LessOrEqual(t, asked, 10)
				assert.GreaterOrEqual(t, asked, 3)
				assert.LessOrEqual(t, recovered, outage+time.Second)
			})
		})
	}
}

func TestShortOutageFailsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inMemory(t, authtest.Config{})
		src, err := s.ClientCredentials(auth.Tuning{})
		require.NoError(t, err)
		s.Fail(authtest.OpToken, 1, kyctest.Fault{Status: 502, Body: "<html>"})
		s.Fail(authtest.OpToken, 2, kyctest.Fault{Hangup: true})
		_, err = src.Token(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 3, s.Exchanges())
	})
}

func TestShortLifetimesCostNoExtraExchange(t *testing.T) {
	for _, life := range []time.Duration{60 * time.Second, 8 * time.Second, 2 * time.Second} {
		t.Run(life.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := inMemory(t, authtest.Config{Lifetime: life})
				src, err := s.ClientCredentials(auth.Tuning{})
				require.NoError(t, err)
				const generations = 10
				load(t.Context(), src, 100, generations*life, func(_, _ time.Duration, tok auth.Token, err error) {
					assert.NoError(t, err)
					assert.True(t, s.Living(tok.Access.Reveal()))
				})
				// At most a fifth of each lifetime is given away.
				assert.LessOrEqual(t, s.Exchanges(), generations*5/4+1)
				assert.GreaterOrEqual(t, s.Exchanges(), generations)
			})
		})
	}
}

func TestJWTWithoutExpiresIn(t *testing.T) {
	for _, iat := range []bool{false, true} {
		for _, skew := range []time.Duration{0, 2 * time.Minute, -2 * time.Minute, 1234567 * time.Microsecond} {
			for _, offset := range []time.Duration{0, 10 * time.Millisecond, 500 * time.Millisecond, 990 * time.Millisecond} {
				t.Run(fmt.Sprintf("iat=%v skew=%v offset=%v", iat, skew, offset), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						s := inMemory(t, authtest.Config{JWT: true, IAT: iat, Lifetime: 3 * time.Second, ClockSkew: skew, Latency: 5 * time.Millisecond})
						src, err := s.PasswordLogin(auth.Tuning{})
						require.NoError(t, err)
						time.Sleep(offset) // where in its second the server's clock is
						load(t.Context(), src, 200, 8*time.Second, func(at, _ time.Duration, tok auth.Token, err error) {
							assert.NoError(t, err)
							assert.True(t, s.Living(tok.Access.Reveal()), "a dead token at %v", at)
						})
						assert.LessOrEqual(t, s.Exchanges(), 6)
					})
				})
			}
		}
	}
}

func TestRefusedCredentialsAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inMemory(t, authtest.Config{})
		src, err := auth.NewPasswordLogin(auth.PasswordLoginConfig{
			LoginURL: s.LoginURL(), Username: "tester@example.test", Password: kyckit.NewSecret("wrong"), HTTP: s.HTTP(),
		})
		require.NoError(t, err)
		load(t.Context(), src, 50, 200*time.Second, func(_, _ time.Duration, _ auth.Token, err error) {
			assert.ErrorIs(t, err, kyckit.ErrUnauthorized)
			var e *kyckit.Error
			if assert.ErrorAs(t, err, &e) {
				assert.Equal(t, "LOGIN_BAD_CREDENTIALS", e.Code)
				assert.Equal(t, 400, e.StatusCode)
				assert.Positive(t, e.RetryAfter)
			}
		})
		var at []time.Duration
		all := s.Requests(authtest.OpLogin)
		for _, r := range all {
			at = append(at, r.Time.Sub(all[0].Time).Round(time.Second))
		}
		assert.Equal(t, []time.Duration{0, 1 * time.Second, 3 * time.Second, 7 * time.Second, 15 * time.Second, 31 * time.Second, 63 * time.Second, 123 * time.Second, 183 * time.Second}, at)
	})
}

// Of several servers behind one address one may be down while the others count
// wrong passwords.
func TestRefusalsAreNotForgottenOverAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refusals := 0
		src := newCache(t, &counted{next: func(_ context.Context, n int) (auth.Token, error) {
			if n%2 == 0 {
				return auth.Token{}, &kyckit.Error{Kind: kyckit.ErrUnavailable}
			}
			refusals++
			return auth.Token{}, &kyckit.Error{Kind: kyckit.ErrUnauthorized}
		}})
		load(t.Context(), src, 20, 5*time.Minute, func(_, _ time.Duration, _ auth.Token, err error) {
			assert.Error(t, err)
		})
		assert.LessOrEqual(t, refusals, 11, "1 s doubling to 60 s")
	})
}

func TestNobodyWaitsAtTheExpiryWhenTheEndpointIsBackBefore(t *testing.T) {
	for range 20 { // the pace is drawn at random
		synctest.Test(t, func(t *testing.T) {
			s := inMemory(t, authtest.Config{Lifetime: time.Minute, Latency: 100 * time.Millisecond})
			src, err := s.ClientCredentials(auth.Tuning{})
			require.NoError(t, err)
			first, err := src.Token(t.Context())
			require.NoError(t, err)
			time.Sleep(time.Until(first.Expiry) - 6*time.Second)
			s.Fail(authtest.OpToken, 0, kyctest.Fault{Status: 503})
			time.AfterFunc(5500*time.Millisecond, s.Heal)
			load(t.Context(), src, 200, 8*time.Second, func(at, took time.Duration, _ auth.Token, err error) {
				assert.NoError(t, err)
				assert.Zero(t, took, "held at %v", at)
			})
		})
	}
}

func TestRetryAfterOfTheEndpointIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inMemory(t, authtest.Config{})
		src, err := s.JSONExchange(auth.Tuning{})
		require.NoError(t, err)
		s.Fail(authtest.OpJSON, 1, kyctest.Fault{Status: 429, Header: map[string][]string{"Retry-After": {"7"}}})
		_, err = src.Token(t.Context())
		require.ErrorIs(t, err, kyckit.ErrRateLimited)
		time.Sleep(6 * time.Second)
		_, err = src.Token(t.Context())
		require.ErrorIs(t, err, kyckit.ErrRateLimited)
		var e *kyckit.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, time.Second, e.RetryAfter)
		assert.Equal(t, 1, s.Exchanges())
		time.Sleep(time.Second)
		_, err = src.Token(t.Context())
		require.NoError(t, err)
	})
}

func TestMaxAttemptsOfTheFirstExchange(t *testing.T) {
	for configured, want := range map[int]int{0: 3, 1: 1, 5: 5} {
		synctest.Test(t, func(t *testing.T) {
			s := inMemory(t, authtest.Config{})
			h := s.HTTP()
			h.Retry.MaxAttempts = configured
			src, err := auth.NewClientCredentials(auth.ClientCredentialsConfig{
				TokenURL: s.TokenURL(), ClientID: "test-client", ClientSecret: kyckit.NewSecret("test-secret"), HTTP: h,
			})
			require.NoError(t, err)
			s.Fail(authtest.OpToken, 0, kyctest.Fault{Status: 503})
			_, err = src.Token(t.Context())
			var e *kyckit.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, want, e.Attempts)
			assert.Equal(t, want, s.Exchanges())
			_, err = src.Token(t.Context())
			require.ErrorAs(t, err, &e)
			assert.Zero(t, e.Attempts, "nothing was sent")
			time.Sleep(time.Second)
			_, err = src.Token(t.Context())
			require.ErrorAs(t, err, &e)
			assert.Equal(t, 1, e.Attempts, "later exchanges hold nobody")
		})
	}
}

func TestRateLimitedEndpointIsAskedEverMoreSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inMemory(t, authtest.Config{})
		src, err := s.ClientCredentials(auth.Tuning{})
		require.NoError(t, err)
		s.Fail(authtest.OpToken, 0, kyctest.Fault{Status: 429})
		load(t.Context(), src, 20, time.Minute, func(_, _ time.Duration, _ auth.Token, err error) {
			assert.ErrorIs(t, err, kyckit.ErrRateLimited)
		})
		assert.LessOrEqual(t, s.Exchanges(), 12)
		assert.GreaterOrEqual(t, s.Exchanges(), 6)
	})
}

// The header of the SDK's own calls is set in place; a retry must not write to
// a header that an abandoned try may still read.
func TestRetriedCallsAreSafe(t *testing.T) {
	s := onLoopback(t, authtest.Config{})
	src, err := s.ClientCredentials(auth.Tuning{})
	require.NoError(t, err)
	h := s.HTTP()
	h.Timeout = 5 * time.Millisecond
	h.Retry.MinWait, h.Retry.MaxWait = time.Millisecond, time.Millisecond
	client, err := transport.New(transport.Config{
		Provider: "demo", BaseURL: s.URL, HTTP: h,
		Authorize: func(next http.RoundTripper) http.RoundTripper { return auth.NewTransport(next, src) },
	})
	require.NoError(t, err)
	s.Fail(authtest.OpResource, 0, kyctest.Fault{Delay: 50 * time.Millisecond})
	for range 20 {
		// Nearly always a timeout; the race detector is the judge here.
		_, _ = client.Do(t.Context(), &transport.Call{Op: "demo", Method: http.MethodGet, Path: "/resource", Repeatable: true})
	}
	assert.Greater(t, s.Count(authtest.OpResource), 20, "there were no retries")
}
