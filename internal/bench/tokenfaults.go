package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	gauth "cloud.google.com/go/auth"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/auth/bearer"
	"golang.org/x/oauth2"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
)

// endpoint is a token endpoint without a network: it can be slow and down. Each of its
// tokens is another: one that is sent again lives no longer.
type endpoint struct {
	life, latency time.Duration
	down          atomic.Bool
	requests      atomic.Int64
}

var errDown = errors.New("endpoint down")

func (e *endpoint) exchange(ctx context.Context) (access string, expiry time.Time, err error) {
	n := e.requests.Add(1)
	expiry = time.Now().Add(e.life)
	select {
	case <-time.After(e.latency):
	case <-ctx.Done():
		return "", time.Time{}, ctx.Err()
	}
	if e.down.Load() {
		return "", time.Time{}, errDown
	}
	return fmt.Sprintf("token-%d", n), expiry, nil
}

// cached is one way to cache the tokens of an endpoint. It returns the expiry
// of the token it hands out.
type cached func(ctx context.Context) (time.Time, error)

// caches builds every way over an endpoint of its own.
func caches(e func() *endpoint) ([]string, []*endpoint, []cached) {
	names := []string{"kyckit auth.Cache", "x/oauth2 ReuseTokenSource", "cloud.google.com/go/auth", "aws-sdk-go-v2 CredentialsCache", "smithy-go bearer.TokenCache"}
	ends := []*endpoint{e(), e(), e(), e(), e()}
	own, err := auth.NewCache(auth.CacheConfig{Source: auth.SourceFunc(func(ctx context.Context) (auth.Token, error) {
		access, expiry, err := ends[0].exchange(ctx)
		return auth.Token{Access: kyckit.NewSecret(access), Type: "Bearer", Expiry: expiry}, err
	})})
	must(err)
	x := oauth2.ReuseTokenSource(nil, oauthTokens(func() (*oauth2.Token, error) {
		access, expiry, err := ends[1].exchange(context.Background())
		if err != nil {
			return nil, err
		}
		return &oauth2.Token{AccessToken: access, Expiry: expiry}, nil
	}))
	google := gauth.NewCachedTokenProvider(googleTokens(func(ctx context.Context) (*gauth.Token, error) {
		access, expiry, err := ends[2].exchange(ctx)
		if err != nil {
			return nil, err
		}
		return &gauth.Token{Value: access, Expiry: expiry}, nil
	}), nil)
	amazon := aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		access, expiry, err := ends[3].exchange(ctx)
		return aws.Credentials{AccessKeyID: "id", SecretAccessKey: access, CanExpire: true, Expires: expiry}, err
	}))
	smithy := bearer.NewTokenCache(bearer.TokenProviderFunc(func(ctx context.Context) (bearer.Token, error) {
		access, expiry, err := ends[4].exchange(ctx)
		return bearer.Token{Value: access, CanExpire: true, Expires: expiry}, err
	}))
	return names, ends, []cached{
		func(ctx context.Context) (time.Time, error) { t, err := own.Token(ctx); return t.Expiry, err },
		func(context.Context) (time.Time, error) {
			t, err := x.Token()
			if err != nil {
				return time.Time{}, err
			}
			return t.Expiry, nil
		},
		func(ctx context.Context) (time.Time, error) {
			t, err := google.Token(ctx)
			if err != nil {
				return time.Time{}, err
			}
			return t.Expiry, nil
		},
		func(ctx context.Context) (time.Time, error) { t, err := amazon.Retrieve(ctx); return t.Expires, err },
		func(ctx context.Context) (time.Time, error) {
			t, err := smithy.RetrieveBearerToken(ctx)
			return t.Expires, err
		},
	}
}

type oauthTokens func() (*oauth2.Token, error)

func (f oauthTokens) Token() (*oauth2.Token, error) { return f() }

// scenario is a day in the life of a token of 15 s, told in seconds.
type scenario struct {
	latency  time.Duration
	rate     int
	down, up time.Duration // when the endpoint fails
	end      time.Duration
	slow     time.Duration // a call that takes longer is useless
	useless  []atomic.Int64
	requests []int64
}

// play runs a scenario for all caches at once.
func (s *scenario) play() {
	_, ends, all := caches(func() *endpoint { return &endpoint{life: 15 * time.Second, latency: s.latency} })
	s.useless = make([]atomic.Int64, len(all))
	s.requests = make([]int64, len(all))
	for _, token := range all {
		_, err := token(context.Background())
		must(err)
	}
	begin := time.Now()
	var wg sync.WaitGroup
	if s.down > 0 {
		wg.Go(func() {
			time.Sleep(s.down)
			for i, e := range ends {
				s.requests[i] = -e.requests.Load()
				e.down.Store(true)
			}
			time.Sleep(s.up - s.down)
			for i, e := range ends {
				s.requests[i] += e.requests.Load()
				e.down.Store(false)
			}
		})
	}
	for i, token := range all {
		wg.Go(func() {
			var calls sync.WaitGroup
			for n := 0; ; n++ {
				at := time.Duration(n) * time.Second / time.Duration(s.rate)
				if at > s.end {
					break
				}
				time.Sleep(time.Until(begin.Add(at)))
				calls.Go(func() {
					ctx, cancel := context.WithTimeout(context.Background(), time.Second)
					defer cancel()
					start := time.Now()
					expiry, err := token(ctx)
					if err != nil || time.Since(start) > s.slow || time.Now().After(expiry) {
						s.useless[i].Add(1)
					}
				})
			}
			calls.Wait()
		})
	}
	wg.Wait()
}

// cold lets 10,000 callers begin together, one of them in a hurry.
func cold() (requests []int64, hurry []time.Duration) {
	_, ends, all := caches(func() *endpoint { return &endpoint{life: time.Hour, latency: 50 * time.Millisecond} })
	hurry = make([]time.Duration, len(all))
	for i, token := range all {
		var wg sync.WaitGroup
		for range 10_000 {
			wg.Go(func() { _, err := token(context.Background()); must(err) })
		}
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
			defer cancel()
			start := time.Now()
			_, _ = token(ctx)
			hurry[i] = time.Since(start)
		})
		wg.Wait()
		requests = append(requests, ends[i].requests.Load())
	}
	return requests, hurry
}

// tokenFaults is the group of everything that is no time per operation. It
// takes 20 s of real time.
func tokenFaults() group {
	return group{
		name:  "token/faults",
		title: "tokens of 15 s in bad times; a call is useless if it fails, gets a dead token or takes over 100 ms",
		report: func(w io.Writer) error {
			refresh := &scenario{latency: 200 * time.Millisecond, rate: 2000, end: 17 * time.Second, slow: 100 * time.Millisecond}
			alive := &scenario{latency: 5 * time.Millisecond, rate: 1000, down: 9500 * time.Millisecond, up: 14500 * time.Millisecond, end: 16 * time.Second, slow: 100 * time.Millisecond}
			dies := &scenario{latency: 5 * time.Millisecond, rate: 1000, down: 12500 * time.Millisecond, up: 17500 * time.Millisecond, end: 19 * time.Second, slow: 100 * time.Millisecond}
			requests, hurry := cold()
			var wg sync.WaitGroup
			for _, s := range []*scenario{refresh, alive, dies} {
				wg.Go(s.play)
			}
			wg.Wait()
			names, _, _ := caches(func() *endpoint { return &endpoint{} })
			rows := [][]string{{
				"cache", "10,000 cold callers: requests", "caller with 1 ms waits", "2,000/s across a 200 ms refresh: useless",
				"down 5 s, token alive: useless / requests", "down 5 s, token dies inside: useless / requests",
			}}
			for i, name := range names {
				rows = append(rows, []string{
					name, fmt.Sprint(requests[i]), hurry[i].Round(100 * time.Microsecond).String(), fmt.Sprint(refresh.useless[i].Load()),
					fmt.Sprintf("%d / %d", alive.useless[i].Load(), alive.requests[i]),
					fmt.Sprintf("%d / %d", dies.useless[i].Load(), dies.requests[i]),
				})
			}
			return table(w, rows)
		},
	}
}
