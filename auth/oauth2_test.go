package auth_test

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

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/auth/authtest"
	"github.com/kyckit/kyckit/internal/leaktest"
	"github.com/kyckit/kyckit/kyctest"
)

func TestOAuth2RoundTrip(t *testing.T) {
	expiry := time.Now().Add(time.Hour)
	src := auth.SourceFunc(func(context.Context) (auth.Token, error) {
		return auth.Token{Access: kyckit.NewSecret("abc"), Type: "Bearer", Expiry: expiry}, nil
	})
	ts := auth.OAuth2(t.Context(), src)
	tok, err := ts.Token()
	require.NoError(t, err)
	assert.Equal(t, &oauth2.Token{AccessToken: "abc", TokenType: "Bearer", Expiry: expiry}, tok)
	back, err := auth.FromOAuth2(ts).Token(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "abc", back.Access.Reveal())
	assert.Equal(t, "Bearer", back.Type)
	assert.Equal(t, expiry, back.Expiry)
}

func TestErrorsOfOAuth2SourcesKeepNoText(t *testing.T) {
	s := onLoopback(t, authtest.Config{})
	cc := clientcredentials.Config{ClientID: "Jane", ClientSecret: "planted", TokenURL: s.TokenURL(), AuthStyle: oauth2.AuthStyleInParams}
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, s.Client())
	for _, tc := range []struct {
		fault kyctest.Fault
		kind  error
		code  string
	}{
		{kyctest.Fault{Status: 401, Header: http.Header{"Content-Type": {"application/json"}}, Body: `{"error":"invalid_client","error_description":"Jane planted"}`}, kyckit.ErrUnauthorized, "invalid_client"},
		{kyctest.Fault{Status: 503, Body: "planted"}, kyckit.ErrUnavailable, ""},
		{kyctest.Fault{Status: 429, Body: "planted"}, kyckit.ErrRateLimited, ""},
		{kyctest.Fault{Status: 200, Body: "planted"}, nil, ""},
		{kyctest.Fault{Status: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: `{"error":"odd_code"}`}, kyckit.ErrDecode, "odd_code"},
		{kyctest.Fault{Hangup: true}, kyckit.ErrUnavailable, ""},
	} {
		s.Heal()
		s.Fail(authtest.OpToken, 0, tc.fault)
		_, err := auth.FromOAuth2(cc.TokenSource(ctx)).Token(t.Context())
		var e *kyckit.Error
		require.ErrorAs(t, err, &e)
		if tc.kind != nil {
			require.ErrorIs(t, err, tc.kind)
		}
		assert.Equal(t, tc.code, e.Code)
		leaktest.Silent(t, "the error", leaktest.Printed(err)+leaktest.Encoded(err), "planted", "Jane", s.URL)
	}
}

type tokenFunc func() (*oauth2.Token, error)

func (f tokenFunc) Token() (*oauth2.Token, error) { return f() }

func TestCallersOfAnOAuth2SourceLeaveWhenTheirContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		src := auth.FromOAuth2(tokenFunc(func() (*oauth2.Token, error) {
			calls.Add(1)
			time.Sleep(time.Minute)
			return &oauth2.Token{AccessToken: "abc"}, nil
		}))
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				start := time.Now()
				_, err := src.Token(ctx)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, time.Second, time.Since(start))
			})
		}
		wg.Wait()
		tok, err := src.Token(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "abc", tok.Access.Reveal())
		assert.EqualValues(t, 1, calls.Load())
	})
}

func TestOAuth2SourcesThatMisbehave(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	for name, tc := range map[string]struct {
		ts   oauth2.TokenSource
		kind error
	}{
		"nil":         {nil, kyckit.ErrInvalid},
		"no token":    {tokenFunc(func() (*oauth2.Token, error) { return nil, nil }), kyckit.ErrDecode},
		"empty token": {tokenFunc(func() (*oauth2.Token, error) { return &oauth2.Token{}, nil }), kyckit.ErrDecode},
		"an error":    {tokenFunc(func() (*oauth2.Token, error) { return nil, errors.New("planted") }), kyckit.ErrUnavailable},
		"our error": {tokenFunc(func() (*oauth2.Token, error) {
			return nil, fmt.Errorf("planted: %w", &kyckit.Error{Kind: kyckit.ErrForbidden})
		}), kyckit.ErrForbidden},
		"a panic": {tokenFunc(func() (*oauth2.Token, error) { panic("planted") }), kyckit.ErrUnavailable},
		"its own context": {auth.OAuth2(ended, auth.SourceFunc(func(ctx context.Context) (auth.Token, error) {
			return auth.Token{}, &kyckit.Error{Kind: ctx.Err()}
		})), kyckit.ErrUnavailable},
		"nothing inside": {auth.OAuth2(t.Context(), nil), kyckit.ErrInvalid},
		"a nil cache":    {auth.OAuth2(t.Context(), (*auth.Cache)(nil)), kyckit.ErrInvalid},
		"a nil source":   {(*nilSource)(nil), kyckit.ErrInvalid},
		"bare":           {tokenFunc(func() (*oauth2.Token, error) { return nil, &oauth2.RetrieveError{} }), kyckit.ErrDecode},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := auth.FromOAuth2(tc.ts).Token(t.Context())
			require.ErrorIs(t, err, tc.kind)
			assert.NotContains(t, err.Error(), "planted")
		})
	}
}

// nilSource is what a constructor that failed may leave behind.
type nilSource struct{ token oauth2.Token }

func (s *nilSource) Token() (*oauth2.Token, error) { return &s.token, nil }
