package cafsmartauth

import (
	"fmt"
	"log/slog"

	"github.com/kyckit/kyckit/internal/redact"
)

// What an authentication holds is about a person, down to the make of the
// phone. None of its types prints more than its name; JSON is clear.

// Format implements fmt.Formatter: every verb writes a redacted form.
func (Authentication) Format(f fmt.State, _ rune) { redact.Format(f, "cafsmartauth.Authentication") }

// LogValue implements slog.LogValuer with a redacted form.
func (Authentication) LogValue() slog.Value { return redact.Value("cafsmartauth.Authentication") }

// Format implements fmt.Formatter: every verb writes a redacted form.
func (PersonInfo) Format(f fmt.State, _ rune) { redact.Format(f, "cafsmartauth.PersonInfo") }

// LogValue implements slog.LogValuer with a redacted form.
func (PersonInfo) LogValue() slog.Value { return redact.Value("cafsmartauth.PersonInfo") }

// Format implements fmt.Formatter: every verb writes a redacted form.
func (PolicyInfo) Format(f fmt.State, _ rune) { redact.Format(f, "cafsmartauth.PolicyInfo") }

// LogValue implements slog.LogValuer with a redacted form.
func (PolicyInfo) LogValue() slog.Value { return redact.Value("cafsmartauth.PolicyInfo") }

// Format implements fmt.Formatter: every verb writes a redacted form.
func (AuthenticationMethods) Format(f fmt.State, _ rune) {
	redact.Format(f, "cafsmartauth.AuthenticationMethods")
}

// LogValue implements slog.LogValuer with a redacted form.
func (AuthenticationMethods) LogValue() slog.Value {
	return redact.Value("cafsmartauth.AuthenticationMethods")
}

// Format implements fmt.Formatter: every verb writes a redacted form.
func (FaceAuthentication) Format(f fmt.State, _ rune) {
	redact.Format(f, "cafsmartauth.FaceAuthentication")
}

// LogValue implements slog.LogValuer with a redacted form.
func (FaceAuthentication) LogValue() slog.Value {
	return redact.Value("cafsmartauth.FaceAuthentication")
}

// Format implements fmt.Formatter: every verb writes a redacted form.
func (FaceAttempt) Format(f fmt.State, _ rune) { redact.Format(f, "cafsmartauth.FaceAttempt") }

// LogValue implements slog.LogValuer with a redacted form.
func (FaceAttempt) LogValue() slog.Value { return redact.Value("cafsmartauth.FaceAttempt") }

// Format implements fmt.Formatter: every verb writes a redacted form.
func (Face) Format(f fmt.State, _ rune) { redact.Format(f, "cafsmartauth.Face") }

// LogValue implements slog.LogValuer with a redacted form.
func (Face) LogValue() slog.Value { return redact.Value("cafsmartauth.Face") }

// Format implements fmt.Formatter: every verb writes a redacted form.
func (FaceMatch) Format(f fmt.State, _ rune) { redact.Format(f, "cafsmartauth.FaceMatch") }

// LogValue implements slog.LogValuer with a redacted form.
func (FaceMatch) LogValue() slog.Value { return redact.Value("cafsmartauth.FaceMatch") }

// Format implements fmt.Formatter: every verb writes a redacted form.
func (Liveness) Format(f fmt.State, _ rune) { redact.Format(f, "cafsmartauth.Liveness") }

// LogValue implements slog.LogValuer with a redacted form.
func (Liveness) LogValue() slog.Value { return redact.Value("cafsmartauth.Liveness") }

// Format implements fmt.Formatter: every verb writes a redacted form.
func (Context) Format(f fmt.State, _ rune) { redact.Format(f, "cafsmartauth.Context") }

// LogValue implements slog.LogValuer with a redacted form.
func (Context) LogValue() slog.Value { return redact.Value("cafsmartauth.Context") }

// Format implements fmt.Formatter: every verb writes a redacted form.
func (Device) Format(f fmt.State, _ rune) { redact.Format(f, "cafsmartauth.Device") }

// LogValue implements slog.LogValuer with a redacted form.
func (Device) LogValue() slog.Value { return redact.Value("cafsmartauth.Device") }

// Format implements fmt.Formatter: every verb writes a redacted form.
func (DeviceInfo) Format(f fmt.State, _ rune) { redact.Format(f, "cafsmartauth.DeviceInfo") }

// LogValue implements slog.LogValuer with a redacted form.
func (DeviceInfo) LogValue() slog.Value { return redact.Value("cafsmartauth.DeviceInfo") }

// Format implements fmt.Formatter: every verb writes a redacted form.
func (Browser) Format(f fmt.State, _ rune) { redact.Format(f, "cafsmartauth.Browser") }

// LogValue implements slog.LogValuer with a redacted form.
func (Browser) LogValue() slog.Value { return redact.Value("cafsmartauth.Browser") }

// Format implements fmt.Formatter: every verb writes a redacted form.
func (Software) Format(f fmt.State, _ rune) { redact.Format(f, "cafsmartauth.Software") }

// LogValue implements slog.LogValuer with a redacted form.
func (Software) LogValue() slog.Value { return redact.Value("cafsmartauth.Software") }

// Format implements fmt.Formatter: every verb writes a redacted form.
func (DeviceModel) Format(f fmt.State, _ rune) { redact.Format(f, "cafsmartauth.DeviceModel") }

// LogValue implements slog.LogValuer with a redacted form.
func (DeviceModel) LogValue() slog.Value { return redact.Value("cafsmartauth.DeviceModel") }

// Format implements fmt.Formatter: every verb writes a redacted form.
func (CPU) Format(f fmt.State, _ rune) { redact.Format(f, "cafsmartauth.CPU") }

// LogValue implements slog.LogValuer with a redacted form.
func (CPU) LogValue() slog.Value { return redact.Value("cafsmartauth.CPU") }

// Format implements fmt.Formatter: every verb writes a redacted form.
func (DeviceProvided) Format(f fmt.State, _ rune) { redact.Format(f, "cafsmartauth.DeviceProvided") }

// LogValue implements slog.LogValuer with a redacted form.
func (DeviceProvided) LogValue() slog.Value { return redact.Value("cafsmartauth.DeviceProvided") }

// Format implements fmt.Formatter: every verb writes a redacted form.
func (Location) Format(f fmt.State, _ rune) { redact.Format(f, "cafsmartauth.Location") }

// LogValue implements slog.LogValuer with a redacted form.
func (Location) LogValue() slog.Value { return redact.Value("cafsmartauth.Location") }

// Format implements fmt.Formatter: every verb writes a redacted form.
func (Address) Format(f fmt.State, _ rune) { redact.Format(f, "cafsmartauth.Address") }

// LogValue implements slog.LogValuer with a redacted form.
func (Address) LogValue() slog.Value { return redact.Value("cafsmartauth.Address") }

// Format implements fmt.Formatter: every verb writes a redacted form.
func (Point) Format(f fmt.State, _ rune) { redact.Format(f, "cafsmartauth.Point") }

// LogValue implements slog.LogValuer with a redacted form.
func (Point) LogValue() slog.Value { return redact.Value("cafsmartauth.Point") }

// Format implements fmt.Formatter: every verb writes a redacted form.
func (Network) Format(f fmt.State, _ rune) { redact.Format(f, "cafsmartauth.Network") }

// LogValue implements slog.LogValuer with a redacted form.
func (Network) LogValue() slog.Value { return redact.Value("cafsmartauth.Network") }

// Format implements fmt.Formatter: every verb writes a redacted form.
func (NetworkLocation) Format(f fmt.State, _ rune) { redact.Format(f, "cafsmartauth.NetworkLocation") }

// LogValue implements slog.LogValuer with a redacted form.
func (NetworkLocation) LogValue() slog.Value { return redact.Value("cafsmartauth.NetworkLocation") }
