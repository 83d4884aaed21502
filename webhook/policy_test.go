package webhook

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
)

// named is an authenticator that says yes or no and leaves a mark.
type named struct {
	name string
	err  error
}

func (n named) Name() string { return n.name }

func (n named) Authenticate(d *Delivery) error {
	d.ID, d.Timestamp = n.name, time.Unix(1, 0) // a careless one marks before it refuses
	return n.err
}

func TestPolicies(t *testing.T) {
	yes, no, down := named{"yes", nil}, named{"no", refuse("no", ErrBadSignature, "")}, named{"down", kyckit.ErrUnavailable}
	for name, c := range map[string]struct {
		policy Authenticator
		err    error
		layers string
		id     string
	}{
		"all of nothing":  {All(), ErrNoSignature, "", ""},
		"any of nothing":  {Any(), ErrNoSignature, "", ""},
		"any of empties":  {Any(All(), Any()), ErrNoSignature, "all-any-", ""},
		"all with empty":  {All(yes, All()), ErrNoSignature, "yes+all-", ""},
		"all yes":         {All(yes, yes), nil, "yes+yes+", "yes"},
		"all stops":       {All(yes, no, yes), ErrBadSignature, "yes+no-", ""},
		"any stops":       {Any(no, yes, down), nil, "no-yes+", "yes"},
		"any no":          {Any(no, down), ErrBadSignature, "no-down-", ""},
		"any cannot tell": {Any(no, down), kyckit.ErrUnavailable, "no-down-", ""},
		"nil in all":      {All(yes, nil), ErrNoSignature, "yes+none-", ""},
		"nil in any":      {Any(nil, yes), nil, "none-yes+", "yes"},
		"nil func":        {All(AuthenticatorFunc(nil)), ErrNoSignature, "webhook.AuthenticatorFunc-", ""},
		"nested":          {All(Any(no, yes), Any(All(yes, no), yes)), nil, "no-yes+yes+no-yes+", "yes"},
		"nested refusal":  {Any(All(yes, no), no), ErrBadSignature, "yes+no-no-", ""},
		"overruled":       {Any(All(yes, no), AuthenticatorFunc(func(*Delivery) error { return nil })), nil, "yes+no-webhook.AuthenticatorFunc+", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := &Delivery{}
			err := c.policy.Authenticate(d)
			if c.err == nil {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, c.err)
				var p *PolicyError
				require.ErrorAs(t, err, &p)
			}
			said := ""
			for _, l := range d.Layers {
				said += l.Name + map[bool]string{true: "+", false: "-"}[l.Err == nil]
			}
			assert.Equal(t, c.layers, said)
			assert.Equal(t, c.id, d.ID)
			assert.Equal(t, c.id == "", d.Timestamp.IsZero())
		})
	}
}

func TestPolicyCannotBeChangedLater(t *testing.T) {
	as := []Authenticator{named{"no", ErrBadSignature}}
	p := Any(as...)
	as[0] = named{"yes", nil}
	require.Error(t, p.Authenticate(&Delivery{}))
}

func TestForeignErrorsAreNotQuoted(t *testing.T) {
	p := All(named{"custom", errors.New("bad token tok_123")})
	err := p.Authenticate(&Delivery{})
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "tok_123")
	assert.Contains(t, err.Error(), "custom")
}

func TestStaticCredentials(t *testing.T) {
	secret := func(s ...string) (out []kyckit.Secret) {
		for _, v := range s {
			out = append(out, kyckit.NewSecret(v))
		}
		return out
	}
	basic, err := NewBasic(BasicConfig{Username: "hook", Passwords: secret("old", "p:w")})
	require.NoError(t, err)
	key, err := NewAPIKey(APIKeyConfig{Header: "authorization", Prefix: "Bearer ", Keys: secret("k1", "k2")})
	require.NoError(t, err)
	path, err := NewSecretPath(SecretPathConfig{Prefix: "/hooks/", Tokens: secret("0123456789abcdef")})
	require.NoError(t, err)
	at := func(p string) *Delivery {
		d := deliver("")
		d.URL.Path = p
		return d
	}
	for name, c := range map[string]struct {
		a    Authenticator
		d    *Delivery
		want error
	}{
		"basic":              {basic, deliver("", "Authorization", "basic aG9vazpwOnc="), nil},
		"basic old":          {basic, deliver("", "Authorization", "Basic aG9vazpvbGQ="), nil},
		"basic none":         {basic, deliver(""), ErrNoSignature},
		"basic other scheme": {basic, deliver("", "Authorization", "Bearer aG9vazpwOnc="), ErrNoSignature},
		"basic wrong":        {basic, deliver("", "Authorization", "Basic aG9vazpub3Q="), ErrBadSignature},
		"basic no base64":    {basic, deliver("", "Authorization", "Basic !"), ErrBadSignature},
		"basic twice":        {basic, deliver("", "Authorization", "Basic aG9vazpwOnc=", "Authorization", "Basic aG9vazpwOnc="), ErrBadSignature},
		"key":                {key, deliver("", "Authorization", "Bearer k2"), nil},
		"key wrong":          {key, deliver("", "Authorization", "Bearer k3"), ErrBadSignature},
		"key empty":          {key, deliver("", "Authorization", "Bearer "), ErrBadSignature},
		"key no prefix":      {key, deliver("", "Authorization", "k2"), ErrBadSignature},
		"key none":           {key, deliver(""), ErrNoSignature},
		"path":               {path, at("/hooks/0123456789abcdef"), nil},
		"path longer":        {path, at("/hooks/0123456789abcdef/"), ErrBadSignature},
		"path elsewhere":     {path, at("/other/0123456789abcdef"), ErrNoSignature},
		"path bare":          {path, at("/hooks/"), ErrNoSignature},
		"no URL":             {path, &Delivery{}, ErrNoSignature},
	} {
		assert.ErrorIs(t, c.a.Authenticate(c.d), c.want, name)
	}
	for name, build := range map[string]func() (Authenticator, error){
		"no user":        func() (Authenticator, error) { return NewBasic(BasicConfig{Passwords: secret("x")}) },
		"colon":          func() (Authenticator, error) { return NewBasic(BasicConfig{Username: "a:b", Passwords: secret("x")}) },
		"no password":    func() (Authenticator, error) { return NewBasic(BasicConfig{Username: "a"}) },
		"empty password": func() (Authenticator, error) { return NewBasic(BasicConfig{Username: "a", Passwords: secret("x", "")}) },
		"no header":      func() (Authenticator, error) { return NewAPIKey(APIKeyConfig{Keys: secret("x")}) },
		"no key":         func() (Authenticator, error) { return NewAPIKey(APIKeyConfig{Header: "X"}) },
		"line end":       func() (Authenticator, error) { return NewBasic(BasicConfig{Username: "a", Passwords: secret("x\n")}) },
		"user's line":    func() (Authenticator, error) { return NewBasic(BasicConfig{Username: "a\n", Passwords: secret("x")}) },
		"long password": func() (Authenticator, error) {
			return NewBasic(BasicConfig{Username: "a", Passwords: secret(strings.Repeat("x", 4000))})
		},
		"key's line end": func() (Authenticator, error) { return NewAPIKey(APIKeyConfig{Header: "X", Keys: secret("x\n")}) },
		"blank key":      func() (Authenticator, error) { return NewAPIKey(APIKeyConfig{Header: "X", Keys: secret(" ")}) },
		"spaced key":     func() (Authenticator, error) { return NewAPIKey(APIKeyConfig{Header: "X", Keys: secret("x ")}) },
		"bad prefix": func() (Authenticator, error) {
			return NewAPIKey(APIKeyConfig{Header: "X", Prefix: "\x00", Keys: secret("x")})
		},
		"long key": func() (Authenticator, error) {
			return NewAPIKey(APIKeyConfig{Header: "X", Keys: secret(strings.Repeat("x", 5000))})
		},
		"token's line end": func() (Authenticator, error) {
			return NewSecretPath(SecretPathConfig{Prefix: "/x/", Tokens: secret("0123456789abcdef\n")})
		},
		"empty key": func() (Authenticator, error) { return NewAPIKey(APIKeyConfig{Header: "X", Keys: secret("")}) },
		"no slash": func() (Authenticator, error) {
			return NewSecretPath(SecretPathConfig{Prefix: "/x", Tokens: secret("0123456789abcdef")})
		},
		"short token": func() (Authenticator, error) {
			return NewSecretPath(SecretPathConfig{Prefix: "/", Tokens: secret("short")})
		},
		"no token": func() (Authenticator, error) { return NewSecretPath(SecretPathConfig{Prefix: "/"}) },
	} {
		_, err := build()
		assert.ErrorIs(t, err, kyckit.ErrInvalid, name)
	}
}
