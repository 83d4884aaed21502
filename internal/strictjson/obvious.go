package strictjson

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// obvious reports whether a document of valid UTF-8 is strict JSON for every
// target, beyond doubt: no two keys of one object are equal or differ only by
// case, be it in an object where that is allowed. It gives up where a closer
// look is needed, such as at keys that are not ASCII or have escapes.
//
// Nearly every event is obvious. One of 4 KiB takes 4 µs, where the scanner takes
// 6 and then, because a target may want more, 40 with that; its HMAC takes 2.5.
// There is no recursion, and a key is hashed eight bytes at a time while it is
// read.
func obvious(data []byte) bool {
	var (
		room   [64]uint64
		begins [MaxDepth]int
		keys   = room[:0]   // rough hashes of the keys of all open objects
		open   = begins[:0] // for each open object the number of keys before its own, for a list -1
		member = false      // a key comes before the next value
	)
	for i := 0; ; {
		i = skip(data, i)
		if member {
			own := keys[open[len(open)-1]:]
			key, end := roughKey(data, i)
			if end < 0 || len(own) == manyKeys || slices.Contains(own, key) {
				return false
			}
			keys = append(keys, key)
			if i = skip(data, end); at(data, i) != ':' {
				return false
			}
			i = skip(data, i+1)
		}
		switch c := at(data, i); c {
		case '{', '[':
			if len(open) == MaxDepth {
				return false
			}
			begin := -1
			if member = c == '{'; member {
				begin = len(keys)
			}
			open = append(open, begin)
			if i = skip(data, i+1); at(data, i) != c+2 { // no brace or bracket that closes it
				continue
			}
		default:
			if i = scalar(data, i); i < 0 {
				return false
			}
		}
		// Close what ends with this value.
		for {
			i = skip(data, i)
			if len(open) == 0 {
				return i == len(data)
			}
			c, begin := at(data, i), open[len(open)-1]
			i++
			if c == ',' {
				member = begin >= 0
				break
			}
			open = open[:len(open)-1]
			switch {
			case c == '}' && begin >= 0:
				keys = keys[:begin]
			case c == ']' && begin < 0:
			default:
				return false
			}
		}
	}
}

// at returns a byte of the document, 0 behind its end.
func at(data []byte, i int) byte {
	if i < len(data) {
		return data[i]
	}
	return 0
}

// skip returns where white space ends. Compact documents have none, so the
// common case is small enough to be inlined.
func skip(data []byte, i int) int {
	if i < len(data) && data[i] <= ' ' {
		s := scanner{data: data, pos: i}
		s.spaces()
		return s.pos
	}
	return i
}

const (
	ones  = 0x0101010101010101 // a 1 in each of eight bytes
	highs = 0x80 * ones        // the highest bit of each
	space = 0x20 * ones        // the bit by which ASCII letters differ by case
)

// marks sets the highest bit of bytes below 0x20, of quotes and of backslashes.
// The lowest mark is exact; higher ones may be borrowed.
func marks(x uint64) uint64 {
	quote, slash := x^'"'*ones, x^'\\'*ones
	return ((x-space)&^x | (quote-ones)&^quote | (slash-ones)&^slash) & highs
}

// load returns the next eight bytes, with zeros behind the end.
func load(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.LittleEndian.Uint64(b)
	}
	return loadLast(b)
}

func loadLast(b []byte) uint64 {
	var last [8]byte
	copy(last[:], b)
	return binary.LittleEndian.Uint64(last[:])
}

// plain skips the bytes that need no attention inside a string: all but quotes,
// backslashes and control characters.
func plain(data []byte, i int) int {
	m := marks(load(data[i:]))
	for m == 0 {
		i += 8
		m = marks(load(data[i:]))
	}
	return i + bits.TrailingZeros64(m)/8
}

// scalar returns where the text, number or word at i ends, -1 if it is none.
func scalar(data []byte, i int) int {
	switch c := at(data, i); {
	case c == '"':
		if end := plain(data, i+1); at(data, end) == '"' {
			return end + 1
		}
	case c < 'A': // no word
		return number(data, i)
	}
	s := scanner{data: data, pos: i}
	if s.value(nil, target{}) != "" {
		return -1
	}
	return s.pos
}

// roughKey reads the key at i and returns where it ends and a hash that is the
// same for keys which differ by case, and for some others. The end is -1 for a
// key that is not plain ASCII, and where there is none.
func roughKey(data []byte, i int) (hash uint64, end int) {
	if at(data, i) != '"' {
		return 0, -1
	}
	for i++; ; i += 8 {
		x := load(data[i:])
		m := marks(x)
		n := bits.TrailingZeros64(m) &^ 7 // the bits before the mark, 64 without one
		x &= 1<<n - 1
		if x&highs != 0 {
			return 0, -1
		}
		hi, lo := bits.Mul64(hash^(x|space), 0x9e3779b97f4a7c15)
		hash = hi ^ lo
		if m != 0 {
			if i += n / 8; at(data, i) != '"' {
				return 0, -1
			}
			return hash, i + 1
		}
	}
}
