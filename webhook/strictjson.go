package webhook

import (
	"encoding/json"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/strictjson"
)

// DecodeStrict decodes exactly one JSON value into v, which is used as in
// json.Unmarshal; a nil v only checks. It refuses what lets two readers of the
// same bytes see two different things, and what encoding/json lets pass:
//
//   - two equal keys in one object, escapes undone;
//   - two keys that differ only by case where encoding/json could bind them to
//     the same field: in the outermost object, in the objects of an outermost
//     list, and in each deeper one that is decoded into a struct. In a map, an any
//     or a json.RawMessage deeper inside they are two keys; a json.RawMessage that
//     is decoded later wants DecodeStrict once more;
//   - invalid UTF-8, and escapes of lone surrogates;
//   - anything but white space after the value;
//   - more than 64 levels of nesting.
//
// Keys that v does not know are no error. Every error is of the kinds
// [ErrMalformed] and [kyckit.ErrInvalid] and holds nothing of the body. On an
// error v may be partly filled, as with json.Unmarshal.
func DecodeStrict(body []byte, v any) error {
	if reason, _ := strictjson.Check(body, v); reason != "" {
		return malformed(reason)
	}
	if v == nil {
		return nil
	}
	return decodeChecked(body, v)
}

// decodeChecked decodes a body that is strict JSON.
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
