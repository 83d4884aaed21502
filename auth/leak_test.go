package auth_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/auth/authtest"
	"github.com/kyckit/kyckit/kyctest"
)

// printed returns v in every form that reaches a log.
func printed(v any) []string {
	var out []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%c", "%U", "% x"} {
		out = append(out, fmt.Sprintf(verb, v))
	}
	if b, err := json.Marshal(v); err == nil {
		out = append(out, string(b))
	}
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("m", "v", v)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "v", v)
	return append(out, b.String())
}

// walk collects all text that reflection reaches from v, unexported fields
// included, as dumpers of structures do.
func walk(v reflect.Value, seen map[uintptr]bool, out *strings.Builder) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() && !seen[v.Pointer()] {
			seen[v.Pointer()] = true
			walk(v.Elem(), seen, out)
		}
	case reflect.Interface:
		walk(v.Elem(), seen, out)
	case reflect.Struct:
		for i := range v.NumField() {
			walk(v.Field(i), seen, out)
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			for i := range v.Len() {
				out.WriteByte(byte(v.Index(i).Uint()))
			}
			out.WriteByte(' ')
			return
		}
		for i := range v.Len() {
			walk(v.Index(i), seen, out)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			walk(k, seen, out)
			walk(v.MapIndex(k), seen, out)
		}
	case reflect.String:
		out.WriteString(v.String() + " ")
	default:
	}
}

func TestNothingLeaks(t *testing.T) { synctest.Test(t, nothingLeaks) }

func nothingLeaks(t *testing.T) {
	const secret = "pl4nted-s3cret"
	s := inMemory(t, authtest.Config{ClientID: "client", ClientSecret: secret, Username: "jane", Password: secret, JWT: true})
	minter, err := auth.NewMinter(auth.MinterConfig{Issuer: "issuer", Secret: kyckit.NewSecret(secret)})
	require.NoError(t, err)
	minted, err := minter.Mint("12345678901", time.Hour)
	require.NoError(t, err)
	planted := []string{secret, minted.Access.Reveal()}

	credentials := auth.ClientCredentialsConfig{TokenURL: s.TokenURL(), ClientID: "client", ClientSecret: kyckit.NewSecret(secret), HTTP: s.HTTP()}
	password := auth.PasswordLoginConfig{LoginURL: s.LoginURL(), Username: "jane", Password: kyckit.NewSecret(secret), HTTP: s.HTTP()}
	exchange := auth.JSONExchangeConfig{
		URL: s.JSONURL(), Decode: authtest.DecodeJSON, HTTP: s.HTTP(),
		Fields: map[string]kyckit.Secret{"clientId": kyckit.NewSecret("client"), "clientSecret": kyckit.NewSecret(secret)},
	}
	values := []any{minted, &minted, minter, *minter, []auth.Token{minted}, credentials, password, exchange, auth.JSONToken{Access: minted.Access}}

	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var mu sync.Mutex
	var events []any
	tuning := auth.Tuning{Logger: logger, OnEvent: func(e auth.Event) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, e, &e)
	}}
	credentials.Tuning, password.Tuning, exchange.Tuning = tuning, tuning, tuning
	credentials.HTTP.Logger, password.HTTP.Logger, exchange.HTTP.Logger = logger, logger, logger

	var caches []*auth.Cache
	build := func() {
		a, err := auth.NewClientCredentials(credentials)
		require.NoError(t, err)
		b, err := auth.NewPasswordLogin(password)
		require.NoError(t, err)
		c, err := auth.NewJSONExchange(exchange)
		require.NoError(t, err)
		caches = []*auth.Cache{a, b, c}
	}
	build()
	for _, c := range caches {
		tok, err := c.Token(t.Context())
		require.NoError(t, err)
		planted = append(planted, tok.Access.Reveal())
		rt := auth.NewTransport(s.Client().Transport, c)
		status, _ := post(t, &http.Client{Transport: rt}, s.ResourceURL(), "x")
		require.Equal(t, 200, status)
		src := auth.FromOAuth2(auth.OAuth2(t.Context(), c))
		_, err = src.Token(t.Context())
		require.NoError(t, err)
		plain := auth.FromOAuth2(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: tok.Access.Reveal()}))
		other := auth.NewTransport(s.Client().Transport, auth.Static(tok.Access))
		status, _ = post(t, &http.Client{Transport: other}, s.ResourceURL(), "x")
		require.Equal(t, 200, status)
		values = append(values, tok, c, rt, src, plain, other)
		c.Invalidate(tok)
	}
	for _, fault := range []kyctest.Fault{
		{Status: 400, Body: `{"error":"` + secret + `","detail":"` + secret + `","message":"` + secret + `","statusCode":1}`},
		{Status: 422, Body: `{"detail":[{"loc":["body","password"],"input":"` + secret + `"}]}`},
		{Status: 500, Body: secret},
		{Status: 200, Body: secret},
		{Status: 200, Body: `{"access_token":"` + secret + ` x"}`},
		{Status: 302, Header: http.Header{"Location": {"https://elsewhere.example.test/?" + secret}}},
		{Hangup: true},
		{Status: 200, Truncate: true, Body: secret},
	} {
		s.Heal()
		for _, op := range []string{authtest.OpToken, authtest.OpLogin, authtest.OpJSON} {
			s.Fail(op, 0, fault)
		}
		build()
		for _, c := range caches {
			_, err := c.Token(t.Context())
			require.Error(t, err)
			_, wrapped := auth.FromOAuth2(auth.OAuth2(t.Context(), c)).Token(t.Context())
			require.Error(t, wrapped)
			values = append(values, err, wrapped, c, fmt.Errorf("wrapped: %w", err))
		}
	}

	synctest.Wait() // for the last events
	mu.Lock()
	defer mu.Unlock()
	require.NotEmpty(t, events)
	values = append(values, events...)

	var forms []string
	for _, p := range planted {
		forms = append(forms, p, fmt.Sprintf("%x", p), fmt.Sprintf("%X", p), fmt.Sprintf("% x", p), base64.StdEncoding.EncodeToString([]byte(p)))
	}
	check := func(v any, out string) {
		for _, form := range forms {
			if i := strings.Index(out, form); i >= 0 {
				assert.Failf(t, "leak", "%T shows …%s…", v, out[max(0, i-40):i+20])
			}
		}
	}
	for _, v := range values {
		for _, out := range printed(v) {
			check(v, out)
		}
		if _, isConfig := v.(interface{ Error() string }); isConfig {
			continue // Message and Body are there to be read
		}
		var out strings.Builder
		walk(reflect.ValueOf(v), map[uintptr]bool{}, &out)
		check(v, out.String())
	}
	require.NotEmpty(t, log.String())
	check(log, log.String())
}
