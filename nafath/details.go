package nafath

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"

	"github.com/kyckit/kyckit/internal/redact"
)

// UserType says whether a person is a citizen or a resident.
type UserType int

// The documented user types.
const (
	// UserNational is a Saudi citizen, with a national id (NIN).
	UserNational UserType = 0
	// UserResident is a resident, with an Iqama.
	UserResident UserType = 1
)

// String names the type.
func (t UserType) String() string {
	switch t {
	case UserNational:
		return "national"
	case UserResident:
		return "resident"
	default:
		return "unknown"
	}
}

// Details is the person as the government's record has them. Every field but
// TransID and IDNumber may be empty. Dates are kept as sent: their format is
// not documented. It prints redacted; its JSON is clear.
type Details struct {
	TransID  string    `json:"transId"`
	UserType *UserType `json:"userType,omitempty"` // nil when not sent

	EnglishFirstName  string `json:"englishFirstName"`
	EnglishSecondName string `json:"englishSecondName"`
	EnglishThirdName  string `json:"englishThirdName"`
	EnglishLastName   string `json:"englishLastName"`

	DateOfBirthG  string `json:"dateOfBirthG"` // Gregorian
	Gender        string `json:"gender"`
	IDNumber      string `json:"idNumber"`      // NIN or Iqama number
	IDExpiryDateG string `json:"idExpiryDateG"` // Gregorian

	// NationalAddress varies by user type and may be an object or an array.
	NationalAddress json.RawMessage `json:"nationalAddress,omitempty"`
	NationalityDesc string          `json:"nationalityDesc"`
	NationalityCode *int            `json:"nationalityCode,omitempty"` // nil when not sent

	// Raw is the whole answer, fields unknown to this SDK included.
	Raw json.RawMessage `json:"-"`
}

// EnglishName joins the parts of the name that are present.
func (d *Details) EnglishName() string {
	return strings.Join(strings.Fields(strings.Join([]string{
		d.EnglishFirstName, d.EnglishSecondName, d.EnglishThirdName, d.EnglishLastName,
	}, " ")), " ")
}

// Format implements fmt.Formatter: no field is printed.
func (Details) Format(f fmt.State, _ rune) { redact.Format(f, "nafath.Details") }

// LogValue implements slog.LogValuer: no field is logged.
func (Details) LogValue() slog.Value { return redact.Value("nafath.Details") }

// UnmarshalJSON reads the provider's form. Numbers may arrive as strings and
// the other way round.
func (d *Details) UnmarshalJSON(b []byte) error {
	var in struct {
		TransID           text            `json:"transId"`
		UserType          integer         `json:"userType"`
		EnglishFirstName  text            `json:"englishFirstName"`
		EnglishSecondName text            `json:"englishSecondName"`
		EnglishThirdName  text            `json:"englishThirdName"`
		EnglishLastName   text            `json:"englishLastName"`
		DateOfBirthG      text            `json:"dateOfBirthG"`
		Gender            text            `json:"gender"`
		IDNumber          text            `json:"idNumber"`
		IDExpiryDateG     text            `json:"idExpiryDateG"`
		NationalAddress   json.RawMessage `json:"nationalAddress"`
		NationalityDesc   text            `json:"nationalityDesc"`
		NationalityCode   integer         `json:"nationalityCode"`
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return errWrongType
	}
	*d = Details{
		TransID:           string(in.TransID),
		EnglishFirstName:  string(in.EnglishFirstName),
		EnglishSecondName: string(in.EnglishSecondName),
		EnglishThirdName:  string(in.EnglishThirdName),
		EnglishLastName:   string(in.EnglishLastName),
		DateOfBirthG:      string(in.DateOfBirthG),
		Gender:            string(in.Gender),
		IDNumber:          string(in.IDNumber),
		IDExpiryDateG:     string(in.IDExpiryDateG),
		NationalAddress:   in.NationalAddress,
		NationalityDesc:   string(in.NationalityDesc),
		NationalityCode:   in.NationalityCode.value,
	}
	if t := in.UserType.value; t != nil {
		u := UserType(*t)
		d.UserType = &u
	}
	return nil
}
