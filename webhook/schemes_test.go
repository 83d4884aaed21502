package webhook

import (
	"crypto"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
)

func TestSchemesOfOtherProviders(t *testing.T) {
	const body, secret = `{"a":1}`, "s3cret"
	now := time.Unix(1700000000, 0)
	hexOf := func(content string) string { return hex.EncodeToString(sign(sha256.New, secret, content)) }
	b64 := base64.StdEncoding.EncodeToString
	justBody := "{body}"
	bodySum := sha256.Sum256([]byte(body))
	keys := func(c *HMACConfig) {
		c.Secrets = nil
		c.Keys = []HMACKey{{ID: "old", Secret: kyckit.NewSecret("x")}, {ID: "new", Secret: kyckit.NewSecret(secret)}}
	}
	for _, c := range []struct {
		name   string
		scheme Scheme
		good   *Delivery
		change func(*HMACConfig)
		bad    []*Delivery
	}{
		{
			"Onfido",
			Scheme{SignatureHeader: "X-SHA2-Signature", Signed: justBody},
			deliver(body, "X-SHA2-Signature", hexOf(body)), nil,
			[]*Delivery{
				deliver(body, "X-SHA2-Signature", hexOf(body)+" "), deliver(body, "X-SHA2-Signature", hexOf(body)[2:]),
				deliver(body, "X-SHA2-Signature", "zz"+hexOf(body)[2:]), deliver(body, "X-SHA2-Signature", "sha256="+hexOf(body)),
			},
		},
		{
			"Sumsub",
			Scheme{SignatureHeader: "X-Payload-Digest", AlgorithmHeader: "X-Payload-Digest-Alg", Algorithm: "HMAC_SHA256_HEX", Signed: justBody},
			deliver(body, "X-Payload-Digest", hexOf(body), "X-Payload-Digest-Alg", "HMAC_SHA256_HEX"), nil,
			[]*Delivery{
				deliver(body, "X-Payload-Digest", hexOf(body), "X-Payload-Digest-Alg", "HMAC_SHA1_HEX"),
				deliver(body, "X-Payload-Digest", hexOf(body)),
				deliver(body, "X-Payload-Digest", hex.EncodeToString(sign(sha1.New, secret, body)), "X-Payload-Digest-Alg", "HMAC_SHA256_HEX"),
			},
		},
		{
			"Veriff",
			Scheme{SignatureHeader: "X-HMAC-SIGNATURE", Signed: justBody},
			deliver(body, "X-Hmac-Signature", strings.ToUpper(hexOf(body))), nil, nil,
		},
		{
			"Persona",
			Scheme{
				SignatureHeader: "Persona-Signature", Grammar: GrammarPairs, GroupSeparator: ' ', TimestampKey: "t", SignatureKey: "v1",
				Signed: "{timestamp}.{body}",
			},
			deliver(body, "Persona-Signature", "t=1700000000,v1="+hexOf("x")+" t=1700000001,v1="+hexOf("1700000001."+body)), nil,
			[]*Delivery{
				deliver(body, "Persona-Signature", "t=1700000000,v1="+hexOf("x")+" v1="+hexOf("1700000001."+body)),
				deliver(body, "Persona-Signature", "t=1700000000,t=1700000001,v1="+hexOf("1700000001."+body)),
				deliver(body, "Persona-Signature", "t=,v1="+hexOf("."+body)),
				deliver(body, "Persona-Signature", "t=-1,v1="+hexOf("-1."+body)),
				deliver(body, "Persona-Signature", "t=1700000001 ,v1="+hexOf("1700000001 ."+body)),
				deliver(body, "Persona-Signature", "t=99999999999999999999,v1="+hexOf("99999999999999999999."+body)),
			},
		},
		{
			"SHA-512, base64, hex secret, request line",
			Scheme{
				SignatureHeader: "X-Sig", Prefix: "HMAC ", Hash: crypto.SHA512, Encoding: Base64, SecretEncoding: Hex,
				Signed: "{method}\n{path}?{query}\n{url}\n{header:x-tenant}\n{bodySHA256}",
			},
			deliver(body, "X-Tenant", "t1", "X-Sig", "HMAC "+b64(sign(sha512.New, secret, "POST\n/hooks/a%2Fb?x=1&y\nhttps://me.example/h\nt1\n"+hex.EncodeToString(bodySum[:])))),
			func(c *HMACConfig) {
				c.PublicURL = "https://me.example/h"
				c.Secrets = []kyckit.Secret{kyckit.NewSecret(hex.EncodeToString([]byte(secret)))}
			},
			[]*Delivery{deliver(body, "X-Sig", "HMAC "+b64(sign(sha512.New, secret, "POST")))},
		},
		{
			"SHA-384, base64url unpadded, milliseconds",
			Scheme{
				SignatureHeader: "X-Sig", Hash: crypto.SHA384, Encoding: Base64URL, TimestampHeader: "X-Time", TimestampUnit: UnixMillis,
				Signed: "{timestamp}{body}",
			},
			deliver(body, "X-Time", "1700000000123", "X-Sig", base64.RawURLEncoding.EncodeToString(sign(sha512.New384, secret, "1700000000123"+body))), nil, nil,
		},
		{
			"RFC 3339",
			Scheme{
				SignatureHeader: "X-Sig", TimestampHeader: "X-Time", TimestampUnit: RFC3339, Signed: "{timestamp}{body}",
			},
			deliver(body, "X-Time", "2023-11-14T22:13:20.5Z", "X-Sig", hexOf("2023-11-14T22:13:20.5Z"+body)), nil,
			[]*Delivery{deliver(body, "X-Time", "1700000000", "X-Sig", hexOf("1700000000"+body))},
		},
		{
			"SHA-1 by name",
			Scheme{SignatureHeader: "X-Sig", Hash: crypto.SHA1, Signed: justBody},
			deliver(body, "X-Sig", hex.EncodeToString(sign(sha1.New, secret, body))), nil,
			[]*Delivery{deliver(body, "X-Sig", hexOf(body))},
		},
		{
			"keyed",
			Scheme{SignatureHeader: "X-Sig", Grammar: GrammarKeyed, Algorithm: "hmac-sha256", Signed: justBody},
			deliver(body, "X-Sig", "new:HMAC-SHA256:"+hexOf(body)), keys,
			[]*Delivery{
				deliver(body, "X-Sig", "old:hmac-sha256:"+hexOf(body)), deliver(body, "X-Sig", "other:hmac-sha256:"+hexOf(body)),
				deliver(body, "X-Sig", "new:none:"+hexOf(body)), deliver(body, "X-Sig", "new:hmac-sha256:"), deliver(body, "X-Sig", ":hmac-sha256:"+hexOf(body)),
			},
		},
		{
			"quoted pairs",
			Scheme{
				SignatureHeader: "Authorization", Prefix: "Signature ", Grammar: GrammarPairs, Quoted: true, KeyIDKey: "keyId",
				AlgorithmKey: "algorithm", Algorithm: "hmac-sha256", SignatureKey: "signature", Encoding: Base64, Signed: justBody,
			},
			deliver(body, "Authorization", `Signature keyId="new", algorithm="hmac-sha256", signature="`+b64(sign(sha256.New, secret, body))+`"`), keys,
			[]*Delivery{
				deliver(body, "Authorization", `Signature keyId="new", signature="`+b64(sign(sha256.New, secret, body))+`"`),
				deliver(body, "Authorization", `Signature keyId="new", algorithm="hmac-sha256", signature="`+b64(sign(sha256.New, secret, body))),
				deliver(body, "Authorization", `Signature keyId="old",keyId="new", algorithm="hmac-sha256", signature="`+b64(sign(sha256.New, secret, body))+`"`),
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := HMACConfig{Scheme: c.scheme, Secrets: []kyckit.Secret{kyckit.NewSecret(secret)}, Now: func() time.Time { return now }}
			if c.change != nil {
				c.change(&cfg)
			}
			a, err := NewHMAC(cfg)
			require.NoError(t, err)
			require.NoError(t, a.Authenticate(c.good))
			for i, bad := range c.bad {
				require.ErrorIs(t, a.Authenticate(bad), kyckit.ErrUnauthorized, i)
			}
		})
	}
}
