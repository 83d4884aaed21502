package cafsmartauth

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
)

// FuzzVerifyAttestation feeds whole tokens. None that was not signed may pass,
// and no error may quote the input.
func FuzzVerifyAttestation(f *testing.F) {
	c := newClient(f)
	passing := attestation(good())
	f.Add(passing)
	f.Add(flip(passing, 60))
	f.Add("")
	f.Add("..")
	f.Add(strings.Repeat(".", 100))
	f.Add(signed(`{"alg":"none"}`, `{}`))
	f.Add(signed(plainHeader, `null`))
	f.Fuzz(func(t *testing.T, token string) {
		a, err := c.VerifyAttestation(token, want)
		if err == nil {
			require.Equal(t, passing, token)
			require.NotNil(t, a)
			return
		}
		require.Nil(t, a)
		require.ErrorIs(t, err, kyckit.ErrInvalid)
	})
}

// FuzzSignedAttestation signs whatever the fuzzer makes of header and payload.
// What passes must read the same to encoding/json and hold every promise.
func FuzzSignedAttestation(f *testing.F) {
	c := newClient(f)
	claims := with("exp", int64(4102444800))
	claims["iat"] = 1
	ok := payload(claims)
	f.Add(plainHeader, ok)
	f.Add(`{"alg":"HS256"}`, twice(ok, `"PEOPLEID":"x"`))
	f.Add(`{"alg":"HS256","crit":[]}`, ok)
	f.Add(plainHeader, strings.ReplaceAll(ok, "peopleId", `people\u0049d`))
	f.Add(plainHeader, `{"a":[{"b":"\"}"},1,-2.5e3,null,true],"":{}}`)
	f.Add(plainHeader, ` { } `)
	f.Add(plainHeader, `{"isAuthorized":"true"}`)
	f.Fuzz(func(t *testing.T, header, payload string) {
		a, err := c.VerifyAttestation(signed(header, payload), want)
		if err != nil {
			require.Nil(t, a)
			return
		}
		var got map[string]any
		require.NoError(t, json.Unmarshal([]byte(payload), &got))
		person, ok := normalise(got["peopleId"].(string))
		require.True(t, ok)
		require.Equal(t, testCPF, person)
		require.Equal(t, testPolicy, got["policyId"])
		require.Equal(t, true, got["isAuthorized"])
		require.Equal(t, a.AttemptID, got["attemptId"])
		require.NotEmpty(t, a.AttemptID)
		require.Greater(t, got["exp"].(float64), float64(time.Now().Add(-time.Minute).Unix()))
		var head map[string]any
		require.NoError(t, json.Unmarshal([]byte(header), &head))
		require.Equal(t, "HS256", head["alg"])
		require.NotContains(t, head, "crit")
	})
}

// FuzzDecodeAuthentication takes every JSON object, and nothing else, without
// a panic; what it took encodes and decodes to the same.
func FuzzDecodeAuthentication(f *testing.F) {
	f.Add([]byte(documented))
	f.Add([]byte(`{}`))
	f.Add([]byte(`[]`))
	f.Add([]byte(`null`))
	f.Add([]byte("\v{}"))
	f.Add([]byte("\n{} "))
	f.Add([]byte(`{"status":5,"identity":[],"authenticationMethods":"x"}`))
	f.Add([]byte(`{"authenticationMethods":{"face_authentication":null,"email":{}}}`))
	f.Add([]byte(`{"context":{"location":{"location":{"coordinates":["1",2,{}]}}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		a, ok := decodeAuthentication(body)
		var object map[string]json.RawMessage
		isObject := json.Unmarshal(body, &object) == nil && object != nil
		require.Equal(t, isObject, ok)
		if !ok {
			return
		}
		require.Equal(t, string(body), string(a.Raw))
		encoded, err := json.Marshal(a)
		require.NoError(t, err)
		again, ok := decodeAuthentication(encoded)
		require.True(t, ok)
		twice, err := json.Marshal(again)
		require.NoError(t, err)
		require.JSONEq(t, string(encoded), string(twice))
		if a.Context != nil && a.Context.Location != nil {
			a.Context.Location.Location.LatLng()
		}
	})
}
