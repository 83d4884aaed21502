package auth_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/auth/authtest"
	"github.com/kyckit/kyckit/kyctest"
)

// Asking again cannot mend any of these, so they are paced like refused
// credentials: 1 s doubling to 60 s, about 65 in an hour.
func TestAnswersThatAreNoTokensAreNotHammered(t *testing.T) {
	for name, fault := range map[string]kyctest.Fault{
		"invalid_client in a 200":  {Status: 200, Body: `{"error":"invalid_client"}`},
		"bad credentials in a 200": {Status: 200, Body: `{"detail":"LOGIN_BAD_CREDENTIALS"}`},
		"html":                     {Status: 200, Body: `<!doctype html><title>Sign in</title>`},
		"204 with a cookie":        {Status: 204, Header: http.Header{"Set-Cookie": {"session=abc"}}},
		"302":                      {Status: 302, Header: http.Header{"Location": {"https://elsewhere.example.test/"}}},
		"404":                      {Status: 404},
		"405":                      {Status: 405},
		"409":                      {Status: 409},
		"410":                      {Status: 410},
		"501":                      {Status: 501},
		"wrong token_type":         {Status: 200, Body: `{"access_token":"tok","token_type":"mac"}`},
		"documented refusal":       {Status: 401, Body: `{"error":"invalid_client"}`},
	} {
		for way, w := range ways() {
			t.Run(name+"/"+way, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s := inMemory(t, authtest.Config{})
					src, err := w.source(s)
					require.NoError(t, err)
					s.Fail(w.op, 0, fault)
					load(t.Context(), src, 2, time.Hour, func(_, _ time.Duration, _ auth.Token, err error) {
						assert.Error(t, err)
					})
					assert.LessOrEqual(t, s.Exchanges(), 70, "in an hour")
					s.Heal()
					time.Sleep(time.Minute)
					_, err = src.Token(t.Context())
					require.NoError(t, err)
				})
			})
		}
	}
}

func TestErrorsInA2xxAreRead(t *testing.T) {
	for _, tc := range []struct {
		op, body, code string
		status         int
		kind           error
	}{
		{authtest.OpToken, `{"error":"invalid_client"}`, "invalid_client", 200, kyckit.ErrUnauthorized},
		{authtest.OpToken, `{"error":"invalid_grant","error_description":"private"}`, "invalid_grant", 201, kyckit.ErrUnauthorized},
		{authtest.OpToken, `{"error":"unauthorized_client"}`, "unauthorized_client", 200, kyckit.ErrForbidden},
		{authtest.OpToken, `{"error":"invalid_scope"}`, "invalid_scope", 200, kyckit.ErrInvalid},
		{authtest.OpToken, `{"error":"temporarily_unavailable","access_token":null}`, "temporarily_unavailable", 200, kyckit.ErrUnavailable},
		{authtest.OpToken, `{"error":"what somebody typed: Pa55word"}`, "", 200, kyckit.ErrDecode},
		{authtest.OpLogin, `{"detail":"LOGIN_BAD_CREDENTIALS"}`, "LOGIN_BAD_CREDENTIALS", 200, kyckit.ErrUnauthorized},
		{authtest.OpLogin, `{"detail":{"code":"LOGIN_USER_NOT_VERIFIED"}}`, "LOGIN_USER_NOT_VERIFIED", 200, kyckit.ErrUnauthorized},
		{authtest.OpLogin, `{"detail":"SOMETHING_ELSE"}`, "SOMETHING_ELSE", 200, kyckit.ErrInvalid},
		{authtest.OpLogin, `{"detail":"any text"}`, "", 200, kyckit.ErrDecode},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := inMemory(t, authtest.Config{})
			s.Fail(tc.op, 0, kyctest.Fault{Status: tc.status, Body: tc.body})
			src, err := s.ClientCredentials(auth.Tuning{})
			if tc.op == authtest.OpLogin {
				src, err = s.PasswordLogin(auth.Tuning{})
			}
			require.NoError(t, err)
			_, err = src.Token(t.Context())
			require.ErrorIs(t, err, tc.kind, tc.body)
			var e *kyckit.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, tc.code, e.Code, tc.body)
			assert.Equal(t, tc.status, e.StatusCode)
		})
	}
}

func TestTheBodyOfABadAnswerHoldsNoLivingToken(t *testing.T) {
	const living = "l1ving"
	for _, tc := range []struct {
		status int
		body   string
		kept   bool
	}{
		{200, `{"access_token":"l1ving","token_type":"mac"}`, false},
		{200, `{"access_token":"l1ving x"}`, false},
		{200, `{"access_token":"l1ving`, false},
		{200, `<input name=token value=l1ving>`, false},
		{200, `{"jwt":"eyJhbGciOiJIUzI1NiJ9.l1ving.x"}`, false},
		{302, `{"access_token":"l1ving"}`, false},
		{404, `{"data":{"accessToken":"l1ving"}}`, false},
		{500, `{"refresh_token":"l1ving"}`, false},
		{200, `<title>Sign in</title>`, true},
		{401, `{"error":"invalid_client","error_description":"no such client"}`, true},
	} {
		for way, w := range ways() {
			synctest.Test(t, func(t *testing.T) {
				s := inMemory(t, authtest.Config{})
				src, err := w.source(s)
				require.NoError(t, err)
				body := tc.body
				if tc.status == 200 && body[0] == '{' {
					body = w.wrap(body)
				}
				s.Fail(w.op, 0, kyctest.Fault{Status: tc.status, Body: body})
				_, err = src.Token(t.Context())
				var e *kyckit.Error
				require.ErrorAs(t, err, &e, "%s: %s", way, body)
				assert.NotContains(t, string(e.Body()), living, "%s: %s", way, body)
				if tc.kept {
					assert.Equal(t, body, string(e.Body()), way)
				}
			})
		}
	}
}

// A server that repeats its token without a lifetime, or with a whole one, does
// not make it live longer.
func TestATokenThatIsHeldKeepsItsEarlierExpiry(t *testing.T) {
	for name, later := range map[string]string{"zero": "0", "none": "null", "a whole one": "60"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := inMemory(t, authtest.Config{})
				src, err := s.ClientCredentials(auth.Tuning{})
				require.NoError(t, err)
				born := time.Now()
				s.Fail(authtest.OpToken, 1, kyctest.Fault{Status: 200, Body: `{"access_token":"same","expires_in":60}`})
				first, err := src.Token(t.Context())
				require.NoError(t, err)
				s.Fail(authtest.OpToken, 0, kyctest.Fault{Status: 200, Body: `{"access_token":"same","expires_in":` + later + `}`})
				load(t.Context(), src, 10, 10*time.Minute, func(at, _ time.Duration, tok auth.Token, err error) {
					if err == nil {
						assert.Equal(t, "same", tok.Access.Reveal())
						assert.Less(t, at, time.Minute, "the token is dead")
						assert.False(t, tok.Expiry.After(born.Add(time.Minute)))
					} else {
						assert.GreaterOrEqual(t, at, time.Minute)
						assert.ErrorIs(t, err, kyckit.ErrDecode)
					}
				})
				assert.Equal(t, born.Add(time.Minute), first.Expiry)
				assert.LessOrEqual(t, s.Exchanges(), 40)
				s.Heal()
				time.Sleep(time.Minute)
				_, err = src.Token(t.Context())
				require.NoError(t, err)
			})
		})
	}
}

// Such a token is like none: it is refused when it comes, and asked for again.
func TestTokensThatCannotBeSentAreAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, bad := range []string{"tok\n", "a b", "é", "tok\x00", "\uFEFFtok"} {
			good := false
			c := newCache(t, auth.SourceFunc(func(context.Context) (auth.Token, error) {
				if good {
					return token("tok", time.Hour), nil
				}
				return token(bad, time.Hour), nil
			}))
			_, err := c.Token(t.Context())
			require.ErrorIs(t, err, kyckit.ErrDecode, "%q", bad)
			good = true
			time.Sleep(time.Second)
			tok, err := c.Token(t.Context())
			require.NoError(t, err)
			assert.Equal(t, "tok", tok.Access.Reveal())
		}
	})
}

func TestFromOAuth2TakesBearerTokensOnly(t *testing.T) {
	for kind, ok := range map[string]bool{"": true, "bearer": true, "BEARER": true, "mac": false, "DPoP": false, "Basic": false} {
		_, err := auth.FromOAuth2(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "tok", TokenType: kind})).Token(t.Context())
		if ok {
			require.NoError(t, err, kind)
		} else {
			require.ErrorIs(t, err, kyckit.ErrDecode, kind)
		}
	}
}

// RFC 6749, section 3.2: the query of a token endpoint is kept.
func TestTheQueryOfATokenURLIsSentAndNotShown(t *testing.T) {
	const planted = "pl4nted"
	s := onLoopback(t, authtest.Config{})
	var log bytes.Buffer
	h := s.HTTP()
	h.Logger = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	query := "?p=" + planted + "&q=a%26b"
	cc, err := auth.NewClientCredentials(auth.ClientCredentialsConfig{
		TokenURL: s.TokenURL() + query, ClientID: "test-client", ClientSecret: kyckit.NewSecret("test-secret"), HTTP: h,
	})
	require.NoError(t, err)
	pl, err := auth.NewPasswordLogin(auth.PasswordLoginConfig{
		LoginURL: s.LoginURL() + query, Username: "tester@example.test", Password: kyckit.NewSecret("test-password"), HTTP: h,
	})
	require.NoError(t, err)
	var legacy []*auth.Cache
	for _, inQuery := range []bool{false, true} {
		jx, err := auth.NewJSONExchange(auth.JSONExchangeConfig{
			URL: s.JSONURL() + query, Fields: fields("test-secret"), Decode: authtest.DecodeJSON, HTTP: h, LegacyQueryCredentials: inQuery,
		})
		require.NoError(t, err)
		legacy = append(legacy, jx)
	}
	for op, caches := range map[string][]*auth.Cache{authtest.OpToken: {cc}, authtest.OpLogin: {pl}, authtest.OpJSON: legacy} {
		for i, src := range caches {
			tok, err := src.Token(t.Context())
			require.NoError(t, err)
			req := s.Requests(op)[i]
			assert.Equal(t, planted, req.Query.Get("p"))
			assert.Equal(t, "a&b", req.Query.Get("q"))
			src.Invalidate(tok)
			s.Fail(op, 1, kyctest.Fault{Status: 400})
			_, err = src.Token(t.Context())
			require.Error(t, err)
			assert.NotContains(t, fmt.Sprintf("%+v", err), planted)
			assert.Equal(t, planted, s.Requests(op)[len(s.Requests(op))-1].Query.Get("p"), "each exchange has it")
		}
	}
	assert.Contains(t, log.String(), "/oauth/token")
	assert.NotContains(t, log.String(), planted)
	_, err = auth.NewClientCredentials(auth.ClientCredentialsConfig{
		TokenURL: "http://kyc.example.test/" + query, ClientID: "i", ClientSecret: kyckit.NewSecret("s"),
	})
	require.ErrorIs(t, err, kyckit.ErrInvalid)
	assert.NotContains(t, err.Error(), planted)
}

// A middleware is the caller's own, and so are the credentials.
func TestMiddlewareOfAnExchangeIsUsed(t *testing.T) {
	s := onLoopback(t, authtest.Config{})
	seen := 0
	h := s.HTTP()
	h.Middleware = []func(http.RoundTripper) http.RoundTripper{func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			seen++
			return next.RoundTrip(r)
		})
	}}
	cc, err := auth.NewClientCredentials(auth.ClientCredentialsConfig{
		TokenURL: s.TokenURL(), ClientID: "test-client", ClientSecret: kyckit.NewSecret("test-secret"), HTTP: h,
	})
	require.NoError(t, err)
	pl, err := auth.NewPasswordLogin(auth.PasswordLoginConfig{
		LoginURL: s.LoginURL(), Username: "tester@example.test", Password: kyckit.NewSecret("test-password"), HTTP: h,
	})
	require.NoError(t, err)
	jx, err := auth.NewJSONExchange(auth.JSONExchangeConfig{
		URL: s.JSONURL(), Fields: fields("test-secret"), Decode: authtest.DecodeJSON, HTTP: h,
	})
	require.NoError(t, err)
	for i, src := range []*auth.Cache{cc, pl, jx} {
		_, err = src.Token(t.Context())
		require.NoError(t, err)
		assert.Equal(t, i+1, seen)
	}
}
