package webhooktest

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/kyckit/kyckit/webhook"
)

// keyVariant is a key that may have been used in place of the secret. The first
// of a list is the secret itself; its cause is set when it cannot be used as it
// is.
type keyVariant struct {
	key          []byte
	refused      bool // NewHMAC takes no such secret
	cause        Cause
	detail, cure string
}

// secretPrefixes are the marks that senders put before secrets.
var secretPrefixes = []string{"whsec_", "v1,whsec_", "v1,"}

// keyVariants returns the keys that secret may stand for under a scheme.
func keyVariants(s webhook.Scheme, secret string) []keyVariant {
	const (
		blanks = "Take exactly the characters of the secret: no blank, tab or line break before or after it."
		decode = "Read in the sender's documentation whether the secret is text, hex or base64, and set Scheme.SecretEncoding."
		prefix = "Give the secret as this scheme has it: some senders count the prefix, some do not."
	)
	bare := strings.TrimFunc(secret, blank)
	key, ok := decodeAs(s, s.SecretEncoding, secret)
	all := []keyVariant{{key: key}}
	switch {
	case bare != secret:
		all[0].refused, all[0].cause = true, CauseSecretWhitespace
		all[0].detail, all[0].cure = "There is white space around the secret.", blanks
	case !ok:
		all[0].refused, all[0].cause = true, CauseSecretEncoding
		all[0].detail, all[0].cure = "The secret is not written in the encoding that this scheme has.", decode
	}
	add := func(cause Cause, key []byte, detail, cure string) {
		if len(key) > 0 {
			all = append(all, keyVariant{key: key, cause: cause, detail: detail, cure: cure})
		}
	}
	if bare != secret {
		trimmed, _ := decodeAs(s, s.SecretEncoding, bare)
		add(CauseSecretWhitespace, trimmed, "The signature fits the secret without the white space around it.", blanks)
	}
	for _, end := range []string{"\n", "\r\n", " "} {
		add(CauseSecretWhitespace, []byte(bare+end), "The sender signs with white space after the secret.", "Give the sender the secret without a line break at its end, or create a new one.")
	}
	for _, p := range secretPrefixes {
		without, had := strings.CutPrefix(bare, p)
		if had {
			plain, _ := decodeAs(s, s.SecretEncoding, without)
			add(CauseSecretPrefix, plain, fmt.Sprintf("The signature fits the secret without its prefix %q.", p), prefix)
			continue
		}
		with, _ := decodeAs(s, s.SecretEncoding, p+bare)
		add(CauseSecretPrefix, with, fmt.Sprintf("The signature fits the secret with the prefix %q.", p), prefix)
	}
	text := bare
	for _, p := range secretPrefixes {
		text = strings.TrimPrefix(text, p)
	}
	for _, c := range []struct {
		name     string
		encoding webhook.Encoding
	}{{"base64", webhook.Base64}, {"base64 of the URL alphabet", webhook.Base64URL}, {"hex", webhook.Hex}} {
		decoded, _ := decodeAs(webhook.Scheme{}, c.encoding, text)
		add(CauseSecretEncoding, decoded, "The signature fits the secret decoded as "+c.name+".", decode)
	}
	add(CauseSecretEncoding, []byte(text), "The signature fits the secret as the text that it is, not decoded.", decode)
	add(CauseSecretEncoding, []byte(bare), "The signature fits the secret as the text that it is, not decoded, with its prefix.", decode)
	if key, ok := decodeAs(s, s.SecretEncoding, bare); ok {
		add(CauseSecretEncoding, []byte(base64.StdEncoding.EncodeToString(key)), "The signature fits the secret written as base64.", decode)
		add(CauseSecretEncoding, []byte(hex.EncodeToString(key)), "The signature fits the secret written as hex.", decode)
	}
	return all
}

// blank reports white space, and what looks like nothing.
func blank(r rune) bool {
	return unicode.IsSpace(r) || r == '\ufeff' || r >= '\u200b' && r <= '\u200f' || r == '\u2060' || r == 0
}

// decodeAs returns the key of a secret. It is not ok when the text is not in the
// encoding.
func decodeAs(s webhook.Scheme, encoding webhook.Encoding, secret string) (key []byte, ok bool) {
	text := strings.TrimPrefix(secret, s.SecretPrefix)
	var err error
	switch encoding {
	case webhook.Hex:
		key, err = hex.DecodeString(text)
	case webhook.Base64:
		if key, err = base64.StdEncoding.DecodeString(text); err != nil {
			key, err = base64.RawStdEncoding.DecodeString(text)
		}
	case webhook.Base64URL:
		key, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	default:
		return []byte(text), text != ""
	}
	if err != nil || len(key) == 0 {
		return nil, false
	}
	return key, true
}

// presets are the schemes that a delivery may be of in place of the one that
// was said.
func presets() []webhook.Scheme {
	svix := webhook.StandardWebhooks()
	svix.Name, svix.SignatureHeader, svix.TimestampHeader, svix.IDHeader = "svix", "Svix-Signature", "Svix-Timestamp", "Svix-Id"
	return []webhook.Scheme{webhook.StandardWebhooks(), webhook.Stripe(), webhook.GitHub(), webhook.Slack(), webhook.CafConnect(), svix}
}

// foreign tells that the delivery has the signature header of another scheme.
// One under which the signature fits is told first.
func (e *explainer) foreign() Explanation {
	var found Explanation
	for _, s := range presets() {
		if s.SignatureHeader == http.CanonicalHeaderKey(e.scheme.SignatureHeader) || len(e.Delivery.Header[s.SignatureHeader]) == 0 {
			continue
		}
		_, _, proven := e.fitting(s, keyVariants(s, e.Secret.Reveal()), asItIs(e.Delivery.Body))
		if found.Cause != "" && !proven {
			continue
		}
		found = Explanation{
			Cause: CauseOtherScheme, Proven: proven,
			Detail: fmt.Sprintf("The delivery has the header of %s, not of %s.", s.Name, e.scheme.Name),
			Cure:   "Verify with the scheme " + s.Name + ".",
		}
		if proven {
			found.Detail = fmt.Sprintf("The signature fits under %s, not under %s.", s.Name, e.scheme.Name)
			return found
		}
	}
	return found
}

func (e *explainer) provenScheme() Explanation {
	if found := e.foreign(); found.Proven {
		return found
	}
	return Explanation{}
}

// units are the ways in which a timestamp is written.
var units = []struct {
	unit webhook.TimestampUnit
	name string
}{{webhook.UnixSeconds, "seconds"}, {webhook.UnixMillis, "milliseconds"}, {webhook.RFC3339, "a date of RFC 3339"}}

// unit finds a timestamp that cannot be read, and can in another unit. Whatever
// else is wrong is found under that unit.
func (e *explainer) unit() Explanation {
	if e.scheme.TimestampHeader == "" && e.scheme.TimestampKey == "" {
		return Explanation{}
	}
	if e.timestamp(e.scheme) {
		return Explanation{}
	}
	for _, u := range units {
		s := e.scheme
		if s.TimestampUnit = u.unit; !e.timestamp(s) {
			continue
		}
		x := Explanation{
			Cause: CauseTimestampUnit, Detail: "The timestamp is written in " + u.name + ", which this scheme does not do.",
			Cure: "Set Scheme.TimestampUnit to what the sender writes.",
		}
		x.Proven = e.verify(s, e.keys[0], e.Delivery.Body, anyTime)
		return x
	}
	return Explanation{Cause: CauseUnknown, Detail: "The timestamp cannot be read in any unit.", Cure: "Compare the header with the sender's documentation."}
}

// timestamp reports whether the delivery's timestamp can be read under a scheme.
func (e *explainer) timestamp(s webhook.Scheme) bool {
	err := e.refusal(s, []byte("any key"), e.Delivery.Body, anyTime)
	return err == nil || !isTimestamp(err)
}

// oddUnit tells of a time that is absurd and would be near in another unit.
func (e *explainer) oddUnit(read time.Time) Explanation {
	written := read.Unix()
	if e.scheme.TimestampUnit == webhook.UnixMillis {
		written = read.UnixMilli()
	}
	for _, u := range units[:2] {
		at := time.Unix(written, 0)
		if u.unit == webhook.UnixMillis {
			at = time.UnixMilli(written)
		}
		apart := at.Sub(e.At)
		if u.unit != e.scheme.TimestampUnit && e.scheme.TimestampUnit != webhook.RFC3339 && apart.Abs() < 10*365*24*time.Hour {
			return Explanation{
				Cause: CauseTimestampUnit, Proven: true, Detail: "The timestamp is written in " + u.name + ", which this scheme does not do.",
				Cure: "Set Scheme.TimestampUnit to what the sender writes.",
			}
		}
	}
	return Explanation{}
}
