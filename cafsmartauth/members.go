package cafsmartauth

import (
	"bytes"
	"encoding/json"
	"time"
)

// members calls visit with each key and value of a JSON object, in order, until
// visit returns a reason to stop, which it returns. The object must have passed
// a strict check: it is valid and no key comes twice. Keys come with their
// escapes undone, values as they stand.
//
// It exists because encoding/json binds keys without regard to case.
func members(object []byte, visit func(key, value []byte) (reason string)) (reason string) {
	i := space(object, 0)
	if i == len(object) || object[i] != '{' {
		return "is not a JSON object"
	}
	i = space(object, i+1)
	for i < len(object) && object[i] == '"' {
		end := value(object, i)
		key := object[i+1 : end-1]
		if bytes.IndexByte(key, '\\') >= 0 {
			var s string
			if json.Unmarshal(object[i:end], &s) != nil {
				return "has an unreadable key"
			}
			key = []byte(s)
		}
		i = space(object, space(object, end)+1) // past the colon
		end = value(object, i)
		if reason := visit(key, object[i:end]); reason != "" {
			return reason
		}
		i = space(object, end)
		if i < len(object) && object[i] == ',' {
			i = space(object, i+1)
		}
	}
	return ""
}

// space returns the index of the first byte from i on that is no white space.
func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// value returns the index after the valid JSON value that begins at i.
func value(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			i = quoted(b, i)
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\t', '\n', '\r':
			i++ // only between the values of a nested one
		default:
			i = word(b, i)
		}
		if depth <= 0 {
			return i
		}
	}
	return i
}

// quoted returns the index after the string that begins at i.
func quoted(b []byte, i int) int {
	end := bytes.IndexByte(b[i+1:], '"') + i + 1
	if bytes.IndexByte(b[i+1:end], '\\') < 0 {
		return end + 1
	}
	for i++; i < len(b) && b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return min(i+1, len(b))
}

// word returns the index after the number or literal that begins at i.
func word(b []byte, i int) int {
	for i < len(b) {
		switch b[i] {
		case ',', '}', ']', ' ', '\t', '\r', '\n':
			return i
		}
		i++
	}
	return i
}

// text reads a JSON string.
func text(value []byte) (string, bool) {
	if len(value) < 2 || value[0] != '"' {
		return "", false
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : len(value)-1]), true
	}
	var s string
	return s, json.Unmarshal(value, &s) == nil
}

// boolean reads a JSON boolean.
func boolean(value []byte) (b, ok bool) {
	switch string(value) {
	case "true":
		return true, true
	case "false":
		return false, true
	default:
		return false, false
	}
}

// maxSeconds is the year 5138: later times are milliseconds taken for seconds.
const maxSeconds = 100_000_000_000

// seconds reads a time as a positive whole number of seconds since 1970.
func seconds(value []byte) (time.Time, bool) {
	n := int64(0)
	for _, c := range value {
		if c < '0' || c > '9' {
			return time.Time{}, false
		}
		if n = n*10 + int64(c-'0'); n >= maxSeconds {
			return time.Time{}, false
		}
	}
	return time.Unix(n, 0), n > 0
}
