package main

import (
	"context"
	"sync/atomic"
	"time"

	gauth "cloud.google.com/go/auth"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/auth/bearer"
	"golang.org/x/oauth2"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
)

const tokenText = "an-opaque-access-token-of-about-forty-chars"

// tokenLimit is the physical limit of a cached token that expires: one atomic
// load, one reading of the monotonic clock, the token returned by value.
type tokenLimit struct {
	current atomic.Pointer[tokenLimitEntry]
	base    time.Time
}

type tokenLimitEntry struct {
	token     auth.Token
	refreshAt time.Duration
}

func (l *tokenLimit) Token(context.Context) (auth.Token, error) {
	if e := l.current.Load(); e != nil && time.Since(l.base) < e.refreshAt {
		return e.token, nil
	}
	return auth.Token{}, context.DeadlineExceeded
}

// loop makes a variant of an operation that fails only by mistake.
func loop(name string, op func() error) variant {
	return variant{name, func(n int) {
		for range n {
			must(op())
		}
	}}
}

func token() ([]group, error) {
	ctx := context.Background()
	expiry := time.Now().Add(24 * time.Hour)
	own := auth.Token{Access: kyckit.NewSecret(tokenText), Type: "Bearer", Expiry: expiry}

	limit := &tokenLimit{base: time.Now()}
	limit.current.Store(&tokenLimitEntry{token: own, refreshAt: 23 * time.Hour})
	cache, err := auth.NewCache(auth.CacheConfig{Source: auth.SourceFunc(func(context.Context) (auth.Token, error) { return own, nil })})
	if err != nil {
		return nil, err
	}
	x := oauth2.ReuseTokenSource(nil, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: tokenText, Expiry: expiry}))
	google := gauth.NewCachedTokenProvider(googleTokens(func(context.Context) (*gauth.Token, error) {
		return &gauth.Token{Value: tokenText, Type: "Bearer", Expiry: expiry}, nil
	}), nil)
	amazon := aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "id", SecretAccessKey: tokenText, CanExpire: true, Expires: expiry}, nil
	}))
	smithy := bearer.NewTokenCache(bearer.TokenProviderFunc(func(context.Context) (bearer.Token, error) {
		return bearer.Token{Value: tokenText, CanExpire: true, Expires: expiry}, nil
	}))
	variants := []variant{
		loop("limit: atomic load, monotonic clock", func() error { _, err := limit.Token(ctx); return err }),
		loop("kyckit auth.Cache", func() error { _, err := cache.Token(ctx); return err }),
		loop("x/oauth2 ReuseTokenSource", func() error { _, err := x.Token(); return err }),
		loop("cloud.google.com/go/auth", func() error { _, err := google.Token(ctx); return err }),
		loop("aws-sdk-go-v2 CredentialsCache", func() error { _, err := amazon.Retrieve(ctx); return err }),
		loop("smithy-go bearer.TokenCache", func() error { _, err := smithy.RetrieveBearerToken(ctx); return err }),
	}
	shared := make([]variant, len(variants))
	for i, v := range variants {
		shared[i] = variant{v.name, parallel(v.run)}
	}
	return []group{
		{name: "token/serial", title: "take a cached token", variants: variants},
		{name: "token/parallel", title: "take a cached token on all processors", variants: shared},
		roundTrip(cache, x),
		tokenFaults(),
	}, nil
}

type googleTokens func(context.Context) (*gauth.Token, error)

func (f googleTokens) Token(ctx context.Context) (*gauth.Token, error) { return f(ctx) }
