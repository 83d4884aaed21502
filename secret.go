package kyckit

import (
	"fmt"
	"io"
	"log/slog"
)

// redacted is what a secret shows in place of its value.
const redacted = "[redacted]"

// Secret holds a credential or a token so that it cannot be printed by
// accident. Every fmt verb, JSON, text encoding and slog show "[redacted]".
// The value lives in a closure, which reflection dumpers cannot read either.
//
// A Secret cannot be compared with ==, so no code can compare two secrets in
// variable time by mistake. The zero value holds the empty string. A Secret is
// immutable and safe for concurrent use.
type Secret struct {
	reveal func() string
}

// NewSecret returns a Secret that holds value.
func NewSecret(value string) Secret {
	return Secret{reveal: func() string { return value }}
}

// Reveal returns the clear value. Hand it to the code that needs it and to
// nothing that prints.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.Reveal() == "" }

// String returns "[redacted]".
func (Secret) String() string { return redacted }

// Format implements fmt.Formatter: every verb writes "[redacted]".
func (Secret) Format(f fmt.State, _ rune) { writeString(f, redacted) }

// LogValue implements slog.LogValuer and returns "[redacted]".
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler, which encoding/json and most
// other encoders use, and returns "[redacted]".
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalText implements encoding.TextUnmarshaler, so that a Secret can stand
// in a configuration that is read from JSON, YAML or flags. It keeps the text as
// it is. A text that is what a printed Secret shows is refused with an error of
// kind ErrInvalid: it was encoded, and the value is lost.
func (s *Secret) UnmarshalText(text []byte) error {
	if string(text) == redacted {
		return &Error{Op: "secret", Kind: ErrInvalid, Reason: "the text is the placeholder of a redacted secret"}
	}
	*s = NewSecret(string(text))
	return nil
}

// writeString writes to a fmt.State, whose Write keeps no error to report.
func writeString(w io.Writer, s string) { _, _ = io.WriteString(w, s) }
