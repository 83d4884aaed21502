package webhook

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
)

const (
	vendorBody    = `{"id":"evt_1","type":"made.up"}`
	vendorSecret  = "made-up secret"
	vendorKey     = "bWFkZS11cCBzZWNyZXQgb2YgMjQgYnku" // base64
	vendorBodyMAC = "1849fb805cbf969b3941e67d662a317f9ca1106ca15455e4ae980181a6402e45"
	vendorBodyB64 = "GEn7gFy/lps5QeZ9Zioxf5yhEGyhVFXkrpgBgaZALkU="
)

// vendor is a sender of the package's table and a delivery as its own library
// signs it.
type vendor struct {
	name   string
	scheme Scheme
	secret string
	header map[string]string
}

// vendors were signed once, with a made-up secret. By the sender's own npm
// package: Stripe (stripe 23.1.0, generateTestHeaderString), Svix (svix 1.99.1,
// Webhook.sign), Standard Webhooks (standardwebhooks 1.1.1, Webhook.sign),
// GitHub and so Meta (@octokit/webhooks-methods 6.0.0, sign), HubSpot
// (@hubspot/api-client 13.5.0, Signature.getSignature with "v3"), Adyen
// (@adyen/api-library 32.1.0, HmacValidator.calculateHmac); accepted by the
// sender's own: Square (square 46.0.0, WebhooksHelper.verifySignature),
// ComplyCube (@complycube/api 1.1.13, EventVerifier.constructEvent). The others
// have no npm package that signs or verifies; theirs are node's
// createHmac("sha256", secret).update(content) by the recipe of their pages.
// Slack's, GitHub's and Standard Webhooks' published vectors are in hmac_test.go.
func vendors() []vendor {
	svix := StandardWebhooks()
	svix.SignatureHeader, svix.TimestampHeader, svix.IDHeader = "Svix-Signature", "Svix-Timestamp", "Svix-Id"
	const standard = "v1,EFeZ55gQ7vaDxe3Fhv8Tbn1amJSJ6NgnIEI6y2lN2Po="
	const dotted = "t=1700000000,v1=c352d5416c8a18daa4491c8e1c78d60f6c5cd417ca18c39307bd965eacea188c"
	const zoom = "v0=42ea8429a6f5454db2dda90f70dc35c9454de947cdf5cd2990312c39f9e6c952"
	return []vendor{
		{"Stripe", Stripe(), vendorSecret, map[string]string{"Stripe-Signature": dotted}},
		{"GitHub", GitHub(), vendorSecret, map[string]string{"X-Hub-Signature-256": "sha256=" + vendorBodyMAC}},
		{"Meta", GitHub(), vendorSecret, map[string]string{"X-Hub-Signature-256": "sha256=" + vendorBodyMAC}},
		{"Slack", Slack(), vendorSecret, map[string]string{"X-Slack-Signature": zoom, "X-Slack-Request-Timestamp": "1700000000"}},
		{"Standard Webhooks", StandardWebhooks(), "whsec_" + vendorKey, map[string]string{"Webhook-Id": "msg_1", "Webhook-Timestamp": "1700000000", "Webhook-Signature": standard}},
		{"Svix", svix, "whsec_" + vendorKey, map[string]string{"Svix-Id": "msg_1", "Svix-Timestamp": "1700000000", "Svix-Signature": standard}},
		{
			"Shopify",
			Scheme{SignatureHeader: "X-Shopify-Hmac-Sha256", Encoding: Base64, Signed: "{body}"},
			vendorSecret,
			map[string]string{"X-Shopify-Hmac-Sha256": vendorBodyB64},
		},
		{
			"Sumsub",
			Scheme{SignatureHeader: "X-Payload-Digest", AlgorithmHeader: "X-Payload-Digest-Alg", Algorithm: "HMAC_SHA256_HEX", Signed: "{body}"},
			vendorSecret,
			map[string]string{"X-Payload-Digest": vendorBodyMAC, "X-Payload-Digest-Alg": "HMAC_SHA256_HEX"},
		},
		{"Onfido", Scheme{SignatureHeader: "X-SHA2-Signature", Signed: "{body}"}, vendorSecret, map[string]string{"X-SHA2-Signature": vendorBodyMAC}},
		{"Veriff", Scheme{SignatureHeader: "X-HMAC-Signature", Signed: "{body}"}, vendorSecret, map[string]string{"X-HMAC-Signature": vendorBodyMAC}},
		{"iDenfy", Scheme{SignatureHeader: "Idenfy-Signature", Signed: "{body}"}, vendorSecret, map[string]string{"Idenfy-Signature": vendorBodyMAC}},
		{"ComplyCube", Scheme{SignatureHeader: "ComplyCube-Signature", Signed: "{body}"}, vendorSecret, map[string]string{"ComplyCube-Signature": vendorBodyMAC}},
		{
			"Persona", Scheme{
				SignatureHeader: "Persona-Signature", Grammar: GrammarPairs, GroupSeparator: ' ', TimestampKey: "t", SignatureKey: "v1", Signed: "{timestamp}.{body}",
			}, vendorSecret, map[string]string{"Persona-Signature": "t=1700000000,v1=" + strings.Repeat("0", 64) + " " + dotted},
		},
		{
			"Zoom",
			Scheme{SignatureHeader: "X-Zm-Signature", Prefix: "v0=", TimestampHeader: "X-Zm-Request-Timestamp", Signed: "v0:{timestamp}:{body}"},
			vendorSecret,
			map[string]string{"X-Zm-Signature": zoom, "X-Zm-Request-Timestamp": "1700000000"},
		},
		{
			"Paddle",
			Scheme{SignatureHeader: "Paddle-Signature", Grammar: GrammarPairs, Separator: ';', TimestampKey: "ts", SignatureKey: "h1", Signed: "{timestamp}:{body}"},
			vendorSecret,
			map[string]string{"Paddle-Signature": "ts=1700000000;h1=8bd05f3be3ab543abf275388c71f44f46ff7981a80fe2bcfe3f15dbfc303ea70"},
		},
		{
			"Square",
			Scheme{SignatureHeader: "X-Square-HmacSha256-Signature", Encoding: Base64, Signed: "{url}{body}"},
			vendorSecret,
			map[string]string{"X-Square-HmacSha256-Signature": "gJDxXvz22F1aZtSB2/JJALTSiNkxlutDnzXeSEE1+m8="},
		},
		{
			"Adyen platform",
			Scheme{SignatureHeader: "HmacSignature", Encoding: Base64, SecretEncoding: Hex, Signed: "{body}"},
			"6d6164652d757020736563726574",
			map[string]string{"HmacSignature": vendorBodyB64},
		},
		{
			"Twitch", Scheme{
				SignatureHeader: "Twitch-Eventsub-Message-Signature", Prefix: "sha256=", IDHeader: "Twitch-Eventsub-Message-Id",
				TimestampHeader: "Twitch-Eventsub-Message-Timestamp", TimestampUnit: RFC3339, Signed: "{id}{timestamp}{body}",
			}, vendorSecret, map[string]string{
				"Twitch-Eventsub-Message-Id": "e76c6bd4-55c9-4987-8304-da1588d8988b", "Twitch-Eventsub-Message-Timestamp": "2023-11-14T22:13:20.123456789Z",
				"Twitch-Eventsub-Message-Signature": "sha256=5a03e81cbea701f732bd620b156130a7d7f86f34424115a37f82e53f2845ac38",
			},
		},
		{
			"Zendesk", Scheme{
				SignatureHeader: "X-Zendesk-Webhook-Signature", TimestampHeader: "X-Zendesk-Webhook-Signature-Timestamp", TimestampUnit: RFC3339, Encoding: Base64, Signed: "{timestamp}{body}",
			}, vendorSecret, map[string]string{"X-Zendesk-Webhook-Signature": "byFyUyXTlIWActfjQedfF3sWcuF1e1b2gGuqnxsBzU0=", "X-Zendesk-Webhook-Signature-Timestamp": "2023-11-14T22:13:20Z"},
		},
		{
			"HubSpot", Scheme{
				SignatureHeader: "X-HubSpot-Signature-v3", TimestampHeader: "X-HubSpot-Request-Timestamp", TimestampUnit: UnixMillis, Encoding: Base64, Signed: "{method}{url}{body}{timestamp}",
			}, vendorSecret, map[string]string{"X-HubSpot-Signature-v3": "Ue3eOnsAu4k3rCxbUJhR1QzqWnxIGCcgwm6+QkGvrZI=", "X-HubSpot-Request-Timestamp": "1700000000000"},
		},
		{
			"Teams",
			Scheme{SignatureHeader: "Authorization", Prefix: "HMAC ", Encoding: Base64, SecretEncoding: Base64, Signed: "{body}"},
			vendorKey,
			map[string]string{"Authorization": "HMAC sP2xA4Zzws3H5EA4E7PHq+vVbS4JGDuBhfF0v0ZxN2A="},
		},
		{
			"DocuSign",
			Scheme{SignatureHeader: "X-DocuSign-Signature-1", Encoding: Base64, Signed: "{body}"},
			vendorSecret,
			map[string]string{"X-DocuSign-Signature-1": vendorBodyB64},
		},
	}
}

func TestVendors(t *testing.T) {
	for _, v := range vendors() {
		t.Run(v.name, func(t *testing.T) {
			cfg := HMACConfig{Scheme: v.scheme, Secrets: []kyckit.Secret{kyckit.NewSecret(v.secret)}, Now: func() time.Time { return time.Unix(1700000060, 0) }}
			if strings.Contains(v.scheme.Signed, "{url}") {
				cfg.PublicURL = "https://me.example/hook"
			}
			a, err := NewHMAC(cfg)
			require.NoError(t, err)
			d := deliver(vendorBody)
			for name, value := range v.header {
				d.Header.Set(name, value)
			}
			require.NoError(t, a.Authenticate(d))
			d.Body = []byte(strings.Replace(vendorBody, "1", "2", 1))
			require.ErrorIs(t, a.Authenticate(d), ErrBadSignature)
			d.Body = []byte(vendorBody)
			if v.scheme.TimestampHeader != "" || v.scheme.TimestampKey != "" {
				cfg.Now = func() time.Time { return time.Unix(1700000000, 0).Add(time.Hour) }
				late, err := NewHMAC(cfg)
				require.NoError(t, err)
				require.ErrorIs(t, late.Authenticate(d), ErrTimestamp)
			}
		})
	}
}

// TestVendorsTable: the table of the package's documentation names every sender
// that is tested here, with the content that it signs, and no other.
func TestVendorsTable(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	rows := regexp.MustCompile(`(?m)^//\t(\S[^\t]*?) {2,}(\S+)\s+"([^"]*\{[^"]*)"`).FindAllStringSubmatch(string(doc), -1)
	table := map[string]string{}
	for _, row := range rows {
		table[row[1]] = row[2] + " " + row[3]
	}
	tested := map[string]string{}
	for _, v := range vendors() {
		tested[v.name] = v.scheme.SignatureHeader + " " + v.scheme.Signed
	}
	assert.Equal(t, tested, table)
}
