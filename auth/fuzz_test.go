package auth_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/auth/authtest"
)

// FuzzTokenAnswer gives the three exchanges whatever a server might answer.
func FuzzTokenAnswer(f *testing.F) {
	const date = "Sat, 01 Jan 2000 00:00:00 GMT"
	for _, body := range []string{
		`{"access_token":"tok","token_type":"Bearer","expires_in":3600}`,
		`{"access_token":"e30.eyJleHAiOjk0NjY4NDgwMCwiaWF0Ijo5NDY2ODQ4MDB9.x","token_type":"bearer"}`,
		`{"access_token":"e30.eyJleHAiOiJzb29uIn0.x","expires_in":"1e400"}`,
		`{"responseCode":0,"data":{"access_token":"tok","expires_in":"60"}}`,
		`{"status":false,"message":"no","statusCode":401}`,
		`{"detail":"LOGIN_BAD_CREDENTIALS"}`, `{"detail":[{"loc":["body",1]}]}`, `{"detail":{"code":"X_Y"}}`,
		`{"error":"invalid_client"}`, `<html>`, ``, `null`, `[]`, `{"access_token":{}}`,
	} {
		f.Add(200, date, body)
		f.Add(400, "", body)
	}
	f.Fuzz(func(t *testing.T, status int, date, body string) {
		if status < 200 || status > 599 {
			status = 200
		}
		h := kyckit.HTTP{Client: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			return &http.Response{
				StatusCode: status, Request: r, ContentLength: -1, Body: io.NopCloser(strings.NewReader(body)),
				Header: http.Header{"Date": {date}},
			}, nil
		})}}
		const secret = "pl4nted-s3cret"
		a, err := auth.NewClientCredentials(auth.ClientCredentialsConfig{
			TokenURL: "https://kyc.example.test/", ClientID: "id", ClientSecret: kyckit.NewSecret(secret), HTTP: h, Tuning: auth.Tuning{Timeout: 10 * time.Millisecond},
		})
		require.NoError(t, err)
		b, err := auth.NewPasswordLogin(auth.PasswordLoginConfig{
			LoginURL: "https://kyc.example.test/", Username: "u", Password: kyckit.NewSecret(secret), HTTP: h, Tuning: auth.Tuning{Timeout: 10 * time.Millisecond},
		})
		require.NoError(t, err)
		c, err := auth.NewJSONExchange(auth.JSONExchangeConfig{
			URL: "https://kyc.example.test/", Fields: fields(secret), Decode: authtest.DecodeJSON, HTTP: h, Tuning: auth.Tuning{Timeout: 10 * time.Millisecond},
		})
		require.NoError(t, err)
		for _, src := range []*auth.Cache{a, b, c} {
			tok, err := src.Token(t.Context())
			if err != nil {
				var e *kyckit.Error
				require.ErrorAs(t, err, &e)
				require.Error(t, e.Kind)
				continue
			}
			assert.Equal(t, 2, status/100)
			assert.NotEmpty(t, tok.Access.Reveal())
			assert.False(t, strings.ContainsAny(tok.Access.Reveal(), " \r\n\x00"))
			if !tok.Expiry.IsZero() {
				assert.Positive(t, time.Until(tok.Expiry.Add(time.Minute)))
			}
		}
	})
}
