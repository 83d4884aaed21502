package cafsmartauth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
)

// The tests sign with the standard library alone.

const plainHeader = `{"alg":"HS256","typ":"JWT"}`

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// signed signs header and payload, given as the text of each part before
// base64.
func signed(header, payload string) string { return signedRaw(b64(header) + "." + b64(payload)) }

// signedRaw signs whatever stands before the last dot.
func signedRaw(input string) string {
	mac := hmac.New(sha256.New, []byte(testSecret))
	mac.Write([]byte(input))
	return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func attestation(claims map[string]any) string {
	b, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	return signed(plainHeader, string(b))
}
