package auth_test

import (
	"context"
	"net/http"
	"net/url"
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
	"github.com/kyckit/kyckit/kyctest"
)

func TestLoginFormIsEncoded(t *testing.T) {
	const username, password = "jane+kyc@example.test", "p&a=s%s w+ørd"
	s := onLoopback(t, authtest.Config{Username: username, Password: password})
	for _, omit := range []bool{false, true} {
		src, err := auth.NewPasswordLogin(auth.PasswordLoginConfig{
			LoginURL: s.LoginURL(), Username: username, Password: kyckit.NewSecret(password), OmitGrantType: omit, HTTP: s.HTTP(),
		})
		require.NoError(t, err)
		_, err = src.Token(t.Context())
		require.NoError(t, err)
	}
	for i, want := range []url.Values{
		{"username": {username}, "password": {password}, "grant_type": {"password"}},
		{"username": {username}, "password": {password}},
	} {
		form, err := url.ParseQuery(string(s.Requests(authtest.OpLogin)[i].Body))
		require.NoError(t, err)
		assert.Equal(t, want, form)
	}
}

func TestBadCredentialsAre400AndNotRetried(t *testing.T) {
	for _, tc := range []struct {
		cfg            authtest.Config
		password, code string
	}{
		{authtest.Config{}, "wrong", "LOGIN_BAD_CREDENTIALS"},
		{authtest.Config{Unverified: true}, "test-password", "LOGIN_USER_NOT_VERIFIED"},
	} {
		s := onLoopback(t, tc.cfg)
		src, err := auth.NewPasswordLogin(auth.PasswordLoginConfig{
			LoginURL: s.LoginURL(), Username: "tester@example.test", Password: kyckit.NewSecret(tc.password), HTTP: s.HTTP(),
		})
		require.NoError(t, err)
		for range 3 {
			_, err = src.Token(t.Context())
			require.ErrorIs(t, err, kyckit.ErrUnauthorized)
			var e *kyckit.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, tc.code, e.Code)
			assert.Equal(t, 400, e.StatusCode)
		}
		assert.Equal(t, 1, s.Exchanges())
	}
}

func TestLoginErrorShapes(t *testing.T) {
	for _, tc := range []struct {
		status int
		body   string
		kind   error
		code   string
	}{
		{422, `{"detail":[{"loc":["body","username"],"msg":"field required","type":"value_error.missing"}]}`, kyckit.ErrInvalid, ""},
		{422, `{"detail":[{"type":"missing","loc":["body",0,"password"],"msg":"Field required","input":"s3cret"}]}`, kyckit.ErrInvalid, ""},
		{400, `{"detail":{"code":"LOGIN_BAD_CREDENTIALS","reason":"for Jane"}}`, kyckit.ErrUnauthorized, "LOGIN_BAD_CREDENTIALS"},
		{400, `{"detail":"LOGIN_BLOCKED_AZ"}`, kyckit.ErrUnauthorized, "LOGIN_BLOCKED_AZ"},
		{400, `{"detail":"Jane"}`, kyckit.ErrInvalid, ""},
		{400, `{"detail":"JANE_ROE 123"}`, kyckit.ErrInvalid, ""},
		{400, `{"detail":null}`, kyckit.ErrInvalid, ""},
		{400, `{"detail":17}`, kyckit.ErrInvalid, ""},
		{400, `[]`, kyckit.ErrInvalid, ""},
		{400, ``, kyckit.ErrInvalid, ""},
		{401, `{"detail":"Unauthorized"}`, kyckit.ErrUnauthorized, ""},
		{405, `{"detail":"Method Not Allowed"}`, kyckit.ErrInvalid, ""},
	} {
		s := onLoopback(t, authtest.Config{})
		s.Fail(authtest.OpLogin, 0, kyctest.Fault{Status: tc.status, Body: tc.body})
		src, err := s.PasswordLogin(auth.Tuning{})
		require.NoError(t, err)
		_, err = src.Token(t.Context())
		require.ErrorIs(t, err, tc.kind, tc.body)
		var e *kyckit.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, tc.code, e.Code, tc.body)
		assert.NotContains(t, e.Error(), "Jane")
		assert.NotContains(t, e.Error(), "s3cret")
		_, err = src.Token(t.Context())
		require.ErrorIs(t, err, tc.kind)
		assert.Equal(t, 1, s.Exchanges())
	}
}

func TestOpaqueLoginTokenServesUntilRefused(t *testing.T) {
	s := onLoopback(t, authtest.Config{})
	src, err := s.PasswordLogin(auth.Tuning{})
	require.NoError(t, err)
	tok, err := src.Token(t.Context())
	require.NoError(t, err)
	assert.Zero(t, tok.Expiry)
	s.RevokeTokens()
	src.Invalidate(tok)
	again, err := src.Token(t.Context())
	require.NoError(t, err)
	assert.True(t, s.Living(again.Access.Reveal()))
}

// Two logins within one second yield the identical token, which is fine.
func TestIdenticalTokenAfterALoginIsNoFailure(t *testing.T) {
	s := onLoopback(t, authtest.Config{JWT: true, ExpClaim: "-"})
	src, err := s.PasswordLogin(auth.Tuning{})
	require.NoError(t, err)
	first, err := src.Token(t.Context())
	require.NoError(t, err)
	src.Invalidate(first)
	second, err := src.Token(t.Context())
	require.NoError(t, err)
	assert.Equal(t, first.Access.Reveal(), second.Access.Reveal())
	assert.Equal(t, 2, s.Exchanges())
}

func TestLateRefusalKeepsANewerTokenOfTheSameText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logins int
		src, err := auth.NewCache(auth.CacheConfig{Source: auth.SourceFunc(func(context.Context) (auth.Token, error) {
			logins++
			time.Sleep(time.Millisecond)
			return auth.Token{Access: kyckit.NewSecret("same")}, nil
		})})
		require.NoError(t, err)
		var sent atomic.Int64
		api := roundTripper(func(*http.Request) (*http.Response, error) {
			time.Sleep(time.Duration(sent.Add(1)) * 10 * time.Millisecond) // one refusal after the other
			return &http.Response{StatusCode: http.StatusUnauthorized, Body: http.NoBody}, nil
		})
		client := auth.NewTransport(api, src)
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.example.test/", nil)
				assert.NoError(t, err)
				resp, err := client.RoundTrip(req)
				if assert.NoError(t, err) {
					assert.Equal(t, http.StatusUnauthorized, resp.StatusCode)
					assert.NoError(t, resp.Body.Close())
				}
			})
		}
		wg.Wait()
		assert.Equal(t, 2, logins, "one at the start, one for all refusals")
	})
}
