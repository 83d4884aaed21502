package webhook

import (
	"errors"
	"fmt"

	"github.com/kyckit/kyckit"
)

// What a delivery can be refused for, to be tested with errors.Is. The errors
// of this package are [*kyckit.Error] values that carry one of these and a
// reason in this module's own words; a policy's error carries one a layer.
// None of them is ever shown to the sender.
var (
	// ErrNoSignature: the delivery carries no signature of the configured kind,
	// or no credential at all.
	ErrNoSignature = errors.New("no signature")
	// ErrBadSignature: a signature or credential is there and is wrong,
	// malformed, too long or given twice.
	ErrBadSignature = errors.New("bad signature")
	// ErrTimestamp: the timestamp is missing, malformed or outside the
	// tolerance, in the past or in the future.
	ErrTimestamp = errors.New("bad timestamp")
	// ErrCertificate: no client certificate, or one that the rules refuse.
	ErrCertificate = errors.New("client certificate refused")
	// ErrUntrustedProxy: the peer is not a proxy whose headers are believed.
	ErrUntrustedProxy = errors.New("untrusted proxy")
	// ErrTooLarge: the body is longer than HandlerConfig.MaxBody.
	ErrTooLarge = errors.New("too large")
	// ErrDuplicate: a delivery with this key was handled before. Claims
	// implementations return it.
	ErrDuplicate = errors.New("duplicate delivery")
	// ErrInProgress: a delivery with this key is being handled now. Claims
	// implementations return it.
	ErrInProgress = errors.New("delivery in progress")
	// ErrMalformed: the body is not the JSON it should be. A Handle function
	// that returns it makes the handler answer 400, so that the sender does
	// not try again. It is of the kind [kyckit.ErrDecode] too.
	ErrMalformed = fmt.Errorf("malformed: %w", kyckit.ErrDecode)
)

// provider is the Provider field of this package's errors.
const provider = "webhook"

// refuse builds the typed error of one refusal. The sentinel is the cause;
// reason may be empty.
func refuse(op string, sentinel error, reason string) error {
	return newError(op, kyckit.ErrUnauthorized, sentinel, reason)
}

// invalid builds the error of a refused configuration and names the field.
func invalid(op, reason string) error {
	return &kyckit.Error{Provider: provider, Op: op, Kind: kyckit.ErrInvalid, Reason: reason}
}

func newError(op string, kind, sentinel error, reason string) error {
	text := sentinel.Error()
	if errors.Is(sentinel, ErrMalformed) {
		text = "malformed"
	}
	if reason != "" {
		text += ": " + reason
	}
	return &kyckit.Error{Provider: provider, Op: op, Kind: kind, Reason: text, Err: sentinel}
}
