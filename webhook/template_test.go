package webhook

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
)

// timed is a scheme with an id and a timestamp for a template.
func timed(signed string, unit TimestampUnit) Scheme {
	s := Scheme{SignatureHeader: "X-Sig", TimestampUnit: unit, Signed: signed}
	if strings.Contains(signed, "{timestamp}") {
		s.TimestampHeader = "X-Time"
	}
	if strings.Contains(signed, "{id}") {
		s.IDHeader = "X-Id"
	}
	return s
}

func newTemplate(s Scheme, change ...func(*HMACConfig)) (Authenticator, error) {
	cfg := HMACConfig{Scheme: s, Secrets: []kyckit.Secret{kyckit.NewSecret("made-up secret")}, Tolerance: -1}
	if strings.Contains(s.Signed, "{url}") {
		cfg.PublicURL = "https://me.example/hook"
	}
	for _, c := range change {
		c(&cfg)
	}
	return NewHMAC(cfg)
}

func TestTemplatesThatReadInTwoWays(t *testing.T) {
	for _, c := range []struct {
		unit    TimestampUnit
		signed  string
		between string // what the refusal names, empty for a good one
	}{
		{UnixSeconds, "{body}", ""},
		{UnixSeconds, "v0:{timestamp}:{body}", ""},
		{UnixSeconds, "{timestamp}{body}", ""},
		{UnixSeconds, "{body}{timestamp}", ""},
		{UnixSeconds, "{timestamp}0{body}", ""},
		{RFC3339, "{timestamp}{body}", ""},
		{RFC3339, "{body}{timestamp}", ""},
		{RFC3339, "{id}{timestamp}{body}", ""},
		{UnixSeconds, "{url}{body}", ""},
		{UnixMillis, "{method}{url}{body}{timestamp}", ""},
		{UnixSeconds, "{method}{path}\n{bodySHA256}", ""},
		{UnixSeconds, "{id}{bodySHA256}", ""},
		{UnixSeconds, "{id}{url}{body}", ""},
		{UnixSeconds, "{timestamp}{id}.{body}.{header:X-A}", ""},
		{UnixSeconds, "{header:X-A}\n{header:X-B}\n{body}", ""},
		{UnixSeconds, "{id}.{timestamp}.{body}", ""},

		{UnixSeconds, "{id}{timestamp}{body}", "{timestamp} and {body}"},
		{UnixMillis, "{id}{timestamp}.{body}", "a literal and {body}"},
		{UnixSeconds, "{id}{body}", "{id} and {body}"},
		{UnixSeconds, "{body}{id}", "{body} and {id}"},
		{UnixSeconds, "{body}.{body}", "a literal and {body}"},
		{UnixSeconds, "{path}{query}.{body}", "a literal and {body}"},
		{UnixSeconds, "{path}{method}.{bodySHA256}", "{path} and {method}"},
		{UnixSeconds, "{header:X-A}{header:X-B}{bodySHA256}", "{header} and {header}"},
		{RFC3339, "{body}{id}{timestamp}", "{body} and {id}"},
	} {
		_, err := newTemplate(timed(c.signed, c.unit))
		if c.between == "" {
			assert.NoError(t, err, c.signed)
			continue
		}
		require.ErrorIs(t, err, kyckit.ErrInvalid, c.signed)
		assert.ErrorContains(t, err, "two ways: put a literal between "+c.between)
	}
}

// TestOneSignatureFitsOneDelivery: signed content is cut anew in all ways, and
// no other delivery that can be made of it is believed.
func TestOneSignatureFitsOneDelivery(t *testing.T) {
	for _, c := range []struct {
		unit     TimestampUnit
		signed   string
		id, time string
		body     string
		other    map[string]string // another delivery of the same content
	}{
		{UnixSeconds, "{timestamp}{body}", "", "1700000000", "1=a", map[string]string{"X-Time": "17000000001", "body": "=a"}},
		{UnixSeconds, "{timestamp}{body}", "", "1700000000", "1=a", map[string]string{"X-Time": "170000000", "body": "01=a"}},
		{UnixMillis, "{body}{timestamp}", "", "1700000000000", "a=1", map[string]string{"X-Time": "11700000000000", "body": "a="}},
		{UnixMillis, "{timestamp}0{body}", "", "1700000000000", "a", map[string]string{"X-Time": "170000000000", "body": "0a"}},
		{UnixMillis, "{timestamp}9{body}", "", "1700000000009", "a", map[string]string{"X-Time": "170000000000", "body": "9a"}},
		{RFC3339, "{id}{timestamp}{body}", "a1", "2023-11-14T22:13:20Z", "b", map[string]string{"X-Id": "a", "X-Time": "12023-11-14T22:13:20Z", "body": "b"}},
		{RFC3339, "{id}{timestamp}{body}", "a", "2023-11-14T22:13:20Z", "2024-11-14T22:13:20Zb", map[string]string{"X-Id": "a2023-11-14T22:13:20Z", "X-Time": "2024-11-14T22:13:20Z", "body": "b"}},
		{RFC3339, "{timestamp}{body}", "", "2023-11-14T22:13:20.5Z", "b", map[string]string{"X-Time": "2023-11-14T22:13:20.5", "body": "Zb"}},
		{UnixSeconds, "{id}..{body}", "a", "", ".b", map[string]string{"X-Id": "a.", "body": "b"}},
		{UnixSeconds, "{id}aba{body}", "x", "", "ba.", map[string]string{"X-Id": "xab", "body": "."}},
		{UnixSeconds, "{id}.{timestamp}.{body}", "a", "1", "2.b", map[string]string{"X-Id": "a.1", "X-Time": "2", "body": "b"}},
		{UnixSeconds, "{body}.{id}", "c", "", "a.b", map[string]string{"X-Id": "b.c", "body": "a"}},
		{UnixSeconds, "{body}..{id}", "c", "", "a.", map[string]string{"X-Id": ".c", "body": "a"}},
	} {
		a, err := newTemplate(timed(c.signed, c.unit))
		require.NoError(t, err)
		make := func(header map[string]string, content string) *Delivery {
			d := deliver(header["body"])
			for k, v := range header {
				if k != "body" && v != "" {
					d.Header.Set(k, v)
				}
			}
			d.Header.Set("X-Sig", hex.EncodeToString(sign(sha256.New, "made-up secret", content)))
			return d
		}
		content := func(h map[string]string) string {
			return strings.NewReplacer("{id}", h["X-Id"], "{timestamp}", h["X-Time"], "{body}", h["body"]).Replace(c.signed)
		}
		good := map[string]string{"X-Id": c.id, "X-Time": c.time, "body": c.body}
		require.Equal(t, content(good), content(c.other), "the test must forge the same content: %s", c.signed)
		assert.NoError(t, a.Authenticate(make(good, content(good))), c.signed)
		assert.ErrorIs(t, a.Authenticate(make(c.other, content(good))), kyckit.ErrUnauthorized, "%s %v", c.signed, c.other)
	}
}

func TestPathsAndMethodsReadOneWay(t *testing.T) {
	a, err := newTemplate(Scheme{SignatureHeader: "X-Sig", Signed: "{method}{path}\n{header:X-A}\n{bodySHA256}"})
	require.NoError(t, err)
	sum := sha256.Sum256([]byte("b"))
	content := "POST/a/b\nv\n" + hex.EncodeToString(sum[:])
	sig := hex.EncodeToString(sign(sha256.New, "made-up secret", content))
	at := func(method, path, header string) *Delivery {
		return &Delivery{Method: method, URL: &url.URL{Path: path}, Header: http.Header{"X-Sig": {sig}, "X-A": {header}}, Body: []byte("b")}
	}
	require.NoError(t, a.Authenticate(at("POST", "/a/b", "v")))
	for _, d := range []*Delivery{at("POST/a", "/b", "v"), at("POS", "T/a/b", "v"), at("POST", "/a", "b\nv"), {Method: "POST/a/b", Header: http.Header{"X-Sig": {sig}, "X-A": {"v"}}, Body: []byte("b")}} {
		require.ErrorIs(t, a.Authenticate(d), ErrBadSignature)
	}
}

// A header may be empty, so that a text of nothing but a part of the literal
// beside it could end before it began.
func TestALiteralThatReachesOverAWholeText(t *testing.T) {
	for _, signed := range []string{"{header:X-A}..{body}", "{body}..{header:X-A}"} {
		a, err := newTemplate(Scheme{SignatureHeader: "X-Sig", Signed: signed})
		require.NoError(t, err)
		content := strings.NewReplacer("{header:X-A}", ".", "{body}", "b").Replace(signed)
		sig := hex.EncodeToString(sign(sha256.New, "made-up secret", content))
		other := strings.Replace(content, "..", "", 1) // with an empty header
		require.NoError(t, a.Authenticate(deliver(other, "X-A", "", "X-Sig", sig)), signed)
		require.ErrorIs(t, a.Authenticate(deliver("b", "X-A", ".", "X-Sig", sig)), ErrBadSignature, signed)
	}
}

// FuzzTemplate: whatever template the constructor takes and whatever text the
// content is made of, two different deliveries never have the same content.
func FuzzTemplate(f *testing.F) {
	for _, unit := range []TimestampUnit{UnixSeconds, UnixMillis, RFC3339} {
		for _, signed := range []string{
			"{id}.{timestamp}.{body}", "{timestamp}{body}", "{body}{timestamp}", "{id}{timestamp}{body}", "{id}aba{body}", "{body}..{id}",
			"{method}{path}?{query}.{header:X-A}.{body}", "{url}{body}", "{id}{bodySHA256}", "}{", "{header:}",
		} {
			f.Add(uint8(unit), signed, "a.b", "1700000000", "2023-11-14T22:13:20Z{}.", "/x/y")
		}
	}
	f.Fuzz(func(t *testing.T, unit uint8, signed, id, timestamp, body, path string) {
		s := timed(signed, TimestampUnit(unit%3))
		a, err := newTemplate(s)
		if err != nil {
			return
		}
		h := a.(*hmacAuth)
		cuts := []string{timestamp, "1700000000", "1700000000000", "2023-11-14T22:13:20Z"}
		seen := map[string]string{}
		for _, timestamp := range cuts {
			whole := id + timestamp + body
			for i := range min(len(whole), 24) + 1 {
				for j := i; j <= min(len(whole), 24); j++ {
					d := deliver(whole[j:], "X-Id", whole[:i], "X-Time", whole[i:j], "X-A", path, "X-Sig", strings.Repeat("0", 64))
					d.URL = &url.URL{Path: path, RawQuery: id}
					c := content{}
					if s.IDHeader != "" {
						if c.id = whole[:i]; !validID(c.id) {
							continue
						}
					}
					if s.TimestampHeader != "" && !h.setTimestamp(&c, whole[i:j]) || !h.readsOneWay(d, &c) {
						continue
					}
					text := ""
					for k := range h.signed.pieces {
						switch p := &h.signed.pieces[k]; p.kind {
						case pieceBody:
							text += string(d.Body)
						case pieceBodySHA256:
							text += fmt.Sprintf("%x", sha256.Sum256(d.Body))
						default:
							text += p.value(d, &c)
						}
					}
					delivery := fmt.Sprintf("%q %q %q", c.id, c.timestamp, d.Body)
					if before, ok := seen[text]; ok && before != delivery {
						t.Fatalf("%q: %s and %s have the content %q", signed, before, delivery, text)
					}
					seen[text] = delivery
				}
			}
		}
	})
}
