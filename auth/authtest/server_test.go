package authtest_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/auth/authtest"
	"github.com/kyckit/kyckit/internal/testhttp"
	"github.com/kyckit/kyckit/kyctest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func send(t *testing.T, s *authtest.Server, method, target, contentType, body string, header ...string) (*http.Response, string) {
	t.Helper()
	if contentType != "" {
		header = append(header, "Content-Type", contentType)
	}
	return testhttp.Send(t, s.Client(), method, target, body, header...)
}

const form = "application/x-www-form-urlencoded"

func TestTheServerRefusesWrongClients(t *testing.T) {
	s := authtest.NewServer(authtest.Config{})
	defer s.Close()
	login := url.Values{"username": {"tester@example.test"}, "password": {"test-password"}}.Encode()
	for _, tc := range []struct {
		method, target, contentType, body string
		status                            int
		contains                          string
	}{
		{"POST", s.TokenURL(), form, "grant_type=client_credentials&client_id=test-client&client_secret=test-secret", 200, `"expires_in":3600`},
		{"POST", s.TokenURL(), form, "client_id=test-client&client_secret=test-secret", 400, "unsupported_grant_type"},
		{"POST", s.TokenURL(), form, "grant_type=client_credentials&client_id=test-client&client_secret=wrong", 401, "invalid_client"},
		{"POST", s.TokenURL(), form, "grant_type=client_credentials&client_id=test-client&client_id=test-client&client_secret=test-secret", 400, "invalid_request"},
		{"POST", s.TokenURL(), "application/json", `{"client_id":"test-client"}`, 400, "invalid_request"},
		{"POST", s.TokenURL() + "?client_secret=test-secret", form, "grant_type=client_credentials&client_id=test-client", 400, "invalid_request"},
		{"GET", s.TokenURL(), "", "", 405, "invalid_request"},
		{"POST", s.JSONURL(), "application/json", `{"clientId":"test-client","clientSecret":"test-secret"}`, 200, `"responseCode":0`},
		{"POST", s.JSONURL(), "application/json", `{"clientSecret":"test-secret"}`, 422, "client id is missing"},
		{"POST", s.JSONURL(), "application/json", `{"clientId":"test-client"}`, 422, "client secret is missing"},
		{"POST", s.JSONURL(), "application/json", `{"clientId":"test-client","clientSecret":"wrong"}`, 401, `"status":false`},
		{"POST", s.JSONURL(), form, `clientId=test-client`, 400, `"status":false`},
		{"POST", s.JSONURL() + "?clientId=test-client", "application/json", `{}`, 400, `"status":false`},
		{"GET", s.JSONURL() + "?clientId=test-client&clientSecret=test-secret", "", "", 200, `"responseCode":0`},
		{"POST", s.JSONURL(), "application/jsonp", `{"clientId":"test-client","clientSecret":"test-secret"}`, 400, `"status":false`},
		{"POST", s.JSONURL(), "application/json; charset=utf-16", `{"clientId":"test-client","clientSecret":"test-secret"}`, 400, `"status":false`},
		{"POST", s.JSONURL(), "application/json", `{"clientId":"test-client","clientSecret":"test-secret"}{}`, 400, `"status":false`},
		{"PUT", s.JSONURL(), "application/json", `{}`, 405, `"status":false`},
		{"POST", s.LoginURL(), form, login, 200, `"token_type":"bearer"`},
		{"POST", s.LoginURL(), form, login + "&grant_type=password&extra=1", 200, `"access_token"`},
		{"POST", s.LoginURL(), form, strings.Replace(login, "tester", "TESTER", 1), 200, `"access_token"`},
		{"POST", s.LoginURL(), form, "password=x&" + login + "&password=test-password", 200, `"access_token"`},
		{"POST", s.LoginURL(), form, "username=&password=&" + login, 200, `"access_token"`},
		{"POST", s.LoginURL(), form, login + "&password=", 422, `"loc":["body","password"]`},
		{"POST", s.LoginURL(), form, "username=tester%40example.test&password=wrong", 400, `{"detail":"LOGIN_BAD_CREDENTIALS"}`},
		{"POST", s.LoginURL(), form, "username=tester%40example.test&password=", 422, `"loc":["body","password"]`},
		{"POST", s.LoginURL(), form, login + "&grant_type=client_credentials", 422, `"loc":["body","grant_type"]`},
		{"POST", s.LoginURL(), "application/json", `{"username":"tester@example.test"}`, 422, `"loc":["body","username"]`},
		{"GET", s.LoginURL(), "", "", 405, `Method Not Allowed`},
		{"POST", s.LoginURL() + "/", form, login, 307, ""},
		{"GET", s.ResourceURL(), "", "", 401, `{"detail":"Unauthorized"}`},
	} {
		resp, body := send(t, s, tc.method, tc.target, tc.contentType, tc.body)
		assert.Equal(t, tc.status, resp.StatusCode, "%s %s %s", tc.method, tc.target, tc.body)
		assert.Contains(t, body, tc.contains)
		assert.NotContains(t, body, `"password":"test-password"`)
	}
	_, body := send(t, s, "POST", s.TokenURL(), form, "grant_type=client_credentials&client_id=test-client&client_secret=test-secret",
		"Authorization", "Basic dGVzdC1jbGllbnQ6dGVzdC1zZWNyZXQ=")
	assert.Contains(t, body, "invalid_request", "credentials in two places")
	resp, _ := send(t, s, "POST", s.TokenURL(), form, "grant_type=client_credentials", "Authorization", "Basic eDp5")
	assert.Equal(t, `401 Basic realm="test"`, fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("WWW-Authenticate")))
	resp, _ = send(t, s, "POST", s.TokenURL(), form, "grant_type=client_credentials", "Authorization", "Basic dGVzdC1jbGllbnQ6dGVzdC1zZWNyZXQ=")
	assert.Equal(t, 200, resp.StatusCode)
}

func TestTokensLiveAndDie(t *testing.T) {
	s := authtest.NewServer(authtest.Config{JWT: true, IAT: true, ClockSkew: time.Hour})
	defer s.Close()
	src, err := s.PasswordLogin(auth.Tuning{})
	require.NoError(t, err)
	tok, err := src.Token(t.Context())
	require.NoError(t, err)
	access := tok.Access.Reveal()
	assert.Equal(t, 2, strings.Count(access, "."))
	assert.True(t, s.Living(access))
	resp, body := send(t, s, "POST", s.ResourceURL(), "text/plain", "hello", "Authorization", "bearer "+access)
	assert.Equal(t, 200, resp.StatusCode)
	assert.Equal(t, "hello", body)
	date, err := http.ParseTime(resp.Header.Get("Date"))
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now().Add(time.Hour), date, 5*time.Second, "the server's clock is an hour ahead")
	s.Revoke(access)
	assert.False(t, s.Living(access))
	resp, _ = send(t, s, "GET", s.ResourceURL(), "", "", "Authorization", "Bearer "+access)
	assert.Equal(t, 401, resp.StatusCode)
	assert.Equal(t, 1, s.Accepted())
	assert.Equal(t, 1, s.Refused())
	assert.Equal(t, 1, s.Exchanges())

	short := authtest.NewServer(authtest.Config{Lifetime: time.Nanosecond})
	defer short.Close()
	_, body = send(t, short, "POST", short.TokenURL(), form, "grant_type=client_credentials&client_id=test-client&client_secret=test-secret")
	assert.NotEmpty(t, body)
	assert.False(t, short.Living("test-token-0-1"))
}

// A token endpoint that is down for a while: the caller does not notice.
func ExampleServer() {
	server := authtest.NewServer(authtest.Config{Lifetime: time.Minute})
	defer server.Close()
	server.Fail(authtest.OpToken, 1, kyctest.Fault{Status: http.StatusServiceUnavailable})

	source, err := server.ClientCredentials(auth.Tuning{})
	if err != nil {
		fmt.Println(err)
		return
	}
	request, err := http.NewRequest(http.MethodGet, server.ResourceURL(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	client := &http.Client{Transport: auth.NewTransport(server.Client().Transport, source)}
	resp, err := client.Do(request)
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = resp.Body.Close()
	fmt.Println(resp.StatusCode, "after", server.Exchanges(), "exchanges")
	// Output: 200 after 2 exchanges
}
