package auth_test

import (
	"bytes"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/auth/authtest"
	"github.com/kyckit/kyckit/internal/leaktest"
	"github.com/kyckit/kyckit/kyctest"
)

func fields(secret string) map[string]kyckit.Secret {
	return map[string]kyckit.Secret{"clientId": kyckit.NewSecret("test-client"), "clientSecret": kyckit.NewSecret(secret)}
}

func TestJSONExchangeSendsAnObject(t *testing.T) {
	s := onLoopback(t, authtest.Config{})
	src, err := s.JSONExchange(auth.Tuning{})
	require.NoError(t, err)
	_, err = src.Token(t.Context())
	require.NoError(t, err)
	req := s.Requests(authtest.OpJSON)[0]
	assert.Equal(t, "POST", req.Method)
	assert.Empty(t, req.Query)
	assert.JSONEq(t, `{"clientId":"test-client","clientSecret":"test-secret"}`, string(req.Body))
}

func TestLegacyQueryCredentialsStayOutOfErrorsAndLogs(t *testing.T) {
	const secret = "query-s3cret"
	for name, fault := range map[string]kyctest.Fault{
		"none":   {},
		"hangup": {Hangup: true},
		"500":    {Status: 500},
		"302":    {Status: 302, Header: map[string][]string{"Location": {"https://elsewhere.example.test/"}}},
		"html":   {Status: 200, Body: "<html>"},
		"422":    {Status: 422, Body: `{"status":false,"message":"query-s3cret is wrong","statusCode":422}`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := inMemory(t, authtest.Config{ClientSecret: secret})
				if name != "none" {
					s.Fail(authtest.OpJSON, 0, fault)
				}
				var log bytes.Buffer
				logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
				h := s.HTTP()
				h.Logger = logger
				src, err := auth.NewJSONExchange(auth.JSONExchangeConfig{
					URL: s.JSONURL(), Fields: fields(secret), LegacyQueryCredentials: true, Decode: authtest.DecodeJSON, HTTP: h,
					Tuning: auth.Tuning{Logger: logger},
				})
				require.NoError(t, err)
				_, err = src.Token(t.Context())
				if name == "none" {
					require.NoError(t, err)
					req := s.Requests(authtest.OpJSON)[0]
					assert.Equal(t, "GET", req.Method)
					assert.Equal(t, secret, req.Query.Get("clientSecret"))
					assert.Empty(t, req.Body)
				} else {
					require.Error(t, err)
					leaktest.Silent(t, name, leaktest.Printed(err)+leaktest.Encoded(err), secret)
				}
				assert.NotEmpty(t, log.String())
				assert.NotContains(t, log.String(), secret)
			})
		})
	}
}

func TestFailingEnvelopes(t *testing.T) {
	for _, tc := range []struct {
		status int
		body   string
		kind   error
	}{
		{200, `{"status":false,"message":"the client id is missing","statusCode":422,"data":{}}`, kyckit.ErrInvalid},
		{422, `{"status":false,"message":"the client id is missing","statusCode":422,"data":{}}`, kyckit.ErrInvalid},
		{200, `{"status":false,"statusCode":401}`, kyckit.ErrUnauthorized},
		{400, `{"status":false,"statusCode":401}`, kyckit.ErrUnauthorized},
		{503, `{"status":false,"statusCode":401}`, kyckit.ErrUnavailable},
		{429, `{"status":false,"statusCode":401}`, kyckit.ErrRateLimited},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := inMemory(t, authtest.Config{})
			s.Fail(authtest.OpJSON, 0, kyctest.Fault{Status: tc.status, Body: tc.body, Header: map[string][]string{"X-Request-Id": {"req-1"}}})
			src, err := s.JSONExchange(auth.Tuning{})
			require.NoError(t, err)
			_, err = src.Token(t.Context())
			require.ErrorIs(t, err, tc.kind, tc.body)
			var e *kyckit.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, tc.status, e.StatusCode)
			assert.Equal(t, "req-1", e.RequestID)
			assert.Equal(t, "auth", e.Provider)
			assert.JSONEq(t, tc.body, string(e.Body()))
			assert.NotContains(t, e.Error(), "client id")
		})
	}
}

func TestForeignErrorsOfDecodeLoseTheirText(t *testing.T) {
	s := onLoopback(t, authtest.Config{})
	src, err := auth.NewJSONExchange(auth.JSONExchangeConfig{
		Provider: "demo", URL: s.JSONURL(), Fields: fields("test-secret"), HTTP: s.HTTP(),
		Decode: func(body []byte) (auth.JSONToken, error) {
			return auth.JSONToken{}, errors.New("quoting " + string(body))
		},
	})
	require.NoError(t, err)
	_, err = src.Token(t.Context())
	require.ErrorIs(t, err, kyckit.ErrDecode)
	leaktest.Silent(t, "the error", leaktest.Printed(err)+leaktest.Encoded(err), "test-token")
	var e *kyckit.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, "demo", e.Provider)
}
