// Package credential says what is wrong with a credential before it is used:
// what would come back as a bare 401, a signature that never matches, or a
// panic long after the constructor.
package credential

import (
	"crypto"
	"crypto/fips140"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const byteOrderMark = "\uFEFF"

// Text returns what is wrong with a credential that is used as it is given:
// that it is blank, begins with a byte order mark, or ends in a line break or
// another blank, which files, editors and environment variables add. It returns
// "" when nothing is. The text fits behind the name of a setting.
func Text(s string) string {
	switch {
	case strings.TrimSpace(strings.TrimPrefix(s, byteOrderMark)) == "":
		return "is required"
	case strings.HasPrefix(s, byteOrderMark):
		return "must not begin with a byte order mark"
	case strings.TrimRightFunc(s, unicode.IsSpace) != s:
		return "must not end in a line break or blank"
	}
	return ""
}

// UTF8Text is Text for a credential that stands in JSON, which would replace
// what is not UTF-8.
func UTF8Text(s string) string {
	if reason := Text(s); reason != "" {
		return reason
	}
	if !utf8.ValidString(s) {
		return "must be UTF-8"
	}
	return ""
}

// minFIPSKey is the shortest HMAC key of FIPS 140-only mode, in bytes.
const minFIPSKey = 112 / 8

// HMAC returns why an HMAC with this hash and a key of n bytes cannot be made
// in this process, or "". Only FIPS 140-only mode (GODEBUG=fips140=only) forbids
// any: crypto/hmac and the hash panic there.
func HMAC(hash crypto.Hash, n int) string {
	if !fips140.Enforced() {
		return ""
	}
	switch hash { // all others are not approved
	case crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA512_224, crypto.SHA512_256,
		crypto.SHA3_224, crypto.SHA3_256, crypto.SHA3_384, crypto.SHA3_512:
	default:
		return "needs a hash that FIPS 140-only mode does not allow"
	}
	if n < minFIPSKey {
		return fmt.Sprintf("must have at least %d bytes in FIPS 140-only mode", minFIPSKey)
	}
	return ""
}
