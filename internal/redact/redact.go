// Package redact is how types that carry personal data print themselves: their
// name and nothing else.
package redact

import (
	"fmt"
	"io"
	"log/slog"
)

// Format writes name in place of a value, whatever the verb. A type's
// fmt.Formatter calls it.
func Format(f fmt.State, name string) { _, _ = io.WriteString(f, text(name)) }

// Value is what a type's slog.LogValuer returns.
func Value(name string) slog.Value { return slog.StringValue(text(name)) }

func text(name string) string { return name + "{[redacted]}" }
