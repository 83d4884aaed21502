package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	cristal "github.com/cristalhq/jwt/v5"
	jose "github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"
	golangjwt "github.com/golang-jwt/jwt/v5"
	"github.com/kataras/jwt"
	"github.com/lestrrat-go/jwx/v3/jwa"
	jwx "github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/cafsmartauth"
)

const (
	attestationKey    = "0123456789abcdef0123456789abcdef"
	attestationPolicy = "policy-of-the-benchmark"
	attestationHeader = `{"alg":"HS256","typ":"JWT"}`
)

// attestationClaims are what golang-jwt at its best decodes into.
type attestationClaims struct {
	AttemptID    string `json:"attemptId"`
	PeopleID     string `json:"peopleId"`
	PolicyID     string `json:"policyId"`
	IsAuthorized bool   `json:"isAuthorized"`
	IsNewContext bool   `json:"isNewContext"`
	golangjwt.RegisteredClaims
}

func signAttestation(header, payload string) string {
	enc := base64.RawURLEncoding
	in := enc.EncodeToString([]byte(header)) + "." + enc.EncodeToString([]byte(payload))
	mac := hmac.New(sha256.New, []byte(attestationKey))
	mac.Write([]byte(in))
	return in + "." + enc.EncodeToString(mac.Sum(nil))
}

func attestationPayload(pad int) string {
	now := time.Now()
	filler := ""
	if pad > 0 {
		filler = `"filler":"` + strings.Repeat("x", pad) + `",`
	}
	return fmt.Sprintf(`{%s"attemptId":"fa01e0000000000000000001","peopleId":"%s","policyId":"%s","isAuthorized":true,"isNewContext":false,"iat":%d,"exp":%d}`,
		filler, mintPerson, attestationPolicy, now.Unix(), now.Add(24*time.Hour).Unix())
}

// spoil changes one byte of a token's signature.
func spoil(token string) string {
	b := []byte(token)
	at := len(b) - 20
	if b[at] == 'A' {
		b[at] = 'B'
	} else {
		b[at] = 'A'
	}
	return string(b)
}

// verifier is one way to verify a token.
type verifier struct {
	name   string
	verify func(token string) error
}

func verifiers() ([]verifier, error) {
	key := []byte(attestationKey)
	client, err := cafsmartauth.New(cafsmartauth.Config{ClientID: mintIssuer, ClientSecret: kyckit.NewSecret(attestationKey)})
	if err != nil {
		return nil, err
	}
	want := cafsmartauth.Expected{PersonID: mintPerson, PolicyID: attestationPolicy}
	parser := golangjwt.NewParser(golangjwt.WithValidMethods([]string{"HS256"}), golangjwt.WithExpirationRequired(), golangjwt.WithIssuedAt(), golangjwt.WithStrictDecoding())
	keyFunc := func(*golangjwt.Token) (any, error) { return key, nil } //nolint:unparam // the type is the library's
	checker, err := cristal.NewVerifierHS(cristal.HS256, key)
	if err != nil {
		return nil, err
	}
	return []verifier{
		{"kyckit, all checks", func(token string) error {
			_, err := client.VerifyAttestation(token, want)
			return err
		}},
		{"golang-jwt v5, typed claims", func(token string) error {
			var c attestationClaims
			_, err := parser.ParseWithClaims(token, &c, keyFunc)
			return err
		}},
		{"golang-jwt v5, MapClaims", func(token string) error {
			_, err := parser.Parse(token, keyFunc)
			return err
		}},
		{"cristalhq/jwt v5", func(token string) error {
			t, err := cristal.Parse([]byte(token), checker)
			if err != nil {
				return err
			}
			var c attestationClaims
			return json.Unmarshal(t.Claims(), &c)
		}},
		{"kataras/jwt", func(token string) error {
			t, err := jwt.Verify(jwt.HS256, key, []byte(token))
			if err != nil {
				return err
			}
			var c attestationClaims
			return t.Claims(&c)
		}},
		{"lestrrat-go/jwx v3", func(token string) error {
			_, err := jwx.Parse([]byte(token), jwx.WithKey(jwa.HS256(), key), jwx.WithValidate(true))
			return err
		}},
		{"go-jose v4", func(token string) error {
			t, err := josejwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.HS256})
			if err != nil {
				return err
			}
			var c attestationClaims
			return t.Claims(key, &c)
		}},
	}, nil
}

// floorVerify is the physical limit of refusing a forgery: one pre-keyed HMAC
// over the bytes as they stand, already in a buffer, and one base64 decoding.
func floorVerify(token string) func(n int) {
	mac := hmac.New(sha256.New, []byte(attestationKey))
	mac.Reset()
	dot := strings.LastIndexByte(token, '.')
	signed, signature := []byte(token[:dot]), []byte(token[dot+1:])
	sum, given := make([]byte, 0, sha256.Size), make([]byte, 64)
	return func(n int) {
		for range n {
			mac.Reset()
			mac.Write(signed)
			got, err := base64.RawURLEncoding.Decode(given, signature)
			must(err)
			if hmac.Equal(mac.Sum(sum), given[:got]) {
				panic("accepted")
			}
		}
	}
}

func attestation() ([]group, error) {
	all, err := verifiers()
	if err != nil {
		return nil, err
	}
	good := signAttestation(attestationHeader, attestationPayload(0))
	for _, v := range all {
		if err := v.verify(good); err != nil {
			return nil, fmt.Errorf("%s refuses a good token: %w", v.name, err)
		}
	}
	accept := group{name: "attestation/accept", title: fmt.Sprintf("accept an HS256 attestation of %d bytes", len(good))}
	for _, i := range []int{1, 0, 2, 3, 4, 5, 6} {
		v := all[i]
		accept.variants = append(accept.variants, variant{v.name, func(n int) {
			for range n {
				must(v.verify(good))
			}
		}})
	}

	refuse := func(name, title, token string, floor bool, peers []verifier) (group, error) {
		g := group{name: name, title: title}
		if floor {
			g.variants = append(g.variants, variant{"floor: pre-keyed HMAC and base64", floorVerify(token)})
		}
		for _, v := range peers {
			if v.verify(token) == nil {
				return g, errors.New(v.name + " accepts a bad token")
			}
			g.variants = append(g.variants, variant{v.name, func(n int) {
				for range n {
					if v.verify(token) == nil {
						panic("accepted")
					}
				}
			}})
		}
		return g, nil
	}
	mebi := strings.Repeat("e", 1<<20)
	signature := good[len(good)-44:]
	forged := spoil(good)
	long := spoil(signAttestation(attestationHeader, attestationPayload(5600)))
	groups := []group{accept}
	for _, r := range []struct {
		name, title, token string
		floor              bool
	}{
		{"attestation/forged", fmt.Sprintf("refuse a forgery of %d bytes", len(forged)), forged, true},
		{"attestation/forged-long", fmt.Sprintf("refuse a forgery of %d bytes, near the cap", len(long)), long, true},
		{"attestation/dots", "refuse 1 MiB of dots", strings.Repeat(".", 1<<20), false},
		{"attestation/header", "refuse a header of 1 MiB", mebi + ".e30" + signature, false},
		{"attestation/payload", "refuse a payload of 1 MiB", spoil(signAttestation(attestationHeader, attestationPayload(3<<18))), false},
	} {
		g, err := refuse(r.name, r.title, r.token, r.floor, all)
		if err != nil {
			return nil, err
		}
		groups = append(groups, g)
	}

	// Minting through the provider's package: a CPF check more than the minter.
	client, err := cafsmartauth.New(cafsmartauth.Config{ClientID: mintIssuer, ClientSecret: kyckit.NewSecret(attestationKey)})
	if err != nil {
		return nil, err
	}
	groups = append(groups, group{
		name: "attestation/mint", title: "mint through cafsmartauth against the floor of minting",
		variants: []variant{
			{"floor: pre-keyed HMAC, one buffer, one clock read", floorMint([]byte(attestationKey), true)},
			each("kyckit cafsmartauth.Client, bare CPF", func() (string, error) {
				t, err := client.Mint(mintPerson, mintTTL)
				return t.Type, err
			}),
			each("kyckit cafsmartauth.Client, punctuated CPF", func() (string, error) {
				t, err := client.Mint("111.222.333-44", mintTTL)
				return t.Type, err
			}),
		},
	})
	return groups, nil
}
