package strictjson

import "slices"

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
	list  bool // the document is a list
}

func (s *scanner) document(room []uint64, into target) string {
	s.space()
	if reason := s.value(room, into); reason != "" {
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

func (s *scanner) value(room []uint64, into target) string {
	if s.pos == len(s.data) {
		return notJSON
	}
	switch s.data[s.pos] {
	case '{', '[':
		return s.nested(room, into)
	case '"':
		_, _, reason := s.text()
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
	end := number(s.data, s.pos)
	if end < 0 {
		return notJSON
	}
	s.pos = end
	return ""
}

// number returns where the number at i ends, -1 if it is none.
func number(data []byte, i int) int {
	if at(data, i) == '-' {
		i++
	}
	if at(data, i) == '0' {
		i++
	} else if i = digits(data, i); i < 0 {
		return -1
	}
	if at(data, i) == '.' {
		if i = digits(data, i+1); i < 0 {
			return -1
		}
	}
	if at(data, i)|0x20 == 'e' {
		i++
		if c := at(data, i); c == '+' || c == '-' {
			i++
		}
		return digits(data, i)
	}
	return i
}

// digits returns where the digits at i end, -1 if there are none.
func digits(data []byte, i int) int {
	start := i
	for i < len(data) && data[i]-'0' <= 9 {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

func (s *scanner) nested(room []uint64, into target) (reason string) {
	if s.depth == MaxDepth {
		return tooDeep
	}
	s.depth++
	if s.take('[') {
		s.list = s.list || s.depth == 1
		reason = s.array(room, into.element())
	} else {
		s.pos++
		reason = s.object(room, into)
	}
	s.depth--
	return reason
}

func (s *scanner) array(room []uint64, element target) string {
	s.space()
	if s.take(']') {
		return ""
	}
	for {
		s.space()
		if reason := s.value(room, element); reason != "" {
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
func (s *scanner) object(room []uint64, into target) string {
	s.space()
	if s.take('}') {
		return ""
	}
	keys := room[:0]
	fold := s.depth == 1 || s.depth == 2 && s.list || into.isStruct()
	var many map[uint64]struct{}
	for {
		s.space()
		if s.pos == len(s.data) || s.data[s.pos] != '"' {
			return notJSON
		}
		key, escaped, reason := s.text()
		if reason != "" {
			return reason
		}
		h := hashKey(key, escaped, fold)
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
		if reason := s.value(keys[len(keys):], into.member(key, escaped)); reason != "" {
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

// text reads a string and returns what stands between its quotes, and whether
// that has escapes.
func (s *scanner) text() (raw []byte, escaped bool, reason string) {
	s.pos++
	start := s.pos
	for {
		s.pos = plain(s.data, s.pos)
		if s.pos == len(s.data) {
			return nil, false, notJSON
		}
		switch s.data[s.pos] {
		case '"':
			raw = s.data[start:s.pos]
			s.pos++
			return raw, escaped, ""
		case '\\':
			if reason := s.escape(); reason != "" {
				return nil, false, reason
			}
			escaped = true
		default: // a control character
			return nil, false, notJSON
		}
	}
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
