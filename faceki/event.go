package faceki

import (
	"bytes"
	"encoding/json"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/lenient"
	"github.com/kyckit/kyckit/webhook"
)

// EventType tells the two webhooks apart, which have no type field: a change in
// the portal names who made it.
type EventType string

// The types of events.
const (
	// EventVerified: a verification has finished.
	EventVerified EventType = "verified"
	// EventStatusChanged: a person has changed the status in the portal.
	EventStatusChanged EventType = "status changed"
)

// Event is the body of a webhook. FACEKI signs nothing and proves nothing, so
// an Event is a hint that a record has changed and never the result itself:
// [Client.Confirm] reads that. It holds personal data and prints redacted; its
// JSON is clear.
type Event struct {
	kyckit.Redacted
	Type EventType `json:"type"`
	// RequestID is FACEKI's id of the verification; never empty.
	RequestID string `json:"requestId"`
	FullName  string `json:"fullName"`
	// Status is what the sender claims; never empty.
	Status Decision `json:"status"`
	// Record is the record that came along, nil if none did. In workflows that
	// store no data it may be the only copy.
	Record *Record `json:"kycData"`
	// ModifiedByEmail is who changed the status in the portal.
	ModifiedByEmail string `json:"modifiedByEmail"`
	// Raw is the whole body as it came.
	Raw json.RawMessage `json:"-"`
}

// maxEvent is far above an event with a record of three documents.
const maxEvent = 4 << 20

// ParseEvent reads a webhook body, of either type. requestId and status are
// required and must be texts, requestId of up to 256 bytes; kycData may be
// absent, null, empty or an array of one; unknown fields are ignored. A body
// that two readers could understand differently, such as one with a key twice,
// is refused, and so is one over 4 MiB or with a record of another
// verification. The error is a *kyckit.Error of the kinds ErrInvalid, ErrDecode
// and webhook.ErrMalformed.
//
// ParseEvent believes everything: authenticate the delivery first, and confirm
// the event afterwards.
func ParseEvent(body []byte) (Event, error) {
	if len(body) > maxEvent {
		return Event{}, eventError("the body is larger than 4 MiB")
	}
	var in struct {
		RequestID       any             `json:"requestId"`
		FullName        json.RawMessage `json:"fullName"`
		Status          any             `json:"status"`
		KYCData         json.RawMessage `json:"kycData"`
		ModifiedByEmail json.RawMessage `json:"modifiedByEmail"`
	}
	if webhook.DecodeStrict(body, &in) != nil {
		return Event{}, eventError("the body is not strict JSON")
	}
	id, _ := in.RequestID.(string)
	status, _ := in.Status.(string)
	if id == "" || status == "" || !sendableField(id) {
		return Event{}, eventError("requestId or status is missing or no text")
	}
	e := Event{
		Type:            EventVerified,
		RequestID:       id,
		FullName:        lenient.Text(in.FullName),
		Status:          Decision(status),
		ModifiedByEmail: lenient.Text(in.ModifiedByEmail),
		Raw:             bytes.Clone(body),
	}
	if !lenient.IsNull(in.ModifiedByEmail) {
		e.Type = EventStatusChanged
	}
	if !lenient.IsNull(in.KYCData) {
		if n, _ := lenient.Items(in.KYCData); n > 1 {
			return Event{}, eventError("kycData is not one record")
		}
		records, ok := envelope{payload: in.KYCData}.records()
		switch {
		case !ok:
			return Event{}, eventError("kycData is not a record")
		case len(records) == 0:
		case records[0].RequestID != "" && records[0].RequestID != id:
			return Event{}, eventError("kycData is the record of another verification")
		default:
			e.Record = &records[0]
		}
	}
	return e, nil
}

func eventError(reason string) *kyckit.Error {
	return &kyckit.Error{Provider: provider, Op: "event", Kind: kyckit.ErrInvalid, Reason: reason, Err: webhook.ErrMalformed}
}
