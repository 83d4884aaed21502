package cafsmartauth

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/lenient"
	"github.com/kyckit/kyckit/internal/transport"
)

// The provider's documents show no schema, only samples, and those disagree
// about types. The types of this file take a value in each form seen.

// Number is a number that the provider sends as a JSON number or as a string:
// location.accuracy and faceMatch.similarity are strings, asCode is a number.
// It holds the text as it was sent; the empty Number was absent.
type Number string

// Float64 returns the value, and false when it is absent or is not a finite
// number.
func (n Number) Float64() (float64, bool) {
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil || f-f != 0 { // infinities and NaN
		return 0, false
	}
	return f, true
}

// UnmarshalJSON takes a JSON number or a string; anything else is as if absent.
func (n *Number) UnmarshalJSON(b []byte) error {
	*n = Number(lenient.Text(b))
	return nil
}

// id is an identifier that is also taken when it comes as a number.
type id string

// UnmarshalJSON takes a string or a JSON number; anything else is as if absent.
func (i *id) UnmarshalJSON(b []byte) error {
	*i = id(lenient.Text(b))
	return nil
}

// Time is a moment the provider sends as an ISO 8601 string. A moment it sends
// in another form is kept as the zero time rather than failing the call; Raw
// has it.
type Time struct{ time.Time }

// UnmarshalJSON takes an ISO 8601 string; anything else gives the zero time.
func (t *Time) UnmarshalJSON(b []byte) error {
	t.Time = lenient.Time(b)
	return nil
}

// withRequestID puts the requestId of an error's body into the error: every
// answer is documented to have one.
func withRequestID(err error) error {
	var e *kyckit.Error
	if !errors.As(err, &e) || e.RequestID != "" {
		return err
	}
	var body struct {
		RequestID id `json:"requestId"`
	}
	if json.Unmarshal(e.Body(), &body) != nil {
		return err
	}
	// The error was made for this call alone; nobody else holds it yet.
	e.RequestID = transport.RequestID(string(body.RequestID))
	return err
}
