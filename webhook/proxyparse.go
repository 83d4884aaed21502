package webhook

import (
	"encoding/asn1"
	"strings"
)

// The parsers of forwarded certificates. Each returns the DER of the leaf and
// then of whatever intermediates come with it, and refuses what its proxy does
// not write. Their input is capped by oneHeader.

// parseEscapedLeaf reads one certificate in percent-encoded PEM.
func parseEscapedLeaf(value string) ([][]byte, bool) {
	certs, ok := parseEscapedPEM(value)
	return certs, ok && len(certs) == 1
}

// parseEscapedPEM reads certificates in percent-encoded PEM and nothing else.
func parseEscapedPEM(value string) ([][]byte, bool) {
	text, ok := percentDecode(value)
	if !ok {
		return nil, false
	}
	// Escaping made for queries writes a space as a plus sign. The only spaces
	// are in the lines around a block, where no plus can be meant.
	text = strings.NewReplacer("-----BEGIN+CERTIFICATE-----", "-----BEGIN CERTIFICATE-----", "-----END+CERTIFICATE-----", "-----END CERTIFICATE-----").Replace(text)
	return parsePlainPEM(text)
}

// parsePlainPEM reads PEM without any text around it.
func parsePlainPEM(text string) ([][]byte, bool) {
	if !strings.HasPrefix(text, "-----BEGIN CERTIFICATE-----") {
		return nil, false
	}
	blocks, reason := pemBlocks([]byte(text), "CERTIFICATE")
	if reason != "" || len(blocks) > maxChainCerts+1 {
		return nil, false
	}
	// Between and after the blocks there may be line ends only.
	for _, rest := range strings.Split(text, "-----END CERTIFICATE-----")[1:] {
		between, _, _ := strings.Cut(rest, "-----BEGIN CERTIFICATE-----")
		if strings.Trim(between, "\r\n") != "" {
			return nil, false
		}
	}
	return blocks, true
}

// percentDecode undoes percent-encoding. A plus sign stays one: it belongs to
// base64, and AWS leaves it as it is. Anything that is not printable ASCII
// should have been encoded.
func percentDecode(s string) (string, bool) {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '%':
			if i+2 >= len(s) {
				return "", false
			}
			high, low := hexDigit(s[i+1]), hexDigit(s[i+2])
			if high|low > 15 {
				return "", false
			}
			out = append(out, high<<4|low)
			i += 2
		case c < ' ' || c >= 0x7f:
			return "", false
		default:
			out = append(out, c)
		}
	}
	return string(out), true
}

// hexDigit returns the value of a digit, or 255.
func hexDigit(c byte) byte {
	switch {
	case c-'0' <= 9:
		return c - '0'
	case c-'a' <= 5:
		return c - 'a' + 10
	case c-'A' <= 5:
		return c - 'A' + 10
	}
	return 255
}

// parseByteSequence reads a structured-field byte sequence, :base64:, of
// RFC 9440 and RFC 9651.
func parseByteSequence(value string) ([][]byte, bool) {
	value = strings.Trim(value, " ")
	if len(value) < 3 || value[0] != ':' || value[len(value)-1] != ':' {
		return nil, false
	}
	der, ok := decodeBase64(nil, value[1:len(value)-1], Base64)
	return [][]byte{der}, ok && len(der) > 0
}

// parseByteSequences reads a list of byte sequences.
func parseByteSequences(value string) (certs [][]byte, ok bool) {
	if strings.Count(value, ",") >= maxChainCerts {
		return nil, false
	}
	for item := range strings.SplitSeq(value, ",") {
		one, ok := parseByteSequence(strings.Trim(item, " \t"))
		if !ok {
			return nil, false
		}
		certs = append(certs, one...)
	}
	return certs, true
}

// parseTraefik reads base64 DER, separated by commas, plain or escaped. The
// alphabet has no percent sign, so undoing escapes never changes plain text.
func parseTraefik(value string) (certs [][]byte, ok bool) {
	text, ok := percentDecode(value)
	if !ok || strings.Count(text, ",") > maxChainCerts {
		return nil, false
	}
	for item := range strings.SplitSeq(text, ",") {
		der, ok := decodeBase64(nil, item, Base64)
		if !ok || len(der) == 0 {
			return nil, false
		}
		certs = append(certs, der)
	}
	return certs, true
}

// parseBase64DER reads one certificate in base64.
func parseBase64DER(value string) ([][]byte, bool) {
	der, ok := decodeBase64(nil, value, Base64)
	return [][]byte{der}, ok && len(der) > 0
}

// parseBase64Chain reads certificates one after the other, in base64 as a
// whole, as HAProxy's ssl_c_chain_der gives them.
func parseBase64Chain(value string) (certs [][]byte, ok bool) {
	rest, ok := decodeBase64(nil, value, Base64)
	if !ok {
		return nil, false
	}
	for len(rest) > 0 && len(certs) <= maxChainCerts {
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
