package auth_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
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

// village is a provider in one function: it issues numbered tokens and accepts
// those that lives says. The paths below /odd refuse every token.
type village struct {
	issued  atomic.Int64
	asked   atomic.Int64 // requests to the API
	revoked atomic.Int64 // tokens up to this number are dead
	lives   func(token, request int64) bool
	life    time.Duration // of a token; zero is a day
	down    atomic.Bool   // the token endpoint
}

func (v *village) source(t *testing.T) *auth.Cache {
	t.Helper()
	return newCache(t, auth.SourceFunc(func(context.Context) (auth.Token, error) {
		n := v.issued.Add(1)
		if v.down.Load() {
			return auth.Token{}, &kyckit.Error{Provider: "auth", Op: "token", Kind: kyckit.ErrUnavailable}
		}
		return token(fmt.Sprint(n), cmp.Or(v.life, 24*time.Hour)), nil
	}))
}

func (v *village) RoundTrip(r *http.Request) (*http.Response, error) {
	var n int64
	_, err := fmt.Sscanf(r.Header.Get("Authorization"), "Bearer %d", &n)
	ok := err == nil && n > v.revoked.Load() && !strings.HasPrefix(r.URL.Path, "/odd")
	if request := v.asked.Add(1); ok && v.lives != nil {
		ok = v.lives(n, request)
	}
	status := http.StatusOK
	if !ok {
		status = http.StatusUnauthorized
	}
	return &http.Response{StatusCode: status, Body: http.NoBody, Request: r, Header: http.Header{}}, nil
}

// call returns the status of one request; streamed has a body that cannot be
// rewound.
func (v *village) call(t *testing.T, rt http.RoundTripper, path string, streamed bool) int {
	t.Helper()
	var body io.Reader
	if streamed {
		body = io.MultiReader(strings.NewReader("x"))
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://kyc.example.test"+path, body)
	if !assert.NoError(t, err) {
		return 0
	}
	resp, err := rt.RoundTrip(req)
	if !assert.NoError(t, err) {
		return 0
	}
	return resp.StatusCode
}

func TestAResourceThatRefusesEveryTokenTakesNothingElseDown(t *testing.T) {
	for _, every := range []time.Duration{200 * time.Millisecond, time.Second, 2 * time.Second, 6 * time.Second} {
		for name, odd := range map[string]func(i int) (path string, streamed bool){
			"one path":            func(int) (string, bool) { return "/odd", false },
			"two paths":           func(i int) (string, bool) { return fmt.Sprint("/odd/", i%2), false },
			"a path a call":       func(i int) (string, bool) { return fmt.Sprint("/odd/", i), false },
			"no repeatable calls": func(int) (string, bool) { return "/odd", true },
			"some of each":        func(i int) (string, bool) { return fmt.Sprint("/odd/", i%7), i%3 == 0 },
		} {
			t.Run(fmt.Sprint(every, ", ", name), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					v := &village{}
					rt := auth.NewTransport(v, v.source(t))
					var odds atomic.Int64
					go func() {
						for i := range int(time.Hour / every) {
							path, streamed := odd(i)
							assert.Equal(t, http.StatusUnauthorized, v.call(t, rt, path, streamed), "the refusal is the answer")
							odds.Add(1)
							time.Sleep(every)
						}
					}()
					failed := 0
					for i := range 5 * 3600 {
						if v.call(t, rt, "/resource", i%2 == 0) != http.StatusOK {
							failed++
						}
						time.Sleep(200 * time.Millisecond)
					}
					assert.Zero(t, failed, "of 18,000 other calls")
					assert.EqualValues(t, time.Hour/every, odds.Load())
					assert.LessOrEqual(t, v.issued.Load(), int64(130), "exchanges in an hour")
				})
			})
		}
	}
}

// A new token may be worse than the old one: servers that issue and accept
// tokens may not have told each other.
func TestOtherCallsKeepATokenThatWorksForThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &village{lives: func(token, _ int64) bool { return token == 1 }}
		rt := auth.NewTransport(v, v.source(t))
		for range 3600 {
			assert.Equal(t, http.StatusUnauthorized, v.call(t, rt, "/odd", false))
			assert.Equal(t, http.StatusOK, v.call(t, rt, "/resource", false))
			time.Sleep(time.Second)
		}
		assert.LessOrEqual(t, v.issued.Load(), int64(130))
	})
}

func TestOneOfSeveralServersThatRefusesCostsNoMore(t *testing.T) {
	for servers := int64(2); servers <= 5; servers++ {
		synctest.Test(t, func(t *testing.T) {
			v := &village{lives: func(_, request int64) bool { return (request*2654435761>>7)%servers != 0 }}
			rt := auth.NewTransport(v, v.source(t))
			for range 5 * 3600 {
				v.call(t, rt, "/resource", false)
				time.Sleep(200 * time.Millisecond)
			}
			assert.LessOrEqual(t, v.issued.Load(), int64(130), "%d servers", servers)
		})
	}
}

// Also in the middle of refusals by others, and where no call can be repeated.
func TestARevokedTokenIsReplacedInTime(t *testing.T) {
	for name, streamed := range map[string]bool{"repeatable": false, "not repeatable": true} {
		for _, odd := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", refusals by others ", odd), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					v := &village{}
					rt := auth.NewTransport(v, v.source(t))
					var revokedAt time.Time
					worst, failed := time.Duration(0), 0
					for i := range 2 * 3600 {
						if odd {
							v.call(t, rt, fmt.Sprint("/odd/", i), i%5 == 0)
						}
						if i%600 == 599 {
							v.revoked.Store(v.issued.Load())
							revokedAt = time.Now()
						}
						if v.call(t, rt, "/resource", streamed) != http.StatusOK {
							failed++
							worst = max(worst, time.Since(revokedAt))
						}
						time.Sleep(time.Second)
					}
					if odd {
						assert.LessOrEqual(t, worst, 75*time.Second)
						return
					}
					assert.EqualValues(t, 1+12, v.issued.Load(), "one exchange at the start and one a revocation")
					if streamed {
						assert.Equal(t, 12, failed, "the call that finds out cannot be repeated")
						assert.Zero(t, worst)
					} else {
						assert.Zero(t, failed)
					}
				})
			})
		}
	}
}

// The token endpoint fails while one resource refuses: the others go on with
// the token they have, and the failing endpoint is not asked more for it.
func TestRefusalsWhileTheTokenEndpointFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &village{}
		rt := auth.NewTransport(v, v.source(t))
		require.Equal(t, http.StatusOK, v.call(t, rt, "/resource", false))
		v.down.Store(true)
		for i := range 3600 {
			assert.Equal(t, http.StatusUnauthorized, v.call(t, rt, fmt.Sprint("/odd/", i), false))
			assert.Equal(t, http.StatusOK, v.call(t, rt, "/resource", false))
			time.Sleep(time.Second)
		}
		assert.LessOrEqual(t, v.issued.Load(), int64(130))
	})
}

// A source that hangs holds the refused call until the caller leaves, and no
// other.
func TestRefusalsWhileTheSourceHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &village{}
		var hang atomic.Bool
		c := newCache(t, auth.SourceFunc(func(ctx context.Context) (auth.Token, error) {
			if hang.Load() {
				<-ctx.Done()
				return auth.Token{}, ctx.Err()
			}
			return token(fmt.Sprint(v.issued.Add(1)), time.Hour), nil
		}))
		rt := auth.NewTransport(v, c)
		require.Equal(t, http.StatusOK, v.call(t, rt, "/resource", false))
		hang.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://kyc.example.test/odd", nil)
		require.NoError(t, err)
		start := time.Now()
		go func() {
			time.Sleep(time.Second)
			assert.Equal(t, http.StatusOK, v.call(t, rt, "/resource", false))
			assert.Equal(t, time.Second, time.Since(start))
		}()
		_, err = rt.RoundTrip(req)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 2*time.Second, time.Since(start))
		require.NoError(t, c.Close())
	})
}

// invalidating is a source of a user's own.
type invalidating struct {
	auth.Source
	told *atomic.Int64
}

func (i invalidating) Invalidate(auth.Token) { i.told.Add(1) }

func TestRefusalsWithASourceOfAnotherType(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &village{}
		var told atomic.Int64
		rt := auth.NewTransport(v, invalidating{auth.SourceFunc(func(context.Context) (auth.Token, error) {
			return token(fmt.Sprint(1+told.Load()), time.Hour), nil
		}), &told})
		v.revoked.Store(1)
		require.Equal(t, http.StatusOK, v.call(t, rt, "/resource", false), "with the second token")
		require.EqualValues(t, 1, told.Load())
		for i := range 3600 {
			assert.Equal(t, http.StatusUnauthorized, v.call(t, rt, fmt.Sprint("/odd/", i), false))
			assert.Equal(t, http.StatusOK, v.call(t, rt, "/resource", false))
			time.Sleep(time.Second)
		}
		assert.LessOrEqual(t, told.Load(), int64(130))
		assert.GreaterOrEqual(t, told.Load(), int64(60))
	})
}

// A cache around a cache, or around what a user wrote, is no end of the line.
func TestInvalidateIsPassedOn(t *testing.T) {
	v := &village{}
	inner := v.source(t)
	outer := newCache(t, inner)
	rt := auth.NewTransport(v, outer)
	require.Equal(t, http.StatusOK, v.call(t, rt, "/resource", false))
	v.revoked.Store(1)
	require.Equal(t, http.StatusOK, v.call(t, rt, "/resource", false), "by a refused call")
	require.EqualValues(t, 2, v.issued.Load())
	tok, err := outer.Token(t.Context())
	require.NoError(t, err)
	outer.Invalidate(tok)
	tok, err = outer.Token(t.Context())
	require.NoError(t, err)
	require.Equal(t, "3", tok.Access.Reveal(), "by a caller")
}

func TestA401WhoseBodyNeverEndsIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &village{}
		rt := auth.NewTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
			resp, err := v.RoundTrip(r)
			if resp.StatusCode == http.StatusUnauthorized {
				resp.Body, _ = io.Pipe()
			}
			return resp, err
		}), v.source(t))
		require.Equal(t, http.StatusOK, v.call(t, rt, "/resource", false))
		v.revoked.Store(1)
		start := time.Now()
		require.Equal(t, http.StatusOK, v.call(t, rt, "/resource", false))
		assert.LessOrEqual(t, time.Since(start), 100*time.Millisecond)
	})
}

func TestHooksThatPanicLoseNothing(t *testing.T) {
	for name, hook := range map[string]func(auth.Event){
		"panic": func(auth.Event) { panic("a hook") },
		"nil":   func(auth.Event) { panic(error(nil)) },
	} {
		t.Run(name, func(t *testing.T) {
			v := &village{}
			var log strings.Builder
			c, err := auth.NewCache(auth.CacheConfig{Source: v.source(t), Tuning: auth.Tuning{
				OnEvent: hook, Logger: slog.New(slog.NewTextHandler(&log, nil)),
			}})
			require.NoError(t, err)
			rt := auth.NewTransport(v, c)
			require.Equal(t, http.StatusOK, v.call(t, rt, "/resource", false))
			v.revoked.Store(1)
			require.Equal(t, http.StatusOK, v.call(t, rt, "/resource", false))
			tok, err := c.Token(t.Context())
			require.NoError(t, err)
			c.Invalidate(tok)
			v.down.Store(true)
			_, err = c.Token(t.Context())
			require.ErrorIs(t, err, kyckit.ErrUnavailable)
			assert.Contains(t, log.String(), "level=ERROR")
			assert.NotContains(t, log.String(), "a hook")
		})
	}
}

func TestTokensThatAreAlwaysRefusedDoNotCostAnExchangeACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inMemory(t, authtest.Config{})
		src, err := s.ClientCredentials(auth.Tuning{})
		require.NoError(t, err)
		s.Fail(authtest.OpResource, 0, kyctest.Fault{Status: 401})
		client := &http.Client{Transport: auth.NewTransport(s.Client().Transport, src)}
		for range 1000 {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.ResourceURL(), nil)
			require.NoError(t, err)
			resp, err := client.Do(req)
			if err == nil {
				assert.Equal(t, 401, resp.StatusCode)
				require.NoError(t, resp.Body.Close())
			} else {
				require.ErrorIs(t, err, kyckit.ErrUnauthorized)
			}
			time.Sleep(10 * time.Millisecond)
		}
		assert.LessOrEqual(t, s.Exchanges(), 16, "in 10 s of 100 calls/s")
		// When the provider comes to its senses, so do we.
		s.Heal()
		time.Sleep(time.Minute)
		status, _ := post(t, client, s.ResourceURL(), "x")
		assert.Equal(t, 200, status)
	})
}

func TestTokensThatAreRevokedOverAndOverCostOneExchangeEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inMemory(t, authtest.Config{})
		src, err := s.PasswordLogin(auth.Tuning{})
		require.NoError(t, err)
		client := &http.Client{Transport: auth.NewTransport(s.Client().Transport, src)}
		for i := range 50 {
			status, echo := post(t, client, s.ResourceURL(), fmt.Sprint(i))
			assert.Equal(t, 200, status)
			assert.Equal(t, fmt.Sprint(i), echo)
			assert.Equal(t, i+1, s.Exchanges())
			s.RevokeTokens()
		}
	})
}

func TestAResourceThatRefusesEveryTokenDoesNotCostAnExchangeACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inMemory(t, authtest.Config{})
		s.Handle("/odd", "odd", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
		src, err := s.PasswordLogin(auth.Tuning{})
		require.NoError(t, err)
		client := &http.Client{Transport: auth.NewTransport(s.Client().Transport, src)}
		for range 1000 {
			for _, url := range []string{s.URL + "/odd", s.ResourceURL()} { // the other one accepts them all
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
				require.NoError(t, err)
				if resp, err := client.Do(req); err == nil {
					require.NoError(t, resp.Body.Close())
				} else {
					require.ErrorIs(t, err, kyckit.ErrUnauthorized)
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
		assert.LessOrEqual(t, s.Exchanges(), 16, "in 10 s of 100 calls/s")
	})
}
