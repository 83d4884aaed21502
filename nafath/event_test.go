package nafath_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/nafath"
)

func TestParseEvent(t *testing.T) {
	e, err := nafath.ParseEvent([]byte(`{"Type":"NafathVerificationCompleted","TransId":"t-1","Status":"Rejected","Extra":{"a":[1]}}`))
	require.NoError(t, err)
	assert.Equal(t, nafath.EventVerificationCompleted, e.Type)
	assert.Equal(t, "t-1", e.TransID)
	assert.Equal(t, nafath.StatusRejected, e.Status)

	e, err = nafath.ParseEvent([]byte(`{"Type":"Other","TransId":"t-1","Status":"LATER"}`))
	require.NoError(t, err, "unknown types and states are kept")
	assert.False(t, e.Status.Terminal())

	for name, body := range map[string]string{
		"empty": "", "null": "null", "array": "[]", "html": "<html>", "truncated": `{"Type":"x"`,
		"no type":      `{"TransId":"t","Status":"WAITING"}`,
		"no id":        `{"Type":"x","Status":"WAITING"}`,
		"no status":    `{"Type":"x","TransId":"t"}`,
		"empty status": `{"Type":"x","TransId":"t","Status":""}`,
		"wrong type":   `{"Type":"x","TransId":7,"Status":"WAITING"}`,
		"null id":      `{"Type":"x","TransId":null,"Status":"WAITING"}`,
		"duplicate":    `{"Type":"x","TransId":"t","TransId":"u","Status":"COMPLETED"}`,
		"case twin":    `{"Type":"x","TransId":"t","transid":"u","Status":"COMPLETED"}`,
		"trailing":     `{"Type":"x","TransId":"t","Status":"COMPLETED"}{}`,
		"bad utf-8":    "{\"Type\":\"\xff\",\"TransId\":\"t\",\"Status\":\"COMPLETED\"}",
		"deep":         `{"Type":"x","TransId":"t","Status":"COMPLETED","x":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + `}`,
	} {
		_, err := nafath.ParseEvent([]byte(body))
		require.ErrorIs(t, err, kyckit.ErrDecode, name)
	}
}

func FuzzParseEvent(f *testing.F) {
	for _, s := range []string{
		`{"Type":"NafathVerificationCompleted","TransId":"t-1","Status":"COMPLETED"}`,
		`{"Type":"x","TransId":"t","transid":"u","Status":"COMPLETED"}`, `{}`, ``, `null`, "\x00",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := nafath.ParseEvent(body)
		if err == nil && (e.Type == "" || e.TransID == "" || e.Status == "") {
			t.Fatalf("accepted without its fields: %q", body)
		}
	})
}
