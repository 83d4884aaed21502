package nafath

import (
	"encoding/json"
	"math"
	"strings"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/lenient"
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

// Details is the person as the government's record has them. TransID and
// IDNumber say whose record; every other field informs, and is empty or nil when
// it was not sent or came in a form that is not documented, which Raw then has.
// Dates are kept as sent: their format is not documented. Details prints as
// [kyckit.Redacted] says; its JSON is clear.
type Details struct {
	kyckit.Redacted
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

// UnmarshalJSON reads the provider's form. Numbers may arrive as strings and
// the other way round. Only what is no object is an error.
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
		UserType:          (*UserType)(in.UserType.value),
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
	return nil
}

// text reads a string, or a whole number as its digits: ids and codes are
// opaque, and an id that looks like a number keeps leading zeros only as a
// string. Another form reads as "".
type text string

// UnmarshalJSON never fails.
func (t *text) UnmarshalJSON(b []byte) error {
	*t = text(lenient.ID(b))
	return nil
}

// integer reads a whole number, also written as 304.0 or as a string. Another
// form reads as nil.
type integer struct{ value *int }

// UnmarshalJSON never fails.
func (i *integer) UnmarshalJSON(b []byte) error {
	i.value = nil
	if n, ok := lenient.Int(b); ok && n >= math.MinInt32 && n <= math.MaxInt32 {
		v := int(n)
		i.value = &v
	}
	return nil
}
