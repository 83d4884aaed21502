package kycjwt_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/kycjwt"
	"github.com/kyckit/kyckit/kycjwt/kycjwttest"
	"github.com/kyckit/kyckit/kyctest"
)

// read is the cheapest protected call.
func read(ctx context.Context, c *kycjwt.Client) error {
	return c.Get(ctx, "/questionnaires/"+kycjwttest.QuestionnaireID, nil, nil)
}

func TestPitfallBadCredentialsAre400(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, client := startInMemory(t, kycjwttest.Config{}, func(c *kycjwt.Config) { c.Password = kyckit.NewSecret("wrong") })
		err := read(t.Context(), client)
		require.ErrorIs(t, err, kyckit.ErrUnauthorized)
		e := asError(t, err)
		assert.Equal(t, "LOGIN_BAD_CREDENTIALS", e.Code)
		assert.Equal(t, 400, e.StatusCode)
		assert.Contains(t, err.Error(), "LOGIN_BAD_CREDENTIALS")
		assert.Zero(t, fake.Count("questionnaire"))

		for range 10 {
			require.ErrorIs(t, read(t.Context(), client), kyckit.ErrUnauthorized)
		}
		assert.Equal(t, 1, fake.Count("login"), "a refused password is not tried again at once")

		_, err = client.CreatePerson(t.Context(), person())
		require.ErrorIs(t, err, kyckit.ErrUnauthorized)
		assert.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown, "nothing was sent")
	})
}

func TestAnUnverifiedUserIsTold(t *testing.T) {
	cfg := kycjwttest.Config{RequireVerified: true, Users: []kycjwttest.User{{Username: "u", Password: "p", Unverified: true}}}
	_, client := start(t, cfg)
	err := read(t.Context(), client)
	require.ErrorIs(t, err, kyckit.ErrUnauthorized)
	assert.Equal(t, "LOGIN_USER_NOT_VERIFIED", asError(t, err).Code)
}

func TestPitfallTheFormIsEncodedProperly(t *testing.T) {
	for _, password := range []string{
		kycjwttest.Password, "a+b", "a&password=b", "a b", " lead and inside", "100%", "%2B", "a=b", "&=+%;", "пароль", "密碼🙂", "\ttab\nline", "\u00e9\u0065\u0301",
	} {
		fake, client := start(t, kycjwttest.Config{Users: []kycjwttest.User{{Username: "a+b c&d@é.example", Password: password}}})
		require.NoError(t, read(t.Context(), client), "%q", password)
		login := fake.Requests("login")[0]
		form, err := url.ParseQuery(string(login.Body))
		require.NoError(t, err)
		assert.Equal(t, []string{password}, form["password"])
		assert.Equal(t, "application/x-www-form-urlencoded", login.Header.Get("Content-Type"), "pitfall: a JSON login is a 422")
		assert.Empty(t, login.Query, "no credentials in the address")
	}
}

// Editors and files add line breaks and marks; the login would answer no more
// than that the password is wrong.
func TestACredentialThatAFileChangedIsRefused(t *testing.T) {
	for _, change := range []string{"%s\n", "%s\r\n", "%s ", "%s\t", "\ufeff%s", " ", ""} {
		bad := strings.Replace(change, "%s", "made-up", 1)
		_, err := kycjwt.New(kycjwt.Config{BaseURL: "https://kyc.example.com", Username: "u", Password: kyckit.NewSecret(bad)})
		require.ErrorIs(t, err, kyckit.ErrInvalid, "%q", bad)
		assert.Contains(t, err.Error(), "kycjwt: config: invalid: Password ")
		_, err = kycjwt.New(kycjwt.Config{BaseURL: "https://kyc.example.com", Username: bad, Password: kyckit.NewSecret("p")})
		require.ErrorIs(t, err, kyckit.ErrInvalid, "%q", bad)
		assert.Contains(t, err.Error(), "kycjwt: config: invalid: Username ")
	}
}

func TestGrantTypeIsSentUnlessOmitted(t *testing.T) {
	for _, omit := range []bool{false, true} {
		fake, client := start(t, kycjwttest.Config{}, func(c *kycjwt.Config) { c.OmitGrantType = omit })
		require.NoError(t, read(t.Context(), client))
		form, err := url.ParseQuery(string(fake.Requests("login")[0].Body))
		require.NoError(t, err)
		assert.Equal(t, !omit, form.Get("grant_type") == "password")
		assert.Equal(t, !omit, form.Has("grant_type"))
	}
}

func TestPitfallARedirectedLoginResendsNothingToAnotherHost(t *testing.T) {
	var reached atomic.Int32
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer thief.Close()
	fake, client := start(t, kycjwttest.Config{})
	to := http.Header{"Location": {thief.URL + "/auth/jwt/login"}}
	fake.Fail("login", 1, kyctest.Fault{Status: 307, Header: to})
	require.Error(t, read(t.Context(), client))
	assert.Zero(t, reached.Load())

	fresh := clientOf(t, fake)
	fake.Fail("questionnaire", 1, kyctest.Fault{Status: 307, Header: http.Header{"Location": {thief.URL + "/api/v1/questionnaires/1"}}})
	require.Error(t, read(t.Context(), fresh))
	fake.Fail("create person", 1, kyctest.Fault{Status: 307, Header: http.Header{"Location": {thief.URL + "/api/v1/persons"}}})
	_, err := fresh.CreatePerson(t.Context(), person())
	require.Error(t, err)
	assert.Zero(t, reached.Load(), "neither a token nor a person went elsewhere")
}

func TestARedirectWithinTheHostIsFollowedButNeverByACreation(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	fake.Fail("login", 1, kyctest.Fault{Status: 307, Header: http.Header{"Location": {fake.URL + "/auth/jwt/login"}}})
	fake.Fail("create person", 1, kyctest.Fault{Status: 307, Header: http.Header{"Location": {"/api/v1/persons"}}})
	_, err := client.CreatePerson(t.Context(), person())
	require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
	sent := fake.Requests("login")
	require.Len(t, sent, 2)
	assert.Equal(t, sent[0].Body, sent[1].Body)
	assert.Equal(t, 1, fake.Count("create person"))
	assert.Empty(t, fake.Persons())
}

func TestPitfallConcurrent401sCauseOneLogin(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	require.NoError(t, read(t.Context(), client))
	fake.RevokeTokens()
	var wg sync.WaitGroup
	var failed atomic.Int32
	for range 32 {
		wg.Go(func() {
			if read(t.Context(), client) != nil {
				failed.Add(1)
			}
		})
	}
	wg.Wait()
	assert.Zero(t, failed.Load())
	assert.Equal(t, 2, fake.Count("login"))
}

func TestPitfallA401AfterTheFreshLoginIsFinal(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	answerWith(fake, "questionnaire", 401, `{"detail":"Unauthorized"}`)
	err := read(t.Context(), client)
	require.ErrorIs(t, err, kyckit.ErrUnauthorized)
	assert.Equal(t, 2, fake.Count("questionnaire"), "one replay")
	assert.LessOrEqual(t, fake.Count("login"), 2)
	assert.Equal(t, "Unauthorized", asError(t, err).Message())
	assert.Empty(t, asError(t, err).Code, "a word is no code")
}

func TestPitfallA403NeverLogsIn(t *testing.T) {
	cfg := kycjwttest.Config{RequireVerified: true}
	fake, client := start(t, cfg)
	require.NoError(t, read(t.Context(), client))
	fake.SetVerified(kycjwttest.Username, false)
	for range 3 {
		require.ErrorIs(t, read(t.Context(), client), kyckit.ErrForbidden)
	}
	assert.Equal(t, 1, fake.Count("login"))
	assert.Equal(t, 4, fake.Count("questionnaire"), "and is not repeated")
}

func TestAnInactiveUserIsRefusedAtTheSecondLogin(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	require.NoError(t, read(t.Context(), client))
	fake.SetActive(kycjwttest.Username, false)
	require.ErrorIs(t, read(t.Context(), client), kyckit.ErrUnauthorized)
	assert.Equal(t, 2, fake.Count("login"))
}

func TestPitfallTokensMayBeOpaqueOrWithoutExp(t *testing.T) {
	for name, cfg := range map[string]kycjwttest.Config{
		"opaque":      {Opaque: true, TokenLifetime: time.Minute},
		"without exp": {TokenLifetime: -1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake, client := startInMemory(t, cfg)
				for range 3 {
					require.NoError(t, read(t.Context(), client))
				}
				assert.Equal(t, 1, fake.Count("login"))
				fake.RevokeTokens()
				time.Sleep(2 * time.Second)
				require.NoError(t, read(t.Context(), client), "the 401 teaches the expiry")
				assert.Equal(t, 2, fake.Count("login"))
			})
		})
	}
}

func TestPitfallAnIdenticalTokenIsNoFailure(t *testing.T) {
	// Two logins within one second give the same JWT. One 401 that was not the
	// token's fault must not make the call fail.
	fake, client := start(t, kycjwttest.Config{})
	fake.Fail("questionnaire", 1, kyctest.Fault{Status: 401, Body: `{"detail":"Unauthorized"}`})
	require.NoError(t, read(t.Context(), client))
}

func TestPitfallLogoutDoesNotRevoke(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{}, func(c *kycjwt.Config) { c.APIPrefix = "/" })
	require.NoError(t, client.Post(t.Context(), "/auth/jwt/logout", nil, nil))
	require.NoError(t, client.Get(t.Context(), "/api/v1/questionnaires/"+kycjwttest.QuestionnaireID, nil, nil))
	assert.Equal(t, 1, fake.Count("login"))
}

func TestAClockTenMinutesOffIsHarmless(t *testing.T) {
	for _, skew := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			fake, client := startInMemory(t, kycjwttest.Config{ClockSkew: skew, TokenLifetime: 5 * time.Minute})
			for range 20 { // 20 calls in 20 minutes: four lifetimes
				require.NoError(t, read(t.Context(), client))
				time.Sleep(time.Minute)
			}
			assert.LessOrEqual(t, fake.Count("login"), 8, "skew %v", skew)
		})
	}
}

func TestAnExpiryInTheMiddleIsNotNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, client := startInMemory(t, kycjwttest.Config{TokenLifetime: 3 * time.Second})
		for range 20 {
			require.NoError(t, read(t.Context(), client))
			time.Sleep(time.Second)
		}
		assert.Less(t, fake.Count("login"), 20)
		assert.Greater(t, fake.Count("login"), 5)
	})
}

func TestALoginThatIsNoLogin(t *testing.T) {
	for name, body := range map[string]string{
		"HTML":             "<html><body>Welcome</body></html>",
		"empty":            "",
		"no token":         `{"token_type":"bearer"}`,
		"null token":       `{"access_token":null,"token_type":"bearer"}`,
		"number":           `{"access_token":7}`,
		"another type":     `{"access_token":"x","token_type":"mac"}`,
		"token with lines": `{"access_token":"a\nb","token_type":"bearer"}`,
	} {
		fake, client := start(t, kycjwttest.Config{})
		answerWith(fake, "login", 200, body)
		err := read(t.Context(), client)
		require.ErrorIs(t, err, kyckit.ErrDecode, name)
		assert.Zero(t, fake.Count("questionnaire"), name)
		_, err = client.CreatePerson(t.Context(), person())
		require.Error(t, err)
		assert.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown, "%s: nothing was sent", name)
	}
}

func TestALoginThatIsDownIsUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, client := startInMemory(t, kycjwttest.Config{})
		answerWith(fake, "login", 503, "")
		_, err := client.CreatePerson(t.Context(), person())
		require.ErrorIs(t, err, kyckit.ErrUnavailable)
		assert.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
		fake.Heal()
		time.Sleep(time.Minute)
		_, err = client.CreatePerson(t.Context(), person())
		require.NoError(t, err)
	})
}
