package nafath

import (
	"fmt"
	"log/slog"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/redact"
	"github.com/kyckit/kyckit/webhook"
)

// EventVerificationCompleted is the one documented event type. It is sent on
// every change of status, not only on success.
const EventVerificationCompleted = "NafathVerificationCompleted"

// Event is the body of a webhook. It is a hint and no proof: the status call
// decides. It prints redacted, because a TransID opens a person's data.
type Event struct {
	Type    string
	TransID string
	Status  Status
}

// Format implements fmt.Formatter: nothing of the body is printed.
func (Event) Format(f fmt.State, _ rune) { redact.Format(f, "nafath.Event") }

// LogValue implements slog.LogValuer: nothing of the body is logged.
func (Event) LogValue() slog.Value { return redact.Value("nafath.Event") }

// ParseEvent reads a webhook body. Type, TransId and Status are required, a
// key may occur once only in whatever case, and further fields are ignored. An
// unknown Type is returned as it is: answer it with success and do nothing. The
// error is a *kyckit.Error of kind ErrDecode.
//
// Authenticate the delivery first; package webhook does.
func ParseEvent(body []byte) (Event, error) {
	var in struct {
		Type    string
		TransID string `json:"TransId"`
		Status  string
	}
	if err := webhook.DecodeStrict(body, &in); err != nil {
		return Event{}, eventError("the body is not strict JSON")
	}
	if in.Type == "" || in.TransID == "" || in.Status == "" {
		return Event{}, eventError("Type, TransId or Status is missing")
	}
	return Event{Type: in.Type, TransID: in.TransID, Status: parseStatus(in.Status)}, nil
}

func eventError(reason string) *kyckit.Error {
	return &kyckit.Error{Provider: provider, Op: "event", Kind: kyckit.ErrDecode, Reason: reason}
}
