package faceki

import (
	"errors"
	"strconv"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/transport"
)

// What FACEKI's codes mean, to be tested with errors.Is. They come on top of
// the kinds of the root package: a 5003 is [ErrBilling] and
// kyckit.ErrForbidden. A code that this version does not know carries
// [ErrUnknownCode].
var (
	// ErrRetakeSelfie: the person should take the selfie again, as FACEKI's own
	// SDKs ask for codes 5004 and 8003 to 8009. Such an error is ErrSelfie too.
	ErrRetakeSelfie = errors.New("retake the selfie")
	// ErrSelfie: something is wrong with the selfie. The codes of
	// ErrRetakeSelfie, 8018 (several faces) and 8019 (blurred).
	ErrSelfie = errors.New("selfie refused")
	// ErrDocument: a document is missing, expired or was refused. Codes 5006,
	// 5010, 5011, 5012, 8002 and 8010 to 8012.
	ErrDocument = errors.New("document refused")
	// ErrVerificationFailed: the verification ran and failed as a whole. Codes
	// 5005, 5007 and 5008. A decision DECLINED is not this error: it is a
	// result.
	ErrVerificationFailed = errors.New("verification failed")
	// ErrLink: a KYC link is used up, expired, unknown or could not be made.
	// Codes 5009 and 8014 to 8017.
	ErrLink = errors.New("link refused")
	// ErrBilling: the account has no credit. Code 5003.
	ErrBilling = errors.New("not enough credit")
	// ErrConfiguration: the workflow or the company has no rules in the
	// portal. Codes 5001 and 7001.
	ErrConfiguration = errors.New("account not configured")
	// ErrUnknownCode: the provider refused the call with a code that this
	// version does not know. kyckit.Error.Code holds it.
	ErrUnknownCode = errors.New("unknown code")
)

// CodeError returns what a code means, for errors.Is: the kinds of this package
// and of the root package. It serves codes that do not come as an error, such
// as those in [Record.Codes]. It returns nil for a code of success and for a
// text that is no number.
func CodeError(code string) error {
	n, ok := failingCode(code)
	if !ok {
		return nil
	}
	m := meaningOf(n)
	return &codeError{reason: m.reason, kinds: append([]error{m.kindOr(kyckit.ErrInvalid)}, m.classes...)}
}

// failingCode reads a code and reports whether it is one of failure.
func failingCode(code string) (int64, bool) {
	n, err := strconv.ParseInt(code, 10, 64)
	return n, err == nil && n != codeSuccess && n != codeOK
}

type codeError struct {
	reason string
	kinds  []error
}

func (e *codeError) Error() string {
	if e.reason == "" {
		return provider + ": unknown code"
	}
	return provider + ": " + e.reason
}

func (e *codeError) Unwrap() []error { return e.kinds }

// The two codes of success: 0 in envelope A, 200 in envelope B.
const (
	codeSuccess      = 0
	codeUnauthorized = 1
	codeOK           = 200
)

// meaning is what a code stands for. Reason is this module's wording.
type meaning struct {
	kind    error // nil: the code says nothing about the kind
	classes []error
	reason  string
}

func (m meaning) kindOr(def error) error {
	if m.kind == nil {
		return def
	}
	return m.kind
}

// meaningOf is the code table. Where FACEKI's documentation and its SDKs name
// the same code differently, the newest source wins.
func meaningOf(code int64) meaning {
	is := func(kind error, reason string, classes ...error) meaning { return meaning{kind, classes, reason} }
	retake := func(reason string) meaning { return is(kyckit.ErrInvalid, reason, ErrRetakeSelfie, ErrSelfie) }
	switch code {
	case codeUnauthorized:
		return is(kyckit.ErrUnauthorized, "unauthorised, or not a valid path")
	case 400:
		return is(kyckit.ErrInvalid, "bad request")
	case 422:
		return is(kyckit.ErrInvalid, "refused by validation")
	case 500, 1000:
		return is(kyckit.ErrUnavailable, "internal error of the provider")

	case 5001:
		return is(kyckit.ErrInvalid, "the workflow has no rules", ErrConfiguration)
	case 5002:
		return is(kyckit.ErrInvalid, "a field is missing or invalid")
	case 5003:
		return is(kyckit.ErrForbidden, "not enough credit", ErrBilling)
	case 5004:
		return retake("selfie liveness failed")
	case 5005:
		return is(kyckit.ErrInvalid, "the faces of document and selfie do not match", ErrVerificationFailed)
	case 5006:
		return is(kyckit.ErrInvalid, "a required document is missing", ErrDocument)
	case 5007:
		return is(kyckit.ErrInvalid, "the rules of the workflow are not met", ErrVerificationFailed)
	case 5008:
		return is(kyckit.ErrInvalid, "the verification failed", ErrVerificationFailed)
	case 5009:
		return is(kyckit.ErrConflict, "the limit of the link is reached", ErrLink)
	case 5010:
		return is(kyckit.ErrInvalid, "the document is expired", ErrDocument)
	case 5011:
		return is(kyckit.ErrInvalid, "no expiry date was found", ErrDocument)
	case 5012:
		// The name is documented, the number is the next of the sequence only.
		return is(kyckit.ErrInvalid, "document liveness failed", ErrDocument)
	case 7001:
		return is(kyckit.ErrInvalid, "the company has no rules", ErrConfiguration)

	case 8001:
		return is(kyckit.ErrInvalid, "a required image is missing")
	case 8002:
		return is(kyckit.ErrInvalid, "the document cannot be verified", ErrDocument)
	case 8003:
		return retake("please try again")
	case 8004:
		return retake("the face is cropped")
	case 8005:
		return retake("the face is too close")
	case 8006:
		return retake("no face was found")
	case 8007:
		return retake("the face is too close to the border")
	case 8008:
		return retake("the face is too small")
	case 8009:
		return retake("the light is poor")
	case 8010:
		return is(kyckit.ErrInvalid, "the identity card cannot be verified", ErrDocument)
	case 8011:
		return is(kyckit.ErrInvalid, "the driving licence cannot be verified", ErrDocument)
	case 8012:
		return is(kyckit.ErrInvalid, "the passport cannot be verified", ErrDocument)
	case 8013:
		return is(kyckit.ErrNotFound, "no data was found")
	case 8014:
		return is(kyckit.ErrInvalid, "the link is invalid", ErrLink)
	case 8015:
		return is(kyckit.ErrConflict, "the link is expired", ErrLink)
	case 8016:
		return is(kyckit.ErrInvalid, "the link was not generated", ErrLink)
	case 8017:
		return is(kyckit.ErrConflict, "the limit of verifications is reached", ErrLink)
	case 8018:
		return is(kyckit.ErrInvalid, "the selfie shows several faces", ErrSelfie)
	case 8019:
		return is(kyckit.ErrInvalid, "the face is blurred", ErrSelfie)
	}
	if code > 400 && code < 600 {
		return is(transport.KindOf(int(code)), "an HTTP status as the code")
	}
	return meaning{classes: []error{ErrUnknownCode}, reason: "a code that is not known"}
}
