package faceki

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/transport"
)

// WorkflowRules are the rules of a workflow. Every field is optional; nil means
// not told. The address in CallbackURL may hold a secret, so it prints redacted.
type WorkflowRules struct {
	kyckit.Redacted
	ID         string `json:"_id"`
	BranchID   string `json:"branchId"`
	WorkflowID string `json:"workflowId"`
	CompanyID  string `json:"companyId"`
	// Documents are the accepted types: "ID Card", "Passport", "Driving
	// License". Their number is how many VerifyParams needs, unless
	// DocumentOptional lets the person choose.
	Documents    []string          `json:"documents"`
	Nationality  []json.RawMessage `json:"nationality"`
	Countries    []json.RawMessage `json:"countries"`
	LivenessType string            `json:"liveness_type"`
	AMLType      string            `json:"amlType"`
	Region       string            `json:"region"`
	CallbackURL  string            `json:"callbackURL"`
	// CustomInternalEngine and StoreDataExpiry are of unknown types.
	CustomInternalEngine json.RawMessage `json:"custom_internal_engine"`
	StoreDataExpiry      json.RawMessage `json:"store_data_expiry"`

	OCROnly                    *bool `json:"ocr_only"`
	UserVerifyOnce             *bool `json:"user_verify_once"`
	DocumentOptional           *bool `json:"document_optional"`
	StoreData                  *bool `json:"store_data"`
	RecapturedAllow            *bool `json:"recaptured_allow"`
	GeolocationEnforce         *bool `json:"geolocation_enforce"`
	AutoCapture                *bool `json:"auto_capture"`
	SMSVerification            *bool `json:"sms_verification"`
	EmailVerification          *bool `json:"email_verification"`
	RequireContactDetails      *bool `json:"require_contact_details"`
	AdditionalDocumentRequired *bool `json:"additional_document_required"`

	AdditionalDocumentRules []string `json:"additional_document_rules"`

	// FaceMatchScore is in percent; MinAge and MaxAge are in years.
	FaceMatchScore *int `json:"face_match_score"`
	MinAge         *int `json:"minAge"`
	MaxAge         *int `json:"maxAge"`
	Revision       *int `json:"__v"`
	// Theme is how the pages of the workflow look, as it came.
	Theme json.RawMessage `json:"theme"`
	// Raw is the whole object as it came.
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON reads rules. Only what is no object is an error.
func (w *WorkflowRules) UnmarshalJSON(data []byte) error {
	var out WorkflowRules
	if !decodeLenient(data, &out) {
		return errNotObject
	}
	out.Raw = bytes.Clone(data)
	*w = out
	return nil
}

// WorkflowRules reads the rules of a workflow. FACEKI does not document this
// call; its own mobile SDKs make it, so it may change without notice. It is
// retried on transient failures. The WorkflowID of the answer is not compared:
// rules are nobody's data.
func (c *Client) WorkflowRules(ctx context.Context, workflowID string) (_ *WorkflowRules, err error) {
	const op = "workflow rules"
	if err := c.made(op); err != nil {
		return nil, err
	}
	ctx, end := c.http.Scope(ctx)
	defer end(&err)
	if workflowID == "" {
		return nil, transport.InputError(provider, op, "the workflow id is required")
	}
	a, err := c.do(ctx, &transport.Call{
		Op: op, Method: http.MethodGet, Path: c.paths.WorkflowRules,
		Query: url.Values{"workflowId": {workflowID}}, Repeatable: true,
	})
	if err != nil {
		return nil, err
	}
	var rules WorkflowRules
	if rules.UnmarshalJSON(a.envelope.payload) != nil {
		return nil, a.fail("result is not an object")
	}
	return &rules, nil
}
