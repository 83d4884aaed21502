package webhook

import (
	"crypto/ed25519"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Ed25519Config configures NewEd25519.
type Ed25519Config struct {
	// PublicKeys are the sender's keys, 32 bytes each; every one is tried. At
	// least one is required.
	PublicKeys []ed25519.PublicKey
	// SignatureHeader carries the signature, 64 bytes in base64 of the standard
	// or the URL alphabet, with or without padding. Required.
	SignatureHeader string
	// TimestampHeader carries the timestamp. Required.
	TimestampHeader string
	// TimestampUnit is how the timestamp is written. It is used only together
	// with Tolerance.
	TimestampUnit TimestampUnit
	// Tolerance is how far the timestamp may be from now, in the past and in
	// the future. Zero or less means that the timestamp is signed text of
	// unknown notation and is not compared with the clock, because no page of
	// the provider says how it is written; replays are then noticed by the
	// handler's claims alone. Set it as soon as the notation is known.
	Tolerance time.Duration
	// Now is the clock. Nil means the time at which the delivery was received.
	Now func() time.Time
}

// maxEd25519Header is longer than any spelling of 64 bytes in base64.
const maxEd25519Header = 88

// NewEd25519 returns an Authenticator that verifies an Ed25519 signature over
// the timestamp header as received, a full stop and the raw body. A signature
// over the body alone is refused. It is safe for concurrent use. On success it
// sets the delivery's Timestamp, if Tolerance is set.
//
// Refusals are ErrNoSignature, ErrBadSignature and ErrTimestamp. A wrong
// configuration is an error of the kind kyckit.ErrInvalid.
//
// Source of the scheme: docs.dlt-finance.com/kyc/webhooks/verifying-signatures.
func NewEd25519(cfg Ed25519Config) (Authenticator, error) {
	const op = "ed25519"
	a := &ed25519Auth{
		signature: textproto.CanonicalMIMEHeaderKey(cfg.SignatureHeader),
		timestamp: textproto.CanonicalMIMEHeaderKey(cfg.TimestampHeader),
		unit:      cfg.TimestampUnit, tolerance: cfg.Tolerance, now: cfg.Now,
		refusals: newRefusals(op),
	}
	switch {
	case len(cfg.PublicKeys) == 0:
		return nil, invalid(op, "PublicKeys is empty")
	case !validHeaderName(a.signature):
		return nil, invalid(op, "SignatureHeader must be a header name")
	case !validHeaderName(a.timestamp):
		return nil, invalid(op, "TimestampHeader must be a header name")
	case a.signature == a.timestamp:
		return nil, invalid(op, "SignatureHeader and TimestampHeader must differ")
	case a.unit > RFC3339:
		return nil, invalid(op, "TimestampUnit is unknown")
	}
	for i, key := range cfg.PublicKeys {
		// ed25519.Verify panics on any other length.
		if len(key) != ed25519.PublicKeySize {
			return nil, invalid(op, "PublicKeys["+strconv.Itoa(i)+"] is not 32 bytes long")
		}
		if key.Equal(make(ed25519.PublicKey, ed25519.PublicKeySize)) {
			return nil, invalid(op, "PublicKeys["+strconv.Itoa(i)+"] is all zero")
		}
		a.keys = append(a.keys, append(ed25519.PublicKey(nil), key...))
	}
	return a, nil
}

// ParseEd25519PublicKey decodes a public key as providers hand it out: 32 bytes
// in base64 of either alphabet, with or without padding. The error is of the
// kind kyckit.ErrInvalid.
func ParseEd25519PublicKey(text string) (ed25519.PublicKey, error) {
	key := make([]byte, ed25519.PublicKeySize)
	if !decodeAnyBase64(key, text) {
		return nil, invalid("ed25519", "public key is not 32 bytes in base64")
	}
	return key, nil
}

// decodeAnyBase64 decodes text of either alphabet, padded or not, that must
// fill dst exactly. A text that mixes the alphabets is refused.
func decodeAnyBase64(dst []byte, text string) bool {
	if len(text) > maxEd25519Header || strings.ContainsAny(text, "+/") && strings.ContainsAny(text, "-_") {
		return false
	}
	var buf [maxEd25519Header]byte
	got, ok := decodeBase64(buf[:0], text, anyBase64)
	return ok && len(got) == len(dst) && copy(dst, got) == len(dst)
}

type ed25519Auth struct {
	keys                 []ed25519.PublicKey
	signature, timestamp string
	unit                 TimestampUnit
	tolerance            time.Duration
	now                  func() time.Time
	messages             sync.Pool
	refusals
}

// Name returns "ed25519".
func (a *ed25519Auth) Name() string { return "ed25519" }

// AuthenticateHead refuses what has no signature before the body is read.
func (a *ed25519Auth) AuthenticateHead(d *Delivery) error {
	if len(d.Header[a.signature]) == 0 {
		return a.noSignature
	}
	return nil
}

// Authenticate implements Authenticator.
func (a *ed25519Auth) Authenticate(d *Delivery) error {
	text, n := single(d, a.signature)
	switch {
	case n == 0 || n == 1 && text == "":
		return a.noSignature
	case n > 1:
		return a.repeated
	}
	timestamp, n := single(d, a.timestamp)
	if n != 1 || !validTimestamp(timestamp) {
		return a.badTimestamp
	}
	var sig [ed25519.SignatureSize]byte
	if !decodeAnyBase64(sig[:], text) {
		return a.malformed
	}
	if !a.verify(d, timestamp, sig[:]) {
		return a.badSignature
	}
	if a.tolerance <= 0 {
		return nil
	}
	at, ok := parseTimestamp(timestamp, a.unit)
	if !ok {
		return a.badTimestamp
	}
	if err := inTime(a.Name(), at, d.now(a.now), a.tolerance); err != nil {
		return err
	}
	if d.Timestamp.IsZero() {
		d.Timestamp = at
	}
	return nil
}

// keepMessage is the largest buffer kept for the next delivery.
const keepMessage = 64 << 10

// verify joins the message in a reused buffer: Ed25519 reads it twice, so the
// library wants it in one piece.
func (a *ed25519Auth) verify(d *Delivery, timestamp string, sig []byte) bool {
	buf, _ := a.messages.Get().(*[]byte)
	if buf == nil {
		buf = new([]byte)
	}
	message := append((*buf)[:0], timestamp...)
	message = append(message, '.')
	message = append(message, d.Body...)
	good := false
	for i, key := range a.keys {
		if ed25519.Verify(key, message, sig) {
			good, d.secret = true, i+1
			break
		}
	}
	if cap(message) <= keepMessage {
		clear(message) // bodies are personal data
		*buf = message
		a.messages.Put(buf)
	}
	return good
}
