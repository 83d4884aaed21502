package nafath

import (
	"strings"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/webhook"
)

// EventVerificationCompleted is the one documented event type. It is sent on
// every change of status, not only on success.
const EventVerificationCompleted = "NafathVerificationCompleted"

// Event is the body of a webhook. It is a hint and no proof: the status call
// decides. It prints as [kyckit.Redacted] says, because a TransID opens a
// person's data.
//
// Events have no id of their own, and a hint that comes twice does no harm: give
// the webhook handler a Key that tells nothing apart but copies within moments,
// or none, so that no later change is taken for a duplicate.
type Event struct {
	kyckit.Redacted
	Type    string
	TransID string
	Status  Status
}

// ParseEvent reads a webhook body. Type, TransId and Status are required; a
// TransId that is a number is read as its digits, a key may occur once only in
// whatever case, and further fields are ignored. An unknown Type is returned as
// it is: answer it with success and do nothing. The error is a *kyckit.Error of
// the kinds ErrInvalid, ErrDecode and webhook.ErrMalformed.
//
// Authenticate the delivery first; package webhook does.
func ParseEvent(body []byte) (Event, error) {
	var in struct {
		Type    string
		TransID text `json:"TransId"`
		Status  string
	}
	if err := webhook.DecodeStrict(body, &in); err != nil {
		return Event{}, eventError("the body is not the documented JSON")
	}
	if in.Type == "" || in.TransID == "" || in.Status == "" {
		return Event{}, eventError("Type, TransId or Status is missing")
	}
	return Event{Type: in.Type, TransID: string(in.TransID), Status: parseStatus(in.Status)}, nil
}

func eventError(reason string) *kyckit.Error {
	return &kyckit.Error{Provider: provider, Op: "event", Kind: kyckit.ErrInvalid, Reason: reason, Err: webhook.ErrMalformed}
}

// sameTransID reports that two ids name one transaction. Ids that are UUIDs
// compare without case, as some senders write them in capitals.
func sameTransID(a, b string) bool { return foldTransID(a) == foldTransID(b) }

// foldTransID returns a UUID in small letters, and any other id as it is.
func foldTransID(id string) string {
	const length = 36 // 8-4-4-4-12 hexadecimal digits
	if len(id) != length {
		return id
	}
	for i := range length {
		switch c := id[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return id
			}
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
		default:
			return id
		}
	}
	return strings.ToLower(id)
}
