package faceki

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/lenient"
)

// Record is a verification as FACEKI stores it. Every field is optional:
// [Client.Verify] fills few, [Client.Records] most. A field whose value has an
// unexpected type, or that is an array of more than 1000 items, is left empty
// and is still in Raw.
//
// A Record is personal data. It prints redacted; its JSON is clear, in FACEKI's
// own names, and holds the fields but not what only Raw knows.
type Record struct {
	kyckit.Redacted
	// RequestID is FACEKI's id of the verification, a UUID.
	RequestID string `json:"requestId"`
	// Link is the id of the KYC link that it came through, a UUID.
	Link string `json:"link"`
	// RecordIdentifier is the caller's id. Records returned by Verify always
	// have it.
	RecordIdentifier string `json:"record_identifier"`
	// FaceID is the id of the face in FACEKI's index.
	FaceID string `json:"face_id"`
	// Decision is the verdict; test it with Decision.Accepted.
	Decision Decision `json:"decision"`
	// UpdateBy is who changed the record in the portal.
	UpdateBy   string `json:"updateBy"`
	CompanyID  string `json:"companyId"`
	WorkflowID string `json:"workflowId"`
	BranchID   string `json:"branchId"`
	// Documents are what was read from the documents.
	Documents []DocumentData `json:"document_data"`
	// DocumentConfidence says how sure the reading is, document by document.
	DocumentConfidence []DocumentConfidence `json:"document_data_confidence"`
	Selfie             SelfieData           `json:"selfie_data"`
	Summary            Summary              `json:"verification_summary"`
	// Warnings, Notes and AML are as they came: the types of their items are
	// not documented.
	Warnings []json.RawMessage `json:"warnings"`
	Notes    []json.RawMessage `json:"notes"`
	AML      []json.RawMessage `json:"aml"`
	// ErrorCodes is as it came; Codes reads it.
	ErrorCodes []json.RawMessage `json:"errorCodes"`
	Images     []StoredImage     `json:"images"`
	Device     DeviceDetails     `json:"deviceDetails"`
	// CreatedAt and UpdatedAt are zero when absent or not ISO 8601.
	CreatedAt time.Time `json:"createdAt,omitzero"`
	UpdatedAt time.Time `json:"updatedAt,omitzero"`
	// Revision is the database's count of changes ("__v").
	Revision *int `json:"__v"`
	// Raw is the whole record as it came, fields unknown to this version
	// included. It is nil when the answer held no record.
	Raw json.RawMessage `json:"-"`
}

// Codes returns those of ErrorCodes that are numbers, as texts. [CodeError]
// tells what they mean.
func (r Record) Codes() []string {
	var codes []string
	for _, raw := range r.ErrorCodes {
		if _, ok := lenient.Int(raw); ok {
			codes = append(codes, lenient.Text(raw))
		}
	}
	return codes
}

// errNotObject stands in for encoding/json's errors, which quote their input.
var errNotObject = errors.New("faceki: not a JSON object")

// UnmarshalJSON reads a record, FACEKI's or one that was stored. Only what is
// no object is an error.
func (r *Record) UnmarshalJSON(data []byte) error {
	var out Record
	if !decodeLenient(data, &out) {
		return errNotObject
	}
	out.Raw = bytes.Clone(data)
	*r = out
	return nil
}

// SelfieData is what was found out about the selfie.
type SelfieData struct {
	kyckit.Redacted
	// LivenessPass is nil when it was not told.
	LivenessPass *bool `json:"liveness_pass"`
}

// Summary lists the checks of a verification; nil means not told.
type Summary struct {
	kyckit.Redacted
	FaceVerified             *bool `json:"face_verified"`
	SelfieLivenessVerified   *bool `json:"selfie_liveness_verified"`
	DocumentVerified         *bool `json:"document_verified"`
	VerificationRulesPassed  *bool `json:"verification_rules_passed"`
	DocumentLivenessVerified *bool `json:"document_liveness_verified"`
	ImageQuality             *bool `json:"image_quality"`
}

// StoredImage names an image of a record. How its Key is fetched is not
// documented, so this package does not.
type StoredImage struct {
	kyckit.Redacted
	DocumentName string `json:"documentName"`
	Side         string `json:"side"`
	Key          string `json:"key"`
}

// DeviceDetails tells what the person used. It prints redacted, its parts too.
type DeviceDetails struct {
	kyckit.Redacted
	UserAgent string       `json:"useragent"`
	Detected  DeviceDetect `json:"detectResult"`
}

// DeviceDetect is what FACEKI made of the user agent.
type DeviceDetect struct {
	kyckit.Redacted
	Client DeviceClient `json:"client"`
	Device Device       `json:"device"`
}

// DeviceClient is the browser or app.
type DeviceClient struct {
	kyckit.Redacted
	Type    string `json:"type"`
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Device is the machine.
type Device struct {
	kyckit.Redacted
	ID    string `json:"id"`
	Type  string `json:"type"`
	Brand string `json:"brand"`
	Model string `json:"model"`
}
