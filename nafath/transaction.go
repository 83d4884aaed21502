package nafath

import (
	"time"

	"github.com/kyckit/kyckit"
)

// Transaction is a verification that was started. Its values open and approve
// a person's verification: keep it on the server, bound to the login that
// began it, and never hand it to a second caller.
//
// It prints redacted. Its JSON is clear, for storing; Sealer gives an encrypted
// form.
type Transaction struct {
	kyckit.Redacted
	// TransID identifies the verification. Whoever has it can read the details.
	TransID string `json:"transId"`
	// Random is the code to show to this person alone. It is opaque: leading
	// zeros count.
	Random string `json:"random"`
	// NationalID is the person asked for, as ten ASCII digits.
	NationalID string `json:"nationalId"`
	// CreatedAt is when the provider's answer arrived.
	CreatedAt time.Time `json:"createdAt"`
}
