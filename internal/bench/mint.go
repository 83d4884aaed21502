package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"hash"
	"strconv"
	"sync"
	"time"

	cristal "github.com/cristalhq/jwt/v5"
	jose "github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"
	golangjwt "github.com/golang-jwt/jwt/v5"
	"github.com/kataras/jwt"
	"github.com/lestrrat-go/jwx/v3/jwa"
	jwx "github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
)

const (
	mintIssuer = "11111111-2222-4333-8444-555555555555" // 36 characters
	mintPerson = "11122233344"
	mintTTL    = 15 * time.Minute
)

// mintClaims are what every variant signs.
type mintClaims struct {
	Issuer   string `json:"iss"`
	Expiry   int64  `json:"exp"`
	PersonID string `json:"personId"`
}

// Valid-ity methods that golang-jwt asks of its claims.
func (c mintClaims) GetExpirationTime() (*golangjwt.NumericDate, error) {
	return golangjwt.NewNumericDate(time.Unix(c.Expiry, 0)), nil
}
func (mintClaims) GetIssuedAt() (*golangjwt.NumericDate, error)  { return nil, nil }
func (mintClaims) GetNotBefore() (*golangjwt.NumericDate, error) { return nil, nil }
func (c mintClaims) GetIssuer() (string, error)                  { return c.Issuer, nil }
func (mintClaims) GetSubject() (string, error)                   { return "", nil }
func (mintClaims) GetAudience() (golangjwt.ClaimStrings, error)  { return nil, nil }

// each makes a variant of an operation that returns a token.
func each(name string, op func() (string, error)) variant {
	return variant{name, func(n int) {
		for range n {
			_, err := op()
			must(err)
		}
	}}
}

func mint() ([]group, error) {
	key := []byte("0123456789abcdef0123456789abcdef")
	minter, err := auth.NewMinter(auth.MinterConfig{Issuer: mintIssuer, Secret: kyckit.NewSecret(string(key))})
	if err != nil {
		return nil, err
	}
	signer, err := cristal.NewSignerHS(cristal.HS256, key)
	if err != nil {
		return nil, err
	}
	builder := cristal.NewBuilder(signer)
	joseSigner, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, err
	}
	claims := func() mintClaims {
		return mintClaims{mintIssuer, time.Now().Add(mintTTL).Unix(), mintPerson}
	}
	pool := sync.Pool{New: func() any {
		h := hmac.New(sha256.New, key)
		h.Reset()
		return h
	}}
	ops := []variant{
		each("own code: json.Marshal and a pooled HMAC", func() (string, error) { return marshalled(&pool, claims()) }),
		each("cristalhq/jwt v5", func() (string, error) {
			t, err := builder.Build(claims())
			if err != nil {
				return "", err
			}
			return t.String(), nil
		}),
		each("kataras/jwt", func() (string, error) {
			t, err := jwt.Sign(jwt.HS256, key, claims())
			return string(t), err
		}),
		each("golang-jwt v5, typed claims", func() (string, error) {
			return golangjwt.NewWithClaims(golangjwt.SigningMethodHS256, claims()).SignedString(key)
		}),
		each("golang-jwt v5, MapClaims", func() (string, error) {
			return golangjwt.NewWithClaims(golangjwt.SigningMethodHS256, golangjwt.MapClaims{
				"iss": mintIssuer, "exp": time.Now().Add(mintTTL).Unix(), "personId": mintPerson,
			}).SignedString(key)
		}),
		each("lestrrat-go/jwx v3", func() (string, error) {
			t, err := jwx.NewBuilder().Issuer(mintIssuer).Expiration(time.Now().Add(mintTTL)).Claim("personId", mintPerson).Build()
			if err != nil {
				return "", err
			}
			b, err := jwx.Sign(t, jwx.WithKey(jwa.HS256(), key))
			return string(b), err
		}),
		each("go-jose v4", func() (string, error) {
			return josejwt.Signed(joseSigner).Claims(claims()).Serialize()
		}),
	}
	own := each("kyckit auth.Minter", func() (string, error) {
		t, err := minter.Mint(mintPerson, mintTTL)
		return t.Type, err
	})
	all := append([]variant{
		{"floor: pre-keyed HMAC, one buffer, one clock read", floorMint(key, true)},
		{"floor without the clock read", floorMint(key, false)},
		own,
	}, ops...)
	t, err := minter.Mint(mintPerson, mintTTL)
	if err != nil {
		return nil, err
	}
	if n := len(t.Access.Reveal()); n != 199 {
		return nil, errors.New("the token has " + strconv.Itoa(n) + " bytes, not 199")
	}
	return []group{{
		name: "mint", title: "sign an HS256 token of 199 bytes (iss of 36, exp, personId of 11 characters)", variants: all,
	}, {
		name: "mint/parallel", title: "the same on all processors",
		variants: []variant{{all[0].name, parallelFloor(key)}, {own.name, parallel(own.run)}},
	}}, nil
}

// floorMint is the physical limit: everything that does not change is done
// before, and the caller owns the one buffer.
func floorMint(key []byte, clock bool) func(n int) {
	mac := hmac.New(sha256.New, key)
	mac.Reset()
	enc := base64.RawURLEncoding
	head := enc.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "."
	claims := []byte(`{"iss":"` + mintIssuer + `","exp":1700000000,"personId":"` + mintPerson + `"}`)
	body := len(head) + enc.EncodedLen(len(claims))
	buf := make([]byte, body+1+enc.EncodedLen(sha256.Size))
	copy(buf, head)
	sum := make([]byte, 0, sha256.Size)
	at := len(`{"iss":"` + mintIssuer + `","exp":`)
	return func(n int) {
		for range n {
			if clock {
				strconv.AppendInt(claims[:at], time.Now().Add(mintTTL).Unix(), 10)
			}
			enc.Encode(buf[len(head):], claims)
			mac.Reset()
			mac.Write(buf[:body])
			buf[body] = '.'
			enc.Encode(buf[body+1:], mac.Sum(sum))
		}
	}
}

// parallelFloor gives each processor a floor of its own.
func parallelFloor(key []byte) func(n int) {
	return parallel(func(n int) { floorMint(key, true)(n) })
}

func marshalled(pool *sync.Pool, c mintClaims) (string, error) {
	payload, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	enc := base64.RawURLEncoding
	buf := make([]byte, 0, 256)
	buf = append(buf, "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."...)
	buf = enc.AppendEncode(buf, payload)
	mac := pool.Get().(hash.Hash)
	mac.Reset()
	mac.Write(buf)
	var sum [sha256.Size]byte
	s := mac.Sum(sum[:0])
	pool.Put(mac)
	buf = enc.AppendEncode(append(buf, '.'), s)
	return string(buf), nil
}
