package auth_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/auth/authtest"
	"github.com/kyckit/kyckit/internal/transport"
	"github.com/kyckit/kyckit/kyctest"
)

// post sends a body to the server's resource and returns status and echo.
func post(t *testing.T, c *http.Client, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if !assert.NoError(t, err) {
		return 0, ""
	}
	resp, err := c.Do(req)
	if !assert.NoError(t, err) {
		return 0, ""
	}
	defer resp.Body.Close() //nolint:errcheck // nothing is lost
	got, err := io.ReadAll(resp.Body)
	assert.NoError(t, err)
	assert.Empty(t, req.Header.Get("Authorization"), "the caller's request was changed")
	assert.Empty(t, resp.Request.Header.Get("Authorization"), "the answer carries the token")
	return resp.StatusCode, string(got)
}

func TestRevokedTokenCostsOneLoginAndNoCallerSeesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inMemory(t, authtest.Config{JWT: true, Latency: 20 * time.Millisecond})
		src, err := s.PasswordLogin(auth.Tuning{})
		require.NoError(t, err)
		client := &http.Client{Transport: auth.NewTransport(s.Client().Transport, src)}
		var wg sync.WaitGroup
		for w := range 64 {
			wg.Go(func() {
				for i := range 20 {
					body := fmt.Sprintf("worker %d call %d %s", w, i, strings.Repeat("x", w*100))
					status, echo := post(t, client, s.ResourceURL(), body)
					assert.Equal(t, 200, status)
					assert.Equal(t, body, echo)
					time.Sleep(10 * time.Millisecond)
				}
			})
		}
		time.Sleep(100 * time.Millisecond)
		require.Equal(t, 1, s.Exchanges())
		s.RevokeTokens()
		wg.Wait()
		assert.Equal(t, 2, s.Exchanges(), "one login at the start and one after the revocation")
		assert.Equal(t, 64*20, s.Accepted())
		assert.Positive(t, s.Refused(), "the revocation was never felt")
	})
}

func TestLate401ForAnOlderTokenKeepsTheNewOne(t *testing.T) {
	src := &counted{next: func(_ context.Context, n int) (auth.Token, error) {
		return token(fmt.Sprint("tok", n), time.Hour), nil
	}}
	c := newCache(t, src)
	first, err := c.Token(t.Context())
	require.NoError(t, err)
	c.Invalidate(first)
	second, err := c.Token(t.Context())
	require.NoError(t, err)
	c.Invalidate(first)
	c.Invalidate(auth.Token{})
	again, err := c.Token(t.Context())
	require.NoError(t, err)
	assert.Equal(t, second.Access.Reveal(), again.Access.Reveal())
	assert.EqualValues(t, 2, src.calls.Load())
}

func TestSecond401IsFinal(t *testing.T) {
	s := onLoopback(t, authtest.Config{})
	src, err := s.ClientCredentials(auth.Tuning{})
	require.NoError(t, err)
	s.Fail(authtest.OpResource, 0, kyctest.Fault{Status: 401})
	client := &http.Client{Transport: auth.NewTransport(s.Client().Transport, src)}
	status, _ := post(t, client, s.ResourceURL(), "x")
	assert.Equal(t, 401, status)
	assert.Equal(t, 2, s.Count(authtest.OpResource))
	assert.Equal(t, 2, s.Exchanges())
}

func TestRefusalOfAFakeWithoutABodyIsReplayed(t *testing.T) {
	var sent int
	rt := auth.NewTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
		if sent++; sent == 1 {
			return &http.Response{StatusCode: http.StatusUnauthorized, Request: r}, nil
		}
		return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody, Request: r}, nil
	}), newCache(t, auth.Static(kyckit.NewSecret("abc"))))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://kyc.example.test/", nil)
	require.NoError(t, err)
	resp, err := rt.RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, http.StatusNoContent, resp.StatusCode)
}

func TestTransportThatReturnsNothingIsReportedByNetHTTP(t *testing.T) {
	src := newCache(t, auth.Static(kyckit.NewSecret("abc")))
	for nothing := range 2 { // at once, or to the replay
		var sent int
		client := &http.Client{Transport: auth.NewTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
			if sent++; sent > nothing {
				return nil, nil
			}
			return &http.Response{StatusCode: http.StatusUnauthorized, Request: r}, nil
		}), src)}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://kyc.example.test/", nil)
		require.NoError(t, err)
		_, err = client.Do(req)
		require.Error(t, err)
	}
}

func Test403NeverTriggersALogin(t *testing.T) {
	s := onLoopback(t, authtest.Config{})
	src, err := s.PasswordLogin(auth.Tuning{})
	require.NoError(t, err)
	s.Fail(authtest.OpResource, 0, kyctest.Fault{Status: 403})
	client := &http.Client{Transport: auth.NewTransport(s.Client().Transport, src)}
	for range 3 {
		status, _ := post(t, client, s.ResourceURL(), "x")
		assert.Equal(t, 403, status)
	}
	assert.Equal(t, 3, s.Count(authtest.OpResource))
	assert.Equal(t, 1, s.Exchanges())
}

func TestBodyThatCannotBeRewoundIsNotReplayed(t *testing.T) {
	s := onLoopback(t, authtest.Config{})
	src, err := s.PasswordLogin(auth.Tuning{})
	require.NoError(t, err)
	_, err = src.Token(t.Context())
	require.NoError(t, err)
	s.RevokeTokens()
	client := &http.Client{Transport: auth.NewTransport(s.Client().Transport, src)}
	for _, want := range []int{401, 200} { // the refused token was dropped all the same
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.ResourceURL(), io.MultiReader(strings.NewReader("once")))
		require.NoError(t, err)
		require.Nil(t, req.GetBody)
		resp, err := client.Do(req)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, want, resp.StatusCode)
		if want == 401 {
			assert.JSONEq(t, `{"detail":"Unauthorized"}`, string(body))
		}
	}
}

func TestBodyThatFailsToRewindLeavesTheRefusal(t *testing.T) {
	s := onLoopback(t, authtest.Config{})
	src, err := s.PasswordLogin(auth.Tuning{})
	require.NoError(t, err)
	_, err = src.Token(t.Context())
	require.NoError(t, err)
	s.RevokeTokens()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.ResourceURL(), strings.NewReader("once"))
	require.NoError(t, err)
	req.GetBody = func() (io.ReadCloser, error) { return nil, errors.New("the file is gone") }
	resp, err := auth.NewTransport(s.Client().Transport, src).RoundTrip(req)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	assert.JSONEq(t, `{"detail":"Unauthorized"}`, string(body))
	assert.Equal(t, 1, s.Count(authtest.OpResource))
}

func TestTokenFailureMeansNothingWasSent(t *testing.T) {
	s := onLoopback(t, authtest.Config{})
	src, err := auth.NewPasswordLogin(auth.PasswordLoginConfig{
		LoginURL: s.LoginURL(), Username: "tester@example.test", Password: kyckit.NewSecret("wrong"), HTTP: s.HTTP(),
	})
	require.NoError(t, err)
	for name, src := range map[string]auth.Source{
		"cache": src, "nil": nil, "unsendable": auth.Static(kyckit.NewSecret("a\r\nb")), "empty": auth.Static(kyckit.Secret{}),
	} {
		t.Run(name, func(t *testing.T) {
			body := &closable{Reader: strings.NewReader("x")}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.ResourceURL(), body)
			require.NoError(t, err)
			_, err = auth.NewTransport(nil, src).RoundTrip(req)
			var notSent *transport.NotSentError
			require.ErrorAs(t, err, &notSent)
			var e *kyckit.Error
			require.ErrorAs(t, err, &e)
			assert.True(t, body.closed)
		})
	}
	assert.Zero(t, s.Count(authtest.OpResource))
}

func TestStaticSourceIsNotReplayed(t *testing.T) {
	s := onLoopback(t, authtest.Config{})
	client := &http.Client{Transport: auth.NewTransport(s.Client().Transport, auth.Static(kyckit.NewSecret("stale")))}
	status, _ := post(t, client, s.ResourceURL(), "x")
	assert.Equal(t, 401, status)
	assert.Equal(t, 1, s.Count(authtest.OpResource))
}

// sdkCalls returns a func that makes a call through the module's own path of
// calls; once says that the call must not be replayed.
func sdkCalls(t *testing.T) (s *authtest.Server, call func(once bool) error) {
	t.Helper()
	s = onLoopback(t, authtest.Config{})
	src, err := s.ClientCredentials(auth.Tuning{})
	require.NoError(t, err)
	client, err := transport.New(transport.Config{
		Provider: "demo", BaseURL: s.URL, HTTP: s.HTTP(),
		Authorize: func(next http.RoundTripper) http.RoundTripper { return auth.NewTransport(next, src) },
	})
	require.NoError(t, err)
	call = func(once bool) error {
		_, err := client.Do(t.Context(), &transport.Call{
			Op: "demo", Method: http.MethodPost, Path: "/resource", Body: transport.Body{Bytes: []byte("hello")}, Once: once,
		})
		return err
	}
	require.NoError(t, call(false))
	s.RevokeTokens()
	return s, call
}

func TestACallThatIsNotRepeatableIsReplayedAfterA401(t *testing.T) {
	_, call := sdkCalls(t)
	require.NoError(t, call(false))
}

func TestOnceForbidsTheReplay(t *testing.T) {
	s, call := sdkCalls(t)
	before := s.Count(authtest.OpResource)
	err := call(true)
	require.ErrorIs(t, err, kyckit.ErrUnauthorized)
	require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
	assert.Equal(t, before+1, s.Count(authtest.OpResource))
	require.NoError(t, call(true), "the refused token was dropped")
}

func TestNothingIsSentWithoutAToken(t *testing.T) {
	s, call := sdkCalls(t)
	s.Fail(authtest.OpToken, 0, kyctest.Fault{Status: 400, Body: `{"error":"invalid_client"}`})
	err := call(false)
	require.ErrorIs(t, err, kyckit.ErrUnauthorized)
	require.NotErrorIs(t, err, kyckit.ErrOutcomeUnknown)
	before := s.Count(authtest.OpResource)
	err = call(false)
	require.ErrorIs(t, err, kyckit.ErrUnauthorized)
	assert.Equal(t, before, s.Count(authtest.OpResource))
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type closable struct {
	io.Reader
	closed bool
}

func (c *closable) Close() error { c.closed = true; return nil }

// A program with its own http.Client sees why nothing was sent.
func TestTheReasonForNotSendingIsTold(t *testing.T) {
	src := auth.SourceFunc(func(context.Context) (auth.Token, error) {
		return auth.Token{}, &kyckit.Error{Provider: "auth", Op: "token", Kind: kyckit.ErrUnauthorized, Code: "invalid_client"}
	})
	client := &http.Client{Transport: auth.NewTransport(nil, src)}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://kyckit.invalid/", nil)
	require.NoError(t, err)
	_, err = client.Do(req)
	require.ErrorIs(t, err, kyckit.ErrUnauthorized)
	assert.Contains(t, err.Error(), "request not sent: auth: token: unauthorized (code invalid_client)")
}

func TestANilSourceFuncIsRefused(t *testing.T) {
	_, err := auth.SourceFunc(nil).Token(t.Context())
	require.ErrorIs(t, err, kyckit.ErrInvalid)
}

func TestACacheThatNoConstructorMadeIsRefused(t *testing.T) {
	for name, c := range map[string]*auth.Cache{"nil": nil, "zero": {}} {
		_, err := c.Token(t.Context())
		require.ErrorIs(t, err, kyckit.ErrInvalid, name)
		c.Invalidate(auth.Token{})
		require.NoError(t, c.Close(), name)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://kyc.example.test/", nil)
		require.NoError(t, err)
		_, err = auth.NewTransport(nil, c).RoundTrip(req)
		require.ErrorIs(t, err, kyckit.ErrInvalid, name)
	}
}
