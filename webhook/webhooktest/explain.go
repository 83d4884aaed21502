package webhooktest

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/webhook"
)

// Cause is why a delivery is refused, as [Explain] finds it.
type Cause string

// The causes.
const (
	// CauseBodyNewline: the signed body ends in another line break, or has
	// other line breaks.
	CauseBodyNewline Cause = "body-newline"
	// CauseBodyReformatted: the signed body is the same JSON, written otherwise.
	CauseBodyReformatted Cause = "body-reformatted"
	// CauseBodyBOM: a byte order mark was added or taken away.
	CauseBodyBOM Cause = "body-bom"
	// CauseBodyGzip: the body is compressed and the signed one is not, or the
	// other way round.
	CauseBodyGzip Cause = "body-gzip"
	// CauseBodyTruncated: the body is shorter than the delivery says.
	CauseBodyTruncated Cause = "body-truncated"
	// CauseSecretWrong: everything is in order but the secret is another one.
	CauseSecretWrong Cause = "secret-wrong"
	// CauseSecretPrefix: a prefix such as "whsec_" is missing or too much.
	CauseSecretPrefix Cause = "secret-prefix"
	// CauseSecretEncoding: the secret is to be decoded, or is not to be.
	CauseSecretEncoding Cause = "secret-encoding"
	// CauseSecretWhitespace: white space around the secret.
	CauseSecretWhitespace Cause = "secret-whitespace"
	// CauseHeaderMissing and CauseHeaderDoubled: a header of the scheme does not
	// come, or comes more than once.
	CauseHeaderMissing Cause = "header-missing"
	CauseHeaderDoubled Cause = "header-doubled"
	// CauseTimestampUnit: seconds for milliseconds, or the other way round.
	CauseTimestampUnit Cause = "timestamp-unit"
	// CauseClockSkew: the signature is right and its time is too far from now.
	CauseClockSkew Cause = "clock-skew"
	// CauseOtherScheme: the delivery is signed by another scheme.
	CauseOtherScheme Cause = "other-scheme"
	// CauseUnknown: the headers cannot be read.
	CauseUnknown Cause = "unknown"
)

// Suspect is a delivery that is refused, and how it should have been accepted.
type Suspect struct {
	kyckit.Redacted

	// Scheme and Secret are those of the webhook.HMACConfig that refuses it, and
	// PublicURL is for a scheme that signs {url}.
	Scheme    webhook.Scheme
	Secret    kyckit.Secret
	PublicURL string
	// Tolerance is how far the timestamp may be off. Zero means 5 minutes.
	Tolerance time.Duration
	// Delivery is what arrived, with Method and URL where the scheme signs
	// them. Its header lines and its body are to be raw.
	Delivery webhook.Delivery
	// At is when it arrived. Zero means now.
	At time.Time
}

// Explanation is what Explain has found. It holds nothing of the secret, the
// signature or the body.
type Explanation struct {
	// Cause is why the delivery is refused, "" when it is accepted.
	Cause Cause
	// Detail says what was found, and Cure what to do, in a sentence each.
	Detail, Cure string
	// Proven is whether the signature fits once the cause is undone.
	Proven bool
}

func (e Explanation) String() string {
	if e.Cause == "" {
		return "ok"
	}
	return string(e.Cause) + ": " + e.Detail
}

// Explain says why a delivery is refused. It tries what usually goes wrong on
// the way to a signature, so it knows the cause where undoing it makes the
// signature fit; where nothing does, it tells what is the most likely. It is for
// development and support: it says more than a sender may learn.
//
// The error tells that Scheme, or PublicURL with it, is not valid.
func Explain(s Suspect) (Explanation, error) {
	e, err := newExplainer(s)
	if err != nil {
		return Explanation{}, err
	}
	if e.verify(e.scheme, e.keys[0], s.Delivery.Body, anyTime) {
		return e.inTime(), nil
	}
	for _, step := range []func() Explanation{e.headers, e.unit, e.provenBody, e.provenKey, e.provenScheme, e.likely} {
		if found := step(); found.Cause != "" {
			return found, nil
		}
	}
	return Explanation{
		Cause:  CauseSecretWrong,
		Detail: "Everything is in order, but the signature was made with another secret or over another body.",
		Cure:   "Compare the secret with the one that the sender shows for this very endpoint and environment; after a rotation use both.",
	}, nil
}

// explainer knows a suspect and everything to try with it.
type explainer struct {
	Suspect

	scheme webhook.Scheme
	keys   []keyVariant // the first is the secret as it should be read
}

func newExplainer(s Suspect) (*explainer, error) {
	if s.At.IsZero() {
		s.At = time.Now()
	}
	if s.Tolerance == 0 {
		s.Tolerance = 5 * time.Minute
	}
	s.Delivery.Header = canonical(s.Delivery.Header)
	e := &explainer{Suspect: s, scheme: s.Scheme}
	e.keys = keyVariants(s.Scheme, s.Secret.Reveal())
	if _, err := e.authenticator(e.scheme, []byte("checks the scheme alone"), anyTime); err != nil {
		return nil, err
	}
	return e, nil
}

func canonical(h http.Header) http.Header {
	out := http.Header{}
	for _, name := range slices.Sorted(maps.Keys(h)) {
		key := http.CanonicalHeaderKey(name)
		out[key] = append(out[key], h[name]...)
	}
	return out
}

// anyTime is the tolerance for which no timestamp is too old or too new.
const anyTime = time.Duration(-1)

// authenticator verifies with a key of any bytes.
func (e *explainer) authenticator(s webhook.Scheme, key []byte, tolerance time.Duration) (webhook.Authenticator, error) {
	s.SecretEncoding, s.SecretPrefix = webhook.Hex, ""
	return webhook.NewHMAC(webhook.HMACConfig{
		Scheme: s, Secrets: []kyckit.Secret{kyckit.NewSecret(hex.EncodeToString(key))}, PublicURL: e.PublicURL,
		Tolerance: tolerance, Now: func() time.Time { return e.At },
	})
}

// verify reports whether the signature fits under a scheme, a key and a body.
func (e *explainer) verify(s webhook.Scheme, k keyVariant, body []byte, tolerance time.Duration) bool {
	if len(k.key) == 0 || k.refused {
		return false
	}
	return e.refusal(s, k.key, body, tolerance) == nil
}

func (e *explainer) refusal(s webhook.Scheme, key, body []byte, tolerance time.Duration) error {
	a, err := e.authenticator(s, key, tolerance)
	if err != nil {
		return err
	}
	d := e.Delivery
	d.Body = body
	return a.Authenticate(&d)
}

// inTime judges the time of a delivery whose signature fits.
func (e *explainer) inTime() Explanation {
	if e.verify(e.scheme, e.keys[0], e.Delivery.Body, e.Tolerance) {
		return Explanation{}
	}
	d := e.Delivery
	a, err := e.authenticator(e.scheme, e.keys[0].key, anyTime)
	if err == nil {
		err = a.Authenticate(&d)
	}
	if err != nil {
		return Explanation{Cause: CauseUnknown, Detail: "The time of the delivery cannot be read."}
	}
	// A delivery in milliseconds that are read as seconds lies in the far future.
	if found := e.oddUnit(d.Timestamp); found.Cause != "" {
		return found
	}
	diff := d.Timestamp.Sub(e.At).Round(time.Second)
	x := Explanation{Cause: CauseClockSkew, Proven: true}
	if diff > 0 {
		x.Detail = fmt.Sprintf("The signature is right; the delivery is dated %s after it arrived (tolerance %s).", diff, e.Tolerance)
		x.Cure = "This machine's clock is slow or the sender's is fast: let both keep time by NTP."
	} else {
		x.Detail = fmt.Sprintf("The signature is right; the delivery is dated %s before it arrived (tolerance %s).", -diff, e.Tolerance)
		x.Cure = "The delivery is old (a replay, a queue, a saved one: judge it by the time of its arrival), or this machine's clock is fast."
	}
	return x
}

// headers finds what is wrong with the headers of the scheme. A delivery that
// has the headers of another scheme in their place is of that scheme.
func (e *explainer) headers() Explanation {
	var missing []string
	for _, name := range []string{e.scheme.SignatureHeader, e.scheme.TimestampHeader, e.scheme.IDHeader, e.scheme.AlgorithmHeader} {
		values := e.Delivery.Header[http.CanonicalHeaderKey(name)]
		switch {
		case name == "":
		case len(values) > 1:
			return Explanation{
				Cause:  CauseHeaderDoubled,
				Detail: fmt.Sprintf("The header %s comes %d times.", name, len(values)),
				Cure:   "Something between the sender and here adds a header that is there already; let it replace or leave it.",
			}
		case len(values) == 0 || values[0] == "":
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return e.readable()
	}
	if found := e.foreign(); found.Cause != "" {
		return found
	}
	return Explanation{
		Cause:  CauseHeaderMissing,
		Detail: fmt.Sprintf("The delivery lacks %s.", strings.Join(missing, " and ")),
		Cure:   "Does the sender sign at all, and does a proxy or function gateway in front pass the header on?",
	}
}

// readable tells that the header of the signature cannot be read, whatever the
// key is.
func (e *explainer) readable() Explanation {
	err := e.refusal(e.scheme, []byte("any key"), e.Delivery.Body, anyTime)
	var known *kyckit.Error
	if errors.As(err, &known) && !strings.HasSuffix(known.Reason, "no match") && !errors.Is(err, webhook.ErrTimestamp) || errors.Is(err, webhook.ErrNoSignature) {
		if found := e.foreign(); found.Cause != "" && found.Proven {
			return found
		}
		return Explanation{
			Cause:  CauseUnknown,
			Detail: fmt.Sprintf("The header %s is not written as %s writes it.", e.scheme.SignatureHeader, e.scheme.Name),
			Cure:   "Compare the header with the sender's documentation: its prefix, its separators, hex or base64.",
		}
	}
	return Explanation{}
}

// fitting returns the variant of the body and of the key under which the
// signature fits. Of large bodies few combinations are tried.
func (e *explainer) fitting(s webhook.Scheme, keys []keyVariant, bodies iter.Seq[bodyVariant]) (k keyVariant, b bodyVariant, ok bool) {
	for _, k := range keys {
		for b := range bodies {
			if e.verify(s, k, b.body, anyTime) {
				return k, b, true
			}
		}
	}
	return k, b, false
}

func (e *explainer) provenBody() Explanation {
	_, b, ok := e.fitting(e.scheme, e.keys[:1], bodyVariants(e.Delivery.Body))
	if !ok {
		return Explanation{}
	}
	return Explanation{Cause: b.cause, Detail: b.detail, Cure: bodyCure, Proven: true}
}

const bodyCure = "Verify the raw bytes as they arrive, before anything parses, decodes or logs them."

func (e *explainer) provenKey() Explanation {
	k, b, ok := e.fitting(e.scheme, e.keys[1:], asItIs(e.Delivery.Body))
	if !ok && len(e.Delivery.Body) <= maxCombined {
		k, b, ok = e.fitting(e.scheme, e.keys[1:], slices.Values(slices.Collect(bodyVariants(e.Delivery.Body))))
	}
	if !ok {
		return Explanation{}
	}
	x := Explanation{Cause: k.cause, Detail: k.detail, Cure: k.cure, Proven: true}
	if b.cause != "" {
		x.Detail += " Besides: " + b.detail
	}
	return x
}

// asItIs is a body that nothing has changed.
func asItIs(body []byte) iter.Seq[bodyVariant] {
	return slices.Values([]bodyVariant{{body: body}})
}

// likely guesses where no signature fits.
func (e *explainer) likely() Explanation {
	if k := e.keys[0]; k.cause != "" {
		return Explanation{Cause: k.cause, Detail: k.detail, Cure: k.cure}
	}
	return e.likelyBody()
}

// maxCombined is the size up to which bodies are tried together with other
// changes.
const maxCombined = 32 << 10

// equalFold reports whether two header values name the same thing.
func equalFold(a, b string) bool { return strings.EqualFold(strings.TrimSpace(a), b) }

func hasPrefix(body []byte, prefix string) bool { return bytes.HasPrefix(body, []byte(prefix)) }

func isTimestamp(err error) bool { return errors.Is(err, webhook.ErrTimestamp) }
