package nafath

import (
	"errors"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/transport"
)

// errWrongType stands in for encoding/json's errors, which quote their input.
var errWrongType = errors.New("nafath: a field has the wrong type")

// errNobody is inside the error of details that name no person or transaction.
var errNobody = errors.New("nafath: nobody is named")

func errNationalID(op string) *kyckit.Error {
	return transport.InputError(provider, op, "not a national id that the configured rule accepts")
}
