package cafsmartauthtest_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kyckit/kyckit/cafsmartauth"
	"github.com/kyckit/kyckit/cafsmartauth/cafsmartauthtest"
	"github.com/kyckit/kyckit/internal/testhttp"
	"github.com/kyckit/kyckit/kyctest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// token signs by hand, apart from the fake and from the package it fakes.
func token(secret, header, claims string) string {
	enc := base64.RawURLEncoding
	signed := enc.EncodeToString([]byte(header)) + "." + enc.EncodeToString([]byte(claims))
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(mac, signed)
	return signed + "." + enc.EncodeToString(mac.Sum(nil))
}

func send(t *testing.T, fake *cafsmartauthtest.Server, method, path, contentType, body, authorization string) (int, string) {
	t.Helper()
	resp, got := testhttp.Send(t, fake.Client(), method, fake.URL+path, body, "Content-Type", contentType, "Authorization", authorization)
	return resp.StatusCode, got
}

const header = `{"alg":"HS256","typ":"JWT"}`

func TestWrongBearersAreRefused(t *testing.T) {
	fake := cafsmartauthtest.NewServer(cafsmartauthtest.Config{})
	defer fake.Close()
	fake.SetAuthentication("known", json.RawMessage(`{"id":"known"}`))
	exp := time.Now().Add(time.Hour).Unix()
	signed := func(claims string) string { return token(cafsmartauthtest.ClientSecret, header, claims) }
	iss := `"iss":"` + cafsmartauthtest.ClientID + `"`
	good := signed(fmt.Sprintf(`{%s,"exp":%d,"personId":"00011122285"}`, iss, exp))
	for name, authorization := range map[string]string{
		"none":              "",
		"token alone":       good,
		"Basic":             "Basic " + good,
		"cut":               "Bearer " + good[:len(good)-1],
		"no iss":            "Bearer " + signed(fmt.Sprintf(`{"exp":%d}`, exp)),
		"other iss":         "Bearer " + signed(fmt.Sprintf(`{"iss":"x","exp":%d}`, exp)),
		"no exp":            "Bearer " + signed(`{`+iss+`}`),
		"exp as text":       "Bearer " + signed(fmt.Sprintf(`{%s,"exp":"%d"}`, iss, exp)),
		"exp in ms":         "Bearer " + signed(fmt.Sprintf(`{%s,"exp":%d000}`, iss, exp)),
		"expired":           "Bearer " + signed(fmt.Sprintf(`{%s,"exp":%d}`, iss, time.Now().Unix())),
		"peopleId":          "Bearer " + signed(fmt.Sprintf(`{%s,"exp":%d,"peopleId":"00011122285"}`, iss, exp)),
		"personId a number": "Bearer " + signed(fmt.Sprintf(`{%s,"exp":%d,"personId":11122285}`, iss, exp)),
		"other secret":      "Bearer " + token("another-made-up-secret", header, fmt.Sprintf(`{%s,"exp":%d}`, iss, exp)),
		"decoded secret":    "Bearer " + token(base64.StdEncoding.EncodeToString([]byte(cafsmartauthtest.ClientSecret)), header, fmt.Sprintf(`{%s,"exp":%d}`, iss, exp)),
		"other algorithm":   "Bearer " + token(cafsmartauthtest.ClientSecret, `{"alg":"none","typ":"JWT"}`, fmt.Sprintf(`{%s,"exp":%d}`, iss, exp)),
	} {
		status, body := send(t, fake, "GET", "/authentications/known", "", "", authorization)
		assert.Equal(t, 401, status, name)
		assert.Contains(t, body, "Unauthorized", name)
		assert.Contains(t, body, "requestId", name)
	}
	status, body := send(t, fake, "GET", "/authentications/known", "", "", "Bearer "+good)
	assert.Equal(t, `200 {"id":"known"}`, fmt.Sprint(status, " ", body))
	status, body = send(t, fake, "GET", "/authentications/unknown", "", "", "Bearer "+good)
	assert.Equal(t, 404, status)
	assert.Contains(t, body, "requestId")
	assert.Len(t, fake.Requests(cafsmartauthtest.OpAuthentication), 17)
}

func TestWrongIdentitiesAreRefused(t *testing.T) {
	fake := cafsmartauthtest.NewServer(cafsmartauthtest.Config{})
	defer fake.Close()
	good := "Bearer " + token(cafsmartauthtest.ClientSecret, header,
		fmt.Sprintf(`{"iss":%q,"exp":%d}`, cafsmartauthtest.ClientID, time.Now().Add(time.Hour).Unix()))
	const body = `{"name":"Pessoa Inventada","personId":"00011122285","imageUrl":"https://selfies.example/1.jpg"}`
	with := func(member string) string { return `{` + member + `,` + body[1:] }
	const jsonType = "application/json"
	for _, tc := range []struct {
		name, method, path, contentType, body string
		status                                int
	}{
		{"good", "POST", "/identities", jsonType, body, 200},
		{"sent again", "POST", "/identities", "application/json; charset=UTF-8", body, 200},
		{"punctuated", "POST", "/identities", jsonType, strings.Replace(body, "00011122285", "000.111.222-85", 1), 200},
		{"phone in quotes", "POST", "/identities", jsonType, with(`"phone":"5511999999999"`), 200},
		{"phone bare", "POST", "/identities", jsonType, with(`"phone":5511999999999`), 200},
		{"phone with signs", "POST", "/identities", jsonType, with(`"phone":"+55 11 99999"`), 400},
		{"phone an object", "POST", "/identities", jsonType, with(`"phone":{}`), 400},
		{"email a number", "POST", "/identities", jsonType, with(`"email":1`), 400},
		{"unknown field", "POST", "/identities", jsonType, with(`"peopleId":"1"`), 400},
		{"CPF a number", "POST", "/identities", jsonType, strings.Replace(body, `"00011122285"`, `11122285`, 1), 400},
		{"CPF too short", "POST", "/identities", jsonType, strings.Replace(body, `00011122285`, `11122285`, 1), 400},
		{"no name", "POST", "/identities", jsonType, strings.Replace(body, "Pessoa Inventada", "", 1), 400},
		{"image itself", "POST", "/identities", jsonType, strings.Replace(body, "https://selfies.example/1.jpg", "data:image/jpeg;base64,AAAA", 1), 400},
		{"two values", "POST", "/identities", jsonType, body + body, 400},
		{"as text", "POST", "/identities", "text/plain", body, 400},
		{"other charset", "POST", "/identities", "application/json; charset=iso-8859-1", body, 400},
		{"form", "POST", "/identities", "application/x-www-form-urlencoded", "name=x", 400},
		{"no body", "POST", "/identities", jsonType, "", 400},
		{"other method", "PUT", "/identities", jsonType, body, 405},
		{"a slash too many", "POST", "/identities/", jsonType, body, 404},
	} {
		status, answer := send(t, fake, tc.method, tc.path, tc.contentType, tc.body, good)
		assert.Equal(t, tc.status, status, "%s: %s", tc.name, answer)
	}
	assert.Len(t, fake.Identities(), 5)
	assert.Len(t, fake.Requests(kyctest.OpOther), 2)
}

func TestInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := cafsmartauthtest.NewServer(cafsmartauthtest.Config{Options: kyctest.Options{InMemory: true}})
		defer fake.Close()
		client, err := cafsmartauth.New(fake.ClientConfig())
		require.NoError(t, err)
		access, err := client.Mint("00011122285", time.Minute)
		require.NoError(t, err)
		answer, err := fake.SDK().VerifyPolicy(access.Access.Reveal(), "00011122285", "login", cafsmartauthtest.Authorized)
		require.NoError(t, err)
		_, err = client.Authentication(t.Context(), answer.AttemptID)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		_, err = fake.SDK().VerifyPolicy(access.Access.Reveal(), "00011122285", "login", cafsmartauthtest.Authorized)
		require.Error(t, err, "the access token is over")
		time.Sleep(2 * cafsmartauthtest.AttestationTTL)
		_, err = client.VerifyAnswer(answer, cafsmartauth.Expected{PersonID: "00011122285", PolicyID: "login"})
		require.ErrorIs(t, err, cafsmartauth.ErrExpired)
	})
}
