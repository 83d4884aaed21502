package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/redisstore"
)

// logins is a provider that numbers its tokens.
type logins struct {
	count  atomic.Int64
	life   time.Duration
	takes  time.Duration
	fail   atomic.Pointer[kyckit.Error]
	oldest atomic.Int64 // tokens below are dead
}

func (l *logins) Token(ctx context.Context) (auth.Token, error) {
	n := l.count.Add(1)
	if l.takes > 0 {
		timer := time.NewTimer(l.takes)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return auth.Token{}, ctx.Err()
		}
	}
	if e := l.fail.Load(); e != nil {
		return auth.Token{}, e
	}
	t := auth.Token{Access: kyckit.NewSecret(fmt.Sprint("token-", n)), Type: "Bearer"}
	if l.life > 0 {
		t.Expiry = time.Now().Add(l.life)
	}
	return t, nil
}

// RoundTrip is the provider's API.
func (l *logins) RoundTrip(r *http.Request) (*http.Response, error) {
	var n int64
	_, err := fmt.Sscanf(r.Header.Get("Authorization"), "Bearer token-%d", &n)
	status := http.StatusOK
	if err != nil || n < l.oldest.Load() {
		status = http.StatusUnauthorized
	}
	return &http.Response{StatusCode: status, Body: http.NoBody, Request: r, Header: http.Header{}}, nil
}

func (l *logins) call(t *testing.T, rt http.RoundTripper) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://kyc.example.test/", nil)
	require.NoError(t, err)
	resp, err := rt.RoundTrip(req)
	require.NoError(t, err)
	return resp.StatusCode
}

// replicas returns n sources of one tenant's token.
func replicas(t *testing.T, client redisstore.Client, n int, src func() auth.Source) []auth.Source {
	t.Helper()
	list := make([]auth.Source, n)
	for i := range list {
		list[i] = newStore(t, client).Tokens(src())
	}
	return list
}

func TestOneLoginForAllReplicas(t *testing.T) {
	for name, wrap := range map[string]func(auth.Source) auth.Source{
		"a source": func(s auth.Source) auth.Source { return s },
		"a cache": func(s auth.Source) auth.Source {
			c, err := auth.NewCache(auth.CacheConfig{Source: s})
			require.NoError(t, err)
			return c
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, client := inMemory(t)
				l := &logins{life: 10 * time.Minute, takes: 3 * time.Second}
				all := replicas(t, client, 8, func() auth.Source { return wrap(l) })
				var wg sync.WaitGroup
				for _, src := range all {
					wg.Go(func() {
						for range 3600 {
							tok, err := src.Token(t.Context())
							assert.NoError(t, err)
							assert.True(t, time.Now().Before(tok.Expiry), "a dead token")
							time.Sleep(time.Second)
						}
					})
				}
				wg.Wait()
				assert.LessOrEqual(t, l.count.Load(), int64(9), "in an hour of 10 minutes a token")
				assert.GreaterOrEqual(t, l.count.Load(), int64(6))
			})
		})
	}
}

// The whole fleet finds out at once, and one login serves it.
func TestARevokedTokenCostsTheFleetOneLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := inMemory(t)
		l := &logins{life: time.Hour, takes: time.Second}
		var rts []http.RoundTripper
		for _, src := range replicas(t, client, 8, func() auth.Source { return l }) {
			_, ok := src.(interface{ Invalidate(auth.Token) })
			require.True(t, ok, "a refused token can be told")
			rts = append(rts, auth.NewTransport(l, src))
		}
		for round := range 5 {
			l.oldest.Store(l.count.Load() + 1)
			var wg sync.WaitGroup
			for _, rt := range rts {
				wg.Go(func() { assert.Equal(t, http.StatusOK, l.call(t, rt)) })
			}
			wg.Wait()
			assert.EqualValues(t, round+1, l.count.Load())
			time.Sleep(time.Minute)
		}
	})
}

// A source that caches holds a token that another replica's login ended.
func TestAReplicaWithAnOlderTokenOfItsOwnLogsInAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := inMemory(t)
		l := &logins{life: time.Hour}
		all := replicas(t, client, 2, func() auth.Source {
			c, err := auth.NewCache(auth.CacheConfig{Source: l})
			require.NoError(t, err)
			return c
		})
		a, b := auth.NewTransport(l, all[0]), auth.NewTransport(l, all[1])
		require.Equal(t, http.StatusOK, l.call(t, a))
		l.oldest.Store(2)
		require.Equal(t, http.StatusOK, l.call(t, b)) // token 2
		require.Equal(t, http.StatusOK, l.call(t, a)) // token 2, from the store
		l.oldest.Store(3)
		require.Equal(t, http.StatusOK, l.call(t, a), "not its own token 1 again")
		require.EqualValues(t, 3, l.count.Load())
	})
}

func TestRefusedCredentialsAreRememberedByTheFleet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := inMemory(t)
		l := &logins{}
		l.fail.Store(&kyckit.Error{Provider: "auth", Op: "token", Kind: kyckit.ErrUnauthorized, Code: "invalid_client"})
		var wg sync.WaitGroup
		for _, src := range replicas(t, client, 8, func() auth.Source { return l }) {
			wg.Go(func() {
				for range 3600 {
					_, err := src.Token(t.Context())
					assert.ErrorIs(t, err, kyckit.ErrUnauthorized)
					time.Sleep(time.Second)
				}
			})
		}
		wg.Wait()
		assert.LessOrEqual(t, l.count.Load(), int64(130), "of eight replicas in an hour, hardly more than of one")
	})
}

// Who logs in dies in the middle of it: the next one waits for the lease alone.
func TestALoginThatNeverEndsIsTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := inMemory(t)
		dead := newStore(t, deadAfter{client, new(atomic.Bool)})
		hanging := dead.Tokens(auth.SourceFunc(func(ctx context.Context) (auth.Token, error) {
			<-ctx.Done()
			return auth.Token{}, ctx.Err()
		}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := hanging.Token(ctx)
		require.Error(t, err)
		require.NoError(t, hanging.(*auth.Cache).Close()) // the process is gone, and its lease with it or soon
		l := &logins{life: time.Hour}
		start := time.Now()
		_, err = newStore(t, client).Tokens(l).Token(t.Context())
		require.NoError(t, err)
		assert.LessOrEqual(t, time.Since(start), 6*time.Second)
	})
}

// deadAfter is a client of a process that may die.
type deadAfter struct {
	redisstore.Client
	died *atomic.Bool
}

func (d deadAfter) Eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	if d.died.Load() {
		cmd := redis.NewCmd(ctx)
		cmd.SetErr(errors.New("dial tcp 192.0.2.1:6379: connection refused"))
		return cmd
	}
	return d.Client.Eval(ctx, script, keys, args...)
}

// hanging is a client whose server swallows everything, and that heeds no
// deadline, as go-redis by default.
type hanging struct{ redisstore.Client }

func (h hanging) Eval(ctx context.Context, _ string, _ []string, _ ...any) *redis.Cmd {
	time.Sleep(time.Minute)
	cmd := redis.NewCmd(ctx)
	cmd.SetErr(context.DeadlineExceeded)
	return cmd
}

func TestAReplicaLogsInAloneWhenTheStoreFails(t *testing.T) {
	for name, client := range map[string]func(redisstore.Client) redisstore.Client{
		"refused": func(c redisstore.Client) redisstore.Client {
			var died atomic.Bool
			died.Store(true)
			return deadAfter{c, &died}
		},
		"hangs": func(c redisstore.Client) redisstore.Client { return hanging{c} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, memory := inMemory(t)
				l := &logins{life: time.Hour}
				rt := auth.NewTransport(l, newStore(t, client(memory)).Tokens(l))
				start := time.Now()
				require.Equal(t, http.StatusOK, l.call(t, rt))
				assert.LessOrEqual(t, time.Since(start), time.Second)
				l.oldest.Store(2)
				require.Equal(t, http.StatusOK, l.call(t, rt), "also after a revocation")
				require.EqualValues(t, 2, l.count.Load())
				time.Sleep(2 * time.Minute) // for the calls that were left behind
			})
		})
	}
}

func TestWhatAnotherWroteIsNoToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := inMemory(t)
		l := &logins{life: time.Hour}
		require.NoError(t, client.Set(t.Context(), "kyckit:{test}:token", "garbage", time.Hour).Err())
		tok, err := newStore(t, client).Tokens(l).Token(t.Context())
		require.NoError(t, err)
		require.Equal(t, "token-1", tok.Access.Reveal())
		// Another tenant's token does not fit here, whoever puts it.
		other := newStore(t, client, func(c *redisstore.Config) { c.Tenant = "other" })
		_, err = other.Tokens(l).Token(t.Context())
		require.NoError(t, err)
		sealed, err := client.Get(t.Context(), "kyckit:{other}:token").Bytes()
		require.NoError(t, err)
		require.NoError(t, client.Set(t.Context(), "kyckit:{test}:token", sealed, time.Hour).Err())
		tok, err = newStore(t, client).Tokens(l).Token(t.Context())
		require.NoError(t, err)
		require.Equal(t, "token-3", tok.Access.Reveal())
		// A new key reads what is there under the old one.
		tok, err = newStore(t, client, func(c *redisstore.Config) {
			c.Key, c.OtherKeys = kyckit.NewSecret("\x02 a made-up key of 32 bytes..\xff\xfe!"), []kyckit.Secret{c.Key}
		}).Tokens(l).Token(t.Context())
		require.NoError(t, err)
		require.Equal(t, "token-3", tok.Access.Reveal())
	})
}

func TestAStoreHasOneToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := inMemory(t)
		s := newStore(t, client)
		l := &logins{}
		first := s.Tokens(l)
		require.Same(t, first, s.Tokens(l))
		_, err := s.Tokens(&logins{}).Token(t.Context())
		require.ErrorIs(t, err, kyckit.ErrInvalid)
		_, err = s.Tokens(nil).Token(t.Context())
		require.ErrorIs(t, err, kyckit.ErrInvalid)
		_, err = newStore(t, client).Tokens((*auth.Cache)(nil)).Token(t.Context())
		require.ErrorIs(t, err, kyckit.ErrInvalid)
	})
}
