package webhook

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
)

// TestWhatNobodyMadeRefuses: a nil or zero value of a type that a constructor
// makes believes nobody, says what is wrong and does not panic.
func TestWhatNobodyMadeRefuses(t *testing.T) {
	for _, r := range []*Replaceable{nil, {}} {
		assert.Equal(t, "none", r.Name())
		assert.ErrorIs(t, r.Replace(nil), kyckit.ErrInvalid)
	}
	require.ErrorIs(t, (*Replaceable)(nil).Replace(AuthenticatorFunc(func(*Delivery) error { return nil })), kyckit.ErrInvalid)
	for name, a := range map[string]Authenticator{
		"nil ClientCert": (*ClientCert)(nil), "ClientCert": &ClientCert{}, "nil ProxyCert": (*ProxyCert)(nil), "ProxyCert": &ProxyCert{},
		"nil Replaceable": (*Replaceable)(nil), "Replaceable": &Replaceable{}, "nil function": AuthenticatorFunc(nil),
		"all": All((*ClientCert)(nil)), "any": Any(nil), "all of none": All(), "any of none": Any(),
	} {
		d := &Delivery{Header: http.Header{}}
		assert.ErrorIs(t, a.Authenticate(d), kyckit.ErrUnauthorized, name)
		if head, ok := a.(HeadAuthenticator); ok {
			assert.ErrorIs(t, head.AuthenticateHead(d), kyckit.ErrUnauthorized, name)
		}
	}
	for _, c := range []interface{ Reload() error }{(*ClientCert)(nil), &ClientCert{}, (*ProxyCert)(nil), &ProxyCert{}} {
		assert.ErrorIs(t, c.Reload(), kyckit.ErrInvalid)
	}
	for _, e := range []*PolicyError{nil, {}} {
		assert.EqualError(t, e, "webhook: refused: empty policy")
		assert.ErrorIs(t, e, kyckit.ErrUnauthorized)
	}
	for _, e := range []*PanicError{nil, {}} {
		assert.EqualError(t, e, "webhook: panic")
		assert.Nil(t, e.Value())
		assert.Nil(t, e.Stack())
	}
	for _, q := range []*Queue{nil, {}} {
		assert.NoError(t, q.Shutdown(t.Context()))
	}
}
