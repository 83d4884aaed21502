package cafsmartauth

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
)

func TestNewNamesTheWrongField(t *testing.T) {
	for field, change := range map[string]func(*Config){
		"ClientID ":                   func(c *Config) { c.ClientID = "" },
		"ClientID is":                 func(c *Config) { c.ClientID = " " },
		"ClientSecret is":             func(c *Config) { c.ClientSecret = kyckit.NewSecret("\n") },
		"ClientID must be UTF-8":      func(c *Config) { c.ClientID = "\xff" },
		"ClientID must":               func(c *Config) { c.ClientID = strings.Repeat("x", 2000) },
		"ClientSecret must not end":   func(c *Config) { c.ClientSecret = kyckit.NewSecret(testSecret + "\n") },
		"ClientSecret must not begin": func(c *Config) { c.ClientSecret = kyckit.NewSecret("\uFEFF" + testSecret) },
		"ClientID must not end":       func(c *Config) { c.ClientID = testID + " " },
		"ClientSecret ":               func(c *Config) { c.ClientSecret = kyckit.Secret{} },
		"BaseURL ":                    func(c *Config) { c.BaseURL = "http://api.example" },
		"MaxTTL ":                     func(c *Config) { c.MaxTTL = -1 },
		"MaxTTL must":                 func(c *Config) { c.MaxTTL = time.Millisecond },
		"CallTTL ":                    func(c *Config) { c.CallTTL = time.Second },
		"CallTTL must not":            func(c *Config) { c.CallTTL, c.MaxTTL = time.Hour, time.Minute },
		"Leeway ":                     func(c *Config) { c.Leeway = -1 },
		"Leeway must":                 func(c *Config) { c.Leeway = time.Minute + 1 },
		"CPFForm ":                    func(c *Config) { c.CPFForm = 3 },
		"CPFForm must":                func(c *Config) { c.CPFForm = -1 },
		"HTTP.Timeout ":               func(c *Config) { c.HTTP.Timeout = -1 },
	} {
		cfg := Config{ClientID: testID, ClientSecret: kyckit.NewSecret(testSecret)}
		change(&cfg)
		_, err := New(cfg)
		require.ErrorIs(t, err, kyckit.ErrInvalid, field)
		var e *kyckit.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, "cafsmartauth", e.Provider)
		assert.Truef(t, strings.HasPrefix(e.Reason, field), "%q does not begin with %q", e.Reason, field)
	}
}

func TestNewDefaults(t *testing.T) {
	assert.Equal(t, "https://api.identity.combateafraude.com", productionURL)
	newClient(t, func(c *Config) { c.MaxTTL = time.Second })
	newClient(t, func(c *Config) { c.Leeway = time.Minute })
}

func TestAClientThatNewDidNotMakeIsRefused(t *testing.T) {
	for _, c := range []*Client{nil, {}} {
		for name, call := range map[string]func() error{
			"Mint":                  func() error { _, err := c.Mint(testCPF, time.Minute); return err },
			"MintAllUsersTestToken": func() error { _, err := c.MintAllUsersTestToken(time.Minute); return err },
			"VerifyAttestation":     func() error { _, err := c.VerifyAttestation(attestation(good()), want); return err },
			"VerifyAnswer": func() error {
				_, err := c.VerifyAnswer(Answer{Attestation: attestation(good())}, want)
				return err
			},
			"Authentication": func() error { _, err := c.Authentication(t.Context(), "a1"); return err },
			"CreateIdentity": func() error { _, err := c.CreateIdentity(t.Context(), IdentityParams{}); return err },
		} {
			err := call()
			require.ErrorIs(t, err, kyckit.ErrInvalid, name)
			assert.Contains(t, err.Error(), "not made by New", name)
		}
	}
}
