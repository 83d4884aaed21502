package webhooktest_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/leaktest"
	"github.com/kyckit/kyckit/webhook"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

const (
	eventBody = `{"id":"evt-1","name":"Zoë <a&b>","path":"x/y","list":[1,2.50,"a, b: c"],"none":{}}`
	rawSecret = "a made-up secret of the test"
)

// whsec is the secret as Standard Webhooks writes it.
func whsec(secret string) string { return "whsec_" + base64.StdEncoding.EncodeToString([]byte(secret)) }

// sent is a delivery as it was signed, before anything happens to it.
func sent(t *testing.T, s webhook.Scheme, secret, body string, at time.Time) webhooktest.Suspect {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hook", nil)
	r.Header.Set("Content-Type", "application/json")
	require.NoError(t, webhooktest.HMAC{Scheme: s, Secrets: []string{secret}}.Sign(r, "evt-1", at, []byte(body)))
	return webhooktest.Suspect{
		Scheme: s, Secret: kyckit.NewSecret(secret), At: at,
		Delivery: webhook.Delivery{Method: r.Method, URL: r.URL, Header: r.Header, Body: []byte(body)},
	}
}

func compressed(t *testing.T, body string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(body))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.Bytes()
}

// schemes are the presets with a secret as each has it.
func schemes() map[*webhook.Scheme]string {
	all := map[*webhook.Scheme]string{}
	for _, s := range []webhook.Scheme{webhook.Stripe(), webhook.GitHub(), webhook.Slack(), webhook.CafConnect()} {
		all[&s] = rawSecret
	}
	standard := webhook.StandardWebhooks()
	all[&standard] = whsec(rawSecret)
	return all
}

func TestExplain(t *testing.T) {
	pretty := "{\n  \"id\": \"evt-1\",\n  \"n\": [\n    1,\n    \"ü\"\n  ]\n}"
	setBody := func(body string) func(*webhooktest.Suspect) {
		return func(s *webhooktest.Suspect) { s.Delivery.Body = []byte(body) }
	}
	setSecret := func(secret string) func(*webhooktest.Suspect) {
		return func(s *webhooktest.Suspect) { s.Secret = kyckit.NewSecret(secret) }
	}
	for name, tc := range map[string]struct {
		signed string // what was signed; empty means eventBody
		spoil  func(*webhooktest.Suspect)
		want   webhooktest.Cause
		proven bool
	}{
		"ok":                  {"", func(*webhooktest.Suspect) {}, "", false},
		"newline added":       {"", setBody(eventBody + "\n"), webhooktest.CauseBodyNewline, true},
		"newline taken":       {eventBody + "\n", setBody(eventBody), webhooktest.CauseBodyNewline, true},
		"Windows":             {"{\n}", setBody("{\r\n}"), webhooktest.CauseBodyNewline, true},
		"Unix":                {"{\r\n}\r\n", setBody("{\n}\n"), webhooktest.CauseBodyNewline, true},
		"BOM added":           {"", setBody("\ufeff" + eventBody), webhooktest.CauseBodyBOM, true},
		"BOM taken":           {"\ufeff" + eventBody, setBody(eventBody), webhooktest.CauseBodyBOM, true},
		"pretty to compact":   {pretty, setBody(`{"id":"evt-1","n":[1,"ü"]}`), webhooktest.CauseBodyReformatted, true},
		"compact to pretty":   {`{"id":"evt-1","n":[1,"ü"]}`, setBody(pretty + "\n"), webhooktest.CauseBodyReformatted, true},
		"Python":              {`{"id": "evt-1", "n": [1, "a,b:c\"x, y"]}`, setBody(`{"id":"evt-1","n":[1,"a,b:c\"x, y"]}`), webhooktest.CauseBodyReformatted, true},
		"ASCII":               {`{"n":"\u00fc\ud83d\ude00"}`, setBody(`{"n":"ü😀"}`), webhooktest.CauseBodyReformatted, true},
		"not ASCII":           {`{"n":"ü😀\"\\u0041"}`, setBody(`{"n":"\u00fc\ud83d\ude00\"\\u0041"}`), webhooktest.CauseBodyReformatted, true},
		"Go escapes HTML":     {`{"n":"<&>"}`, setBody(`{"n":"\u003c\u0026\u003e"}`), webhooktest.CauseBodyReformatted, true},
		"PHP escapes slashes": {`{"n":"a\/b"}`, setBody(`{"n":"a/b"}`), webhooktest.CauseBodyReformatted, true},
		"gzip":                {"", func(s *webhooktest.Suspect) { s.Delivery.Body = compressed(t, eventBody) }, webhooktest.CauseBodyGzip, true},
		"gzip unpacked": {"\x1f\x8b something", func(s *webhooktest.Suspect) {
			s.Delivery.Body = []byte("{}")
			s.Delivery.Header.Set("Content-Encoding", "gzip")
		}, webhooktest.CauseBodyGzip, false},
		"gzip unpacked, longer": {"\x1f\x8b something", func(s *webhooktest.Suspect) {
			s.Delivery.Body = []byte("{}")
			s.Delivery.Header.Set("Content-Encoding", "gzip")
			s.Delivery.Header.Set("Content-Length", "12")
		}, webhooktest.CauseBodyGzip, false},
		"br unpacked": {"packed", func(s *webhooktest.Suspect) {
			s.Delivery.Body = []byte("{}")
			s.Delivery.Header.Set("Content-Encoding", "br")
		}, webhooktest.CauseBodyGzip, false},
		"truncated": {"", func(s *webhooktest.Suspect) {
			s.Delivery.Body = []byte(eventBody[:20])
			s.Delivery.Header.Set("Content-Length", strconv.Itoa(len(eventBody)))
		}, webhooktest.CauseBodyTruncated, false},
		"truncated, no length": {"", setBody(eventBody[:20]), webhooktest.CauseBodyTruncated, false},
		"secret":               {"", setSecret(whsec("another")), webhooktest.CauseSecretWrong, false},
		"body":                 {"", setBody(`{"id":"evt-2"}`), webhooktest.CauseSecretWrong, false},
		"missing":              {"", func(s *webhooktest.Suspect) { s.Delivery.Header.Del(s.Scheme.SignatureHeader) }, webhooktest.CauseHeaderMissing, false},
		"empty":                {"", func(s *webhooktest.Suspect) { s.Delivery.Header.Set(s.Scheme.SignatureHeader, "") }, webhooktest.CauseHeaderMissing, false},
		"doubled": {"", func(s *webhooktest.Suspect) {
			s.Delivery.Header.Add(s.Scheme.SignatureHeader, s.Delivery.Header.Get(s.Scheme.SignatureHeader))
		}, webhooktest.CauseHeaderDoubled, false},
		"unreadable": {"", func(s *webhooktest.Suspect) { s.Delivery.Header.Set(s.Scheme.SignatureHeader, "what is this") }, webhooktest.CauseUnknown, false},
	} {
		for scheme, secret := range schemes() {
			t.Run(name+"/"+scheme.Name, func(t *testing.T) {
				signed := tc.signed
				if signed == "" {
					signed = eventBody
				}
				suspect := sent(t, *scheme, secret, signed, time.Unix(1_760_000_000, 0))
				tc.spoil(&suspect)
				got, err := webhooktest.Explain(suspect)
				require.NoError(t, err)
				assert.Equal(t, tc.want, got.Cause, got.Detail)
				assert.Equal(t, tc.proven, got.Proven, got.Detail)
				assert.Equal(t, tc.want == "", got.Detail == "" && got.Cure == "")
			})
		}
	}
}

func TestExplainTellsOfTheSecret(t *testing.T) {
	key := []byte("made-up key of the sender")
	std, stripe, github := webhook.StandardWebhooks(), webhook.Stripe(), webhook.GitHub()
	text := base64.StdEncoding.EncodeToString(key)
	for name, tc := range map[string]struct {
		scheme        webhook.Scheme
		signed, given string
		want          webhooktest.Cause
	}{
		"blank after":                 {github, rawSecret, rawSecret + " ", webhooktest.CauseSecretWhitespace},
		"tab before":                  {github, rawSecret, "\t" + rawSecret, webhooktest.CauseSecretWhitespace},
		"BOM before":                  {stripe, rawSecret, "\ufeff" + rawSecret, webhooktest.CauseSecretWhitespace},
		"blank in base64":             {std, whsec(rawSecret), whsec(rawSecret) + " ", webhooktest.CauseSecretWhitespace},
		"blank and wrong":             {github, rawSecret, "other-made-up ", webhooktest.CauseSecretWhitespace},
		"prefix missing":              {stripe, "whsec_" + text, text, webhooktest.CauseSecretPrefix},
		"prefix too much":             {github, text, "whsec_" + text, webhooktest.CauseSecretPrefix},
		"two prefixes":                {std, "whsec_" + text, "v1,whsec_" + text, webhooktest.CauseSecretPrefix},
		"decoded, not text":           {github, string(key), text, webhooktest.CauseSecretEncoding},
		"hex, not text":               {github, string(key), hex.EncodeToString(key), webhooktest.CauseSecretEncoding},
		"text, not base64":            {std, "whsec_" + base64.StdEncoding.EncodeToString([]byte(text)), "whsec_" + text, webhooktest.CauseSecretEncoding},
		"no base64, right as text":    {std, "whsec_" + base64.StdEncoding.EncodeToString([]byte(rawSecret)), rawSecret, webhooktest.CauseSecretEncoding},
		"no base64 and nothing fits":  {std, whsec(rawSecret), "whsec_no base64 at all!", webhooktest.CauseSecretEncoding},
		"given decoded":               {github, text, string(key), webhooktest.CauseSecretEncoding},
		"another one in right form":   {std, whsec(rawSecret), whsec("another"), webhooktest.CauseSecretWrong},
		"another one for raw secrets": {github, rawSecret, "another-made-up", webhooktest.CauseSecretWrong},
	} {
		t.Run(name, func(t *testing.T) {
			suspect := sent(t, tc.scheme, tc.signed, eventBody, time.Unix(1_760_000_000, 0))
			suspect.Secret = kyckit.NewSecret(tc.given)
			got, err := webhooktest.Explain(suspect)
			require.NoError(t, err)
			assert.Equal(t, tc.want, got.Cause, got.Detail)
			leaktest.Silent(t, "an explanation", leaktest.Printed(got)+leaktest.Encoded(got), strings.TrimSpace(tc.given), tc.signed, text, "Zoë")
		})
	}
}

func TestExplainTellsOfTime(t *testing.T) {
	at := time.Unix(1_760_000_000, 0)
	for _, s := range []webhook.Scheme{webhook.StandardWebhooks(), webhook.Stripe(), webhook.Slack()} {
		secret := whsec(rawSecret)
		for _, off := range []time.Duration{-time.Hour, time.Hour, -301 * time.Second, 48 * 365 * 24 * time.Hour} {
			suspect := sent(t, s, secret, eventBody, at)
			suspect.At = at.Add(off)
			got, err := webhooktest.Explain(suspect)
			require.NoError(t, err)
			assert.Equal(t, webhooktest.CauseClockSkew, got.Cause, "%s %s", s.Name, off)
			assert.Contains(t, got.Detail, off.Abs().String(), s.Name)
			assert.Equal(t, off < 0, strings.Contains(got.Detail, "after it arrived"))
		}
		millis := s
		millis.TimestampUnit = webhook.UnixMillis
		suspect := sent(t, millis, secret, eventBody, at)
		suspect.Scheme = s
		got, err := webhooktest.Explain(suspect)
		require.NoError(t, err)
		assert.Equal(t, webhooktest.CauseTimestampUnit, got.Cause, "%s: %s", s.Name, got.Detail)
		suspect = sent(t, s, secret, eventBody, at)
		suspect.Scheme = millis
		got, err = webhooktest.Explain(suspect)
		require.NoError(t, err)
		assert.Equal(t, webhooktest.CauseTimestampUnit, got.Cause, "%s: %s", s.Name, got.Detail)

		suspect = sent(t, s, secret, eventBody, at)
		suspect.At = at.Add(299 * time.Second)
		got, err = webhooktest.Explain(suspect)
		require.NoError(t, err)
		assert.Empty(t, got.Cause)
	}
}

func TestExplainTellsOfOtherSchemes(t *testing.T) {
	at := time.Unix(1_760_000_000, 0)
	for signed := range schemes() {
		for said := range schemes() {
			if signed.Name == said.Name {
				continue
			}
			suspect := sent(t, *signed, whsec(rawSecret), eventBody, at)
			suspect.Scheme = *said
			got, err := webhooktest.Explain(suspect)
			require.NoError(t, err)
			assert.Equal(t, webhooktest.CauseOtherScheme, got.Cause, "%s for %s", signed.Name, said.Name)
			assert.True(t, got.Proven)
			assert.Contains(t, got.Cure, signed.Name)
		}
	}
	// Without a time header there is no other scheme that the delivery fits.
	suspect := sent(t, webhook.Slack(), rawSecret, eventBody, at)
	suspect.Delivery.Header.Del("X-Slack-Request-Timestamp")
	got, err := webhooktest.Explain(suspect)
	require.NoError(t, err)
	assert.Equal(t, webhooktest.CauseHeaderMissing, got.Cause)
	assert.Contains(t, got.Detail, "X-Slack-Request-Timestamp")
}

func TestExplainRefusesASchemeThatIsNone(t *testing.T) {
	_, err := webhooktest.Explain(webhooktest.Suspect{Secret: kyckit.NewSecret("x")})
	require.ErrorIs(t, err, kyckit.ErrInvalid)
}

func FuzzExplain(f *testing.F) {
	f.Add("Stripe-Signature", "t=1760000000,v1=00", []byte(eventBody), "secret", 1)
	f.Add("X-Hub-Signature-256", "sha256=00", []byte("\x1f\x8b\x08"), "whsec_ \n", 2)
	f.Add("Webhook-Signature", "v1,AAAA", []byte(`{"a":"\ud83d\u00"}`), "", 0)
	f.Add("X-Slack-Signature", "v0=", bytes.Repeat([]byte("["), 5000), "v1,whsec_x", 3)
	f.Fuzz(func(t *testing.T, header, value string, body []byte, secret string, which int) {
		all := []webhook.Scheme{webhook.StandardWebhooks(), webhook.Stripe(), webhook.GitHub(), webhook.Slack(), webhook.CafConnect()}
		got, err := webhooktest.Explain(webhooktest.Suspect{
			Scheme: all[uint(which)%uint(len(all))], Secret: kyckit.NewSecret(secret),
			Delivery: webhook.Delivery{Header: http.Header{header: {value}}, Body: body},
		})
		require.NoError(t, err)
		require.NotEmpty(t, got.Cause, "nobody can make a signature by chance")
		require.NotEmpty(t, got.Detail)
	})
}

func ExampleExplain() {
	secret := "made-up secret"
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	if err := (webhooktest.HMAC{Scheme: webhook.GitHub(), Secrets: []string{secret}}).Sign(r, "", time.Now(), []byte(`{"a":1}`)); err != nil {
		fmt.Println(err)
		return
	}
	found, err := webhooktest.Explain(webhooktest.Suspect{
		Scheme: webhook.GitHub(), Secret: kyckit.NewSecret(secret),
		Delivery: webhook.Delivery{Header: r.Header, Body: []byte(`{"a": 1}`)}, // a framework has parsed and written it
	})
	fmt.Println(found, err)
	// Output: body-reformatted: The signature fits the same JSON without white space. <nil>
}
