package lenient

import (
	"bytes"
	"encoding/json"
	"errors"
)

var errNotObject = errors.New("not a JSON object")

// Object decodes a JSON object into the struct that v points to, as
// encoding/json does, but for a member whose value has another form than its
// field: that field stays empty. Use it where every field informs and none
// decides. The error says nothing of the object.
func Object(object []byte, v any) error {
	err := json.Unmarshal(object, v)
	if _, form := errors.AsType[*json.UnmarshalTypeError](err); err == nil || form && isObject(object) {
		return nil
	}
	return errNotObject
}

func isObject(raw []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) }

// Items counts the items of a valid JSON array: own are those of the array
// itself, 1 for any other value, and longest those of the longest array inside,
// at any depth, raw itself included. It takes no memory for them: a megabyte of
// "{}," would become hundreds of megabytes of structs, so ask before decoding an
// array that somebody else wrote.
func Items(raw []byte) (own, longest int) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] != '[' {
		own = 1
	}
	var room [64]int
	counts := room[:0] // items of the arrays around this byte, -1 for an object
	quoted := false
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if quoted {
			switch c {
			case '\\':
				i++
			case '"':
				quoted = false
			}
			continue
		}
		top := len(counts) - 1
		switch c {
		case ' ', '\t', '\r', '\n', ':':
		case ']', '}':
			if top == 0 && counts[0] >= 0 {
				own = counts[0]
			}
			counts = counts[:max(top, 0)]
		case ',':
			if top >= 0 && counts[top] >= 0 {
				counts[top]++
				longest = max(longest, counts[top])
			}
		default: // of a value
			if top >= 0 && counts[top] == 0 {
				counts[top] = 1
				longest = max(longest, 1)
			}
			switch c {
			case '"':
				quoted = true
			case '[':
				counts = append(counts, 0)
			case '{':
				counts = append(counts, -1)
			}
		}
	}
	return own, longest
}
