package kycjwt_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/kycjwt"
	"github.com/kyckit/kyckit/kycjwt/kycjwttest"
)

func TestAPluggableTokenSource(t *testing.T) {
	asked := 0
	fake, client := start(t, kycjwttest.Config{}, func(c *kycjwt.Config) {
		login, err := auth.NewPasswordLogin(auth.PasswordLoginConfig{
			LoginURL: c.BaseURL + "/auth/jwt/login", Username: c.Username, Password: c.Password, HTTP: c.HTTP,
		})
		require.NoError(t, err)
		c.Username, c.Password = "", kyckit.Secret{}
		c.Auth = auth.SourceFunc(func(ctx context.Context) (auth.Token, error) {
			asked++
			return login.Token(ctx)
		})
	})
	require.NoError(t, read(t.Context(), client))
	assert.Equal(t, 1, asked)
	assert.Len(t, fake.Requests("login"), 1)
}

func TestTheTokenIsTunedAndNamed(t *testing.T) {
	var mu sync.Mutex
	var events []auth.Event
	_, client := start(t, kycjwttest.Config{}, func(c *kycjwt.Config) {
		c.Token.OnEvent = func(e auth.Event) {
			mu.Lock()
			defer mu.Unlock()
			events = append(events, e)
		}
	})
	require.NoError(t, read(t.Context(), client))
	mu.Lock()
	defer mu.Unlock()
	require.Len(t, events, 1)
	assert.Equal(t, "kycjwt", events[0].Name)
	assert.Equal(t, auth.EventFetched, events[0].Kind)
}

func TestAuthExcludesTheLogin(t *testing.T) {
	for field, change := range map[string]func(*kycjwt.Config){
		"Auth must not be combined": func(c *kycjwt.Config) { c.Auth = auth.Static(kyckit.NewSecret("x")) },
		"Auth must not be a nil":    func(c *kycjwt.Config) { *c = kycjwt.Config{BaseURL: c.BaseURL, Auth: (*auth.Cache)(nil)} },
		"Token.Early":               func(c *kycjwt.Config) { c.Token.Early = -1 },
		"Token.Timeout":             func(c *kycjwt.Config) { c.Token.Timeout = -1 },
	} {
		cfg := kycjwt.Config{BaseURL: "https://kyc.example.test", Username: "u", Password: kyckit.NewSecret("p")}
		change(&cfg)
		_, err := kycjwt.New(cfg)
		require.ErrorIs(t, err, kyckit.ErrInvalid)
		assert.ErrorContains(t, err, field)
	}
}
