package webhook

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// content holds the texts of a delivery that are signed beside its body.
type content struct {
	id, timestamp string
	at            time.Time // what timestamp says
}

// setTimestamp takes a timestamp in the scheme's notation and no other.
func (h *hmacAuth) setTimestamp(c *content, text string) (ok bool) {
	unit := h.scheme.TimestampUnit
	if !validTimestamp(text) || h.signed.fixed && len(text) != digitsOf(unit) {
		return false
	}
	c.timestamp = text
	c.at, ok = parseTimestamp(text, unit)
	return ok
}

// digitsOf is how many digits a Unix time has from 2001 to 2286.
func digitsOf(unit TimestampUnit) int {
	if unit == UnixMillis {
		return 13
	}
	return 10
}

// signatures is what a signature header says. Its texts point into the header.
type signatures struct {
	text                        [maxSignatures]string
	n                           int
	timestamp, keyID, algorithm string
}

func (f *signatures) add(text string) bool {
	if f.n == maxSignatures {
		return false
	}
	f.text[f.n] = text
	f.n++
	return true
}

func (s *Scheme) namesAlgorithm() bool { return s.AlgorithmKey != "" || s.Grammar == GrammarKeyed }

// parse reads one signature header, or one group of it. It reports false for
// what the grammar does not allow, and allocates nothing.
func (s *Scheme) parse(text string, f *signatures) bool {
	switch s.Grammar {
	case GrammarPairs:
		return s.parsePairs(text, f)
	case GrammarVersioned:
		for rest := text; rest != ""; {
			var item string
			item, rest = cutByte(rest, s.Separator)
			version, sig := cutByte(item, s.Assign)
			if version == s.SignatureKey && !f.add(sig) {
				return false
			}
		}
		return true
	case GrammarKeyed:
		var rest string
		f.keyID, rest = cutByte(text, s.Separator)
		f.algorithm, rest = cutByte(rest, s.Separator)
		return f.keyID != "" && f.add(rest)
	default:
		return f.add(text)
	}
}

func (s *Scheme) parsePairs(text string, f *signatures) bool {
	for rest := text; rest != ""; {
		var item string
		item, rest = cutByte(rest, s.Separator)
		item = strings.TrimLeft(item, " ")
		i := strings.IndexByte(item, s.Assign)
		if i < 0 {
			return false
		}
		key, value := item[:i], item[i+1:]
		if s.Quoted {
			if len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' || strings.IndexByte(value[1:len(value)-1], '"') >= 0 {
				return false
			}
			value = value[1 : len(value)-1]
		}
		var once *string
		switch key {
		case s.SignatureKey:
			if !f.add(value) {
				return false
			}
			continue
		case s.TimestampKey:
			once = &f.timestamp
		case s.KeyIDKey:
			once = &f.keyID
		case s.AlgorithmKey:
			once = &f.algorithm
		default:
			continue
		}
		// A key that decides something comes once, and not empty.
		if key == "" || value == "" || *once != "" {
			return false
		}
		*once = value
	}
	return true
}

// cutByte splits s around the first sep; without one, all of s comes before it.
func cutByte(s string, sep byte) (before, after string) {
	if i := strings.IndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:]
	}
	return s, ""
}

// fits reports whether a text has the length of a signature of size bytes.
func (s *Scheme) fits(text string, size int) bool {
	switch s.Encoding {
	case Base64:
		return len(text) == base64.StdEncoding.EncodedLen(size)
	case Base64URL:
		n := base64.RawURLEncoding.EncodedLen(size)
		return len(text) >= n && (len(text) == n || text[n:] == "=="[:(3-size%3)%3])
	}
	return len(text) == 2*size
}

// encode writes a signature as text and returns its length, padding aside where
// that may be left out.
func (s *Scheme) encode(dst, sum []byte) int {
	switch s.Encoding {
	case Base64:
		base64.StdEncoding.Encode(dst, sum)
		return base64.StdEncoding.EncodedLen(len(sum))
	case Base64URL:
		base64.RawURLEncoding.Encode(dst, sum)
		return base64.RawURLEncoding.EncodedLen(len(sum))
	}
	return hex.Encode(dst, sum)
}

// lower brings hex digits, which may come in either case, into lower case.
func (s *Scheme) lower(text []byte) {
	if s.Encoding != Hex {
		return
	}
	for i, c := range text {
		if c-'A' <= 25 {
			text[i] = c + 'a' - 'A'
		}
	}
}

// decodeBase64 appends the bytes of text to dst. It knows neither white space
// nor stray bits: every value has one spelling in the standard alphabet, and
// two, with and without padding, in the URL alphabet. The standard library's
// decoder skips line breaks, which a signature must not contain.
func decodeBase64(dst []byte, text string, enc Encoding) ([]byte, bool) {
	body := strings.TrimRight(text, "=")
	if padding := len(text) - len(body); padding > 2 || (padding > 0 || enc == Base64) && len(text)%4 != 0 {
		return nil, false
	}
	if len(body)%4 == 1 {
		return nil, false
	}
	var acc, bits uint32
	for _, c := range []byte(body) {
		var v byte
		switch {
		case c-'A' <= 25:
			v = c - 'A'
		case c-'a' <= 25:
			v = c - 'a' + 26
		case c-'0' <= 9:
			v = c - '0' + 52
		case c == '+' && enc != Base64URL, c == '-' && enc != Base64:
			v = 62
		case c == '/' && enc != Base64URL, c == '_' && enc != Base64:
			v = 63
		default:
			return nil, false
		}
		acc = acc<<6 | uint32(v)
		if bits += 6; bits >= 8 {
			bits -= 8
			dst = append(dst, byte(acc>>bits&0xff))
			acc &= 1<<bits - 1
		}
	}
	return dst, acc == 0
}

// anyBase64 is either alphabet, with or without padding.
const anyBase64 = Raw + 1

// single returns the value of a header and how many values it has.
func single(d *Delivery, name string) (value string, n int) {
	values := d.Header[name]
	if len(values) > 0 {
		value = values[0]
	}
	return value, len(values)
}

// validID reports whether an id is short and printable.
func validID(id string) bool {
	if id == "" || len(id) > maxID {
		return false
	}
	for _, c := range []byte(id) {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// validTimestamp allows what any notation of a time is made of.
func validTimestamp(text string) bool {
	if text == "" || len(text) > maxTimestamp {
		return false
	}
	for _, c := range []byte(text) {
		switch {
		case c-'0' <= 9, c == 'T', c == 'Z', c == ':', c == '+', c == '-', c == '.':
		default:
			return false
		}
	}
	return true
}

// parseTimestamp reads a timestamp strictly: digits only, or RFC 3339 with two
// digits for the hour, where package time takes one as well.
func parseTimestamp(text string, unit TimestampUnit) (time.Time, bool) {
	if unit == RFC3339 {
		t, err := time.Parse(time.RFC3339, text)
		return t, err == nil && text[len("2006-01-02T15")] == ':'
	}
	if text == "" || len(text) > 18 { // 18 digits fit an int64
		return time.Time{}, false
	}
	var n int64
	for _, c := range []byte(text) {
		if c-'0' > 9 {
			return time.Time{}, false
		}
		n = n*10 + int64(c-'0')
	}
	if unit == UnixMillis {
		return time.UnixMilli(n), true
	}
	return time.Unix(n, 0), true
}

// inTime refuses a time that is further from now than tolerance and says by how
// much and on which side. Sub saturates, so an absurd time is far away and not
// near by overflow.
func inTime(op string, at, now time.Time, tolerance time.Duration) error {
	diff := at.Sub(now)
	if -tolerance <= diff && diff <= tolerance {
		return nil
	}
	side, by := "old", -tolerance-diff
	if diff > 0 {
		side, by = "far ahead of this clock", diff-tolerance
	}
	return refuse(op, ErrTimestamp, fmt.Sprintf("%v too %s, beyond the tolerance of %v", by.Round(time.Second/10), side, tolerance))
}

// refusals are the errors of a signature authenticator, built once, because
// refusing a forgery should cost no more than noticing it.
type refusals struct {
	noSignature, repeated, malformed, badSignature, badID, badAlgorithm, badHeader, twoWays error
	badTimestamp                                                                            error
}

func newRefusals(op string) refusals {
	return refusals{
		noSignature:  refuse(op, ErrNoSignature, ""),
		repeated:     refuse(op, ErrBadSignature, "header given twice"),
		malformed:    refuse(op, ErrBadSignature, "malformed header"),
		badSignature: refuse(op, ErrBadSignature, "no match"),
		badID:        refuse(op, ErrBadSignature, "missing or malformed id"),
		badAlgorithm: refuse(op, ErrBadSignature, "another algorithm"),
		badHeader:    refuse(op, ErrBadSignature, "a signed header is missing or given twice"),
		twoWays:      refuse(op, ErrBadSignature, "a signed text holds the literal that must end it"),
		badTimestamp: refuse(op, ErrTimestamp, "missing or malformed"),
	}
}
