package kycjwt

import (
	"bytes"
	"encoding/json"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/lenient"
	"github.com/kyckit/kyckit/webhook"
)

// EventType says what an event reports.
type EventType string

// The documented event types. More exist: an unknown one is no error.
const (
	// EventQuestionnaireRequired: the customer has questionnaires to answer.
	EventQuestionnaireRequired EventType = "requirementsQuestionnaire"
	// EventIDVRequired: the customer has to verify their identity.
	EventIDVRequired EventType = "requirementsIDV"
	// EventIDVCompleted: the verification of identity was completed.
	EventIDVCompleted EventType = "completedIDV"
	// EventIDVFailed: the customer failed it.
	EventIDVFailed EventType = "failedIDV"
	// EventIDVError: it could not be carried out.
	EventIDVError EventType = "errorIDV"
	// EventEntitlementCompleted: the checks behind an entitlement are done; the
	// details hold their outcome.
	EventEntitlementCompleted EventType = "entitlementCompleted"
	// EventEntitlementFailed: the entitlement failed. Its details are not
	// documented.
	EventEntitlementFailed EventType = "entitlementFailed"
)

// Event is one delivery of a webhook. It prints redacted; its JSON is clear.
//
// At most one of the typed details is set, by Type, and only when Details has
// the documented shape. Details itself is always there as it came.
type Event struct {
	kyckit.Redacted
	// NotificationID names the event. The same event may be delivered more
	// than once, always under the same id.
	NotificationID string `json:"notification_id"`
	// Type is the kind of event.
	Type EventType `json:"notification_type"`
	// CreatedAt is as it came; its format is not documented.
	CreatedAt            string `json:"created_at"`
	OwnerID              string `json:"owner_id"`
	OwnerType            string `json:"owner_type"`
	ExternalID           string `json:"external_id"`
	EntitlementTriggerID string `json:"entitlement_trigger_id"`
	EntitlementID        string `json:"entitlement_id"`
	// Details is what the event says, as it came; nil when it says nothing.
	Details json.RawMessage `json:"details"`

	// QuestionnaireRequired belongs to EventQuestionnaireRequired.
	QuestionnaireRequired *QuestionnaireRequired `json:"-"`
	// IDVRequired belongs to EventIDVRequired.
	IDVRequired *IDVRequired `json:"-"`
	// IDVResult belongs to EventIDVCompleted, EventIDVFailed and EventIDVError.
	// Which of them it was is Type's to say, not Status's.
	IDVResult *IDVResult `json:"-"`
	// EntitlementResult belongs to EventEntitlementCompleted.
	EntitlementResult *EntitlementResult `json:"-"`
}

// QuestionnaireRequired says that a customer has questionnaires to answer.
type QuestionnaireRequired struct {
	kyckit.Redacted
	PendingQuestionnaireIDs []string `json:"pending_questionnaire_ids"`
	// Reason is "onboarding", "posof_level_upgrade", "adhoc_edd",
	// "request_for_information" or another word.
	Reason string `json:"reason"`
}

// IDVRequired says that a customer has to verify their identity.
type IDVRequired struct {
	kyckit.Redacted
	WorkflowID string `json:"workflow_id"`
	Branch     string `json:"branch"`
	Name       string `json:"name"`
}

// IDVResult is how a verification of identity went.
type IDVResult struct {
	kyckit.Redacted
	Status   string       `json:"status"`
	Messages []IDVMessage `json:"messages"`
}

// IDVMessage is one remark on a verification. Its timestamp and code are kept
// as they came, because their types are not documented.
type IDVMessage struct {
	kyckit.Redacted
	Timestamp   json.RawMessage `json:"timestamp"`
	StatusCode  json.RawMessage `json:"statusCode"`
	Description string          `json:"description"`
}

// EntitlementResult is the outcome of the checks behind an entitlement. The
// members' names are documented, their types are not, apart from a sample
// whose score is a number; they are kept as they came.
type EntitlementResult struct {
	kyckit.Redacted
	RiskScore    json.RawMessage `json:"riskScore"`
	PEP          json.RawMessage `json:"pep"`
	Criminal     json.RawMessage `json:"criminal"`
	Sanctioned   json.RawMessage `json:"sanctioned"`
	AdverseMedia json.RawMessage `json:"adverse_media"`
}

// ParseEvent reads the body of a delivery that an Authenticator has believed.
// It demands strict JSON with a notification_id and a notification_type, and
// is lenient about everything else, so that a new detail loses no event. The
// error is a *kyckit.Error of the kinds kyckit.ErrInvalid and
// webhook.ErrMalformed.
func ParseEvent(body []byte) (Event, error) {
	var in struct {
		NotificationID       json.RawMessage `json:"notification_id"`
		Type                 json.RawMessage `json:"notification_type"`
		CreatedAt            json.RawMessage `json:"created_at"`
		OwnerID              json.RawMessage `json:"owner_id"`
		OwnerType            json.RawMessage `json:"owner_type"`
		ExternalID           json.RawMessage `json:"external_id"`
		EntitlementTriggerID json.RawMessage `json:"entitlement_trigger_id"`
		EntitlementID        json.RawMessage `json:"entitlement_id"`
		Details              json.RawMessage `json:"details"`
	}
	if webhook.DecodeStrict(body, &in) != nil {
		return Event{}, malformed("the body is not the documented JSON")
	}
	e := Event{
		NotificationID:       lenient.Text(in.NotificationID),
		Type:                 EventType(lenient.String(in.Type)),
		CreatedAt:            lenient.Text(in.CreatedAt),
		OwnerID:              lenient.Text(in.OwnerID),
		OwnerType:            lenient.Text(in.OwnerType),
		ExternalID:           lenient.Text(in.ExternalID),
		EntitlementTriggerID: lenient.Text(in.EntitlementTriggerID),
		EntitlementID:        lenient.Text(in.EntitlementID),
	}
	if e.NotificationID == "" || e.Type == "" {
		return Event{}, malformed("notification_id and notification_type are required")
	}
	if !bytes.Equal(in.Details, []byte("null")) {
		e.Details = in.Details
	}
	var err error
	switch e.Type {
	case EventQuestionnaireRequired:
		e.QuestionnaireRequired, err = details[QuestionnaireRequired](e.Details)
	case EventIDVRequired:
		e.IDVRequired, err = details[IDVRequired](e.Details)
	case EventIDVCompleted, EventIDVFailed, EventIDVError:
		e.IDVResult, err = details[IDVResult](e.Details)
	case EventEntitlementCompleted:
		e.EntitlementResult, err = details[EntitlementResult](e.Details)
	}
	if err != nil {
		return Event{}, err
	}
	return e, nil
}

func malformed(reason string) error {
	e := invalid("event", reason)
	e.Err = webhook.ErrMalformed
	return e
}

// details reads the details of a known type; nil when they have another shape.
// Keys that two readers could confuse are an error as in the event itself.
func details[T any](raw json.RawMessage) (*T, error) {
	if len(raw) == 0 || raw[0] != '{' {
		return nil, nil
	}
	out := new(T)
	if webhook.DecodeStrict(raw, out) == nil {
		return out, nil
	}
	if json.Unmarshal(raw, new(T)) == nil {
		return nil, malformed("the details have keys that differ only by case")
	}
	return nil, nil
}
