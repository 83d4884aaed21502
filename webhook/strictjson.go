package webhook

import (
	"encoding/json"
	"unicode/utf8"

	"github.com/kyckit/kyckit"
)

// maxDepth is how deep arrays and objects may be nested in a strict document.
// The providers' deepest event has five levels.
const maxDepth = 64

// DecodeStrict decodes exactly one JSON value into v, which is used as in
// json.Unmarshal; a nil v only checks. It refuses what lets two readers of the
// same bytes see two different things, and what encoding/json lets pass:
//
//   - two keys of one object that encoding/json could bind to the same field,
//     that is, keys that are equal after undoing escapes and folding case;
//   - invalid UTF-8, and escapes of lone surrogates;
//   - anything but white space after the value;
//   - more than 64 levels of nesting.
//
// Keys that v does not know are no error. Every error is of the kinds
// [ErrMalformed] and [kyckit.ErrInvalid] and holds nothing of the body. On an
// error v may be partly filled, as with json.Unmarshal.
func DecodeStrict(body []byte, v any) error {
	if err := checkStrict(body); err != nil {
		return err
	}
	if v == nil {
		return nil
	}
	return decodeChecked(body, v)
}

// decodeChecked decodes a body that checkStrict has passed.
func decodeChecked(body []byte, v any) error {
	// The decoder's own error can quote values of the body, so it stops here.
	if json.Unmarshal(body, v) != nil {
		return malformed("a value has the wrong type")
	}
	return nil
}

func malformed(reason string) error {
	return newError("decode", kyckit.ErrInvalid, ErrMalformed, reason)
}

// checkStrict reports whether body is one strict JSON value.
func checkStrict(body []byte) error {
	if !utf8.Valid(body) {
		return malformed("invalid UTF-8")
	}
	// The first keys live on the stack, so that common events allocate nothing.
	var room [64]uint64
	s := scanner{data: body}
	if reason := s.document(room[:]); reason != "" {
		return malformed(reason)
	}
	return nil
}
