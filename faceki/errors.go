package faceki

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/kyckit/kyckit"
)

// What is wrong with an image, to be tested with errors.Is.
var (
	// ErrImage: an image is missing, empty, neither JPEG nor PNG, or cannot be
	// read to its end. Nothing was verified.
	ErrImage = errors.New("image refused")
	// ErrImageTooLarge: an image is larger than Config.MaxImageBytes, or the
	// provider answered 413. Nothing was verified. Such an error is ErrImage
	// too.
	ErrImageTooLarge = fmt.Errorf("image too large: %w", ErrImage)
)

// VerifyError is in the chain of every error of [Client.Verify] and
// [Client.VerifyAndFetch]:
//
//	var failed *faceki.VerifyError
//	if errors.Is(err, kyckit.ErrOutcomeUnknown) && errors.As(err, &failed) {
//		records, err := client.Records(ctx, faceki.RecordFilter{RecordIdentifier: failed.RecordIdentifier})
//		…
//	}
//
// It prints redacted: an identifier that the caller chose may name a person.
type VerifyError struct {
	kyckit.Redacted
	// RecordIdentifier is what was sent, or would have been.
	RecordIdentifier string
	// Err is a further cause, or nil.
	Err error
}

const verifyErrorText = "faceki: the verification has no result; see RecordIdentifier"

// Error does not show the identifier.
func (*VerifyError) Error() string { return verifyErrorText }

// Unwrap returns the further cause.
func (e *VerifyError) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// MarshalJSON does not show the identifier.
func (VerifyError) MarshalJSON() ([]byte, error) { return json.Marshal(verifyErrorText) }

// verifyError puts the identifier into the chain of err.
func verifyError(err error, recordIdentifier string) error {
	var e *kyckit.Error
	if !errors.As(err, &e) {
		return &VerifyError{RecordIdentifier: recordIdentifier, Err: err}
	}
	told := *e
	told.Err = &VerifyError{RecordIdentifier: recordIdentifier, Err: e.Err}
	return &told
}

// classify adds to an error of the transport what its code means.
func classify(err error, upload bool) error {
	var e *kyckit.Error
	if !errors.As(err, &e) {
		return err
	}
	causes := []error{e.Err}
	told := *e
	if n, ok := failingCode(e.Code); ok {
		m := meaningOf(n)
		causes = append(causes, m.classes...)
		if told.Reason == "" {
			told.Reason = m.reason
		}
	}
	if upload && e.StatusCode == http.StatusRequestEntityTooLarge {
		causes = append(causes, ErrImageTooLarge)
		told.Reason = "an image is too large for the provider"
	}
	if told.Err = e.Err; len(causes) > 1 {
		told.Err = errors.Join(causes...)
	}
	return &told
}

// imageError is the error of an image that cannot be sent.
func imageError(op, field, reason string, causes ...error) *kyckit.Error {
	return &kyckit.Error{
		Provider: provider, Op: op, Kind: kyckit.ErrInvalid,
		Reason: field + " " + reason, Err: errors.Join(causes...),
	}
}
