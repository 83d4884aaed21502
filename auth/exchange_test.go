package auth_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
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

// way is one of the three ways to obtain a token.
type way struct {
	op       string
	envelope bool
	source   func(*authtest.Server) (*auth.Cache, error)
}

func ways() map[string]way {
	return map[string]way{
		"client credentials": {authtest.OpToken, false, func(s *authtest.Server) (*auth.Cache, error) { return s.ClientCredentials(auth.Tuning{}) }},
		"password login":     {authtest.OpLogin, false, func(s *authtest.Server) (*auth.Cache, error) { return s.PasswordLogin(auth.Tuning{}) }},
		"json exchange":      {authtest.OpJSON, true, func(s *authtest.Server) (*auth.Cache, error) { return s.JSONExchange(auth.Tuning{}) }},
	}
}

// wrap puts an OAuth answer into the envelope where there is one.
func (w way) wrap(body string) string {
	if w.envelope {
		return `{"responseCode":0,"data":` + body + `}`
	}
	return body
}

func TestBadTokenAnswers(t *testing.T) {
	for name, body := range map[string]string{
		"empty":              ``,
		"spaces":             "  \n",
		"html":               `<!doctype html><title>Sign in</title>`,
		"truncated":          `{"access_token":"tok`,
		"ten megabytes":      `{"access_token":"` + strings.Repeat("x", 10<<20) + `"}`,
		"a huge token":       `{"access_token":"` + strings.Repeat("x", 100<<10) + `"}`,
		"no token":           `{"token_type":"Bearer","expires_in":3600}`,
		"empty token":        `{"access_token":"","token_type":"Bearer"}`,
		"null":               `null`,
		"list":               `[]`,
		"token is a number":  `{"access_token":17}`,
		"token breaks lines": `{"access_token":"a\r\nX-Evil: 1"}`,
		"token with a space": `{"access_token":"a b"}`,
		"other type":         `{"access_token":"tok","token_type":"mac"}`,
		"dpop":               `{"access_token":"tok","token_type":"DPoP"}`,
	} {
		for way, w := range ways() {
			t.Run(way+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := inMemory(t, authtest.Config{})
					src, err := w.source(s)
					require.NoError(t, err)
					if body != "" && body[0] == '{' {
						body = w.wrap(body)
					}
					s.Fail(w.op, 0, kyctest.Fault{Status: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: body})
					_, err = src.Token(t.Context())
					require.ErrorIs(t, err, kyckit.ErrDecode)
					require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
					var e *kyckit.Error
					require.ErrorAs(t, err, &e)
					assert.Positive(t, e.RetryAfter)
					assert.Equal(t, name == "ten megabytes", e.Reason == "the answer is larger than the limit", e.Reason)
					assert.Equal(t, 1, s.Exchanges(), "a wrong answer is not asked for again at once")
					s.Heal()
					time.Sleep(time.Second)
					_, err = src.Token(t.Context())
					require.NoError(t, err)
				})
			})
		}
	}
}

func TestExpiresIn(t *testing.T) {
	const unknown = -1
	for raw, want := range map[string]time.Duration{
		`3600`:     time.Hour,
		`"3600"`:   time.Hour,
		`" 3600 "`: time.Hour,
		`3600.5`:   time.Hour + 500*time.Millisecond,
		`3.6e3`:    time.Hour,
		`1`:        time.Second,
		`0`:        unknown,
		`-1`:       unknown,
		`"-3600"`:  unknown,
		`null`:     unknown,
		`""`:       unknown,
		`"soon"`:   unknown,
		`"NaN"`:    unknown,
		`"-Inf"`:   unknown,
		`true`:     unknown,
		`{}`:       unknown,
		`[3600]`:   unknown,
		// Beyond belief, but long: ten years.
		`99999999999999999999`: 10 * 365 * 24 * time.Hour,
		`1e400`:                10 * 365 * 24 * time.Hour,
		`"1e400"`:              10 * 365 * 24 * time.Hour,
		``:                     unknown, // missing
	} {
		for way, w := range ways() {
			t.Run(way+"/"+raw, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := inMemory(t, authtest.Config{})
					src, err := w.source(s)
					require.NoError(t, err)
					body := `{"access_token":"tok","token_type":"bEaReR"}`
					if raw != "" {
						body = `{"access_token":"tok","token_type":"bEaReR","expires_in":` + raw + `}`
					}
					start := time.Now()
					s.Fail(w.op, 0, kyctest.Fault{Status: 200, Body: w.wrap(body)})
					tok, err := src.Token(t.Context())
					require.NoError(t, err)
					assert.Equal(t, "Bearer", tok.Type)
					if want == unknown {
						assert.Zero(t, tok.Expiry)
						time.Sleep(100 * 24 * time.Hour)
						_, err = src.Token(t.Context())
						require.NoError(t, err)
						assert.Equal(t, 1, s.Exchanges(), "served until it is refused")
						src.Invalidate(tok)
						_, err = src.Token(t.Context())
						require.NoError(t, err)
						assert.Equal(t, 2, s.Exchanges())
						return
					}
					assert.Equal(t, want, tok.Expiry.Sub(start))
				})
			})
		}
	}
}

func TestDefaultLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inMemory(t, authtest.Config{OmitExpiresIn: true})
		src, err := auth.NewJSONExchange(auth.JSONExchangeConfig{
			URL: s.JSONURL(), Decode: authtest.DecodeJSON, DefaultLifetime: time.Hour, HTTP: s.HTTP(),
			Fields: map[string]kyckit.Secret{"clientId": kyckit.NewSecret("test-client"), "clientSecret": kyckit.NewSecret("test-secret")},
		})
		require.NoError(t, err)
		tok, err := src.Token(t.Context())
		require.NoError(t, err)
		assert.Equal(t, time.Hour, time.Until(tok.Expiry))
	})
}

func TestLifetimeCountsFromBeforeTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inMemory(t, authtest.Config{Lifetime: 10 * time.Second, Latency: 4 * time.Second})
		src, err := s.ClientCredentials(auth.Tuning{})
		require.NoError(t, err)
		start := time.Now()
		tok, err := src.Token(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 10*time.Second, tok.Expiry.Sub(start))
	})
}

func TestExchangeThatRedirects(t *testing.T) {
	for way, w := range ways() {
		for _, status := range []int{301, 302, 303, 307, 308} {
			t.Run(fmt.Sprint(way, "/", status), func(t *testing.T) {
				thief := onLoopback(t, authtest.Config{})
				s := onLoopback(t, authtest.Config{})
				src, err := w.source(s)
				require.NoError(t, err)
				target := map[string]string{authtest.OpToken: thief.TokenURL(), authtest.OpLogin: thief.LoginURL(), authtest.OpJSON: thief.JSONURL()}[w.op]
				s.Fail(w.op, 0, kyctest.Fault{Status: status, Header: http.Header{"Location": {target}}})
				_, err = src.Token(t.Context())
				require.ErrorIs(t, err, kyckit.ErrDecode)
				assert.Zero(t, thief.Exchanges(), "credentials went to another host")
				assert.NotContains(t, err.Error(), thief.URL)
			})
		}
	}
}

func TestLoginWithATrailingSlashIsRedirectedOnTheSameHost(t *testing.T) {
	s := onLoopback(t, authtest.Config{})
	src, err := auth.NewPasswordLogin(auth.PasswordLoginConfig{
		LoginURL: s.LoginURL() + "/", Username: "tester@example.test", Password: kyckit.NewSecret("test-password"), HTTP: s.HTTP(),
	})
	require.NoError(t, err)
	_, err = src.Token(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, s.Exchanges(), "the slash is dropped, so there is no redirect to follow")

	s.Fail(authtest.OpLogin, 1, kyctest.Fault{Status: 307, Header: http.Header{"Location": {s.LoginURL()}}})
	src, err = s.PasswordLogin(auth.Tuning{})
	require.NoError(t, err)
	_, err = src.Token(t.Context())
	require.NoError(t, err)
}

func TestServerErrorsOfTheTokenEndpoint(t *testing.T) {
	for way, w := range ways() {
		t.Run(way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := inMemory(t, authtest.Config{})
				src, err := w.source(s)
				require.NoError(t, err)
				s.Fail(w.op, 0, kyctest.Fault{Status: 500, Body: `{"detail":"LOGIN_BAD_CREDENTIALS","error":"invalid_client","responseCode":1}`})
				_, err = src.Token(t.Context())
				require.ErrorIs(t, err, kyckit.ErrUnavailable)
				require.NotErrorIs(t, err, kyckit.ErrUnauthorized)
				var e *kyckit.Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, 500, e.StatusCode)
				assert.LessOrEqual(t, e.RetryAfter, time.Second)
			})
		})
	}
}

func TestBodiesThatAreNoJSONObjectNeverPassForATokens(t *testing.T) {
	// The Decode of a caller may return anything; the exchange checks it.
	s := onLoopback(t, authtest.Config{})
	src, err := auth.NewJSONExchange(auth.JSONExchangeConfig{
		URL: s.JSONURL(), HTTP: s.HTTP(), Fields: map[string]kyckit.Secret{"a": kyckit.NewSecret("b")},
		Decode: func([]byte) (auth.JSONToken, error) { return auth.JSONToken{ExpiresIn: json.RawMessage(`{`)}, nil },
	})
	require.NoError(t, err)
	s.Fail(authtest.OpJSON, 0, kyctest.Fault{Status: 200, Body: `{}`})
	_, err = src.Token(t.Context())
	require.ErrorIs(t, err, kyckit.ErrDecode)
}
