package nafath_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/webhook"
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
		"wrong type":   `{"Type":"x","TransId":true,"Status":"WAITING"}`,
		"no id at all": `{"Type":"x","TransId":{"id":"t"},"Status":"WAITING"}`,
		"half an id":   `{"Type":"x","TransId":1.5,"Status":"WAITING"}`,
		"odd status":   `{"Type":"x","TransId":"t","Status":7}`,
		"null id":      `{"Type":"x","TransId":null,"Status":"WAITING"}`,
		"duplicate":    `{"Type":"x","TransId":"t","TransId":"u","Status":"COMPLETED"}`,
		"case twin":    `{"Type":"x","TransId":"t","transid":"u","Status":"COMPLETED"}`,
		"trailing":     `{"Type":"x","TransId":"t","Status":"COMPLETED"}{}`,
		"bad utf-8":    "{\"Type\":\"\xff\",\"TransId\":\"t\",\"Status\":\"COMPLETED\"}",
		"deep":         `{"Type":"x","TransId":"t","Status":"COMPLETED","x":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + `}`,
	} {
		_, err := nafath.ParseEvent([]byte(body))
		require.ErrorIs(t, err, kyckit.ErrDecode, name)
		require.ErrorIs(t, err, kyckit.ErrInvalid, name)
		require.ErrorIs(t, err, webhook.ErrMalformed, name)
	}
}

// Some serializers write an id that looks like a number as one.
func TestANumericTransIdIsReadAsItsText(t *testing.T) {
	for sent, want := range map[string]string{
		`7`: "7", `"007"`: "007", `12345678901234567890`: "12345678901234567890", `7.0`: "7",
	} {
		e, err := nafath.ParseEvent([]byte(`{"Type":"x","TransId":` + sent + `,"Status":"COMPLETED"}`))
		require.NoError(t, err, sent)
		assert.Equal(t, want, e.TransID)
	}
}

func FuzzParseEvent(f *testing.F) {
	for _, s := range []string{
		`{"Type":"NafathVerificationCompleted","TransId":"t-1","Status":"COMPLETED"}`,
		`{"Type":"x","TransId":7,"Status":"COMPLETED"}`, `{"Type":"x","TransId":"t","transid":"u","Status":"COMPLETED"}`, `{}`, ``, `null`, "\x00",
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
