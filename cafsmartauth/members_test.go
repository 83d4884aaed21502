package cafsmartauth

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/webhook"
)

// FuzzMembers compares the walk with encoding/json.
func FuzzMembers(f *testing.F) {
	for _, s := range []string{
		`{}`, ` { } `, `{"a":1}`, `{"a" : -1.5e+3 , "b":[1,{"c":"]}"}],"d":"\\\"","e\u0041":"","f":{"g":{}} , "":null,"h":true}`,
		`[1]`, `"x"`, `{"a":"\\"}`, `{"\"":"\"","\\":"\\"}`, "{\"a\":1\n,\t\"b\":false\r}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, object []byte) {
		if webhook.DecodeStrict(object, nil) != nil {
			return
		}
		var want map[string]json.RawMessage
		isObject := json.Unmarshal(object, &want) == nil && want != nil
		got := map[string]string{}
		reason := members(object, func(key, value []byte) string {
			got[string(key)] = string(value)
			return ""
		})
		require.Equal(t, isObject, reason == "")
		require.Len(t, got, len(want))
		for key, value := range want {
			require.Equal(t, string(value), got[key])
		}
	})
}
