package webhook

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
)

func TestDecodeStrict(t *testing.T) {
	for _, body := range []string{`{}`, `null`, ` {"a":[1,{"a":2}],"b":{"a":3,"A":4}} `} {
		assert.NoError(t, DecodeStrict([]byte(body), nil), body)
	}
	for _, body := range []string{``, `{} {}`, `{"TransId":1,"transId":2}`, `{"x":{"a":1,"a":1}}`, "\"\xff\""} {
		err := DecodeStrict([]byte(body), nil)
		require.ErrorIs(t, err, ErrMalformed)
		require.ErrorIs(t, err, kyckit.ErrDecode)
		require.ErrorIs(t, err, kyckit.ErrInvalid)
	}
}

func TestDecodeStrictFillsAndHidesTheBody(t *testing.T) {
	var got struct{ Name string }
	require.NoError(t, DecodeStrict([]byte(`{"name":"Layla","more":[1]}`), &got))
	assert.Equal(t, "Layla", got.Name)

	var wrong struct{ Name int }
	err := DecodeStrict([]byte(`{"name":"Layla-secret"}`), &wrong)
	require.ErrorIs(t, err, ErrMalformed)
	assert.NotContains(t, err.Error(), "Layla")
}
