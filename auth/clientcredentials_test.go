package auth_test

import (
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/auth/authtest"
	"github.com/kyckit/kyckit/kyctest"
)

const (
	awkwardID     = "id:with+colon & ünïcode"
	awkwardSecret = "s%cret:/+= ü"
)

func TestClientCredentialsInTheFormOrInTheHeaderNeverBoth(t *testing.T) {
	for _, basic := range []bool{false, true} {
		s := onLoopback(t, authtest.Config{ClientID: awkwardID, ClientSecret: awkwardSecret})
		src, err := auth.NewClientCredentials(auth.ClientCredentialsConfig{
			TokenURL: s.TokenURL(), ClientID: awkwardID, ClientSecret: kyckit.NewSecret(awkwardSecret), BasicAuth: basic,
			Scopes: []string{"kyc.read", "kyc.write"}, Params: url.Values{"audience": {"https://kyc.example.test"}}, HTTP: s.HTTP(),
		})
		require.NoError(t, err)
		_, err = src.Token(t.Context())
		require.NoError(t, err)
		req := s.Requests(authtest.OpToken)[0]
		form, err := url.ParseQuery(string(req.Body))
		require.NoError(t, err)
		assert.Equal(t, "application/x-www-form-urlencoded", req.Header.Get("Content-Type"))
		assert.Empty(t, req.Query)
		want := url.Values{
			"grant_type": {"client_credentials"}, "scope": {"kyc.read kyc.write"}, "audience": {"https://kyc.example.test"},
		}
		if basic {
			assert.NotEmpty(t, req.Header.Get("Authorization"))
		} else {
			want.Set("client_id", awkwardID)
			want.Set("client_secret", awkwardSecret)
			assert.Empty(t, req.Header.Get("Authorization"))
		}
		assert.Equal(t, want, form)
	}
}

// An empty scope is another request than none.
func TestNoScopesAreNotSent(t *testing.T) {
	s := onLoopback(t, authtest.Config{})
	src, err := s.ClientCredentials(auth.Tuning{})
	require.NoError(t, err)
	_, err = src.Token(t.Context())
	require.NoError(t, err)
	form, err := url.ParseQuery(string(s.Requests(authtest.OpToken)[0].Body))
	require.NoError(t, err)
	assert.NotContains(t, form, "scope")
}

func TestClientCredentialsErrors(t *testing.T) {
	for _, tc := range []struct {
		status int
		body   string
		kind   error
		code   string
	}{
		{401, `{"error":"invalid_client","error_description":"who is Jane"}`, kyckit.ErrUnauthorized, "invalid_client"},
		{400, `{"error":"invalid_client"}`, kyckit.ErrUnauthorized, "invalid_client"},
		{400, `{"error":"invalid_grant"}`, kyckit.ErrUnauthorized, "invalid_grant"},
		{400, `{"error":"unauthorized_client"}`, kyckit.ErrForbidden, "unauthorized_client"},
		{400, `{"error":"invalid_scope"}`, kyckit.ErrInvalid, "invalid_scope"},
		{400, `{"error":"unsupported_grant_type"}`, kyckit.ErrInvalid, "unsupported_grant_type"},
		{400, `{"error":"temporarily_unavailable"}`, kyckit.ErrUnavailable, "temporarily_unavailable"},
		{400, `{"error":"a text about Jane Roe"}`, kyckit.ErrInvalid, ""},
		{400, `{"error":"` + strings.Repeat("a", 40) + `"}`, kyckit.ErrInvalid, strings.Repeat("a", 40)},
		{400, `{"error":"` + strings.Repeat("a", 41) + `"}`, kyckit.ErrInvalid, ""},
		{403, `<html>forbidden</html>`, kyckit.ErrForbidden, ""},
		{404, ``, kyckit.ErrNotFound, ""},
		{429, `{"error":"invalid_client"}`, kyckit.ErrRateLimited, "invalid_client"},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := inMemory(t, authtest.Config{})
			s.Fail(authtest.OpToken, 0, kyctest.Fault{Status: tc.status, Body: tc.body})
			src, err := s.ClientCredentials(auth.Tuning{})
			require.NoError(t, err)
			_, err = src.Token(t.Context())
			require.ErrorIs(t, err, tc.kind, tc.body)
			var e *kyckit.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, tc.code, e.Code)
			assert.Equal(t, tc.status, e.StatusCode)
			assert.NotContains(t, err.Error(), "Jane")
			if tc.kind != kyckit.ErrUnavailable && tc.kind != kyckit.ErrRateLimited { //nolint:errorlint // kinds are compared as they are
				assert.Equal(t, 1, s.Exchanges())
			}
		})
	}
}

func TestWrongClientAgainstTheServer(t *testing.T) {
	s := onLoopback(t, authtest.Config{})
	src, err := auth.NewClientCredentials(auth.ClientCredentialsConfig{
		TokenURL: s.TokenURL(), ClientID: "other", ClientSecret: kyckit.NewSecret("other-secret"), HTTP: s.HTTP(),
	})
	require.NoError(t, err)
	_, err = src.Token(t.Context())
	require.ErrorIs(t, err, kyckit.ErrUnauthorized)
	var e *kyckit.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, "described for other", e.Message())
	assert.NotContains(t, e.Error(), "other")
}

func TestTokenURLKeepsItsTrailingSlash(t *testing.T) {
	s := onLoopback(t, authtest.Config{})
	src, err := auth.NewClientCredentials(auth.ClientCredentialsConfig{
		TokenURL: s.TokenURL() + "/", ClientID: "test-client", ClientSecret: kyckit.NewSecret("test-secret"), HTTP: s.HTTP(),
	})
	require.NoError(t, err)
	_, err = src.Token(t.Context())
	require.ErrorIs(t, err, kyckit.ErrNotFound, "the server has no such path, and the path was not changed")
}
