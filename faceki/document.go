package faceki

import (
	"encoding/json"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/lenient"
)

// DocumentData is what was read from one document, as text. Dates are not
// parsed: use DateOfBirth and Expiry, which look like YYYY-MM-DD in the samples,
// and not DOB, which can be a fragment of two digits.
//
// In the samples the fields ending in ISO hold the two-letter country code and
// those ending in ISO2 the three-letter one.
type DocumentData struct {
	kyckit.Redacted
	Reference        string `json:"reference"`
	FullName         string `json:"full_name"`
	FirstName        string `json:"first_name"`
	MiddleName       string `json:"middle_name"`
	LastName         string `json:"last_name"`
	LocalName        string `json:"local_name"`
	Nationality      string `json:"nationality"`
	NationalityISO   string `json:"nationality_iso"`
	NationalityISO2  string `json:"nationality_iso2"`
	Issuer           string `json:"issuer"`
	IssuerISO        string `json:"issuer_iso"`
	IssuerISO2       string `json:"issuer_iso2"`
	Gender           string `json:"gender"`
	DOB              string `json:"dob"`
	Age              string `json:"age"`
	PlaceOfBirth     string `json:"placeOfBirth"`
	PersonalNumber   string `json:"personal_number"`
	DocumentNumber   string `json:"document_number"`
	AdditionalNumber string `json:"documentAdditionalNumber"`
	Expiry           string `json:"expiry"`
	ExpiryDay        string `json:"expiryDay"`
	ExpiryMonth      string `json:"expiryMonth"`
	ExpiryYear       string `json:"expiryYear"`
	Issued           string `json:"issued"`
	IssuedDay        string `json:"issuedDay"`
	IssuedMonth      string `json:"issuedMonth"`
	IssuedYear       string `json:"issuedYear"`
	DateOfBirth      string `json:"date_of_birth"`
	DateOfBirthDay   string `json:"date_of_birth_day"`
	DateOfBirthMonth string `json:"date_of_birth_month"`
	DateOfBirthYear  string `json:"date_of_birth_year"`
	// DocumentType is a short form such as "I", DocumentTypeFull a name such
	// as "Identity Card".
	DocumentType     string `json:"document_type"`
	DocumentTypeFull string `json:"document_type_full"`
	// MRZ is the machine-readable zone, its lines joined by "^".
	MRZ       string    `json:"mrz"`
	FaceMatch FaceMatch `json:"document_face_match"`
	// Passed is nil when it was not told.
	Passed *bool `json:"passed"`
}

// FaceMatch compares the face on the document with the selfie, in percent from
// 0 to 100; nil means not told.
type FaceMatch struct {
	kyckit.Redacted
	Similarity *float64 `json:"similarity"`
	Confidence *float64 `json:"confidence"`
}

// DocumentConfidence says how sure the reading of one document is.
type DocumentConfidence struct {
	kyckit.Redacted
	// Reference is that of the document.
	Reference string
	// Fields maps FACEKI's name of a field to a confidence; in the samples it
	// runs from 0 to 1.
	Fields map[string]float64
}

func (c *DocumentConfidence) readRaw(raw json.RawMessage) {
	var keys map[string]json.RawMessage
	if json.Unmarshal(raw, &keys) != nil {
		return
	}
	for key, value := range keys {
		if key == "reference" {
			c.Reference = lenient.Text(value)
			continue
		}
		if f, ok := lenient.Float(value); ok {
			if c.Fields == nil {
				c.Fields = make(map[string]float64, len(keys))
			}
			c.Fields[key] = f
		}
	}
}

// UnmarshalJSON reads the flat object that FACEKI sends.
func (c *DocumentConfidence) UnmarshalJSON(data []byte) error {
	*c = DocumentConfidence{}
	c.readRaw(data)
	return nil
}

// MarshalJSON writes the flat object that FACEKI sends.
func (c DocumentConfidence) MarshalJSON() ([]byte, error) {
	flat := make(map[string]any, len(c.Fields)+1)
	for key, f := range c.Fields {
		flat[key] = f
	}
	flat["reference"] = c.Reference
	return json.Marshal(flat)
}
