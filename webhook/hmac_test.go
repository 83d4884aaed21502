package webhook

import (
	"crypto"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
)

// vector is a published delivery with its signature.
type vector struct {
	name   string
	scheme Scheme
	secret string
	header map[string]string
	body   string
	at     int64
	id     string
}

// vectors come from the providers' own pages and libraries, save Stripe's: it
// publishes none with its secret, so that value was made with openssl.
func vectors() []vector {
	return []vector{
		{ // docs.github.com, "Testing the webhook payload validation"
			"github", GitHub(), "It's a Secret to Everybody",
			map[string]string{"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"},
			"Hello, World!", 0, "",
		},
		{ // api.slack.com, "Verifying requests from Slack"
			"slack", Slack(), "8f742231b10e8888abcd99yyyzzz85a5",
			map[string]string{
				"X-Slack-Signature":         "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
				"X-Slack-Request-Timestamp": "1531420618",
			},
			"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
			1531420618, "",
		},
		{ // github.com/standard-webhooks/standard-webhooks, libraries' tests
			"standard-webhooks", StandardWebhooks(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
			map[string]string{
				"Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "Webhook-Timestamp": "1614265330",
				"Webhook-Signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
			},
			`{"test": 2432232314}`, 1614265330, "msg_p5jXN8AQM9LWM0D4loKWxJek",
		},
		{ // printf '1492774577.{"id":"evt_1","object":"event"}' | openssl dgst -sha256 -hmac whsec_example
			"stripe", Stripe(), "whsec_example",
			map[string]string{"Stripe-Signature": "t=1492774577,v1=ceba62dd13103ba16006e02ce26a4380913a25bcbf1cd4cf93d41b1a5f0d9196,v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39"},
			`{"id":"evt_1","object":"event"}`, 1492774577, "",
		},
	}
}

func (v vector) delivery() *Delivery {
	d := &Delivery{Method: "POST", URL: &url.URL{Path: "/hook"}, Header: http.Header{}, Body: []byte(v.body)}
	for k, value := range v.header {
		d.Header.Set(k, value)
	}
	return d
}

func (v vector) auth(t testing.TB, change ...func(*HMACConfig)) Authenticator {
	t.Helper()
	cfg := HMACConfig{Scheme: v.scheme, Secrets: []kyckit.Secret{kyckit.NewSecret(v.secret)}, Now: func() time.Time { return time.Unix(v.at+60, 0) }}
	for _, c := range change {
		c(&cfg)
	}
	a, err := NewHMAC(cfg)
	require.NoError(t, err)
	return a
}

func TestPublishedVectors(t *testing.T) {
	for _, v := range vectors() {
		t.Run(v.name, func(t *testing.T) {
			a, d := v.auth(t), v.delivery()
			require.NoError(t, a.Authenticate(d))
			assert.Equal(t, v.id, d.ID)
			if v.at != 0 {
				assert.Equal(t, v.at, d.Timestamp.Unix())
			}

			d = v.delivery()
			d.Body = append(d.Body, ' ')
			require.ErrorIs(t, a.Authenticate(d), ErrBadSignature)
			require.ErrorIs(t, a.Authenticate(d), kyckit.ErrUnauthorized)
			assert.Empty(t, d.ID)

			d = v.delivery()
			d.Header = http.Header{}
			require.ErrorIs(t, a.Authenticate(d), ErrNoSignature)

			d = v.delivery()
			d.Header.Set(v.scheme.SignatureHeader, "")
			require.ErrorIs(t, a.Authenticate(d), ErrNoSignature)

			d = v.delivery()
			d.Header.Add(v.scheme.SignatureHeader, d.Header.Get(v.scheme.SignatureHeader))
			require.ErrorIs(t, a.Authenticate(d), ErrBadSignature)

			wrong := v.auth(t, func(c *HMACConfig) { c.Secrets = []kyckit.Secret{kyckit.NewSecret(v.scheme.SecretPrefix + "AAAA")} })
			require.ErrorIs(t, wrong.Authenticate(v.delivery()), ErrBadSignature)
			rotating := v.auth(t, func(c *HMACConfig) {
				c.Secrets = append([]kyckit.Secret{kyckit.NewSecret(v.scheme.SecretPrefix + "AAAA")}, c.Secrets...)
			})
			require.NoError(t, rotating.Authenticate(v.delivery()))
		})
	}
}

func TestTimestampBothWays(t *testing.T) {
	for _, v := range vectors() {
		if v.at == 0 {
			continue
		}
		for offset, want := range map[time.Duration]error{
			-5 * time.Minute: nil, 5 * time.Minute: nil,
			-5*time.Minute - time.Second: ErrTimestamp, 5*time.Minute + time.Second: ErrTimestamp,
			-200 * 365 * 24 * time.Hour: ErrTimestamp, 200 * 365 * 24 * time.Hour: ErrTimestamp,
		} {
			now := func(c *HMACConfig) { c.Now = func() time.Time { return time.Unix(v.at, 0).Add(offset) } }
			require.ErrorIs(t, v.auth(t, now).Authenticate(v.delivery()), want, "%s %v", v.name, offset)
			off := func(c *HMACConfig) { c.Tolerance = -1 }
			require.NoError(t, v.auth(t, now, off).Authenticate(v.delivery()))
		}
	}
}

// sign makes a signature by hand, apart from the code under test.
func sign(newHash func() hash.Hash, secret, content string) []byte {
	m := hmac.New(newHash, []byte(secret))
	m.Write([]byte(content))
	return m.Sum(nil)
}

func deliver(body string, headers ...string) *Delivery {
	u, _ := url.Parse("/hooks/a%2Fb?x=1&y")
	d := &Delivery{Method: "POST", URL: u, Header: http.Header{}, Body: []byte(body)}
	for i := 0; i < len(headers); i += 2 {
		d.Header.Add(headers[i], headers[i+1])
	}
	return d
}

// TestSignedContentReadsOneWay: an id that could swallow the timestamp would
// let one signature stand for two deliveries.
func TestSignedContentReadsOneWay(t *testing.T) {
	key := "0123456789abcdef01234567"
	a, err := NewHMAC(HMACConfig{Scheme: StandardWebhooks(), Secrets: []kyckit.Secret{kyckit.NewSecret("whsec_" + base64.StdEncoding.EncodeToString([]byte(key)))}, Tolerance: -1})
	require.NoError(t, err)
	sig := "v1," + base64.StdEncoding.EncodeToString(sign(sha256.New, key, "msg.1.2.{}"))
	require.ErrorIs(t, a.Authenticate(deliver("{}", "Webhook-Id", "msg.1", "Webhook-Timestamp", "2", "Webhook-Signature", sig)), ErrBadSignature)
	require.ErrorIs(t, a.Authenticate(deliver("{}", "Webhook-Id", "msg", "Webhook-Timestamp", "1.2", "Webhook-Signature", sig)), ErrTimestamp)
	require.NoError(t, a.Authenticate(deliver("2.{}", "Webhook-Id", "msg", "Webhook-Timestamp", "1", "Webhook-Signature", sig)))
}

func TestSignatureListIsCapped(t *testing.T) {
	v := vectors()[2]
	good := v.header["Webhook-Signature"]
	for n, want := range map[int]error{15: nil, 16: ErrBadSignature} {
		d := v.delivery()
		d.Header.Set("Webhook-Signature", strings.Repeat("v1,AAAA ", n)+good)
		require.ErrorIs(t, v.auth(t).Authenticate(d), want, n)
	}
	d := v.delivery()
	d.Header.Set("Webhook-Signature", strings.Repeat("v2,x ", 1000)+good)
	require.ErrorIs(t, v.auth(t).Authenticate(d), ErrBadSignature)
	d.Header.Set("Webhook-Signature", "v1a,AAAA")
	require.ErrorIs(t, v.auth(t).Authenticate(d), ErrNoSignature)
}

func TestKeyExpires(t *testing.T) {
	v := vectors()[0]
	now := time.Unix(1000, 0)
	a := v.auth(t, func(c *HMACConfig) {
		c.Keys = []HMACKey{{Secret: c.Secrets[0], NotAfter: time.Unix(1000, 0)}}
		c.Secrets = nil
		c.Now = func() time.Time { return now }
	})
	require.NoError(t, a.Authenticate(v.delivery()))
	now = now.Add(time.Nanosecond)
	require.ErrorIs(t, a.Authenticate(v.delivery()), ErrBadSignature)
}

func TestHMACAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations cannot be counted under the race detector")
	}
	for _, v := range vectors() {
		a, good := v.auth(t), v.delivery()
		huge, forged := v.delivery(), v.delivery()
		huge.Header.Set(v.scheme.SignatureHeader, strings.Repeat("v1,v0,t=1,", 100_000))
		forged.Body = []byte("{}")
		for name, d := range map[string]*Delivery{"good": good, "1 MB header": huge, "forged": forged} {
			assert.Zero(t, testing.AllocsPerRun(200, func() { _ = a.Authenticate(d) }), "%s %s", v.name, name)
		}
	}
}

func TestHMACConfigIsChecked(t *testing.T) {
	body := "{body}"
	ok := func() HMACConfig {
		return HMACConfig{Scheme: GitHub(), Secrets: []kyckit.Secret{kyckit.NewSecret("x")}}
	}
	for name, change := range map[string]func(*HMACConfig){
		"no scheme":    func(c *HMACConfig) { c.Scheme = Scheme{} },
		"no secrets":   func(c *HMACConfig) { c.Secrets = nil },
		"empty secret": func(c *HMACConfig) { c.Secrets = append(c.Secrets, kyckit.NewSecret("")) },
		"blank secret": func(c *HMACConfig) { c.Secrets = append(c.Secrets, kyckit.NewSecret(" \n")) },
		"zero secret":  func(c *HMACConfig) { c.Secrets = append(c.Secrets, kyckit.Secret{}) },
		"only the prefix": func(c *HMACConfig) {
			c.Scheme = StandardWebhooks()
			c.Secrets = []kyckit.Secret{kyckit.NewSecret("whsec_")}
		},
		"not base64": func(c *HMACConfig) {
			c.Scheme = StandardWebhooks()
			c.Secrets = []kyckit.Secret{kyckit.NewSecret("whsec_!")}
		},
		"not hex":                func(c *HMACConfig) { c.Scheme.SecretEncoding = Hex },
		"body not signed":        func(c *HMACConfig) { c.Scheme.Signed = "x" },
		"timestamp not signed":   func(c *HMACConfig) { c.Scheme.TimestampHeader = "X-T" },
		"timestamp from nowhere": func(c *HMACConfig) { c.Scheme.Signed = body + "{timestamp}" },
		"id not signed":          func(c *HMACConfig) { c.Scheme.IDHeader = "X-Id" },
		"bad header":             func(c *HMACConfig) { c.Scheme.SignatureHeader = "a b" },
		"algorithm unknown":      func(c *HMACConfig) { c.Scheme.AlgorithmHeader = "X-Alg" },
		"URL missing":            func(c *HMACConfig) { c.Scheme.Signed = body + "{url}" },
		"URL unused":             func(c *HMACConfig) { c.PublicURL = "https://x" },
		"relative URL": func(c *HMACConfig) {
			c.Scheme.Signed, c.PublicURL = body+"{url}", "example.com/hook"
		},
		"spaced URL": func(c *HMACConfig) {
			c.Scheme.Signed, c.PublicURL = body+"{url}", " https://example.com/hook"
		},
		"no signature key":  func(c *HMACConfig) { c.Scheme.Grammar = GrammarPairs },
		"empty template":    func(c *HMACConfig) { c.Scheme.Signed = "" },
		"unknown field":     func(c *HMACConfig) { c.Scheme.Signed = "{body}{Timestamp}" },
		"open brace":        func(c *HMACConfig) { c.Scheme.Signed = "{body}{" },
		"stray brace":       func(c *HMACConfig) { c.Scheme.Signed = "{body}}" },
		"brace in a field":  func(c *HMACConfig) { c.Scheme.Signed = "{{body}" },
		"nameless header":   func(c *HMACConfig) { c.Scheme.Signed = "{body}.{header:}" },
		"no header's name":  func(c *HMACConfig) { c.Scheme.Signed = "{body}.{header:a b}" },
		"header for fields": func(c *HMACConfig) { c.Scheme.Signed = "{body}.{header}" },
		"unknown hash":      func(c *HMACConfig) { c.Scheme.Hash = crypto.MD5 },
		"one header for two": func(c *HMACConfig) {
			c.Scheme.TimestampHeader = "x-hub-signature-256"
			c.Scheme.Signed = body + "{timestamp}"
		},
		"one key for two": func(c *HMACConfig) { c.Scheme = Stripe(); c.Scheme.TimestampKey = "v1" },
		"id that nobody names": func(c *HMACConfig) {
			c.Keys = []HMACKey{{ID: "k", Secret: kyckit.NewSecret("x")}}
		},
		"host signed":   func(c *HMACConfig) { c.Scheme.Signed = body + ".{header:host}" },
		"raw signature": func(c *HMACConfig) { c.Scheme.Encoding = Raw },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := ok()
			change(&cfg)
			_, err := NewHMAC(cfg)
			require.ErrorIs(t, err, kyckit.ErrInvalid)
		})
	}
	_, err := NewHMAC(ok())
	require.NoError(t, err)
}

func TestDecodeBase64(t *testing.T) {
	for _, c := range []struct {
		text string
		enc  Encoding
		ok   bool
	}{
		{"QQ==", Base64, true},
		{"QQ", Base64, false},
		{"QQ=", Base64, false},
		{"QR==", Base64, false},
		{"QQ==\n", Base64, false},
		{"Q\nQ==", Base64, false},
		{"QQ", Base64URL, true},
		{"QQ==", Base64URL, true},
		{"QQ=", Base64URL, false},
		{"Q", Base64URL, false},
		{"A", Base64URL, false},
		{"AAAAA", Base64URL, false},
		{"aGVsbG8gYQ", Base64URL, true},
		{"aGVsbG8gYWI=", Base64, true},
		{"aGVsbG8gYWJj", Base64, true},
		{"-_8=", Base64URL, true},
		{"-_8=", Base64, false},
		{"+/8=", Base64, true},
		{"+/8=", Base64URL, false},
		{"====", Base64, false},
	} {
		got, ok := decodeBase64(nil, c.text, c.enc)
		assert.Equal(t, c.ok, ok, "%q %d", c.text, c.enc)
		if ok {
			assert.Equal(t, strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(c.text), base64.RawURLEncoding.EncodeToString(got))
		}
	}
}

func FuzzSignatureHeader(f *testing.F) {
	for i, v := range vectors() {
		f.Add(uint8(i), v.header[v.scheme.SignatureHeader], v.header[v.scheme.TimestampHeader], v.header[v.scheme.IDHeader])
	}
	f.Add(uint8(3), "t=1,t=2,v1=", "", "")
	f.Add(uint8(4), `keyId="a",algorithm="x",signature="y"`, "", "")
	f.Add(uint8(5), "a:hmac:00", "", "")
	schemes := []vector{
		{scheme: Scheme{SignatureHeader: "Sig", Grammar: GrammarPairs, Quoted: true, SignatureKey: "signature", KeyIDKey: "keyId", GroupSeparator: ' ', AlgorithmKey: "algorithm", Algorithm: "x", Signed: "{body}"}, secret: "a"},
		{scheme: Scheme{SignatureHeader: "Sig", Grammar: GrammarKeyed, Algorithm: "hmac", Signed: "{body}"}, secret: "a"},
	}
	all := append(vectors(), schemes...)
	f.Fuzz(func(t *testing.T, which uint8, sig, timestamp, id string) {
		v := all[int(which)%len(all)]
		d := v.delivery()
		d.Body = append(d.Body, "forged"...) // no signature in reach fits it
		for name, value := range map[string]string{v.scheme.SignatureHeader: sig, v.scheme.TimestampHeader: timestamp, v.scheme.IDHeader: id} {
			if name != "" {
				d.Header.Set(name, value)
			}
		}
		err := v.auth(t).Authenticate(d)
		if err == nil {
			t.Fatalf("accepted %q", sig)
		}
		if d.ID != "" || !d.Timestamp.IsZero() {
			t.Fatal("a refused delivery was given an id or a time")
		}
		_ = fmt.Sprint(err)
	})
}

// A timestamp in another notation is refused as such, whatever the signature.
func TestATimestampInAnotherNotation(t *testing.T) {
	a, err := NewHMAC(HMACConfig{Scheme: Slack(), Secrets: []kyckit.Secret{kyckit.NewSecret("made-up")}})
	require.NoError(t, err)
	for _, ts := range []string{"abc", "1700000000.5", "2026-01-01T00:00:00Z", "-1", "1700000000000000000000"} {
		err := a.Authenticate(deliver("{}", "X-Slack-Signature", "v0="+strings.Repeat("0", 64), "X-Slack-Request-Timestamp", ts))
		require.ErrorIs(t, err, ErrTimestamp, ts)
	}
	err = a.Authenticate(deliver("{}", "X-Slack-Signature", "v0="+strings.Repeat("0", 64), "X-Slack-Request-Timestamp", "1"))
	require.ErrorIs(t, err, ErrBadSignature, "how old it is counts only once it is proven")
}
