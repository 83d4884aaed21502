package kyckit

import (
	"fmt"
	"log/slog"
)

// Redacted makes a struct print as "[redacted]". Embed it first in a type that
// holds personal data or secrets:
//
//	type applicant struct {
//		kyckit.Redacted
//		Name, NationalID string
//	}
//
// Every fmt verb and slog then show "[redacted]" in place of the whole struct,
// of a pointer to it, and of a struct that embeds it in turn. It takes no space
// and changes no JSON.
//
// Two limits come from package fmt. It calls no methods on values in
// unexported fields of another struct, so a struct that keeps such a type in an
// unexported field must embed Redacted too, or keep a pointer to it, of which
// fmt prints the address alone. And two verbs ask no method: %p, and %w outside
// of an error; go vet reports both.
type Redacted struct{}

// Format implements fmt.Formatter: every verb writes "[redacted]".
func (Redacted) Format(f fmt.State, _ rune) { writeString(f, redacted) }

// LogValue implements slog.LogValuer and returns "[redacted]".
func (Redacted) LogValue() slog.Value { return slog.StringValue(redacted) }
