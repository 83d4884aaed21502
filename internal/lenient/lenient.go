// Package lenient reads the scalars of providers' answers whose types vary: a
// number that comes as a string, a string that comes as a number, a whole
// number written as 7.0. A value of another form reads as absent and is never
// an error, so that a detail nobody needs cannot fail a call. What decides
// whether somebody is verified must be checked by the caller.
//
// Every function takes one JSON value as encoding/json hands it out: valid, or
// empty when the member is missing.
package lenient

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// maxWhole is the largest number up to which every whole number has a float64.
const maxWhole = 1 << 53

// String returns a JSON string's value; "" for anything else.
func String(raw []byte) string {
	raw = bytes.TrimSpace(raw)
	if len(raw) < 2 || raw[0] != '"' {
		return ""
	}
	if inner := raw[1 : len(raw)-1]; bytes.IndexByte(inner, '\\') < 0 && plain(inner) {
		return string(inner)
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// plain reports that b is printable ASCII, which encoding/json changes nothing of.
func plain(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' || c == '"' {
			return false
		}
	}
	return true
}

// Text returns a string's value, or a number as it is written.
func Text(raw []byte) string {
	raw = bytes.TrimSpace(raw)
	if len(raw) > 0 && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9') {
		return string(raw)
	}
	return String(raw)
}

// ID returns a string's value, or the digits of a whole number: an identifier
// or a code that some serializer took for a number, 7.0 for 7 included. Digits
// stand as they are written, however many; a negative number or a fraction is
// no identifier.
func ID(raw []byte) string {
	s := Text(raw)
	if s == "" || bytes.TrimSpace(raw)[0] == '"' || strings.Trim(s, "0123456789") == "" {
		return s
	}
	if n, ok := Int(raw); ok && n >= 0 && s[0] != '-' {
		return strconv.FormatInt(n, 10)
	}
	return ""
}

// Int returns a whole number, also one that is written as 304.0 or 3.04e2, or
// that comes as a string.
func Int(raw []byte) (n int64, ok bool) {
	if n, err := strconv.ParseInt(strings.TrimSpace(Text(raw)), 10, 64); err == nil {
		return n, true
	}
	f, ok := Float(raw)
	if !ok || math.Abs(f) > maxWhole || f != math.Trunc(f) {
		return 0, false
	}
	return int64(f), true
}

// Float returns a finite number, also one that comes as a string.
func Float(raw []byte) (f float64, ok bool) {
	f, err := strconv.ParseFloat(strings.TrimSpace(Text(raw)), 64)
	return f, err == nil && !math.IsInf(f, 0) && !math.IsNaN(f)
}

// Bool returns a boolean, also one that comes as the string "true" or "false".
func Bool(raw []byte) (value, ok bool) {
	s := string(bytes.TrimSpace(raw))
	if s != "true" && s != "false" {
		s = String(raw)
	}
	return s == "true", s == "true" || s == "false"
}

// Time returns the moment of an ISO 8601 string: a date with a time, with or
// without fractions and offset (then UTC), or a date alone. The zero time
// stands for anything else.
func Time(raw []byte) time.Time {
	s := strings.TrimSpace(String(raw))
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t
		}
	}
	return time.Time{}
}

// IsNull reports that a member is missing or null.
func IsNull(raw []byte) bool {
	raw = bytes.TrimSpace(raw)
	return len(raw) == 0 || string(raw) == "null"
}
