package webhook

import (
	"encoding/binary"
	"encoding/json"
	"math/bits"
	"unicode"
	"unicode/utf8"
)

// ones has a 1 in each of eight bytes, for looking at eight bytes at a time.
const ones = 0x0101010101010101

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
