package cafsmartauth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/cafsmartauth"
	"github.com/kyckit/kyckit/cafsmartauth/cafsmartauthtest"
	"github.com/kyckit/kyckit/kyctest"
)

const (
	cpf    = "00011122285"
	policy = "policy-0001"
)

type change = func(*cafsmartauth.Config)

func start(t testing.TB, changes ...change) (*cafsmartauthtest.Server, *cafsmartauth.Client) {
	t.Helper()
	fake := cafsmartauthtest.NewServer(cafsmartauthtest.Config{Options: kyctest.Options{InMemory: true}})
	t.Cleanup(fake.Close)
	cfg := fake.ClientConfig()
	for _, f := range changes {
		f(&cfg)
	}
	client, err := cafsmartauth.New(cfg)
	require.NoError(t, err)
	return fake, client
}

var person = cafsmartauth.IdentityParams{
	Name: "Pessoa Inventada", PersonID: "000.111.222-85", ImageURL: "https://selfies.example/1.jpg",
	Email: "pessoa@example.com", Phone: "+55 (11) 99999-0000",
}

func TestAuthenticationOfAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, client := start(t)
		token, err := client.Mint(cpf, time.Minute)
		require.NoError(t, err)
		answer, err := fake.SDK().VerifyPolicy(token.Access.Reveal(), cpf, policy, cafsmartauthtest.DeniedUnsigned)
		require.NoError(t, err)

		a, err := client.Authentication(t.Context(), answer.AttemptID)
		require.NoError(t, err)
		assert.Equal(t, answer.AttemptID, a.ID)
		assert.Equal(t, "person_not_alive", a.AuthenticationMethods.Face.Attempts[0].RefusalReason)
		assert.NotEmpty(t, a.Raw)

		got := fake.Requests(cafsmartauthtest.OpAuthentication)
		require.Len(t, got, 1)
		assert.Equal(t, "/authentications/"+answer.AttemptID, got[0].Path)
		assert.Empty(t, got[0].Query)
		fake.Close()
	})
}

func TestPitfallAttemptIdsCannotChangeThePath(t *testing.T) {
	fake, client := start(t)
	for _, id := range []string{"", ".", "..", "a/b", "../identities", `a\b`, "a%2fb", "a\nb", strings.Repeat("a", 300)} {
		_, err := client.Authentication(t.Context(), id)
		require.ErrorIsf(t, err, kyckit.ErrInvalid, "%q", id)
	}
	assert.Zero(t, fake.Count(cafsmartauthtest.OpAuthentication))
	fake.SetAuthentication("a b?c#d", json.RawMessage(`{"id":"odd"}`))
	a, err := client.Authentication(t.Context(), "a b?c#d")
	require.NoError(t, err)
	assert.Equal(t, "odd", a.ID)
}

// What an answer names is the attempt that was asked for.
func TestAnAuthenticationOfAnotherAttemptIsRefused(t *testing.T) {
	const asked, other = "fa01e0000000000000000001", "fa01e0000000000000000002"
	fake, client := start(t)
	fake.SetAuthentication(asked, json.RawMessage(`{"id":"`+other+`","status":"approved"}`))
	a, err := client.Authentication(t.Context(), asked)
	require.ErrorIs(t, err, kyckit.ErrDecode)
	assert.Nil(t, a)
	for _, body := range []string{`{"id":"` + asked + `"}`, `{"status":"approved"}`, `{"id":null}`, `{"id":"internal-7"}`} {
		fake.SetAuthentication(asked, json.RawMessage(body))
		_, err = client.Authentication(t.Context(), asked)
		require.NoError(t, err, body)
	}
}

// 4 MiB of "{}" would become hundreds of megabytes of tries.
func TestAnAuthenticationWithAnEndlessArrayTakesNoMemory(t *testing.T) {
	fake, client := start(t)
	many := strings.Repeat(`{},`, 1<<20) + `{}`
	for _, body := range []string{
		`{"authenticationMethods":{"face_authentication":{"attempts":[` + many + `]}}}`,
		`{"context":{"location":{"location":{"coordinates":[` + strings.Repeat("1,", 1<<20) + `1]}}}}`,
	} {
		fake.SetAuthentication("a1", json.RawMessage(body))
		_, err := client.Authentication(t.Context(), "a1") // grows the buffers of net/http
		require.ErrorIs(t, err, kyckit.ErrDecode)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = client.Authentication(t.Context(), "a1")
		runtime.ReadMemStats(&after)
		require.ErrorIs(t, err, kyckit.ErrDecode)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(48<<20))
	}
}

func TestPitfallBearerIsRequiredAndMintedOnceForManyCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, client := start(t, func(c *cafsmartauth.Config) { c.CallTTL = time.Minute })
		fake.SetAuthentication("a1", json.RawMessage(`{"id":"a1"}`))
		bearers := func() map[string]int {
			seen := map[string]int{}
			for _, r := range fake.Requests("") {
				seen[r.Header.Get("Authorization")]++
			}
			return seen
		}
		for range 50 {
			_, err := client.Authentication(t.Context(), "a1")
			require.NoError(t, err)
		}
		assert.Len(t, bearers(), 1, "one token serves all calls")
		for b := range bearers() {
			assert.True(t, strings.HasPrefix(b, "Bearer ey"))
			assert.NotContains(t, b, "InBlcnNvbklkI") // "personId" in base64url
		}
		// It is replaced before it dies, for good.
		for range 600 {
			time.Sleep(time.Second)
			_, err := client.Authentication(t.Context(), "a1")
			require.NoError(t, err)
		}
		n := len(bearers())
		assert.True(t, n > 8 && n < 20, "%d tokens in ten minutes", n)
		fake.Close()
	})
}

func TestWrongCredentialsAreUnauthorized(t *testing.T) {
	for _, wrong := range []change{
		func(c *cafsmartauth.Config) { c.ClientSecret = kyckit.NewSecret("another secret") },
		func(c *cafsmartauth.Config) { c.ClientID = "another-client" },
	} {
		fake, client := start(t, wrong)
		_, err := client.Authentication(t.Context(), "a1")
		require.ErrorIs(t, err, kyckit.ErrUnauthorized)
		_, err = client.CreateIdentity(t.Context(), person)
		require.ErrorIs(t, err, kyckit.ErrUnauthorized)
		assert.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
		assert.Empty(t, fake.Identities())
	}
}

func TestCreateIdentity(t *testing.T) {
	fake, client := start(t)
	got, err := client.CreateIdentity(t.Context(), person)
	require.NoError(t, err)
	assert.Equal(t, fake.Identities()[0].ID, got.ID)
	assert.NotEmpty(t, got.RequestID)
	assert.JSONEq(t, `{"name":"Pessoa Inventada","personId":"00011122285","imageUrl":"https://selfies.example/1.jpg","email":"pessoa@example.com","phone":"5511999990000"}`,
		string(fake.Requests(cafsmartauthtest.OpIdentity)[0].Body))

	_, err = client.CreateIdentity(t.Context(), cafsmartauth.IdentityParams{Name: "N", PersonID: cpf, ImageURL: "https://selfies.example/1.jpg"})
	require.NoError(t, err)
	assert.JSONEq(t, `{"name":"N","personId":"00011122285","imageUrl":"https://selfies.example/1.jpg"}`,
		string(fake.Requests(cafsmartauthtest.OpIdentity)[1].Body))
}

func TestCreateIdentityForms(t *testing.T) {
	fake, client := start(t, func(c *cafsmartauth.Config) {
		c.PhoneAsNumber = true
		c.CPFForm = cafsmartauth.CPFPunctuated
	})
	_, err := client.CreateIdentity(t.Context(), person)
	require.NoError(t, err)
	assert.Equal(t, "000.111.222-85", fake.Identities()[0].PersonID)
	assert.Equal(t, "5511999990000", string(fake.Identities()[0].Phone))
}

func TestCreateIdentityRefusesBadInput(t *testing.T) {
	fake, client := start(t)
	for field, change := range map[string]func(*cafsmartauth.IdentityParams){
		"Name is":                               func(p *cafsmartauth.IdentityParams) { p.Name = " " },
		"Name must":                             func(p *cafsmartauth.IdentityParams) { p.Name = "\xff" },
		"PersonID is":                           func(p *cafsmartauth.IdentityParams) { p.PersonID = "1112223" },
		"PersonID is not":                       func(p *cafsmartauth.IdentityParams) { p.PersonID = "١١١٤٤٤٧٧٧٣٥" },
		"ImageURL must":                         func(p *cafsmartauth.IdentityParams) { p.ImageURL = "" },
		"ImageURL must be":                      func(p *cafsmartauth.IdentityParams) { p.ImageURL = "selfie.jpg" },
		"ImageURL must be an absolute https":    func(p *cafsmartauth.IdentityParams) { p.ImageURL = "http://selfies.example/1.jpg" },
		"ImageURL must be an absolute https a":  func(p *cafsmartauth.IdentityParams) { p.ImageURL = "https:///1.jpg" },
		"ImageURL must be an absolute https ad": func(p *cafsmartauth.IdentityParams) { p.ImageURL = "https://user:pass@selfies.example/1.jpg" },
		"ImageURL":                              func(p *cafsmartauth.IdentityParams) { p.ImageURL = "file:///etc/passwd" },
		"Email must":                            func(p *cafsmartauth.IdentityParams) { p.Email = "Pessoa <pessoa@example.com>" },
		"Email":                                 func(p *cafsmartauth.IdentityParams) { p.Email = "nobody" },
		"Phone must":                            func(p *cafsmartauth.IdentityParams) { p.Phone = "1234567" },
		"Phone must be":                         func(p *cafsmartauth.IdentityParams) { p.Phone = "1234567890123456" },
		"Phone":                                 func(p *cafsmartauth.IdentityParams) { p.Phone = "55 11 ٩٩٩٩٩0000" },
		"Phone must be 8":                       func(p *cafsmartauth.IdentityParams) { p.Phone = "011 99999-0000" },
	} {
		p := person
		change(&p)
		_, err := client.CreateIdentity(t.Context(), p)
		require.ErrorIs(t, err, kyckit.ErrInvalid, field)
		var e *kyckit.Error
		require.ErrorAs(t, err, &e)
		assert.Truef(t, strings.HasPrefix(e.Reason, field), "%q does not begin with %q", e.Reason, field)
	}
	assert.Zero(t, fake.Count(cafsmartauthtest.OpIdentity))
}

func TestPitfallCreateIdentityTakesAny2xxAndNeedsAnId(t *testing.T) {
	fake, client := start(t)
	for _, status := range []int{200, 201, 202} {
		fake.Fail(cafsmartauthtest.OpIdentity, 1, kyctest.Fault{Status: status, Body: `{"id":"i1","requestId":"req-1"}`})
		got, err := client.CreateIdentity(t.Context(), person)
		require.NoError(t, err)
		assert.Equal(t, "i1", got.ID)
	}
	for _, body := range []string{`{}`, `{"id":""}`, `{"id":null,"requestId":"req-1"}`, ``, `[]`, `null`, `<html>`, `{"id":{"a":1}}`} {
		fake.Fail(cafsmartauthtest.OpIdentity, 1, kyctest.Fault{Status: 200, Body: body})
		_, err := client.CreateIdentity(t.Context(), person)
		require.ErrorIsf(t, err, kyckit.ErrOutcomeUnknown, "%q", body)
		require.ErrorIs(t, err, kyckit.ErrDecode)
	}
}

func TestPitfallCreateIdentityIsNeverRepeated(t *testing.T) {
	for name, fault := range map[string]kyctest.Fault{
		"500": {Status: 500}, "503": {Status: 503, Header: http.Header{"Retry-After": {"1"}}}, "408": {Status: 408},
		"lost answer": {LoseAnswer: true}, "hang up": {Hangup: true}, "cut answer": {Status: 200, Body: `{"id":`, Truncate: true},
		"no answer": {Delay: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake, client := start(t, func(c *cafsmartauth.Config) { c.HTTP.Retry.MaxAttempts = 9 })
				fake.Fail(cafsmartauthtest.OpIdentity, 1, fault)
				_, err := client.CreateIdentity(t.Context(), person)
				require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
				time.Sleep(time.Minute)
				assert.Equal(t, 1, fake.Count(cafsmartauthtest.OpIdentity))
				fake.Close()
			})
		})
	}
	for name, tc := range map[string]struct {
		status int
		is     error
	}{"400": {400, kyckit.ErrInvalid}, "403": {403, kyckit.ErrForbidden}, "409": {409, kyckit.ErrConflict}, "429": {429, kyckit.ErrRateLimited}} {
		fake, client := start(t)
		fake.Fail(cafsmartauthtest.OpIdentity, 1, kyctest.Fault{Status: tc.status})
		_, err := client.CreateIdentity(t.Context(), person)
		require.ErrorIs(t, err, tc.is, name)
		assert.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown, name)
		assert.Equal(t, 1, fake.Count(cafsmartauthtest.OpIdentity), name)
	}
}

func TestCreateIdentityCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, client := start(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := client.CreateIdentity(ctx, person)
		require.ErrorIs(t, err, context.Canceled)
		assert.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown, "nothing was sent")

		fake.Fail(cafsmartauthtest.OpIdentity, 1, kyctest.Fault{Delay: time.Minute})
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = client.CreateIdentity(ctx, person)
		require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		fake.Close()
	})
}

func TestAuthenticationIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, client := start(t)
		fake.SetAuthentication("a1", json.RawMessage(`{"id":"a1"}`))
		fake.Fail(cafsmartauthtest.OpAuthentication, 1, kyctest.Fault{Status: 503})
		fake.Fail(cafsmartauthtest.OpAuthentication, 2, kyctest.Fault{Hangup: true})
		a, err := client.Authentication(t.Context(), "a1")
		require.NoError(t, err)
		assert.Equal(t, "a1", a.ID)
		assert.Equal(t, 3, fake.Count(cafsmartauthtest.OpAuthentication))

		fake.Fail(cafsmartauthtest.OpAuthentication, 1, kyctest.Fault{Status: 200, Body: `[]`})
		_, err = client.Authentication(t.Context(), "a1")
		require.ErrorIs(t, err, kyckit.ErrDecode)
		_, err = client.Authentication(t.Context(), "unknown")
		require.ErrorIs(t, err, kyckit.ErrNotFound)
		fake.Close()
	})
}

func TestErrorsTakeTheRequestIdOfTheBody(t *testing.T) {
	fake, client := start(t)
	for body, want := range map[string]string{
		`{"requestId":"req-0a1b2c"}`:       "req-0a1b2c",
		`{"requestId":"000.111.222-85"}`:   "", // a CPF in the wrong place
		`{"requestId":"00011122285"}`:      "",
		`{"requestId":11122285}`:           "",
		`{"requestId":"Pessoa Inventada"}`: "",
		`{"requestId":["x"]}`:              "",
		`<html>`:                           "",
		``:                                 "",
	} {
		fake.Fail(cafsmartauthtest.OpAuthentication, 1, kyctest.Fault{Status: 400, Body: body})
		_, err := client.Authentication(t.Context(), "a1")
		var e *kyckit.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, want, e.RequestID, body)
		assert.Equal(t, body, string(e.Body()))
	}
}

func TestConcurrentUse(t *testing.T) {
	var log bytes.Buffer
	fake, client := start(t, func(c *cafsmartauth.Config) {
		c.HTTP.Logger = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	fake.SetAuthentication("a1", json.RawMessage(`{"id":"a1"}`))
	sdk := fake.SDK()
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 10 {
				token, err := client.Mint(cpf, time.Minute)
				assert.NoError(t, err)
				answer, err := sdk.VerifyPolicy(token.Access.Reveal(), cpf, policy, cafsmartauthtest.Authorized)
				assert.NoError(t, err)
				_, err = client.VerifyAnswer(answer, cafsmartauth.Expected{PersonID: cpf, PolicyID: policy})
				assert.NoError(t, err)
				_, err = client.VerifyAttestation(token.Access.Reveal(), cafsmartauth.Expected{PersonID: cpf, PolicyID: policy})
				assert.ErrorIs(t, err, cafsmartauth.ErrAccessToken)
				_, err = client.Authentication(t.Context(), "a1")
				assert.NoError(t, err)
			}
		})
	}
	wg.Wait()
}
