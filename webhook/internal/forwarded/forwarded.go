// Package forwarded reads client certificates out of the headers in which
// proxies forward them. Each reader returns the DER of the leaf and then of
// whatever intermediates come with it, and refuses what its proxy does not
// write. Nothing is verified here.
package forwarded

import (
	"encoding/asn1"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"github.com/kyckit/kyckit/webhook/internal/strictpem"
)

// maxCerts is how many certificates one header may hold: a leaf and ten above.
const maxCerts = 11

const (
	pemBegin = "-----BEGIN CERTIFICATE-----"
	pemEnd   = "-----END CERTIFICATE-----"
)

// Missing is the reason of One for a header that is not there at all.
const Missing = "missing"

// One returns the value of a header that must come once, not empty, and
// without a twin: a name that some proxy or server reads as the same because it
// takes underscores for dashes. Otherwise reason says what is wrong.
func One(h http.Header, name string, limit int) (value, reason string) {
	n := 0
	for key, values := range h {
		if !SameHeader(key, name) || len(values) == 0 {
			continue
		}
		if key != name {
			return "", "has a twin"
		}
		n += len(values)
		value = values[0]
	}
	switch {
	case n == 0:
		return "", Missing
	case n > 1:
		return "", "given twice"
	case value == "":
		return "", "empty"
	case len(value) > limit:
		return "", "too long"
	}
	return value, ""
}

// SameHeader reports whether two names are the same but for case and
// underscores. The empty name is like no other.
func SameHeader(a, b string) bool {
	if len(a) != len(b) || a == "" {
		return false
	}
	return strings.EqualFold(strings.ReplaceAll(a, "_", "-"), strings.ReplaceAll(b, "_", "-"))
}

// EscapedLeaf reads one certificate in percent-encoded PEM.
func EscapedLeaf(value string) ([][]byte, bool) {
	certs, ok := EscapedPEM(value)
	return certs, ok && len(certs) == 1
}

// EscapedPEM reads certificates in percent-encoded PEM and nothing else.
func EscapedPEM(value string) ([][]byte, bool) {
	text, ok := unescape(value)
	if !ok {
		return nil, false
	}
	// Escaping made for queries writes a space as a plus sign. The only spaces
	// are in the lines around a block, where no plus can be meant.
	text = strings.NewReplacer("-----BEGIN+CERTIFICATE-----", pemBegin, "-----END+CERTIFICATE-----", pemEnd).Replace(text)
	if !strings.HasPrefix(text, pemBegin) {
		return nil, false
	}
	blocks, err := strictpem.Blocks([]byte(text), "CERTIFICATE")
	if err != nil || len(blocks) > maxCerts {
		return nil, false
	}
	// Between and after the blocks there may be line ends only.
	for _, rest := range strings.Split(text, pemEnd)[1:] {
		between, _, _ := strings.Cut(rest, pemBegin)
		if strings.Trim(between, "\r\n") != "" {
			return nil, false
		}
	}
	return blocks, true
}

// SpacedLeaf reads one certificate in PEM whose line ends have become blanks.
func SpacedLeaf(value string) ([][]byte, bool) {
	certs, ok := SpacedPEM(value)
	return certs, ok && len(certs) == 1
}

// SpacedPEM reads certificates in PEM whose line ends have become blanks, as a
// header line cannot hold any.
func SpacedPEM(value string) (certs [][]byte, ok bool) {
	for rest := strings.Trim(value, " \t"); rest != ""; {
		body, found := strings.CutPrefix(rest, pemBegin)
		body, after, ended := strings.Cut(body, pemEnd)
		if !found || !ended || len(certs) == maxCerts {
			return nil, false
		}
		der, ok := decode(strings.NewReplacer(" ", "", "\t", "").Replace(body))
		if !ok {
			return nil, false
		}
		certs = append(certs, der)
		rest = strings.TrimLeft(after, " \t")
	}
	return certs, len(certs) > 0
}

// ByteSequence reads a structured-field byte sequence, :base64:, of RFC 9440
// and RFC 9651.
func ByteSequence(value string) ([][]byte, bool) {
	value = strings.Trim(value, " ")
	if len(value) < 3 || value[0] != ':' || value[len(value)-1] != ':' {
		return nil, false
	}
	der, ok := decode(value[1 : len(value)-1])
	return [][]byte{der}, ok
}

// ByteSequences reads a list of byte sequences.
func ByteSequences(value string) (certs [][]byte, ok bool) {
	if strings.Count(value, ",") >= maxCerts-1 {
		return nil, false
	}
	for item := range strings.SplitSeq(value, ",") {
		cert, ok := ByteSequence(strings.Trim(item, " \t"))
		if !ok {
			return nil, false
		}
		certs = append(certs, cert...)
	}
	return certs, true
}

// Base64List reads base64 DER, separated by commas, plain or escaped. The
// alphabet has no percent sign, so undoing escapes never changes plain text.
func Base64List(value string) (certs [][]byte, ok bool) {
	text, ok := unescape(value)
	if !ok || strings.Count(text, ",") >= maxCerts {
		return nil, false
	}
	for item := range strings.SplitSeq(text, ",") {
		der, ok := decode(item)
		if !ok {
			return nil, false
		}
		certs = append(certs, der)
	}
	return certs, true
}

// Base64 reads one certificate in base64.
func Base64(value string) ([][]byte, bool) {
	der, ok := decode(value)
	return [][]byte{der}, ok
}

// Base64Chain reads certificates one after the other, in base64 as a whole, as
// HAProxy's ssl_c_chain_der gives them.
func Base64Chain(value string) (certs [][]byte, ok bool) {
	rest, ok := decode(value)
	if !ok {
		return nil, false
	}
	for len(rest) > 0 && len(certs) < maxCerts {
		var cert asn1.RawValue
		after, err := asn1.Unmarshal(rest, &cert)
		if err != nil {
			return nil, false
		}
		certs = append(certs, cert.FullBytes)
		rest = after
	}
	return certs, len(rest) == 0
}

// decode reads base64 that is not empty, padded, without stray bits and, other
// than the standard library does, without line ends.
func decode(text string) ([]byte, bool) {
	if text == "" || strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	der, err := base64.StdEncoding.Strict().DecodeString(text)
	return der, err == nil
}

// unescape undoes percent-encoding. A plus sign stays one: it belongs to
// base64, and AWS leaves it as it is. Anything that is not printable ASCII
// should have been encoded.
func unescape(s string) (string, bool) {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f }) {
		return "", false
	}
	text, err := url.PathUnescape(s)
	return text, err == nil
}
