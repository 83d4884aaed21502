package kyckit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// Kinds of failure, to be tested with errors.Is. An error may be of several
// kinds: a 503 to a call that must not be repeated is ErrOutcomeUnknown and
// ErrUnavailable at once.
var (
	// ErrUnauthorized: the provider refused the credentials or the token.
	ErrUnauthorized = errors.New("unauthorized")
	// ErrForbidden: the credentials are good but may not do this.
	ErrForbidden = errors.New("forbidden")
	// ErrInvalid: the input or the configuration is wrong; repeating the same
	// call cannot succeed.
	ErrInvalid = errors.New("invalid")
	// ErrNotFound: the provider does not know the thing asked for.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the thing exists already or is in the wrong state.
	ErrConflict = errors.New("conflict")
	// ErrRateLimited: too many calls; Error.RetryAfter says how long to wait,
	// where that is known.
	ErrRateLimited = errors.New("rate limited")
	// ErrUnavailable: no answer, or the provider failed. Nothing was accepted
	// unless the error is ErrOutcomeUnknown too.
	ErrUnavailable = errors.New("unavailable")
	// ErrDecode: the answer was not what the provider documents.
	ErrDecode = errors.New("unexpected answer")
	// ErrOutcomeUnknown: a call that must not be repeated may have reached the
	// provider and no usable answer came back. Never just call again. Find out
	// by reading; the call's documentation says how, or that nothing can be read.
	ErrOutcomeUnknown = errors.New("outcome unknown")
)

// Error is the error of every provider call and of every refused
// configuration. Use errors.Is with the kinds of this package, or errors.As to
// read the fields.
//
// Error texts, logs and encodings hold only this module's own words, numbers
// and the provider's machine code: never a URL, a body, a token or anything
// about a person. The provider's own text is behind Message and Body. An Error
// is not changed after it is returned.
type Error struct {
	// Provider is the package that made the call, for example "nafath".
	Provider string
	// Op is the operation, for example "status".
	Op string
	// Kind is one of the kinds of this package, an error that the provider's
	// package documents, or the error of the context that ended.
	Kind error
	// StatusCode is the HTTP status, 0 when there was no answer.
	StatusCode int
	// Code is the provider's machine-readable code, if it sent one that looks
	// like a code.
	Code string
	// RequestID is the provider's id of the exchange, if it sent one that looks
	// like an id and not like a person's number.
	RequestID string
	// RetryAfter is how long the provider or the client-side pace asks to
	// wait; 0 when unknown.
	RetryAfter time.Duration
	// Attempts is how many requests were sent or tried to be, a replay after a
	// refused token and followed redirects included; 0 when none was begun.
	Attempts int
	// Reason says more in this module's own words.
	Reason string
	// Err is a further cause, such as context.Canceled or a second kind.
	Err error

	text func() (message string, body []byte)
}

// WithText returns a copy of the error that carries the provider's own message
// and the raw body. It exists for provider packages and for fakes.
func (e *Error) WithText(message string, body []byte) *Error {
	c := *e
	c.text = func() (string, []byte) { return message, body }
	return &c
}

// Message returns the provider's own text, or "". It may name a person: do not
// log it as it is.
func (e *Error) Message() string {
	if e == nil || e.text == nil {
		return ""
	}
	message, _ := e.text()
	return message
}

// Body returns the raw answer, capped by HTTP.MaxResponseBytes, or nil. It may
// hold personal data: do not log it as it is.
func (e *Error) Body() []byte {
	if e == nil || e.text == nil {
		return nil
	}
	_, body := e.text()
	return body
}

// Error describes the failure without any provider text or personal data.
func (e *Error) Error() string {
	if e == nil {
		e = &Error{}
	}
	var b strings.Builder
	for _, part := range []string{e.Provider, e.Op} {
		if part != "" {
			b.WriteString(part + ": ")
		}
	}
	if e.Kind != nil {
		b.WriteString(e.Kind.Error())
	} else {
		b.WriteString("failed")
	}
	if e.Reason != "" {
		b.WriteString(": " + e.Reason)
	}
	var facts []string
	if e.StatusCode != 0 {
		facts = append(facts, "http "+strconv.Itoa(e.StatusCode))
	}
	if e.Code != "" {
		facts = append(facts, "code "+e.Code)
	}
	if e.Attempts > 1 {
		facts = append(facts, strconv.Itoa(e.Attempts)+" attempts")
	}
	if e.RetryAfter > 0 {
		facts = append(facts, "retry after "+e.RetryAfter.String())
	}
	if len(facts) > 0 {
		b.WriteString(" (" + strings.Join(facts, ", ") + ")")
	}
	return b.String()
}

// Unwrap returns the kind and the cause, for errors.Is and errors.As.
func (e *Error) Unwrap() []error {
	if e == nil {
		return nil
	}
	var errs []error
	if e.Kind != nil {
		errs = append(errs, e.Kind)
	}
	if e.Err != nil {
		errs = append(errs, e.Err)
	}
	return errs
}

// ErrorType returns a word for the kind of failure, for a metric or the
// attribute error.type of OpenTelemetry: "rate_limited", "outcome_unknown",
// "canceled" or "timeout" for a context that ended, the kinds of the provider's
// package in the same form; without a kind the status code, and "other" where
// there is none. The number of different words is small.
func (e *Error) ErrorType() string {
	switch {
	case e == nil:
		return "other"
	case errors.Is(e.Kind, context.Canceled):
		return "canceled"
	case errors.Is(e.Kind, context.DeadlineExceeded):
		return "timeout"
	case e.Kind != nil:
		if word, ok := kindWord(e.Kind.Error()); ok {
			return word
		}
	}
	if e.StatusCode != 0 {
		return strconv.Itoa(e.StatusCode)
	}
	return "other"
}

// kindWord joins the words of a kind's text with underscores. It refuses what
// does not look like a kind's text, so that nothing else becomes an attribute.
func kindWord(text string) (string, bool) {
	const longest = 64
	for _, c := range text {
		if c != ' ' && (c < 'a' || c > 'z') {
			return "", false
		}
	}
	return strings.ReplaceAll(text, " ", "_"), text != "" && len(text) <= longest
}

// Format implements fmt.Formatter, so that an Error printed by value or with
// %+v or %#v shows no more than its text.
func (e Error) Format(f fmt.State, verb rune) {
	if verb == 'q' {
		writeString(f, strconv.Quote(e.Error()))
		return
	}
	writeString(f, e.Error())
}

// LogValue implements slog.LogValuer: a group of the text as "error", and of
// "provider", "op", "kind" (the word of ErrorType), "status", "code", "attempts"
// and "request_id" where they are known.
func (e Error) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("error", e.Error())}
	for _, f := range []struct{ key, value string }{
		{"provider", e.Provider}, {"op", e.Op}, {"kind", e.ErrorType()},
	} {
		if f.value != "" {
			attrs = append(attrs, slog.String(f.key, f.value))
		}
	}
	if e.StatusCode != 0 {
		attrs = append(attrs, slog.Int("status", e.StatusCode))
	}
	if e.Code != "" {
		attrs = append(attrs, slog.String("code", e.Code))
	}
	if e.Attempts != 0 {
		attrs = append(attrs, slog.Int("attempts", e.Attempts))
	}
	if e.RequestID != "" {
		attrs = append(attrs, slog.String("request_id", e.RequestID))
	}
	return slog.GroupValue(attrs...)
}

// MarshalJSON encodes the fields that are safe to log.
func (e Error) MarshalJSON() ([]byte, error) {
	kind := ""
	if e.Kind != nil {
		kind = e.Kind.Error()
	}
	return json.Marshal(struct {
		Provider   string  `json:"provider,omitempty"`
		Op         string  `json:"op,omitempty"`
		Kind       string  `json:"kind,omitempty"`
		StatusCode int     `json:"status,omitempty"`
		Code       string  `json:"code,omitempty"`
		RequestID  string  `json:"requestId,omitempty"`
		RetryAfter float64 `json:"retryAfterSeconds,omitempty"`
		Attempts   int     `json:"attempts,omitempty"`
		Reason     string  `json:"reason,omitempty"`
	}{e.Provider, e.Op, kind, e.StatusCode, e.Code, e.RequestID, e.RetryAfter.Seconds(), e.Attempts, e.Reason})
}
