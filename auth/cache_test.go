package auth_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/auth/authtest"
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

func TestCloseEndsTheExchangeAndKeepsTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &counted{next: func(ctx context.Context, n int) (auth.Token, error) {
			if n == 1 {
				return token("one", time.Minute), nil
			}
			<-ctx.Done()
			return auth.Token{}, ctx.Err()
		}}
		c := newCache(t, src)
		_, err := c.Token(t.Context())
		require.NoError(t, err)
		time.Sleep(58 * time.Second)
		_, err = c.Token(t.Context()) // begins a refresh that hangs
		require.NoError(t, err)
		synctest.Wait()
		require.EqualValues(t, 2, src.calls.Load())
		require.NoError(t, c.Close())
		require.NoError(t, c.Close())
		tok, err := c.Token(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "one", tok.Access.Reveal())
		time.Sleep(2 * time.Second)
		_, err = c.Token(t.Context())
		require.ErrorIs(t, err, kyckit.ErrUnavailable)
		require.NotErrorIs(t, err, context.Canceled)
		assert.EqualValues(t, 2, src.calls.Load())
	})
}

func TestExchangeThatHangsEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := auth.NewCache(auth.CacheConfig{
			Source: auth.SourceFunc(func(ctx context.Context) (auth.Token, error) {
				<-ctx.Done()
				return auth.Token{}, ctx.Err()
			}),
			Tuning: auth.Tuning{Timeout: 7 * time.Second},
		})
		require.NoError(t, err)
		start := time.Now()
		_, err = c.Token(t.Context())
		require.ErrorIs(t, err, kyckit.ErrUnavailable)
		require.NotErrorIs(t, err, context.DeadlineExceeded, "the caller's deadline did not pass")
		assert.Equal(t, 7*time.Second, time.Since(start))
	})
}

func TestSourcesThatMisbehave(t *testing.T) {
	for name, tc := range map[string]struct {
		tok  auth.Token
		err  error
		kind error
	}{
		"empty":   {auth.Token{}, nil, kyckit.ErrDecode},
		"expired": {auth.Token{Access: kyckit.NewSecret("a"), Expiry: time.Unix(1, 0)}, nil, kyckit.ErrDecode},
		"foreign": {auth.Token{}, errors.New("planted"), kyckit.ErrUnavailable},
		"kyckit":  {auth.Token{}, fmt.Errorf("planted: %w", &kyckit.Error{Kind: kyckit.ErrForbidden}), kyckit.ErrForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCache(t, &counted{next: func(context.Context, int) (auth.Token, error) { return tc.tok, tc.err }})
				_, err := c.Token(t.Context())
				require.ErrorIs(t, err, tc.kind)
				assert.NotContains(t, err.Error(), "planted")
				var e *kyckit.Error
				require.ErrorAs(t, err, &e)
				assert.Positive(t, e.RetryAfter)
			})
		})
	}
}

func TestCallerWhoseContextHasEndedStartsNothing(t *testing.T) {
	src := &counted{next: func(context.Context, int) (auth.Token, error) { return token("one", time.Hour), nil }}
	c := newCache(t, src)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Token(ctx)
	require.ErrorIs(t, err, context.Canceled)
	assert.Zero(t, src.calls.Load())
	_, err = c.Token(t.Context())
	require.NoError(t, err)
	_, err = c.Token(ctx)
	require.NoError(t, err, "a token at hand costs no wait")
}

func TestTokenDiesAtItsExpiryAndNotBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &counted{next: func(_ context.Context, n int) (auth.Token, error) {
			if n == 1 {
				return token("one", time.Minute), nil
			}
			return auth.Token{}, &kyckit.Error{Kind: kyckit.ErrUnauthorized}
		}}
		c := newCache(t, src)
		tok, err := c.Token(t.Context())
		require.NoError(t, err)
		for time.Until(tok.Expiry) > time.Nanosecond {
			_, err = c.Token(t.Context())
			require.NoError(t, err)
			time.Sleep(min(time.Second, time.Until(tok.Expiry)-time.Nanosecond))
		}
		_, err = c.Token(t.Context())
		require.NoError(t, err)
		asked := src.calls.Load()
		assert.LessOrEqual(t, asked, int32(6), "refused credentials are paced while the token lives, too")
		time.Sleep(time.Nanosecond)
		_, err = c.Token(t.Context())
		require.ErrorIs(t, err, kyckit.ErrUnauthorized)
	})
}

func TestEarlyIsAtMostAFifthOfTheLifetime(t *testing.T) {
	for _, tc := range []struct{ early, life, from, to time.Duration }{
		{0, time.Hour, time.Hour - 60*time.Second, time.Hour - 30*time.Second},
		{0, time.Minute, 48 * time.Second, 54 * time.Second},
		{10 * time.Second, time.Hour, time.Hour - 10*time.Second, time.Hour - 5*time.Second},
		{time.Hour, 10 * time.Minute, 8 * time.Minute, 9 * time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			src := &counted{next: func(context.Context, int) (auth.Token, error) { return token("one", tc.life), nil }}
			c, err := auth.NewCache(auth.CacheConfig{Source: src, Tuning: auth.Tuning{Early: tc.early}})
			require.NoError(t, err)
			start := time.Now()
			for src.calls.Load() < 2 {
				_, err = c.Token(t.Context())
				require.NoError(t, err)
				synctest.Wait()
				time.Sleep(10 * time.Millisecond)
			}
			assert.GreaterOrEqual(t, time.Since(start), tc.from)
			assert.LessOrEqual(t, time.Since(start), tc.to+20*time.Millisecond)
		})
	}
}

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var events []auth.Event
		var log bytes.Buffer
		src := &counted{next: func(_ context.Context, n int) (auth.Token, error) {
			time.Sleep(time.Millisecond)
			if n == 2 {
				return auth.Token{}, &kyckit.Error{Kind: kyckit.ErrUnavailable}
			}
			return token("planted", time.Minute), nil
		}}
		c, err := auth.NewCache(auth.CacheConfig{Source: src, Tuning: auth.Tuning{
			Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
			OnEvent: func(e auth.Event) {
				mu.Lock()
				defer mu.Unlock()
				events = append(events, e)
			},
		}})
		require.NoError(t, err)
		_, err = c.Token(t.Context())
		require.NoError(t, err)
		time.Sleep(54 * time.Second)
		_, err = c.Token(t.Context()) // refresh, fails
		require.NoError(t, err)
		time.Sleep(time.Second)
		_, err = c.Token(t.Context()) // refresh, succeeds
		require.NoError(t, err)
		time.Sleep(time.Second)
		tok, err := c.Token(t.Context())
		require.NoError(t, err)
		c.Invalidate(tok)
		c.Invalidate(tok)
		mu.Lock()
		defer mu.Unlock()
		var kinds []auth.EventKind
		for _, e := range events {
			kinds = append(kinds, e.Kind)
			if e.Kind == auth.EventFailed {
				require.ErrorIs(t, e.Err, kyckit.ErrUnavailable)
				assert.Positive(t, e.RetryAfter)
			} else {
				assert.False(t, e.Expiry.IsZero())
			}
			if e.Kind != auth.EventInvalidated {
				assert.Equal(t, time.Millisecond, e.Took)
			}
		}
		assert.Equal(t, []auth.EventKind{auth.EventFetched, auth.EventFailed, auth.EventRefreshed, auth.EventInvalidated}, kinds)
		assert.Equal(t, 4, strings.Count(log.String(), "kyckit token"))
		assert.Contains(t, log.String(), "level=WARN")
		for attr, records := range map[string]int{"level=DEBUG": 3, "took=1ms": 3, "expiry=": 3, "error=": 1, "next=": 1, "name=": 0} {
			assert.Equal(t, records, strings.Count(log.String(), attr), "%s in %s", attr, log.String())
		}
		assert.NotContains(t, log.String(), "planted")
	})
}

// TestCacheUnderFire lets many callers take and drop tokens at once, for the
// race detector.
func TestCacheUnderFire(t *testing.T) {
	src := &counted{next: func(_ context.Context, n int) (auth.Token, error) {
		if n%5 == 0 {
			return auth.Token{}, &kyckit.Error{Kind: kyckit.ErrUnavailable}
		}
		return token(fmt.Sprint("tok", n), 20*time.Millisecond), nil
	}}
	c := newCache(t, src)
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := range 500 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%3)*time.Millisecond)
				tok, err := c.Token(ctx)
				if err == nil && i%50 == w {
					c.Invalidate(tok)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	require.NoError(t, c.Close())
}

func TestConfigErrorsNameTheField(t *testing.T) {
	secret := kyckit.NewSecret("an-invented-secret")
	src := auth.Static(secret)
	credentials := func(change func(*auth.ClientCredentialsConfig)) error {
		cfg := auth.ClientCredentialsConfig{TokenURL: "https://kyc.example.test/token", ClientID: "id", ClientSecret: secret}
		change(&cfg)
		_, err := auth.NewClientCredentials(cfg)
		return err
	}
	login := func(change func(*auth.PasswordLoginConfig)) error {
		cfg := auth.PasswordLoginConfig{LoginURL: "https://kyc.example.test/login", Username: "u", Password: secret}
		change(&cfg)
		_, err := auth.NewPasswordLogin(cfg)
		return err
	}
	exchange := func(change func(*auth.JSONExchangeConfig)) error {
		cfg := auth.JSONExchangeConfig{
			URL: "https://kyc.example.test/token", Fields: fields("s"), Decode: authtest.DecodeJSON,
		}
		change(&cfg)
		_, err := auth.NewJSONExchange(cfg)
		return err
	}
	cache := func(cfg auth.CacheConfig) error { _, err := auth.NewCache(cfg); return err }
	minter := func(change func(*auth.MinterConfig)) error {
		cfg := auth.MinterConfig{Issuer: "i", Secret: secret}
		change(&cfg)
		_, err := auth.NewMinter(cfg)
		return err
	}
	type cc = auth.ClientCredentialsConfig
	type pl = auth.PasswordLoginConfig
	type jx = auth.JSONExchangeConfig
	type mc = auth.MinterConfig
	require.NoError(t, credentials(func(*cc) {}))
	require.NoError(t, login(func(*pl) {}))
	require.NoError(t, exchange(func(*jx) {}))
	require.NoError(t, minter(func(*mc) {}))
	for _, tc := range []struct {
		field string
		err   error
	}{
		{"Source", cache(auth.CacheConfig{})},
		{"Source", cache(auth.CacheConfig{Source: (*auth.Cache)(nil)})},
		{"Source", cache(auth.CacheConfig{Source: auth.SourceFunc(nil)})},
		{"Tuning.Early", cache(auth.CacheConfig{Source: src, Tuning: auth.Tuning{Early: -1}})},
		{"Tuning.Timeout", cache(auth.CacheConfig{Source: src, Tuning: auth.Tuning{Timeout: -1}})},
		{"TokenURL", credentials(func(c *cc) { c.TokenURL = "" })},
		{"TokenURL", credentials(func(c *cc) { c.TokenURL = "http://kyc.example.test/token" })},
		{"TokenURL", credentials(func(c *cc) { c.TokenURL = "https://u:p@kyc.example.test/token" })},
		{"TokenURL", credentials(func(c *cc) { c.TokenURL = "https://kyc.example.test/token#a" })},
		{"TokenURL", credentials(func(c *cc) { c.TokenURL = "https://kyc.example.test/token?a=b#c" })},
		{"TokenURL", credentials(func(c *cc) { c.TokenURL = "https://kyc.example.test/token?a=%zz" })},
		{"TokenURL", credentials(func(c *cc) { c.TokenURL = "https://kyc.example.test:0/token" })},
		{"ClientID", credentials(func(c *cc) { c.ClientID = "" })},
		{"ClientID", credentials(func(c *cc) { c.ClientID = " " })},
		{"ClientSecret", credentials(func(c *cc) { c.ClientSecret = kyckit.Secret{} })},
		{"ClientSecret", credentials(func(c *cc) { c.ClientSecret = kyckit.NewSecret("\n") })},
		{"ClientID must not end", credentials(func(c *cc) { c.ClientID = "id\n" })},
		{"ClientID must not begin", credentials(func(c *cc) { c.ClientID = "\uFEFFid" })},
		{"ClientSecret must not end", credentials(func(c *cc) { c.ClientSecret = kyckit.NewSecret("s\n") })},
		{"ClientSecret must not begin", credentials(func(c *cc) { c.ClientSecret = kyckit.NewSecret("\uFEFFs") })},
		{"Scopes", credentials(func(c *cc) { c.Scopes = []string{"a\x00"} })},
		{"Scopes", credentials(func(c *cc) { c.Scopes = []string{"a b"} })},
		{"Scopes", credentials(func(c *cc) { c.Scopes = []string{""} })},
		{"Params", credentials(func(c *cc) { c.Params = map[string][]string{"client_secret": {"x"}} })},
		{"DefaultLifetime", credentials(func(c *cc) { c.DefaultLifetime = -1 })},
		{"HTTP.Retry.MaxAttempts", credentials(func(c *cc) { c.HTTP.Retry.MaxAttempts = -1 })},
		{"HTTP.Timeout", credentials(func(c *cc) { c.HTTP.Timeout = -1 })},
		{"Tuning.Early", credentials(func(c *cc) { c.Tuning.Early = -1 })},
		{"LoginURL", login(func(c *pl) { c.LoginURL = "kyc.example.test" })},
		{"Username", login(func(c *pl) { c.Username = "" })},
		{"Username", login(func(c *pl) { c.Username = "\t" })},
		{"Password", login(func(c *pl) { c.Password = kyckit.NewSecret("") })},
		{"Username must not end", login(func(c *pl) { c.Username = "u@example.test\r\n" })},
		{"Password must not end", login(func(c *pl) { c.Password = kyckit.NewSecret("p ") })},
		{"Password must not begin", login(func(c *pl) { c.Password = kyckit.NewSecret("\uFEFFp") })},
		{"DefaultLifetime", login(func(c *pl) { c.DefaultLifetime = -1 })},
		{"URL", exchange(func(c *jx) { c.URL = "ftp://kyc.example.test" })},
		{"Fields", exchange(func(c *jx) { c.Fields = nil })},
		{"Fields", exchange(func(c *jx) { c.Fields = fields("") })},
		{`Fields "clientSecret" must not end`, exchange(func(c *jx) { c.Fields = fields("s\n") })},
		{`Fields "clientSecret" must be`, exchange(func(c *jx) { c.Fields = fields("caf\xe9") })},
		{"Decode", exchange(func(c *jx) { c.Decode = nil })},
		{"Method", exchange(func(c *jx) { c.Method = "GET" })},
		{"Method", exchange(func(c *jx) { c.Method, c.LegacyQueryCredentials = "POST", true })},
		{"Header", exchange(func(c *jx) { c.Header = http.Header{"X-Key": {"a\r\nX-Other: b"}} })},
		{"Header", exchange(func(c *jx) { c.Header = http.Header{"X Key": {"a"}} })},
		{"Header", exchange(func(c *jx) { c.Header = http.Header{"": {"a"}} })},
		{"Issuer", minter(func(c *mc) { c.Issuer = "" })},
		{"Issuer", minter(func(c *mc) { c.Issuer = " " })},
		{"Secret", minter(func(c *mc) { c.Secret = kyckit.NewSecret(" \n") })},
		{"Issuer", minter(func(c *mc) { c.Issuer = "a\xff" })},
		{"Issuer", minter(func(c *mc) { c.Issuer = strings.Repeat("x", 2000) })},
		{"Secret", minter(func(c *mc) { c.Secret = kyckit.Secret{} })},
		{"Secret must not end", minter(func(c *mc) { c.Secret = kyckit.NewSecret("0123456789abcdef\n") })},
		{"Issuer must not end", minter(func(c *mc) { c.Issuer = "iss\n" })},
		{"MaxTTL", minter(func(c *mc) { c.MaxTTL = -1 })},
		{"MaxTTL", minter(func(c *mc) { c.MaxTTL = time.Millisecond })},
	} {
		require.ErrorIs(t, tc.err, kyckit.ErrInvalid, tc.field)
		var e *kyckit.Error
		require.ErrorAs(t, tc.err, &e)
		assert.True(t, strings.HasPrefix(e.Reason, tc.field+" "), "%q does not name %s", e.Reason, tc.field)
	}
}
