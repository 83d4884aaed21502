package kycjwt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/lenient"
	"github.com/kyckit/kyckit/internal/transport"
)

const (
	// maxFields bounds how many refused fields an error keeps.
	maxFields = 100
	// maxDepth bounds the path of one refused field.
	maxDepth = 32
)

// ValidationError says which fields of a request the provider refused (HTTP
// 422). It travels inside a *kyckit.Error of kind ErrInvalid:
//
//	var refused *kycjwt.ValidationError
//	if errors.As(err, &refused) {
//		for _, f := range refused.Fields() { … f.Path(), f.Type … }
//	}
//
// It keeps paths, types and messages, never the submitted values that newer
// servers echo. Its own text is a count. It is immutable.
type ValidationError struct {
	// fields is a function because printing an error that wraps this one may
	// reach into it by reflection, past its methods.
	fields func() []FieldError
	cause  error
}

// Fields returns the refused fields in the provider's order, at most 100.
func (e *ValidationError) Fields() []FieldError {
	if e == nil || e.fields == nil {
		return nil
	}
	return append([]FieldError(nil), e.fields()...)
}

// Unwrap returns a further cause, or nil.
func (e *ValidationError) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.cause
}

// Error says how many fields were refused, and nothing of the request.
func (e *ValidationError) Error() string {
	n := len(e.Fields())
	if n == 1 {
		return "1 field refused"
	}
	return strconv.Itoa(n) + " fields refused"
}

// Format implements fmt.Formatter: every verb writes the text of Error.
func (e ValidationError) Format(f fmt.State, verb rune) {
	text := e.Error()
	if verb == 'q' {
		text = strconv.Quote(text)
	}
	_, _ = f.Write([]byte(text))
}

// LogValue implements slog.LogValuer.
func (e ValidationError) LogValue() slog.Value { return slog.StringValue(e.Error()) }

// FieldError is one refused field of a request. It prints redacted and its JSON
// is empty, because a provider may put submitted text into any part of it.
type FieldError struct {
	kyckit.Redacted
	// Location is where the field stands, outermost first: "body" or "query",
	// then names and list positions.
	Location []PathElement
	// Type is the server's machine word, for example "missing" (pydantic 2) or
	// "value_error.missing" (pydantic 1). Empty when it does not look like one.
	Type string

	message string
}

// PathElement is one step of a field's location: a name, or a position in a
// list.
type PathElement struct {
	kyckit.Redacted
	// Name is the name of a member; "?" stands for a name that does not look
	// like one, "" for a list position.
	Name string
	// Index is the position in a list, counted from 0; -1 for a name.
	Index int
}

// Path writes the location as in "body.answers[0].answer_text".
func (f FieldError) Path() string {
	var b strings.Builder
	for _, p := range f.Location {
		switch {
		case p.Index >= 0:
			b.WriteString("[" + strconv.Itoa(p.Index) + "]")
		case b.Len() > 0:
			b.WriteString("." + p.Name)
		default:
			b.WriteString(p.Name)
		}
	}
	return b.String()
}

// Message is the provider's own sentence about the field. It may quote what
// was submitted: do not log it as it is.
func (f FieldError) Message() string { return f.message }

// MarshalJSON encodes nothing.
func (FieldError) MarshalJSON() ([]byte, error) { return []byte("{}"), nil }

// detail is what the member of that name says in an error body.
type detail struct {
	code    string
	message string
	fields  []FieldError
}

// parseDetail reads an error body. The member is a string, a list in one of
// two generations, or an object of code and reason; whatever else arrives
// yields nothing.
func parseDetail(body []byte) detail {
	var envelope struct {
		Detail json.RawMessage `json:"detail"`
	}
	if json.Unmarshal(body, &envelope) != nil {
		return detail{}
	}
	raw := bytes.TrimSpace(envelope.Detail)
	if len(raw) == 0 {
		return detail{}
	}
	switch raw[0] {
	case '"':
		s := lenient.String(raw)
		return detail{code: code(s), message: s}
	case '[':
		return detail{fields: parseFields(raw)}
	case '{':
		var o struct {
			Code   json.RawMessage `json:"code"`
			Reason json.RawMessage `json:"reason"`
		}
		_ = json.Unmarshal(raw, &o)
		return detail{code: code(lenient.String(o.Code)), message: lenient.String(o.Reason)}
	}
	return detail{}
}

// parseFields reads the list of a 422. An item that has another shape still
// counts as a refused field.
func parseFields(raw json.RawMessage) []FieldError {
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		return nil
	}
	items = items[:min(len(items), maxFields)]
	fields := make([]FieldError, 0, len(items))
	for _, item := range items {
		var in struct {
			Loc  json.RawMessage `json:"loc"`
			Msg  json.RawMessage `json:"msg"`
			Type json.RawMessage `json:"type"`
		}
		_ = json.Unmarshal(item, &in)
		fields = append(fields, FieldError{
			Location: parseLocation(in.Loc),
			Type:     transport.Code(lenient.String(in.Type)),
			message:  lenient.String(in.Msg),
		})
	}
	return fields
}

func parseLocation(raw json.RawMessage) []PathElement {
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		return nil
	}
	items = items[:min(len(items), maxDepth)]
	location := make([]PathElement, 0, len(items))
	for _, item := range items {
		var index int
		if json.Unmarshal(item, &index) == nil && index >= 0 && !bytes.Equal(item, []byte("null")) {
			location = append(location, PathElement{Index: index})
			continue
		}
		name := transport.Code(lenient.String(item))
		if name == "" {
			name = "?"
		}
		location = append(location, PathElement{Name: name, Index: -1})
	}
	return location
}

// code returns s if it is a code as FastAPI-Users writes them: several words of
// capitals, joined by underscores. A sentence, a single word, which could be a
// name, and whatever holds digits, which could be a document's number, is a
// message.
func code(s string) string {
	for i := range len(s) {
		if c := s[i]; c != '_' && (c < 'A' || c > 'Z') {
			return ""
		}
	}
	if !strings.Contains(s, "_") {
		return ""
	}
	return transport.Code(s)
}

// explain tells the transport what an error body says.
func explain(_ int, body []byte) transport.Explanation {
	d := parseDetail(body)
	return transport.Explanation{Code: d.code, Message: d.message}
}

// withFields adds the refused fields of a 422 to the error of a call, for
// errors.As.
func withFields(err error) error {
	var e *kyckit.Error
	if !errors.As(err, &e) || e.StatusCode < 400 {
		return err
	}
	fields := parseDetail(e.Body()).fields
	if len(fields) == 0 {
		return err
	}
	c := *e
	c.Err = &ValidationError{fields: func() []FieldError { return fields }, cause: e.Err}
	return &c
}
