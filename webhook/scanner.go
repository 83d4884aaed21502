package webhook

import (
	"encoding/binary"
	"encoding/json"
	"math/bits"
	"slices"
	"unicode"
	"unicode/utf8"
)

// Reasons for refusing a document.
const (
	notJSON      = "not JSON"
	duplicateKey = "a key occurs twice"
	tooDeep      = "nested too deep"
	trailing     = "more than one value"
	surrogate    = "lone surrogate"
)

// ones has a 1 in each of eight bytes, for looking at eight bytes at a time.
const ones = 0x0101010101010101

// manyKeys is the number of keys from which an object's keys are kept in a map.
const manyKeys = 32

// scanner walks a document once and knows the whole JSON grammar. Of the keys of
// every open object it keeps the hashes. Its methods return the reason of a
// refusal, or "". The room that they hand down is where the next
// object may keep its hashes; it is a parameter and no field, because then it
// can stay on the stack.
type scanner struct {
	data  []byte
	pos   int
	depth int
}

func (s *scanner) document(room []uint64) string {
	s.space()
	if reason := s.value(room); reason != "" {
		return reason
	}
	s.space()
	if s.pos != len(s.data) {
		return trailing
	}
	return ""
}

// space skips white space. Compact documents have none, so the common case is
// small enough to be inlined.
func (s *scanner) space() {
	if s.pos < len(s.data) && s.data[s.pos] <= ' ' {
		s.spaces()
	}
}

func (s *scanner) spaces() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\r', '\n':
			s.pos++
		default:
			return
		}
	}
}

// take consumes c, if it comes next.
func (s *scanner) take(c byte) bool {
	if s.pos < len(s.data) && s.data[s.pos] == c {
		s.pos++
		return true
	}
	return false
}

func (s *scanner) value(room []uint64) string {
	if s.pos == len(s.data) {
		return notJSON
	}
	switch s.data[s.pos] {
	case '{', '[':
		return s.nested(room)
	case '"':
		_, reason := s.text()
		return reason
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		return s.number()
	}
}

func (s *scanner) word(w string) string {
	if len(s.data)-s.pos < len(w) || string(s.data[s.pos:s.pos+len(w)]) != w {
		return notJSON
	}
	s.pos += len(w)
	return ""
}

func (s *scanner) number() string {
	s.take('-')
	if !s.take('0') && !s.digits() {
		return notJSON
	}
	if s.take('.') && !s.digits() {
		return notJSON
	}
	if s.take('e') || s.take('E') {
		if !s.take('+') {
			s.take('-')
		}
		if !s.digits() {
			return notJSON
		}
	}
	return ""
}

func (s *scanner) digits() bool {
	data, i := s.data, s.pos
	for i < len(data) && data[i]-'0' <= 9 {
		i++
	}
	start := s.pos
	s.pos = i
	return i > start
}

func (s *scanner) nested(room []uint64) (reason string) {
	if s.depth == maxDepth {
		return tooDeep
	}
	s.depth++
	if s.take('[') {
		reason = s.array(room)
	} else {
		s.pos++
		reason = s.object(room)
	}
	s.depth--
	return reason
}

func (s *scanner) array(room []uint64) string {
	s.space()
	if s.take(']') {
		return ""
	}
	for {
		s.space()
		if reason := s.value(room); reason != "" {
			return reason
		}
		s.space()
		if s.take(']') {
			return ""
		}
		if !s.take(',') {
			return notJSON
		}
	}
}

// object reads what follows the brace.
func (s *scanner) object(room []uint64) string {
	s.space()
	if s.take('}') {
		return ""
	}
	keys := room[:0]
	var many map[uint64]struct{}
	for {
		s.space()
		if s.pos == len(s.data) || s.data[s.pos] != '"' {
			return notJSON
		}
		key, reason := s.text()
		if reason != "" {
			return reason
		}
		h := hashKey(key)
		if many != nil {
			if _, ok := many[h]; ok {
				return duplicateKey
			}
			many[h] = struct{}{}
		} else {
			if slices.Contains(keys, h) {
				return duplicateKey
			}
			keys = append(keys, h)
			if len(keys) == manyKeys {
				many = make(map[uint64]struct{}, 2*manyKeys)
				for _, h := range keys {
					many[h] = struct{}{}
				}
			}
		}
		s.space()
		if !s.take(':') {
			return notJSON
		}
		s.space()
		if reason := s.value(keys[len(keys):]); reason != "" {
			return reason
		}
		s.space()
		if s.take('}') {
			return ""
		}
		if !s.take(',') {
			return notJSON
		}
	}
}

// text reads a string and returns what stands between its quotes.
func (s *scanner) text() (raw []byte, reason string) {
	s.pos++
	start := s.pos
	for {
		s.plain()
		if s.pos == len(s.data) {
			return nil, notJSON
		}
		switch s.data[s.pos] {
		case '"':
			raw = s.data[start:s.pos]
			s.pos++
			return raw, ""
		case '\\':
			if reason := s.escape(); reason != "" {
				return nil, reason
			}
		default: // a control character
			return nil, notJSON
		}
	}
}

// plain skips the bytes that need no attention inside a string, eight at a
// time: all but quotes, backslashes and control characters. It stands at the
// first other byte or at the end.
func (s *scanner) plain() {
	const highs = 0x8080808080808080
	data, i := s.data, s.pos // locals stay in registers
	for len(data)-i >= 8 {
		x := binary.LittleEndian.Uint64(data[i:])
		quote, slash := x^('"'*ones), x^('\\'*ones)
		// Each term marks the bytes below 0x20, the quotes and the
		// backslashes; its lowest mark is exact, higher ones may be borrowed.
		if m := ((x - 0x20*ones) &^ x & highs) | ((quote - ones) &^ quote & highs) | ((slash - ones) &^ slash & highs); m != 0 {
			s.pos = i + bits.TrailingZeros64(m)/8
			return
		}
		i += 8
	}
	for i < len(data) && data[i] >= 0x20 && data[i] != '"' && data[i] != '\\' {
		i++
	}
	s.pos = i
}

// escape reads one escape; a surrogate must come as a pair.
func (s *scanner) escape() string {
	s.pos++
	if s.pos == len(s.data) {
		return notJSON
	}
	c := s.data[s.pos]
	s.pos++
	switch c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return ""
	case 'u':
	default:
		return notJSON
	}
	high, ok := s.hex4()
	if !ok {
		return notJSON
	}
	if high < 0xd800 || high > 0xdfff {
		return ""
	}
	if high >= 0xdc00 || !s.take('\\') || !s.take('u') {
		return surrogate
	}
	if low, ok := s.hex4(); !ok {
		return notJSON
	} else if low < 0xdc00 || low > 0xdfff {
		return surrogate
	}
	return ""
}

func (s *scanner) hex4() (n uint32, ok bool) {
	if len(s.data)-s.pos < 4 {
		return 0, false
	}
	for _, c := range s.data[s.pos : s.pos+4] {
		switch {
		case c-'0' <= 9:
			n = n<<4 | uint32(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			n = n<<4 | uint32(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	s.pos += 4
	return n, true
}

// hashKey returns a hash of a key that is the same for keys that encoding/json
// holds equal. Eight bytes are folded at a time. Two other keys that collide
// would refuse a document that is good; nobody gains by making them, so the
// hash need not be keyed.
func hashKey(key []byte) uint64 {
	const (
		highs = 0x8080808080808080
		low7  = 0x7f7f7f7f7f7f7f7f
		slash = '\\' * 0x0101010101010101
		fromA = (0x80 - 'a') * 0x0101010101010101
		overZ = (0x7f - 'z') * 0x0101010101010101
		mixA  = 0x9e3779b97f4a7c15
		mixB  = 0xd1b54a32d192ed03
	)
	h := uint64(len(key)) * mixA
	for rest := key; len(rest) > 0; {
		var x uint64
		if len(rest) >= 8 {
			x = binary.LittleEndian.Uint64(rest)
			rest = rest[8:]
		} else {
			if cap(rest) >= 8 { // what follows the key is masked off
				x = binary.LittleEndian.Uint64(rest[:8]) & (1<<(8*len(rest)) - 1)
			} else {
				for i, c := range rest {
					x |= uint64(c) << (8 * i)
				}
			}
			rest = nil
		}
		if b := x ^ slash; (x|(b-ones)&^b)&highs != 0 { // not ASCII, or an escape
			return hashFolded(key)
		}
		// A byte from a to z sets its high bit in the first sum and not in the
		// second; shifted, that is the bit by which it differs from upper case.
		lower := ((x & low7) + fromA) &^ ((x & low7) + overZ) & highs
		x ^= lower >> 2
		hi, lo := bits.Mul64(x^h^mixA, mixB)
		h = hi ^ lo ^ h<<1
	}
	return h
}

// hashFolded is hashKey for keys with escapes or beyond ASCII. What is ASCII
// after all is hashed as such.
func hashFolded(key []byte) uint64 {
	folded := appendFolded(make([]byte, 0, len(key)), key)
	for _, c := range folded {
		if c == '\\' || c >= utf8.RuneSelf {
			const fnvOffset, fnvPrime = 0xcbf29ce484222325, 0x100000001b3
			h := uint64(fnvOffset)
			for _, c := range folded {
				h = (h ^ uint64(c)) * fnvPrime
			}
			return h
		}
	}
	return hashKey(folded)
}

// appendFolded appends a raw key with its escapes undone and its case folded:
// every rune to the smallest that Unicode's simple folding holds equal, which
// for ASCII is upper case. That is how encoding/json binds keys to fields; it
// makes the long s an S and the Kelvin sign a K.
func appendFolded(dst, raw []byte) []byte {
	quoted := append(append([]byte{'"'}, raw...), '"')
	var key string
	if json.Unmarshal(quoted, &key) != nil {
		return append(dst, raw...) // cannot be: the scanner has read it
	}
	for _, r := range key {
		for next := unicode.SimpleFold(r); ; next = unicode.SimpleFold(next) {
			if next <= r { // the orbit is walked upwards and wraps to its smallest
				r = next
				break
			}
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}
