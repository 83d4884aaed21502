package kyckit_test

import (
	"errors"
	"fmt"

	"github.com/kyckit/kyckit"
)

// Decide by the kind of an error; a call may be of several kinds.
func Example_errors() {
	var err error = &kyckit.Error{
		Provider: "nafath", Op: "request", Kind: kyckit.ErrOutcomeUnknown, Err: kyckit.ErrUnavailable,
		StatusCode: 503, Attempts: 1,
	}
	switch {
	case errors.Is(err, kyckit.ErrOutcomeUnknown):
		fmt.Println("the prompt may be on the phone, do not ask again:", err)
	case errors.Is(err, kyckit.ErrRateLimited):
		if e, ok := errors.AsType[*kyckit.Error](err); ok {
			fmt.Println("ask again in", e.RetryAfter)
		}
	}
	// Output: the prompt may be on the phone, do not ask again: nafath: request: outcome unknown (http 503)
}

// A Secret cannot be printed by accident.
func ExampleSecret() {
	secret := kyckit.NewSecret("made-up")
	fmt.Printf("%v %+v %q\n", secret, secret, secret)
	fmt.Println(len(secret.Reveal()))
	// Output:
	// [redacted] [redacted] [redacted]
	// 7
}
