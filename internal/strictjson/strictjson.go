// Package strictjson checks that a JSON document says one thing to every reader.
package strictjson

import "unicode/utf8"

// MaxDepth is how deep arrays and objects may be nested. The providers' deepest
// event has five levels.
const MaxDepth = 64

// Reasons for refusing a document.
const (
	invalidUTF8  = "invalid UTF-8"
	notJSON      = "not JSON"
	duplicateKey = "a key occurs twice"
	tooDeep      = "nested too deep"
	trailing     = "more than one value"
	surrogate    = "lone surrogate"
)

// Check returns why body is not one strict JSON value, in words that quote
// nothing of it, or "". It refuses
//
//   - two equal keys in one object, escapes undone;
//   - two keys that differ only by case where encoding/json binds both to one
//     field: in the object that is the document or an element of a document that
//     is a list, and in each deeper one that is decoded into a struct of v, which
//     may be nil. A map deeper inside may well hold both;
//   - invalid UTF-8, and escapes of lone surrogates;
//   - anything but white space after the value;
//   - more than MaxDepth levels of nesting.
//
// plain says that it is one whatever v is.
func Check(body []byte, v any) (reason string, plain bool) {
	if !utf8.Valid(body) {
		return invalidUTF8, false
	}
	if obvious(body) {
		return "", true
	}
	// The first keys live on the stack, so that common events allocate nothing.
	var room [64]uint64
	s := scanner{data: body}
	return s.document(room[:], targetOf(v)), false
}
