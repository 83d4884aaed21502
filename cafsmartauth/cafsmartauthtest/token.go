package cafsmartauthtest

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"hash"
	"strings"
	"time"

	"github.com/kyckit/kyckit"
)

// The fake signs and reads tokens with the standard library alone, so that it
// does not share a mistake with the code it tests.

var b64 = base64.RawURLEncoding

// accessClaims are the claims of an access token.
type accessClaims struct {
	Iss      string   `json:"iss"`
	Exp      *float64 `json:"exp"`
	PersonID string   `json:"personId"`
	PeopleID *string  `json:"peopleId"`
}

// readToken accepts an access token that is signed, of the documented form and
// alive.
func readToken(token string, secret kyckit.Secret) (accessClaims, error) {
	var c accessClaims
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, errors.New("cafsmartauthtest: the access token is not a JWT")
	}
	if sign(secret, decoded(parts[0]), decoded(parts[1])) != token {
		return c, errors.New("cafsmartauthtest: the access token has a wrong signature")
	}
	var header struct {
		Alg string `json:"alg"`
		Typ string `json:"typ"`
	}
	if json.Unmarshal([]byte(decoded(parts[0])), &header) != nil || header.Alg != "HS256" || header.Typ != "JWT" {
		return c, errors.New("cafsmartauthtest: the access token has a wrong header")
	}
	if json.Unmarshal([]byte(decoded(parts[1])), &c) != nil {
		return c, errors.New("cafsmartauthtest: the access token has wrong claims")
	}
	switch {
	case c.Iss == "":
		return c, errors.New("cafsmartauthtest: the access token has no iss")
	case c.PeopleID != nil:
		return c, errors.New("cafsmartauthtest: the access token says peopleId where personId is meant")
	case c.Exp == nil:
		return c, errors.New("cafsmartauthtest: the access token has no exp")
	case time.Now().Unix() >= int64(*c.Exp):
		return c, errors.New("cafsmartauthtest: the access token is expired")
	case *c.Exp > 1e11:
		return c, errors.New("cafsmartauthtest: the access token's exp is not in seconds")
	}
	return c, nil
}

func decoded(part string) string {
	b, _ := b64.DecodeString(part)
	return string(b)
}

func encode(v any) string {
	b, _ := json.Marshal(v) // the fake's own maps, which can be encoded
	return string(b)
}

func unsigned(header, payload string) string {
	return b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(payload))
}

func sign(secret kyckit.Secret, header, payload string) string {
	return signWith(sha256.New, secret, header, payload)
}

func signHS512(secret kyckit.Secret, header, payload string) string {
	return signWith(sha512.New, secret, header, payload)
}

func signWith(h func() hash.Hash, secret kyckit.Secret, header, payload string) string {
	token := unsigned(header, payload)
	mac := hmac.New(h, []byte(secret.Reveal()))
	mac.Write([]byte(token))
	return token + "." + b64.EncodeToString(mac.Sum(nil))
}

// rsaLength is a signature as long as one of a 2,048-bit RSA key.
func rsaLength() string { return b64.EncodeToString(make([]byte, 256)) }

// digits keeps the digits of s.
func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}
