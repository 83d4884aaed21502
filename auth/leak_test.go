package auth_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/auth/authtest"
	"github.com/kyckit/kyckit/internal/leaktest"
	"github.com/kyckit/kyckit/kyctest"
)

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

	for _, v := range values {
		what := fmt.Sprintf("%T", v)
		leaktest.Silent(t, what, leaktest.Printed(v)+leaktest.Encoded(v), planted...)
		if _, isError := v.(error); !isError { // Message and Body are there to be read
			leaktest.Silent(t, what, leaktest.Reachable(v), planted...)
		}
	}
	require.NotEmpty(t, log.String())
	leaktest.Silent(t, "the log", log.String(), planted...)
}

// Every exported type with a secret in it prints nothing, and a new type is
// found here if it is forgotten.
func TestNoTypePrintsItsFields(t *testing.T) {
	leaktest.Types(t, []any{
		auth.Token{},
		&auth.Cache{},
		auth.Minter{},
		auth.MinterConfig{},
		auth.JSONToken{},
		auth.ClientCredentialsConfig{},
		auth.PasswordLoginConfig{},
		auth.JSONExchangeConfig{},
	}, "CacheConfig", "Tuning", "Event")
}
