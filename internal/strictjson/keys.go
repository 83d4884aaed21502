package strictjson

import (
	"encoding/json"
	"hash/maphash"
	"unicode"
	"unicode/utf8"
)

// seed makes the hashes of keys unpredictable: a sender cannot make two keys
// that collide and so refuse each other.
var seed = maphash.MakeSeed()

// hashKey returns a hash of a raw key that is the same for keys that are equal
// once escapes are undone and, if fold is set, case is folded as encoding/json
// does it.
func hashKey(raw []byte, escaped, fold bool) uint64 {
	if escaped {
		return maphash.Bytes(seed, appendKey(nil, raw, fold))
	}
	if !fold {
		return maphash.Bytes(seed, raw)
	}
	var room [64]byte
	folded := room[:0]
	for _, c := range raw {
		switch {
		case c >= utf8.RuneSelf:
			return maphash.Bytes(seed, appendKey(nil, raw, fold))
		case 'a' <= c && c <= 'z':
			c -= 'a' - 'A'
		}
		folded = append(folded, c)
	}
	return maphash.Bytes(seed, folded)
}

// appendKey appends a raw key with its escapes undone and, if fold is set, every
// rune replaced by the smallest that Unicode's simple folding holds equal, which
// for ASCII is upper case. That is how encoding/json binds keys to fields; it
// makes the long s an S and the Kelvin sign a K.
func appendKey(dst, raw []byte, fold bool) []byte {
	quoted := append(append([]byte{'"'}, raw...), '"')
	var key string
	if json.Unmarshal(quoted, &key) != nil {
		return append(dst, raw...) // cannot be: the scanner has read it
	}
	for _, r := range key {
		for next := r; fold; {
			next = unicode.SimpleFold(next)
			if next <= r { // the orbit is walked upwards and wraps to its smallest
				r = next
				break
			}
			r = next
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}
