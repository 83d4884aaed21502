package kycjwttest_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kyckit/kyckit/internal/testhttp"
	"github.com/kyckit/kyckit/kycjwt/kycjwttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const formType = "application/x-www-form-urlencoded"

func start(t *testing.T, cfg kycjwttest.Config) *kycjwttest.Server {
	t.Helper()
	if cfg.Users == nil {
		cfg.Users = []kycjwttest.User{{Username: "user@x.example", Password: "p+w"}}
	}
	fake := kycjwttest.NewServer(cfg)
	t.Cleanup(fake.Close)
	return fake
}

func send(t *testing.T, fake *kycjwttest.Server, method, path, contentType, body string, header ...string) (*http.Response, string) {
	t.Helper()
	if contentType != "" {
		header = append(header, "Content-Type", contentType)
	}
	resp, got := testhttp.Send(t, fake.Client(), method, fake.URL+path, body, header...)
	return resp, strings.TrimSpace(got)
}

func form(pairs ...string) string {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v.Encode()
}

func tokenOf(t *testing.T, fake *kycjwttest.Server) string {
	t.Helper()
	resp, body := send(t, fake, "POST", "/auth/jwt/login", formType, form("username", "user@x.example", "password", "p+w"))
	require.Equal(t, 200, resp.StatusCode, body)
	var out struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &out))
	require.Equal(t, "bearer", out.TokenType)
	return out.AccessToken
}

func TestLoginAnswersAsFastAPIUsersDoes(t *testing.T) {
	var multi bytes.Buffer
	w := multipart.NewWriter(&multi)
	_ = w.WriteField("username", "user@x.example")
	_ = w.WriteField("password", "p+w")
	_ = w.Close()
	const bad, missingName = `{"detail":"LOGIN_BAD_CREDENTIALS"}`, `{"detail":[{"input":null,"loc":["body","username"],"msg":"Field required","type":"missing"}]}`
	good := form("username", "user@x.example", "password", "p+w")
	for _, c := range []struct {
		name, method, path, contentType, body string
		status                                int
		answer                                string // "" means not compared
	}{
		{"fine", "POST", "/auth/jwt/login", formType, good, 200, ""},
		{"charset", "POST", "/auth/jwt/login", formType + "; charset=utf-8", good, 200, ""},
		{"multipart", "POST", "/auth/jwt/login", w.FormDataContentType(), multi.String(), 200, ""},
		{"extra fields", "POST", "/auth/jwt/login", formType, good + "&scope=x", 200, ""},
		{"grant type", "POST", "/auth/jwt/login", formType, good + "&grant_type=password", 200, ""},
		{"empty grant type", "POST", "/auth/jwt/login", formType, good + "&grant_type=", 200, ""},
		{"upper case", "POST", "/auth/jwt/login", formType, form("username", "USER@X.example", "password", "p+w"), 200, ""},
		{"username twice, last wins", "POST", "/auth/jwt/login", formType, "username=other&" + good, 200, ""},
		{"wrong password", "POST", "/auth/jwt/login", formType, form("username", "user@x.example", "password", "x"), 400, bad},
		{"unknown user", "POST", "/auth/jwt/login", formType, form("username", "nobody", "password", "p+w"), 400, bad},
		{"plus not escaped", "POST", "/auth/jwt/login", formType, "username=user@x.example&password=p+w", 400, bad},
		{"missing username", "POST", "/auth/jwt/login", formType, form("password", "p+w"), 422, missingName},
		{"empty username", "POST", "/auth/jwt/login", formType, form("username", "", "password", "p+w"), 422, missingName},
		{"JSON", "POST", "/auth/jwt/login", "application/json", `{"username":"user@x.example","password":"p+w"}`, 422, ""},
		{"empty body", "POST", "/auth/jwt/login", "", "", 422, ""},
		{"other grant", "POST", "/auth/jwt/login", formType, good + "&grant_type=client_credentials", 422, `{"detail":[{"loc":["body","grant_type"],
			"msg":"String should match pattern '^password$'","type":"string_pattern_mismatch","input":"client_credentials","ctx":{"pattern":"^password$"}}]}`},
		{"GET", "GET", "/auth/jwt/login", "", "", 405, `{"detail":"Method Not Allowed"}`},
		{"trailing slash", "POST", "/auth/jwt/login/", formType, good, 307, ""},
		{"refresh", "POST", "/auth/jwt/refresh", formType, good, 404, `{"detail":"Not Found"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			fake := start(t, kycjwttest.Config{})
			resp, body := send(t, fake, c.method, c.path, c.contentType, c.body)
			assert.Equal(t, c.status, resp.StatusCode, body)
			if c.answer != "" {
				assert.JSONEq(t, c.answer, body)
			}
			switch c.status {
			case 405:
				assert.Equal(t, "POST", resp.Header.Get("Allow"))
			case 307:
				assert.Equal(t, fake.URL+"/auth/jwt/login", resp.Header.Get("Location"))
				assert.Empty(t, body)
			}
		})
	}
}

func TestTheOlderGenerationEchoesNothing(t *testing.T) {
	fake := start(t, kycjwttest.Config{Pydantic1: true})
	_, body := send(t, fake, "POST", "/auth/jwt/login", formType, form("password", "p+w", "grant_type", "x"))
	assert.JSONEq(t, `{"detail":[
		{"loc":["body","grant_type"],"msg":"string does not match regex \"password\"","type":"value_error.str.regex","ctx":{"pattern":"password"}},
		{"loc":["body","username"],"msg":"field required","type":"value_error.missing"}]}`, body)
}

func TestInactiveAndUnverifiedUsers(t *testing.T) {
	login := form("username", "user@x.example", "password", "p+w")
	for _, required := range []bool{false, true} {
		fake := start(t, kycjwttest.Config{RequireVerified: required})
		token := tokenOf(t, fake)
		fake.SetVerified("user@x.example", false)
		resp, body := send(t, fake, "POST", "/auth/jwt/login", formType, login)
		use, useBody := send(t, fake, "GET", "/api/v1/webhooks", "", "", "Authorization", "Bearer "+token)
		if required {
			assert.Equal(t, 400, resp.StatusCode)
			assert.JSONEq(t, `{"detail":"LOGIN_USER_NOT_VERIFIED"}`, body)
			assert.Equal(t, 403, use.StatusCode)
			assert.JSONEq(t, `{"detail":"Forbidden"}`, useBody)
			_, body = send(t, fake, "POST", "/auth/jwt/login", formType, form("username", "user@x.example", "password", "x"))
			assert.JSONEq(t, `{"detail":"LOGIN_BAD_CREDENTIALS"}`, body, "a wrong password comes first")
		} else {
			assert.Equal(t, 200, resp.StatusCode)
			assert.Equal(t, 200, use.StatusCode)
		}
		fake.SetActive("user@x.example", false)
		_, body = send(t, fake, "POST", "/auth/jwt/login", formType, login)
		assert.JSONEq(t, `{"detail":"LOGIN_BAD_CREDENTIALS"}`, body)
		use, _ = send(t, fake, "GET", "/api/v1/webhooks", "", "", "Authorization", "Bearer "+token)
		assert.Equal(t, 401, use.StatusCode)
	}
}

func TestEveryBadTokenLooksAlike(t *testing.T) {
	fake := start(t, kycjwttest.Config{})
	token := tokenOf(t, fake)
	resp, _ := send(t, fake, "GET", "/api/v1/webhooks", "", "", "Authorization", "bEARER "+token)
	require.Equal(t, 200, resp.StatusCode, "the scheme is case-insensitive")
	parts := strings.Split(token, ".")
	tampered := "A" + parts[2][1:]
	if tampered == parts[2] {
		tampered = "B" + parts[2][1:]
	}
	for _, header := range []string{"", "Basic dTpw", token, "Bearer", "Bearer x", "Bearer a.b.c", "Bearer " + parts[0] + "." + parts[1] + ".", "Bearer " + parts[0] + "." + parts[1] + "." + tampered} {
		resp, body := send(t, fake, "GET", "/api/v1/webhooks", "", "", "Authorization", header)
		assert.Equal(t, 401, resp.StatusCode, header)
		assert.JSONEq(t, `{"detail":"Unauthorized"}`, body)
		assert.Empty(t, resp.Header.Get("WWW-Authenticate"))
	}
	fake.RevokeTokens()
	resp, _ = send(t, fake, "GET", "/api/v1/webhooks", "", "", "Authorization", "Bearer "+token)
	assert.Equal(t, 401, resp.StatusCode)
}

func TestTokensAreJWTsWithExpAndAnAudienceList(t *testing.T) {
	before := time.Now().Unix()
	fake := start(t, kycjwttest.Config{TokenLifetime: time.Minute, ClockSkew: time.Hour})
	parts := strings.Split(tokenOf(t, fake), ".")
	require.Len(t, parts, 3)
	decode := func(s string) map[string]any {
		raw, err := base64.RawURLEncoding.DecodeString(s)
		require.NoError(t, err)
		var m map[string]any
		require.NoError(t, json.Unmarshal(raw, &m))
		return m
	}
	assert.Equal(t, map[string]any{"alg": "HS256", "typ": "JWT"}, decode(parts[0]))
	claims := decode(parts[1])
	assert.Equal(t, []any{"fastapi-users:auth"}, claims["aud"])
	assert.Len(t, claims, 3, "sub, aud, exp and nothing else")
	assert.InDelta(t, before+3660, claims["exp"], 30)

	forever := start(t, kycjwttest.Config{TokenLifetime: -1})
	assert.NotContains(t, decode(strings.Split(tokenOf(t, forever), ".")[1]), "exp")
	opaque := start(t, kycjwttest.Config{Opaque: true})
	assert.NotContains(t, tokenOf(t, opaque), ".")
}

func TestATokenExpires(t *testing.T) {
	for _, opaque := range []bool{false, true} {
		fake := start(t, kycjwttest.Config{Opaque: opaque, TokenLifetime: time.Nanosecond})
		resp, _ := send(t, fake, "GET", "/api/v1/webhooks", "", "", "Authorization", "Bearer "+tokenOf(t, fake))
		assert.Equal(t, 401, resp.StatusCode)
	}
}

func TestLogoutLeavesTheTokenValid(t *testing.T) {
	fake := start(t, kycjwttest.Config{})
	token := tokenOf(t, fake)
	resp, _ := send(t, fake, "POST", "/auth/jwt/logout", "", "", "Authorization", "Bearer "+token)
	assert.Equal(t, 204, resp.StatusCode)
	resp, _ = send(t, fake, "GET", "/api/v1/webhooks", "", "", "Authorization", "Bearer "+token)
	assert.Equal(t, 200, resp.StatusCode)
	resp, _ = send(t, fake, "POST", "/auth/jwt/logout", "", "")
	assert.Equal(t, 401, resp.StatusCode)
	resp, _ = send(t, fake, "GET", "/auth/jwt/logout", "", "")
	assert.Equal(t, 405, resp.StatusCode)
}
