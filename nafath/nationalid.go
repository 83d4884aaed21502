package nafath

import (
	"strings"
	"unicode"

	"github.com/kyckit/kyckit/internal/transport"
)

// NationalIDRule says which national ids are accepted. Before the rule is
// applied, digits of Arabic scripts are converted and spaces, dashes and
// direction marks are removed; what is left must be ten digits.
type NationalIDRule struct {
	// Prefixes are the accepted first digits. Empty means "12": citizens begin
	// with 1, residents (Iqama) with 2. Upstream knows others, for visitors.
	Prefixes string
	// Luhn demands a valid check digit. It is off by default because ids of
	// test environments often have none.
	Luhn bool
}

const (
	nationalIDLength = 10
	defaultPrefixes  = "12"
)

func (r NationalIDRule) validate() (NationalIDRule, error) {
	if r.Prefixes == "" {
		r.Prefixes = defaultPrefixes
	}
	if strings.Trim(r.Prefixes, "0123456789") != "" {
		return r, transport.ConfigError(provider, "NationalID.Prefixes", "must be digits")
	}
	return r, nil
}

// Normalise returns the form of a national id that is sent under the default
// rule: ten ASCII digits, the first of them 1 or 2. Use it for a limiter or a key
// of your own, in which the spellings of one id must count as one person. Another
// NationalIDRule may accept ids that Normalise refuses. The error is a
// *kyckit.Error of kind ErrInvalid.
func Normalise(nationalID string) (string, error) {
	id, ok := NationalIDRule{Prefixes: defaultPrefixes}.normalise(nationalID)
	if !ok {
		return "", transport.InputError(provider, "normalise", "not a national id of ten digits that begins with 1 or 2")
	}
	return id, nil
}

// normalise returns the ten ASCII digits of an id that the rule accepts.
func (r NationalIDRule) normalise(id string) (string, bool) {
	digits := make([]byte, 0, nationalIDLength)
	for _, c := range id {
		switch {
		case c >= '0' && c <= '9':
			digits = append(digits, byte(c))
		case c >= '\u0660' && c <= '\u0669': // Arabic-Indic
			digits = append(digits, byte('0'+c-'\u0660'))
		case c >= '\u06f0' && c <= '\u06f9': // Extended Arabic-Indic (Persian)
			digits = append(digits, byte('0'+c-'\u06f0'))
		case separator(c):
		default:
			return "", false
		}
		if len(digits) > nationalIDLength {
			return "", false
		}
	}
	if len(digits) != nationalIDLength || strings.IndexByte(r.Prefixes, digits[0]) < 0 || r.Luhn && !luhn(digits) {
		return "", false
	}
	return string(digits), true
}

// separator reports what people and input fields put around and between the
// digits: spaces and dashes of any kind, and invisible marks.
func separator(c rune) bool {
	switch c {
	case '\u2212', // minus
		'\u200b', '\u200c', '\u200d', '\u2060', '\ufeff', // of no width
		'\u061c', '\u200e', '\u200f': // of direction
		return true
	}
	return unicode.IsSpace(c) || unicode.Is(unicode.Pd, c) || c >= '\u202a' && c <= '\u202e' || c >= '\u2066' && c <= '\u2069'
}

// luhn checks the last digit of an even-length number.
func luhn(digits []byte) bool {
	sum := 0
	for i, c := range digits {
		d := int(c - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}
