package faceki_test

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/faceki"
	"github.com/kyckit/kyckit/faceki/facekitest"
	"github.com/kyckit/kyckit/kyctest"
)

func fastRetries(c *faceki.Config) {
	c.HTTP.Retry = kyckit.Retry{MinWait: time.Millisecond, MaxWait: 2 * time.Millisecond}
}

func TestTokenByPost(t *testing.T) {
	fake, client := newFake(t)
	_, err := client.WorkflowRules(context.Background(), "w")
	require.NoError(t, err)
	r := fake.Requests(facekitest.OpToken)[0]
	require.Equal(t, http.MethodPost, r.Method)
	require.Equal(t, "/auth/api/generate-token", r.Path)
	require.Empty(t, r.Query)
	require.Empty(t, r.Header.Get("Authorization"))
	require.JSONEq(t, `{"clientId":"fake-client","clientSecret":"fake-secret-for-tests"}`, string(r.Body))
	require.Equal(t, "Bearer fake-token-0001", fake.Requests(facekitest.OpRules)[0].Header.Get("Authorization"))
}

// Mode and path are chosen independently, so that every way that FACEKI has
// printed can be reached.
func TestTokenModes(t *testing.T) {
	ctx := context.Background()
	fake, client := newFake(t, func(c *faceki.Config) { c.TokenMode = faceki.TokenLegacyQuery })
	_, err := client.WorkflowRules(ctx, "w")
	require.NoError(t, err)
	r := fake.Requests(facekitest.OpToken)[0]
	require.Equal(t, http.MethodGet, r.Method)
	require.Equal(t, "/auth/api/access-token", r.Path)
	require.Equal(t, url.Values{"clientId": {"fake-client"}, "clientSecret": {"fake-secret-for-tests"}}, r.Query)
	require.Empty(t, r.Body)

	fake, client = newFake(t, func(c *faceki.Config) { c.Paths.Token = "/auth/api/access-token" })
	_, err = client.WorkflowRules(ctx, "w")
	require.NoError(t, err)
	r = fake.Requests(facekitest.OpToken)[0]
	require.Equal(t, http.MethodPost, r.Method)
	require.Equal(t, "/auth/api/access-token", r.Path)
}

// No fallback: a refused mode is not followed by the other.
func TestTokenModeHasNoFallback(t *testing.T) {
	fake, client := newFake(t)
	fake.Fail(facekitest.OpToken, 1, facekitest.HTML(http.StatusNotFound))
	_, err := client.WorkflowRules(context.Background(), "w")
	require.ErrorIs(t, err, kyckit.ErrNotFound)
	require.Equal(t, 1, fake.Count(facekitest.OpToken))
}

func TestTokenRefusals(t *testing.T) {
	for name, tc := range map[string]struct {
		fault kyctest.Fault
		want  error
	}{
		"422":               {facekitest.Validation("client id is required"), kyckit.ErrInvalid},
		"422, no message":   {facekitest.Validation(""), kyckit.ErrInvalid},
		"401, HTML":         {facekitest.HTML(http.StatusUnauthorized), kyckit.ErrUnauthorized},
		"503":               {kyctest.Fault{Status: 503}, kyckit.ErrUnavailable},
		"code 1 in a 200":   {facekitest.LinkRefusal(1), kyckit.ErrUnauthorized},
		"422 in a 200":      {kyctest.Fault{Status: 200, Body: string(sample(t, "token_error_422.json"))}, kyckit.ErrInvalid},
		"no token":          {kyctest.Fault{Status: 200, Body: `{"responseCode":0,"data":{}}`}, kyckit.ErrDecode},
		"token of a number": {kyctest.Fault{Status: 200, Body: `{"responseCode":0,"data":"x"}`}, kyckit.ErrDecode},
		"no envelope":       {kyctest.Fault{Status: 200, Body: `{"access_token":"x"}`}, kyckit.ErrDecode},
		"HTML":              {facekitest.HTML(http.StatusOK), kyckit.ErrDecode},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := facekitest.NewServer(facekitest.Config{Options: kyctest.Options{InMemory: true}})
				defer fake.Close()
				client, err := faceki.New(fake.ClientConfig())
				require.NoError(t, err)
				fake.Fail(facekitest.OpToken, 0, tc.fault)
				_, err = client.Verify(t.Context(), params())
				require.ErrorIs(t, err, tc.want)
				require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown, "nothing was sent")
				require.Zero(t, fake.Count(facekitest.OpVerify))
			})
		})
	}
}

func TestTokenSample(t *testing.T) {
	fake, client := newFake(t)
	fake.Fail(facekitest.OpToken, 1, answer(sample(t, "token_success.json")))
	fake.Fail(facekitest.OpRules, 1, facekitest.RefusalWith(200, map[string]any{}))
	_, err := client.WorkflowRules(context.Background(), "w")
	require.NoError(t, err)
	require.Equal(t, "Bearer mock-token-for-tests-77", fake.Requests(facekitest.OpRules)[0].Header.Get("Authorization"))
}

func TestPluggableTokenSource(t *testing.T) {
	fake, client := newFake(t, func(c *faceki.Config) {
		c.ClientID, c.ClientSecret = "", kyckit.Secret{}
		c.Auth = auth.Static(kyckit.NewSecret("own-token"))
	})
	fake.Fail(facekitest.OpRules, 1, facekitest.RefusalWith(200, map[string]any{}))
	_, err := client.WorkflowRules(context.Background(), "w")
	require.NoError(t, err)
	require.Equal(t, "Bearer own-token", fake.Requests(facekitest.OpRules)[0].Header.Get("Authorization"))
	require.Zero(t, fake.Count(facekitest.OpToken))
}

// One exchange serves everybody for an hour, and the next comes before its end.
func TestTokenIsSharedAndRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := facekitest.NewServer(facekitest.Config{Options: kyctest.Options{InMemory: true}})
		defer fake.Close()
		client, err := faceki.New(fake.ClientConfig())
		require.NoError(t, err)
		call := func() {
			_, err := client.WorkflowRules(t.Context(), "w")
			assert.NoError(t, err)
		}
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(call)
		}
		wg.Wait()
		require.Equal(t, 1, fake.Count(facekitest.OpToken))
		time.Sleep(58 * time.Minute)
		call()
		require.Equal(t, 1, fake.Count(facekitest.OpToken))
		time.Sleep(2 * time.Minute)
		call()
		synctest.Wait()
		require.Equal(t, 2, fake.Count(facekitest.OpToken))
	})
}

// A refused token, in either form, is dropped; one is fetched; the call is
// repeated once with its body.
func TestRefusedTokenIsReplacedOnce(t *testing.T) {
	for name, inBody := range map[string]bool{"401": false, "code 1 in a 200": true} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			fake, client := newFake(t)
			fake.RefuseInBody(inBody)
			_, err := client.Verify(ctx, params())
			require.NoError(t, err)
			fake.RevokeTokens()
			record, err := client.Verify(ctx, params())
			require.NoError(t, err)
			require.True(t, record.Decision.Accepted())
			require.Equal(t, 2, fake.Count(facekitest.OpToken))
			require.Equal(t, 3, fake.Count(facekitest.OpVerify))
			requests := fake.Requests(facekitest.OpVerify)
			require.Equal(t, requests[1].Body, requests[2].Body, "the images were read again from their start")
			require.NotEmpty(t, requests[1].Body)
			uploads := fake.Uploads()
			require.Len(t, uploads, 2)
			require.Equal(t, uploads[0].Files, uploads[1].Files)
		})
	}
}

func TestConfig(t *testing.T) {
	good := faceki.Config{ClientID: "id", ClientSecret: kyckit.NewSecret("secret")}
	_, err := faceki.New(good)
	require.NoError(t, err, "the documented base URL is the default")

	for field, change := range map[string]func(*faceki.Config){
		"ClientID":              func(c *faceki.Config) { c.ClientID = " " },
		"ClientSecret":          func(c *faceki.Config) { c.ClientSecret = kyckit.Secret{} },
		"Auth":                  func(c *faceki.Config) { c.Auth = auth.Static(kyckit.NewSecret("x")) },
		"Auth ":                 func(c *faceki.Config) { *c = faceki.Config{Auth: (*auth.Cache)(nil)} },
		"BaseURL":               func(c *faceki.Config) { c.BaseURL = "http://sdk.faceki.test" },
		"BaseURL ":              func(c *faceki.Config) { c.BaseURL = "sdk.faceki.test" },
		"TokenMode":             func(c *faceki.Config) { c.TokenMode = "header" },
		"MaxImageBytes":         func(c *faceki.Config) { c.MaxImageBytes = -1 },
		"Paths.Token":           func(c *faceki.Config) { c.Paths.Token = "token" },
		"Paths.Link":            func(c *faceki.Config) { c.Paths.Link = "/a/../b" },
		"Paths.Verify":          func(c *faceki.Config) { c.Paths.Verify = "/a?b" },
		"Paths.Records":         func(c *faceki.Config) { c.Paths.Records = "/{id}" },
		"Paths.SearchByFace":    func(c *faceki.Config) { c.Paths.SearchByFace = "https://x" },
		"Paths.WorkflowRules":   func(c *faceki.Config) { c.Paths.WorkflowRules = "/a b" },
		"HTTP.MaxResponseBytes": func(c *faceki.Config) { c.HTTP.MaxResponseBytes = -1 },
		"Token.Early":           func(c *faceki.Config) { c.Token.Early = -1 },
	} {
		t.Run(field, func(t *testing.T) {
			cfg := good
			change(&cfg)
			_, err := faceki.New(cfg)
			require.ErrorIs(t, err, kyckit.ErrInvalid)
			var e *kyckit.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, "faceki", e.Provider)
			require.Contains(t, e.Reason, field[:len(field)-boolToInt(field[len(field)-1] == ' ')])
		})
	}
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
