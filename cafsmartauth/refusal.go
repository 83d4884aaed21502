package cafsmartauth

import (
	"encoding/json"
	"errors"

	"github.com/kyckit/kyckit"
)

// Why an attestation is refused, to be tested with errors.Is. Every refusal is
// a *kyckit.Error that carries one of these and a reason in this module's own
// words. All of them mean the same for the person at the door: not in.
var (
	// ErrMalformed: not an attestation at all: too long, not three parts of
	// canonical base64url, another algorithm in the header, a claim missing, of
	// the wrong type or given twice.
	ErrMalformed = errors.New("malformed attestation")
	// ErrForged: not signed with this client's secret, or not signed with HS256.
	ErrForged = errors.New("forged attestation")
	// ErrAccessToken: an access token offered as an attestation. Both are
	// signed with the same secret, and the app holds one.
	ErrAccessToken = errors.New("access token instead of an attestation")
	// ErrExpired: exp has passed.
	ErrExpired = errors.New("expired attestation")
	// ErrNotYetValid: iat or nbf lies in the future.
	ErrNotYetValid = errors.New("attestation from the future")
	// ErrWrongPerson: issued for another CPF, or no valid CPF was expected.
	ErrWrongPerson = errors.New("attestation of another person")
	// ErrWrongPolicy: issued for another policy, or no policy was expected.
	ErrWrongPolicy = errors.New("attestation for another policy")
	// ErrDenied: the attempt is not authorised. [NotAuthorizedError] holds its
	// id.
	ErrDenied = errors.New("denied")
	// ErrPending: the attempt is not authorised yet; the SDK reported that
	// somebody looks at it. [NotAuthorizedError] holds its id.
	ErrPending = errors.New("pending")
	// ErrReplayed: the attestation was used before.
	ErrReplayed = errors.New("attestation used before")
)

// NotAuthorizedError is the cause of a refusal that is [ErrDenied] or
// [ErrPending]; errors.As finds it.
type NotAuthorizedError struct {
	kyckit.Redacted
	// AttemptID is what [Client.Authentication] takes to read the details. It
	// may be empty: the SDK does not always give it.
	AttemptID string
	// Pending is what the app said. Nothing the provider signs tells pending
	// from denied.
	Pending bool
	// Signed tells whether AttemptID comes from a signed attestation or is
	// merely what the app said.
	Signed bool
}

// Error returns "denied" or "pending".
func (e *NotAuthorizedError) Error() string {
	if e != nil && e.Pending {
		return ErrPending.Error()
	}
	return ErrDenied.Error()
}

// Is makes the error match [ErrDenied] or [ErrPending].
func (e *NotAuthorizedError) Is(target error) bool {
	if e != nil && e.Pending {
		return target == ErrPending
	}
	return target == ErrDenied
}

// MarshalJSON encodes the outcome without the attempt's id.
func (e NotAuthorizedError) MarshalJSON() ([]byte, error) { return json.Marshal(e.Error()) }

// The refusals that stand before the MAC are made once: refusing a forgery
// allocates nothing. They are never changed.
var (
	errNone         = refuse(ErrMalformed, "there is none")
	errTooLong      = refuse(ErrMalformed, "longer than 8 KiB")
	errNotJWT       = refuse(ErrMalformed, "not three parts")
	errUnsigned     = refuse(ErrForged, "it is not signed")
	errNotHS256     = refuse(ErrForged, "the signature is not one of HS256")
	errBadSignature = refuse(ErrForged, "the signature does not match")
)

const opAttestation = "verify attestation"

// refuse builds a refusal: the sentinel is the cause.
func refuse(cause error, reason string) *kyckit.Error {
	text := cause.Error()
	if reason != "" {
		text += ": " + reason
	}
	return &kyckit.Error{Provider: provider, Op: opAttestation, Kind: kyckit.ErrInvalid, Reason: text, Err: cause}
}

// notAuthorized builds the refusal of an attempt that did not pass.
func notAuthorized(cause *NotAuthorizedError) *kyckit.Error {
	return &kyckit.Error{Provider: provider, Op: opAttestation, Kind: kyckit.ErrForbidden, Reason: cause.Error(), Err: cause}
}
