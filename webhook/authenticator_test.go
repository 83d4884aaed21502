package webhook

import (
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
)

var bodiesLock sync.Mutex

// wrapper is a user's own authenticator around another one.
type wrapper struct {
	inner  Authenticator
	bodies *[]string // what it was asked with
}

func (w wrapper) Authenticate(d *Delivery) error {
	bodiesLock.Lock()
	*w.bodies = append(*w.bodies, string(d.Body))
	bodiesLock.Unlock()
	return w.inner.Authenticate(d)
}

// carefulWrapper keeps the early refusal.
type carefulWrapper struct{ wrapper }

func (w carefulWrapper) AuthenticateHead(d *Delivery) error {
	if inner, ok := w.inner.(HeadAuthenticator); ok {
		return inner.AuthenticateHead(d)
	}
	return nil
}

// embedding overrides what it embeds.
type embedding struct {
	*ProxyCert
	inner Authenticator
}

func (e embedding) Authenticate(d *Delivery) error     { return e.inner.Authenticate(d) }
func (e embedding) AuthenticateHead(d *Delivery) error { return nil }

// wrappings are ways to put one authenticator into another.
func wrappings(bodies *[]string) map[string]func(Authenticator) Authenticator {
	return map[string]func(Authenticator) Authenticator{
		"as it is":  func(a Authenticator) Authenticator { return a },
		"function":  func(a Authenticator) Authenticator { return AuthenticatorFunc(a.Authenticate) },
		"type":      func(a Authenticator) Authenticator { return wrapper{a, bodies} },
		"head type": func(a Authenticator) Authenticator { return carefulWrapper{wrapper{a, bodies}} },
		"copy": func(a Authenticator) Authenticator {
			return AuthenticatorFunc(func(d *Delivery) error {
				other := *d
				return a.Authenticate(&other)
			})
		},
		"concurrent copies": func(a Authenticator) Authenticator {
			return AuthenticatorFunc(func(d *Delivery) error {
				errs := make(chan error)
				for range 2 {
					go func() {
						other := *d
						errs <- a.Authenticate(&other)
					}()
				}
				return errors.Join(<-errs, <-errs)
			})
		},
		"embedding": func(a Authenticator) Authenticator { return embedding{&ProxyCert{}, a} },
		"replaceable": func(a Authenticator) Authenticator {
			r := &Replaceable{}
			_ = r.Replace(a)
			return r
		},
		"all":         func(a Authenticator) Authenticator { return All(accept(), a) },
		"any, first":  func(a Authenticator) Authenticator { return Any(a, accept()) },
		"any, last":   func(a Authenticator) Authenticator { return Any(accept(), a) },
		"any, second": func(a Authenticator) Authenticator { return Any(deny(), a, accept()) },
		"refused all": func(a Authenticator) Authenticator { return Any(All(deny(), a), accept()) },
	}
}

// shownCredential is an authenticator and what a good delivery carries for it.
type shownCredential struct {
	auth   Authenticator
	header http.Header
	path   string
}

const plantedCredential = "planted-0123456789"

func credentials(t *testing.T) map[string]shownCredential {
	secrets := []kyckit.Secret{kyckit.NewSecret(plantedCredential)}
	basic, err := NewBasic(BasicConfig{Username: "u", Passwords: secrets})
	require.NoError(t, err)
	key, err := NewAPIKey(APIKeyConfig{Header: "X-Api-Key", Keys: secrets})
	require.NoError(t, err)
	path, err := NewSecretPath(SecretPathConfig{Prefix: "/hooks/", Tokens: secrets})
	require.NoError(t, err)
	proxy, err := NewProxyCert(ProxyCertConfig{
		Format: ProxyNginx, Header: "X-My-Cert", Trusted: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
		Certificate: ClientCertConfig{CA: []byte(seedCA), DNSNames: []string{"a.example"}},
	})
	require.NoError(t, err)
	return map[string]shownCredential{
		"basic":      {auth: basic, header: http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("u:"+plantedCredential))}}},
		"key":        {auth: key, header: http.Header{"X-Api-Key": {plantedCredential}}},
		"key's twin": {auth: Any(key, accept()), header: http.Header{"X-Api_Key": {plantedCredential}}},
		"path":       {auth: path, path: "/hooks/" + plantedCredential},
		"proxy": {
			auth:   Any(proxy, accept()), // its certificate is none
			header: http.Header{"X-My-Cert": {plantedCredential}, "X_my_cert": {plantedCredential}, "X-Ssl-Client-Verify": {plantedCredential}},
		},
	}
}

// TestNoWrapperDisarms: whoever wraps whom, Handle sees no credential, and the
// request keeps its own header.
func TestNoWrapperDisarms(t *testing.T) {
	var bodies []string
	ways := wrappings(&bodies)
	for what, c := range credentials(t) {
		for outer, wrapOuter := range ways {
			for inner, wrapInner := range ways {
				name := what + " in " + inner + " in " + outer
				bodies = nil
				handled := false
				h := newHandler(t, HandlerConfig{Authenticate: wrapOuter(wrapInner(c.auth)), Handle: func(_ context.Context, d *Delivery) error {
					handled = true
					assert.NotContains(t, d.URL.String(), plantedCredential, name)
					for k, v := range d.Header {
						assert.NotContains(t, strings.Join(v, " ")+k, "planted", name)
					}
					assert.NotContains(t, d.Header, "Authorization", name)
					assert.Equal(t, "kept", d.Header.Get("X-Other"), name)
					return nil
				}})
				path := c.path
				if path == "" {
					path = "/hooks/x"
				}
				r := httptest.NewRequest("POST", path, strings.NewReader(`{}`))
				r.RemoteAddr = "192.0.2.1:1"
				r.Header = http.Header{"X-Other": {"kept"}}
				maps.Copy(r.Header, c.header)
				before := r.Header.Clone()
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				require.Equal(t, 200, w.Code, name)
				require.True(t, handled, name)
				require.Equal(t, before, r.Header, "middleware around the handler owns it")
				require.Equal(t, path, r.URL.Path)
				for _, b := range bodies {
					require.Equal(t, `{}`, b, "%s: a wrapper is asked with the body", name)
				}
				if outer == "type" {
					require.Len(t, bodies, map[bool]int{true: 2, false: 1}[inner == "type" || inner == "head type"], "%s: and once", name)
				}
			}
		}
	}
}

// TestHandleNeverSeesAuthorization, not even where nobody of this package reads
// it: by definition it is a credential.
func TestHandleNeverSeesAuthorization(t *testing.T) {
	h := newHandler(t, HandlerConfig{Handle: func(_ context.Context, d *Delivery) error {
		assert.Empty(t, d.Header)
		return nil
	}})
	r := httptest.NewRequest("POST", "/", strings.NewReader(`{}`))
	r.Header = http.Header{"Authorization": {"Bearer x"}, "Proxy-Authorization": {"Basic x"}}
	h.ServeHTTP(httptest.NewRecorder(), r)
}

// unreadable fails the test when a body is read.
type unreadable struct{ t *testing.T }

func (u unreadable) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, errors.New("read")
}

func (unreadable) Close() error { return nil }

func TestAWrapperKeepsTheEarlyRefusal(t *testing.T) {
	var bodies []string
	v := vectors()[2]
	for name, a := range map[string]Authenticator{
		"hmac": v.auth(t), "key": credentials(t)["key"].auth, "certificate": &ClientCert{}, "all": All(accept(), v.auth(t)), "any": Any(&ClientCert{}, v.auth(t)),
	} {
		for how, wrap := range map[string]func(Authenticator) Authenticator{
			"as it is": func(a Authenticator) Authenticator { return a },
			"head":     func(a Authenticator) Authenticator { return carefulWrapper{wrapper{a, &bodies}} },
			"in all":   func(a Authenticator) Authenticator { return All(carefulWrapper{wrapper{a, &bodies}}) },
			"replaceable": func(a Authenticator) Authenticator {
				r := &Replaceable{}
				require.NoError(t, r.Replace(a))
				return r
			},
		} {
			r := httptest.NewRequest("POST", "/", unreadable{t})
			w := httptest.NewRecorder()
			newHandler(t, HandlerConfig{Authenticate: wrap(a)}).ServeHTTP(w, r)
			assert.Equal(t, 401, w.Code, "%s %s", name, how)
		}
	}
	assert.Empty(t, bodies, "refused before")
}

func TestAReplaceableRefusesUntilItHoldsAnother(t *testing.T) {
	var r Replaceable
	require.ErrorIs(t, r.Authenticate(&Delivery{}), ErrNoSignature)
	require.ErrorIs(t, r.AuthenticateHead(&Delivery{}), ErrNoSignature)
	require.ErrorIs(t, r.Replace(nil), kyckit.ErrInvalid)
	require.ErrorIs(t, r.Replace(&r), kyckit.ErrInvalid)
	require.ErrorIs(t, r.Replace((*ClientCert)(nil)), kyckit.ErrInvalid)
	require.ErrorIs(t, r.Replace(AuthenticatorFunc(nil)), kyckit.ErrInvalid)
	require.Equal(t, "none", r.Name())
}

func TestAReplaceableIsWhatItHolds(t *testing.T) {
	var r Replaceable
	v := vectors()[2]
	require.NoError(t, r.Replace(v.auth(t)))
	d := v.delivery()
	require.NoError(t, r.Authenticate(d))
	require.Equal(t, v.id, d.ID)
	require.Equal(t, "standard-webhooks", r.Name())
	if !raceEnabled {
		require.Zero(t, testing.AllocsPerRun(100, func() { _ = r.Authenticate(d) }))
	}
	require.NoError(t, r.Replace(deny()))
	require.ErrorIs(t, r.Authenticate(v.delivery()), ErrBadSignature)
}

// A secret is rotated while deliveries come in: each is judged by the old or by
// the new authenticator, and none by neither.
func TestAReplacementRefusesNoGenuineDelivery(t *testing.T) {
	var r Replaceable
	v := vectors()[2]
	require.NoError(t, r.Replace(v.auth(t)))
	other := v.auth(t, func(c *HMACConfig) { c.Secrets = []kyckit.Secret{kyckit.NewSecret("whsec_AAAA"), c.Secrets[0]} })
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 1000 {
			assert.NoError(t, r.Authenticate(v.delivery()))
		}
	}()
	for range 100 {
		require.NoError(t, r.Replace(other))
		require.NoError(t, r.Replace(v.auth(t)))
	}
	<-done
}

// TestReplaceablesNeverHoldThemselves: a delivery would go round for ever.
func TestReplaceablesNeverHoldThemselves(t *testing.T) {
	var a, b Replaceable
	require.NoError(t, a.Replace(deny()))
	require.NoError(t, b.Replace(Any(deny(), All(&a))))
	for name, inner := range map[string]Authenticator{
		"itself": &a, "in a policy": All(deny(), &a), "in another": &b, "in another in a policy": Any(All(&b)),
	} {
		require.ErrorIs(t, a.Replace(inner), kyckit.ErrInvalid, name)
	}
	require.ErrorIs(t, b.Authenticate(&Delivery{}), ErrBadSignature)

	for range 100 { // only one of two at once can be put into the other
		var a, b Replaceable
		var wg sync.WaitGroup
		var intoA, intoB error
		wg.Go(func() { intoA = a.Replace(&b) })
		wg.Go(func() { intoB = b.Replace(&a) })
		wg.Wait()
		require.NotEqual(t, intoA == nil, intoB == nil)
	}
}

// TestLayersOfASingleAuthenticator: it is watched like one in a policy.
func TestLayersOfASingleAuthenticator(t *testing.T) {
	yes, no := named{"yes", nil}, named{"no", ErrBadSignature}
	replaced := func(a Authenticator) Authenticator {
		r := &Replaceable{}
		require.NoError(t, r.Replace(a))
		return r
	}
	for _, c := range []struct {
		auth   Authenticator
		layers string
	}{
		{yes, "yes+"},
		{no, "no-"},
		{All(yes, yes), "yes+yes+"},
		{Any(no, yes), "no-yes+"},
		{All(), "all-"},
		{replaced(yes), "yes+"},
		{replaced(All(yes, no)), "yes+no-"},
		{credentials(t)["key"].auth, "api key-"},
	} {
		said := ""
		h := newHandler(t, HandlerConfig{Authenticate: c.auth, OnResult: func(_ context.Context, r Result) {
			for _, l := range r.Layers {
				said += l.Name + map[bool]string{true: "+", false: "-"}[l.Err == nil]
			}
		}})
		post(h, `{}`)
		assert.Equal(t, c.layers, said)
	}
}

// namePanics must not take the server's connection down.
type namePanics struct{}

func (namePanics) Name() string                 { panic("name") }
func (namePanics) Authenticate(*Delivery) error { return nil }

func TestANameThatPanics(t *testing.T) {
	assert.Equal(t, 503, post(newHandler(t, HandlerConfig{Authenticate: namePanics{}}), `{}`).Code)
}
