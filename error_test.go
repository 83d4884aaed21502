package kyckit_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/cafsmartauth"
	"github.com/kyckit/kyckit/faceki"
	"github.com/kyckit/kyckit/kycjwt"
	"github.com/kyckit/kyckit/webhook"
)

// TestNoErrorTypePanics: a typed nil in an error is a common mistake, and the
// log line about it must not take the process down.
func TestNoErrorTypePanics(t *testing.T) {
	for _, err := range []error{
		(*kyckit.Error)(nil), &kyckit.Error{},
		(*cafsmartauth.NotAuthorizedError)(nil), &cafsmartauth.NotAuthorizedError{},
		(*faceki.VerifyError)(nil), &faceki.VerifyError{},
		(*kycjwt.ValidationError)(nil), &kycjwt.ValidationError{},
		(*webhook.PolicyError)(nil), &webhook.PolicyError{},
		(*webhook.PanicError)(nil), &webhook.PanicError{},
	} {
		assert.NotPanicsf(t, func() {
			assert.NotEmpty(t, err.Error())
			assert.NotErrorIs(t, err, context.Canceled)
		}, "%T", err)
	}
	e, ok := errors.AsType[*kyckit.Error](error((*kyckit.Error)(nil)))
	assert.True(t, ok)
	assert.Empty(t, e.Message())
	assert.Empty(t, e.Body())
	assert.Equal(t, "other", e.ErrorType())
	var refused *kycjwt.ValidationError
	assert.Empty(t, refused.Fields())
}
