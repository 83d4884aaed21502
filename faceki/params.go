package faceki

import (
	"fmt"
	"log/slog"

	"github.com/kyckit/kyckit/internal/redact"
)

// The inputs of calls print redacted too: identifiers and file names that a
// caller chooses can name a person.

// Format implements fmt.Formatter: nothing of the image is printed.
func (Image) Format(f fmt.State, _ rune) { redact.Format(f, "faceki.Image") }

// LogValue implements slog.LogValuer: nothing of the image is logged.
func (Image) LogValue() slog.Value { return redact.Value("faceki.Image") }

// Format implements fmt.Formatter: nothing of the document is printed.
func (Document) Format(f fmt.State, _ rune) { redact.Format(f, "faceki.Document") }

// LogValue implements slog.LogValuer: nothing of the document is logged.
func (Document) LogValue() slog.Value { return redact.Value("faceki.Document") }

// Format implements fmt.Formatter: nothing of the parameters is printed.
func (VerifyParams) Format(f fmt.State, _ rune) { redact.Format(f, "faceki.VerifyParams") }

// LogValue implements slog.LogValuer: nothing of the parameters is logged.
func (VerifyParams) LogValue() slog.Value { return redact.Value("faceki.VerifyParams") }

// Format implements fmt.Formatter: nothing of the parameters is printed.
func (LinkParams) Format(f fmt.State, _ rune) { redact.Format(f, "faceki.LinkParams") }

// LogValue implements slog.LogValuer: nothing of the parameters is logged.
func (LinkParams) LogValue() slog.Value { return redact.Value("faceki.LinkParams") }

// Format implements fmt.Formatter: nothing of the filter is printed.
func (RecordFilter) Format(f fmt.State, _ rune) { redact.Format(f, "faceki.RecordFilter") }

// LogValue implements slog.LogValuer: nothing of the filter is logged.
func (RecordFilter) LogValue() slog.Value { return redact.Value("faceki.RecordFilter") }
