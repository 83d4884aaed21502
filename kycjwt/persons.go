package kycjwt

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/lenient"
)

// Owner says whose questionnaires or documents are meant. It prints redacted.
type Owner struct {
	kyckit.Redacted
	// Type is the kind of customer.
	Type OwnerType
	// ID is the provider's id of the customer.
	ID string
}

// OwnerType is a kind of customer.
type OwnerType string

// The documented kinds of customers.
const (
	OwnerPerson    OwnerType = "person"
	OwnerCorporate OwnerType = "corporate"
)

// path is the word for the kind in a resource path; "" for an unknown kind.
func (t OwnerType) path() string {
	switch t {
	case OwnerPerson:
		return "/persons"
	case OwnerCorporate:
		return "/corporates"
	}
	return ""
}

// Person returns the Owner of a person's id.
func Person(id string) Owner { return Owner{Type: OwnerPerson, ID: id} }

// Corporate returns the Owner of a company's id.
func Corporate(id string) Owner { return Owner{Type: OwnerCorporate, ID: id} }

// Gender is a person's sex by ISO 5218.
type Gender int

// The codes of ISO 5218. The zero value is "not known".
const (
	GenderNotKnown      Gender = 0
	GenderMale          Gender = 1
	GenderFemale        Gender = 2
	GenderNotApplicable Gender = 9
)

// PersonParams describes a person to be created. All fields are required
// except where it says otherwise. It prints redacted; its JSON is clear.
type PersonParams struct {
	kyckit.Redacted
	// ExternalID is the caller's own id of the person.
	ExternalID string `json:"external_id"`
	FirstName  string `json:"first_name"`
	// MiddleName is optional.
	MiddleName string `json:"middle_name,omitempty"`
	LastName   string `json:"last_name"`
	// Nationality and all countries are ISO 3166-1 alpha-3, for example "MLT".
	Nationality string `json:"nationality"`
	// OtherNationalities is optional.
	OtherNationalities []string `json:"other_nationalities,omitempty"`
	Gender             Gender   `json:"gender"`
	BirthCountry       string   `json:"birth_country"`
	BirthPlace         string   `json:"birth_place"`
	// BirthDate is YYYY-MM-DD.
	BirthDate    string `json:"birth_date"`
	StreetName   string `json:"street_name"`
	StreetNumber string `json:"street_number"`
	City         string `json:"city"`
	PostalCode   string `json:"postal_code"`
	// Region is optional.
	Region  string `json:"region,omitempty"`
	Country string `json:"country"`
	// Phone is E.164: a plus sign and up to 15 digits.
	Phone                   string `json:"phone"`
	Email                   string `json:"email"`
	TaxIdentificationNumber string `json:"tax_identification_number"`
	TaxCountry              string `json:"tax_country"`
}

// problem names the first field that the provider would refuse, without its
// value.
func (p PersonParams) problem() string {
	required := []struct{ name, value string }{
		{"ExternalID", p.ExternalID},
		{"FirstName", p.FirstName},
		{"LastName", p.LastName},
		{"BirthPlace", p.BirthPlace},
		{"StreetName", p.StreetName},
		{"StreetNumber", p.StreetNumber},
		{"City", p.City},
		{"PostalCode", p.PostalCode},
		{"Email", p.Email},
		{"TaxIdentificationNumber", p.TaxIdentificationNumber},
	}
	for _, f := range required {
		if f.value == "" {
			return f.name + " is required"
		}
	}
	countries := []struct{ name, value string }{
		{"Nationality", p.Nationality},
		{"BirthCountry", p.BirthCountry},
		{"Country", p.Country},
		{"TaxCountry", p.TaxCountry},
	}
	for _, other := range p.OtherNationalities {
		countries = append(countries, struct{ name, value string }{"OtherNationalities", other})
	}
	for _, f := range countries {
		if !alpha3(f.value) {
			return f.name + " must be three capital letters (ISO 3166-1 alpha-3)"
		}
	}
	if _, err := time.Parse(time.DateOnly, p.BirthDate); err != nil {
		return "BirthDate must be YYYY-MM-DD"
	}
	switch p.Gender {
	case GenderNotKnown, GenderMale, GenderFemale, GenderNotApplicable:
	default:
		return "Gender must be 0, 1, 2 or 9 (ISO 5218)"
	}
	if !e164(p.Phone) {
		return "Phone must be E.164, a plus sign and up to 15 digits"
	}
	return ""
}

func alpha3(s string) bool {
	if len(s) != 3 {
		return false
	}
	for i := range len(s) {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return true
}

func e164(s string) bool {
	if len(s) < 3 || len(s) > 16 || s[0] != '+' || s[1] == '0' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// Created is the answer to a creation whose body the provider does not
// document. It prints redacted.
type Created struct {
	kyckit.Redacted
	// ID is a member "id" at the top of the answer, when there is one that is
	// a string. Assumed, not documented: empty means look into Raw.
	ID string `json:"id"`
	// Raw is the whole answer, empty when there was none.
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps the answer as it is.
func (c *Created) UnmarshalJSON(b []byte) error {
	var in struct {
		ID json.RawMessage `json:"id"`
	}
	_ = json.Unmarshal(b, &in) // any JSON is an answer here
	*c = Created{ID: lenient.String(in.ID), Raw: clone(b)}
	return nil
}

// CreatePerson creates a person. The fields are documented, the answer is not,
// so nothing in it can be compared with them. Fields that are missing or
// malformed are refused before anything is sent.
//
// The call is never repeated: where no usable answer comes back the error is
// kyckit.ErrOutcomeUnknown, and the person may exist.
func (c *Client) CreatePerson(ctx context.Context, params PersonParams) (*Created, error) {
	const op = "create person"
	if problem := params.problem(); problem != "" {
		return nil, invalid(op, problem)
	}
	return c.create(ctx, Request{Path: "/persons", Body: params, op: op})
}

// create posts r and returns the answer, whatever JSON it is.
func (c *Client) create(ctx context.Context, r Request) (_ *Created, err error) {
	ctx, end := c.scope(ctx)
	defer end(&err)
	r.Method = http.MethodPost
	resp, err := c.call(ctx, r)
	if err != nil {
		return nil, err
	}
	created := &Created{}
	if len(resp.Body) == 0 {
		return created, nil
	}
	if err := decode(resp, created); err != nil {
		return nil, err
	}
	return created, nil
}

// fetch reads one thing, which must be the one asked for.
func fetch[T any](ctx context.Context, c *Client, r Request, asked func(*T) bool) (_ *T, err error) {
	ctx, end := c.scope(ctx)
	defer end(&err)
	r.Method = http.MethodGet
	resp, err := c.call(ctx, r)
	if err != nil {
		return nil, err
	}
	out := new(T)
	if err := decode(resp, out); err != nil {
		return nil, err
	}
	if !asked(out) {
		return nil, unreadable(resp, "the answer is about another thing than the one asked for")
	}
	return out, nil
}

func clone(b []byte) json.RawMessage { return append(json.RawMessage(nil), b...) }
