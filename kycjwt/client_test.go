package kycjwt_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
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

func TestGetAndPostCarryJSONBothWays(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	ctx := t.Context()

	var made struct {
		ID string `json:"id"`
	}
	require.NoError(t, client.Post(ctx, "/persons", person(), &made))
	var got map[string]any
	require.NoError(t, client.Get(ctx, "/persons/"+made.ID, nil, &got))
	assert.Equal(t, "Vantongeren", got["last_name"])

	var raw json.RawMessage
	require.NoError(t, client.Get(ctx, "/persons/"+made.ID, url.Values{"x": {"1 & 2"}}, &raw))
	assert.JSONEq(t, string(fake.Person(made.ID)), string(raw))
	last := fake.Requests("get person")[1]
	assert.Equal(t, "1 & 2", last.Query.Get("x"))
	assert.Equal(t, "/api/v1/persons/"+made.ID, last.Path)
	assert.True(t, strings.HasPrefix(last.Header.Get("Authorization"), "Bearer "))
	assert.Equal(t, 1, fake.Count("login"), "one login serves all calls")
}

func TestDoSendsAnyMethodAndFillsPlaces(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	fake.Fail("other", 0, kyctest.Fault{Status: 200, Body: `{"ok":true}`})
	var out struct{ OK bool }
	err := client.Do(t.Context(), kycjwt.Request{
		Method: http.MethodPatch, Path: "/things/{id}/parts/{part}", Args: []string{"a b", "ü?#"}, Body: map[string]int{"n": 1},
	}, &out)
	require.NoError(t, err)
	assert.True(t, out.OK)
	got := fake.Requests("other")[0]
	assert.Equal(t, http.MethodPatch, got.Method)
	assert.Equal(t, "/api/v1/things/a b/parts/ü?#", got.Path)
	assert.Empty(t, got.Query)
	assert.JSONEq(t, `{"n":1}`, string(got.Body))
}

func TestANoContentAnswerLeavesOutAsItIs(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	fake.Fail("other", 0, kyctest.Fault{Status: 204})
	out := map[string]any{"kept": true}
	require.NoError(t, client.Post(t.Context(), "/things", nil, &out))
	assert.Equal(t, map[string]any{"kept": true}, out)
}

func TestPathsThatCouldLeadElsewhereAreRefused(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	for _, path := range []string{
		"", "/", "persons", "//evil.example/persons", "https://evil.example/persons", "/persons/", "/persons//documents",
		"/..", "/persons/..", "/persons/../webhooks", "/persons/./x", `/persons\..\webhooks`, "/persons/%2e%2e/webhooks",
		"/persons%2Fwebhooks", "/persons/%5c", "/persons/a%20b", "/persons?owner=1", "/persons#x", "/persons/a b", "/persons/a\nb", "/persons/{id}",
		"/persons/{", "/persons/\xff", "@evil.example/persons", "/persons/\x00",
	} {
		err := client.Get(t.Context(), path, nil, nil)
		require.ErrorIs(t, err, kyckit.ErrInvalid, "%q", path)
		assert.Zero(t, asError(t, err).Attempts)
	}
	for _, arg := range []string{"", ".", "..", "a/b", `a\b`, "%2e%2e", "a%2Fb", "a\nb", strings.Repeat("x", 300)} {
		err := client.Do(t.Context(), kycjwt.Request{Method: "GET", Path: "/persons/{id}", Args: []string{arg}}, nil)
		require.ErrorIs(t, err, kyckit.ErrInvalid, "%q", arg)
	}
	for _, r := range []kycjwt.Request{
		{Method: "GET", Path: "/persons/{id}"},
		{Method: "GET", Path: "/persons", Args: []string{"1"}},
		{Method: "get", Path: "/persons"},
		{Method: "CONNECT", Path: "/persons"},
		{Path: "/persons"},
		{Method: "POST", Path: "/persons", Body: func() {}},
	} {
		require.ErrorIs(t, client.Do(t.Context(), r, nil), kyckit.ErrInvalid)
	}
	for _, out := range []any{map[string]any{}, "x", struct{}{}, (*int)(nil)} {
		require.ErrorIs(t, client.Post(t.Context(), "/persons", nil, out), kyckit.ErrInvalid)
	}
	assert.Empty(t, fake.Requests(""), "nothing was sent")
}

func TestReadsAreRetriedAndCreationsAreNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, client := startInMemory(t, kycjwttest.Config{})
		fake.Fail("questionnaire", 1, kyctest.Fault{Status: 503})
		fake.Fail("questionnaire", 2, kyctest.Fault{Hangup: true})
		_, err := client.Questionnaire(t.Context(), kycjwttest.QuestionnaireID)
		require.NoError(t, err)
		assert.Equal(t, 3, fake.Count("questionnaire"))

		for i, fault := range []kyctest.Fault{
			{Status: 500},
			{Status: 503},
			{Hangup: true},
			{LoseAnswer: true},
			{Status: 200, Body: `{"id":"1`, Truncate: true},
			{Status: 201, Body: "<html>"},
		} {
			fake.Fail("create person", 1, fault)
			_, err = client.CreatePerson(t.Context(), person())
			require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown, "%+v", fault)
			assert.Equal(t, i+1, fake.Count("create person"), "sent once")
		}
		assert.Len(t, fake.Persons(), 1, "the lost answer had taken effect")
	})
}

func TestARefusedCreationIsNoUnknownOutcome(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	for status, kind := range map[int]error{
		400: kyckit.ErrInvalid, 403: kyckit.ErrForbidden, 404: kyckit.ErrNotFound, 409: kyckit.ErrConflict, 422: kyckit.ErrInvalid,
		429: kyckit.ErrRateLimited,
	} {
		fake.Fail("create person", 1, kyctest.Fault{Status: status})
		_, err := client.CreatePerson(t.Context(), person())
		require.ErrorIs(t, err, kind)
		assert.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
	}
}

func TestACallerWhoGivesUpDuringACreationLearnsThatTheOutcomeIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, client := startInMemory(t, kycjwttest.Config{})
		fake.Fail("create person", 0, kyctest.Fault{Delay: time.Minute})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := client.CreatePerson(ctx, person())
		require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestAnExpiredTokenCostsOneLoginAndOneReplay(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	_, err := client.CreatePerson(t.Context(), person())
	require.NoError(t, err)
	fake.RevokeTokens()
	created, err := client.CreatePerson(t.Context(), person())
	require.NoError(t, err)
	assert.NotEmpty(t, created.ID)
	assert.Len(t, fake.Persons(), 2, "the refused try created nothing")
	assert.Equal(t, 2, fake.Count("login"))
	assert.Equal(t, 3, fake.Count("create person"))
	sent := fake.Requests("create person")
	assert.Equal(t, sent[1].Body, sent[2].Body, "the replay carries the same body")
}

func TestTheAPIPrefixAndTheLoginPathAreSettings(t *testing.T) {
	fake, _ := start(t, kycjwttest.Config{})
	fake.Handle("/sign/in", "login elsewhere", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(`{"access_token":"opaque","token_type":"Bearer"}`))
	})
	fake.Handle("/v9/persons/1", "v9", func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(`{}`)) })
	fake.Handle("/persons/1", "bare", func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(`{}`)) })
	for prefix, op := range map[string]string{"/v9": "v9", "/": "bare"} {
		client := clientOf(t, fake, func(c *kycjwt.Config) { c.LoginPath, c.APIPrefix = "/sign/in", prefix })
		require.NoError(t, client.Get(t.Context(), "/persons/1", nil, nil))
		assert.Equal(t, 1, fake.Count(op))
	}
	assert.Equal(t, 2, fake.Count("login elsewhere"))
	assert.Zero(t, fake.Count("login"))
}

func TestPitfallEmptyCredentialsAreRefusedLocally(t *testing.T) {
	fake, _ := start(t, kycjwttest.Config{})
	for _, change := range []func(*kycjwt.Config){
		func(c *kycjwt.Config) { c.Username = "" },
		func(c *kycjwt.Config) { c.Password = kyckit.NewSecret("") },
	} {
		cfg := fake.ClientConfig()
		change(&cfg)
		_, err := kycjwt.New(cfg)
		require.ErrorIs(t, err, kyckit.ErrInvalid)
	}
	assert.Empty(t, fake.Requests(""))
}

func TestNewNamesTheRefusedSetting(t *testing.T) {
	good := kycjwt.Config{BaseURL: "https://kyc.example", Username: "u", Password: kyckit.NewSecret("p")}
	_, err := kycjwt.New(good)
	require.NoError(t, err)
	for field, change := range map[string]func(*kycjwt.Config){
		"BaseURL is":              func(c *kycjwt.Config) { c.BaseURL = "" },
		"BaseURL must be https":   func(c *kycjwt.Config) { c.BaseURL = "http://kyc.example" },
		"BaseURL must not":        func(c *kycjwt.Config) { c.BaseURL = "https://u:p@kyc.example" },
		"Username is":             func(c *kycjwt.Config) { c.Username = " " },
		"Username":                func(c *kycjwt.Config) { c.Username = "" },
		"Password":                func(c *kycjwt.Config) { c.Password = kyckit.Secret{} },
		"LoginPath must begin":    func(c *kycjwt.Config) { c.LoginPath = "auth" },
		"LoginPath must be plain": func(c *kycjwt.Config) { c.LoginPath = "/auth/jwt/login/" },
		"LoginPath must name":     func(c *kycjwt.Config) { c.LoginPath = "/" },
		"APIPrefix must begin":    func(c *kycjwt.Config) { c.APIPrefix = "https://evil.example" },
		"APIPrefix must be plain": func(c *kycjwt.Config) { c.APIPrefix = "/api/../v1" },
		"TokenLifetime":           func(c *kycjwt.Config) { c.TokenLifetime = -1 },
		"EntitlementLists":        func(c *kycjwt.Config) { c.EntitlementLists = 7 },
		"MaxPages":                func(c *kycjwt.Config) { c.MaxPages = -1 },
		"HTTP.Retry.MaxAttempts":  func(c *kycjwt.Config) { c.HTTP.Retry.MaxAttempts = -1 },
		"HTTP.UserAgent":          func(c *kycjwt.Config) { c.HTTP.UserAgent = "a\nb" },
	} {
		cfg := good
		change(&cfg)
		_, err := kycjwt.New(cfg)
		require.ErrorIs(t, err, kyckit.ErrInvalid, field)
		assert.Contains(t, asError(t, err).Reason, field)
	}
}

func TestAClientNotMadeByNewFails(t *testing.T) {
	var zero kycjwt.Client
	require.ErrorIs(t, zero.Get(t.Context(), "/persons", nil, nil), kyckit.ErrInvalid)
	_, err := (*kycjwt.Client)(nil).CreatePerson(t.Context(), person())
	require.ErrorIs(t, err, kyckit.ErrInvalid)
	for _, err := range kycjwt.List[json.RawMessage](t.Context(), nil, "/persons", nil) {
		require.ErrorIs(t, err, kyckit.ErrInvalid)
	}
	for _, err := range zero.Webhooks(t.Context()) {
		require.ErrorIs(t, err, kyckit.ErrInvalid)
	}
}

func TestAReaderIsNeverSentAsJSON(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	fake.Fail("other", 0, kyctest.Fault{Status: 204})
	for _, body := range []any{strings.NewReader(`{}`), bytes.NewBufferString(`{}`), struct{ io.Reader }{}} {
		require.ErrorIs(t, client.Post(t.Context(), "/things", body, nil), kyckit.ErrInvalid)
	}
	assert.Empty(t, fake.Requests("other"))

	file := kycjwt.File{Name: "a", Reader: strings.NewReader("scan")}
	require.NoError(t, client.Post(t.Context(), "/things", file, nil), "by value too, a file is a form")
	sent := fake.Requests("other")
	require.Len(t, sent, 1)
	assert.True(t, strings.HasPrefix(sent[0].Header.Get("Content-Type"), "multipart/form-data"))
	assert.Contains(t, string(sent[0].Body), "scan")
}

func TestAHEADHasNoBodyToDecode(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	fake.Handle("/api/v1/things", "things", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "17")
	})
	var out json.RawMessage
	require.NoError(t, client.Do(t.Context(), kycjwt.Request{Method: http.MethodHead, Path: "/things"}, &out))
	assert.Empty(t, out)
	assert.Equal(t, 1, fake.Count("things"))
}

func TestAWebPageIsNoAnswerEvenWhereNoneIsWanted(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	fake.Fail("other", 0, kyctest.Fault{Status: 200, Body: "\n<!DOCTYPE html><p>Sign in to the network</p>"})
	fake.Fail("delete webhook", 0, kyctest.Fault{Status: 200, Body: "<html></html>"})
	require.ErrorIs(t, client.Get(t.Context(), "/things", nil, nil), kyckit.ErrDecode)
	require.ErrorIs(t, client.Post(t.Context(), "/things", nil, nil), kyckit.ErrOutcomeUnknown)
	require.ErrorIs(t, client.DeleteWebhook(t.Context(), "1"), kyckit.ErrOutcomeUnknown)
}
