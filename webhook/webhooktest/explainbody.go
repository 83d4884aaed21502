package webhooktest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// bodyVariant is a body that may have been signed in place of the one that is
// there.
type bodyVariant struct {
	body   []byte
	cause  Cause
	detail string
}

const (
	bom = "\xef\xbb\xbf"
	// maxInflated bounds what a compressed body is inflated to.
	maxInflated = 16 << 20
	// maxReformatted and maxNesting bound the bodies that are written anew:
	// indenting makes deep ones very long.
	maxReformatted = 1 << 20
	maxNesting     = 100
)

// bodyVariants yields the bodies that body may have been before something
// changed it, one at a time: a body may be large.
func bodyVariants(body []byte) iter.Seq[bodyVariant] {
	return func(yield func(bodyVariant) bool) {
		more := true
		try := func(cause Cause, detail string, variant []byte) {
			more = more && yield(bodyVariant{variant, cause, detail})
		}
		lineBreaks(body, try)
		if !more {
			return
		}
		if hasPrefix(body, bom) {
			try(CauseBodyBOM, "The signature fits the body without the byte order mark at its beginning.", body[len(bom):])
		} else {
			try(CauseBodyBOM, "The signature fits the body with a byte order mark at its beginning.", join([]byte(bom), string(body)))
		}
		if more && hasPrefix(body, gzipMagic) {
			if inflated := inflate(body); inflated != nil {
				try(CauseBodyGzip, "The body is compressed, and the signature fits what is inside.", inflated)
			}
		}
		if !more {
			return
		}
		for _, v := range reformatted(body) {
			for _, end := range []string{"", "\n"} {
				try(CauseBodyReformatted, "The signature fits the same JSON "+v.how+".", join(v.body, end))
			}
		}
	}
}

// lineBreaks tries other line breaks, in the body and at its end.
func lineBreaks(body []byte, try func(Cause, string, []byte)) {
	plain := bytes.TrimRight(body, "\r\n")
	for _, end := range []struct{ text, name string }{{"", "no line break"}, {"\n", "a line break"}, {"\r\n", "a Windows line break"}} {
		try(CauseBodyNewline, "The signature fits the body with "+end.name+" at its end.", join(plain, end.text))
	}
	try(CauseBodyNewline, "The signature fits the body without the white space at its end.", bytes.TrimRight(body, " \t\r\n"))
	unix := bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n"))
	try(CauseBodyNewline, "The signature fits the body with Unix line breaks.", unix)
	try(CauseBodyNewline, "The signature fits the body with Windows line breaks.", bytes.ReplaceAll(unix, []byte("\n"), []byte("\r\n")))
}

func join(b []byte, end string) []byte { return append(bytes.Clone(b), end...) }

const gzipMagic = "\x1f\x8b"

func inflate(body []byte) []byte {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil
	}
	out, err := io.ReadAll(io.LimitReader(z, maxInflated+1))
	if err != nil || len(out) > maxInflated {
		return nil
	}
	return out
}

// written is a JSON document in one of the forms that programs give it.
type written struct {
	body []byte
	how  string
}

// reformatted writes a JSON document as other programs do, in the order of its
// keys and with its numbers as they are.
func reformatted(body []byte) []written {
	var compact bytes.Buffer
	if len(body) > maxReformatted || nesting(body) > maxNesting || json.Compact(&compact, bytes.TrimPrefix(body, []byte(bom))) != nil {
		return nil
	}
	text := compact.Bytes()
	all := []written{{text, "without white space"}, {spaced(text), `with ", " and ": "`}}
	for _, indent := range []struct{ text, name string }{{"  ", "two spaces"}, {"    ", "four spaces"}, {"\t", "tabs"}} {
		var b bytes.Buffer
		if json.Indent(&b, text, "", indent.text) == nil {
			all = append(all, written{b.Bytes(), "indented by " + indent.name})
		}
	}
	for _, w := range slices.Clip(all) {
		for _, escape := range []struct {
			name string
			to   func([]byte) []byte
		}{
			{"escaping what is not ASCII", toASCII},
			{"escaping <, > and &", escapeHTML},
			{"escaping slashes", func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("/"), []byte(`\/`)) }},
			{"escaping nothing that need not be", unescape},
		} {
			if to := escape.to(w.body); !bytes.Equal(to, w.body) {
				all = append(all, written{to, w.how + ", " + escape.name})
			}
		}
	}
	return all
}

// nesting returns how deep a document is nested, at least: what stands in strings
// counts too.
func nesting(body []byte) (deepest int) {
	depth := 0
	for _, c := range body {
		switch c {
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
		case '}', ']':
			depth--
		}
	}
	return deepest
}

// spaced writes compact JSON as Python does by default.
func spaced(compact []byte) []byte {
	out := make([]byte, 0, len(compact)+len(compact)/8)
	inString := false
	for i := 0; i < len(compact); i++ {
		c := compact[i]
		out = append(out, c)
		switch {
		case inString && c == '\\' && i+1 < len(compact):
			i++
			out = append(out, compact[i])
		case c == '"':
			inString = !inString
		case !inString && (c == ',' || c == ':'):
			out = append(out, ' ')
		}
	}
	return out
}

func toASCII(b []byte) []byte {
	var out bytes.Buffer
	for _, r := range string(b) {
		switch {
		case r < utf8.RuneSelf:
			out.WriteByte(byte(r))
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.Bytes()
}

func escapeHTML(b []byte) []byte {
	return []byte(strings.NewReplacer("<", `\u003c`, ">", `\u003e`, "&", `\u0026`).Replace(string(b)))
}

// unescape writes the characters of \uXXXX and of \/ themselves, but for those
// that JSON must escape.
func unescape(b []byte) []byte {
	var out []byte
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' || i+1 >= len(b) {
			out = append(out, b[i])
			continue
		}
		if r, size := escapeAt(b[i:]); size > 0 && r >= ' ' && r != '"' && r != '\\' && r != utf8.RuneError {
			out = utf8.AppendRune(out, r)
			i += size - 1
			continue
		}
		out = append(out, b[i], b[i+1])
		i++
	}
	return out
}

// escapeAt reads \/ or \uXXXX, pairs included, at the beginning of b.
func escapeAt(b []byte) (r rune, size int) {
	if b[1] == '/' {
		return '/', 2
	}
	r, ok := hexAt(b)
	if !ok {
		return 0, 0
	}
	if utf16.IsSurrogate(r) {
		low, ok := hexAt(b[6:])
		if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
			return 0, 0
		}
		return r, 12
	}
	return r, 6
}

func hexAt(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(n), err == nil
}

// likelyBody tells what is odd about the body where no signature fits.
func (e *explainer) likelyBody() Explanation {
	body := e.Delivery.Body
	compressed := hasPrefix(body, gzipMagic)
	for _, value := range e.Delivery.Header["Content-Encoding"] {
		if consistent := equalFold(value, "gzip") && compressed; value != "" && !equalFold(value, "identity") && !consistent {
			return Explanation{
				Cause:  CauseBodyGzip,
				Detail: "The delivery was compressed, and the body is not any more; the sender has probably signed it compressed.",
				Cure:   "Keep whatever is in front from unpacking bodies, and verify before unpacking.",
			}
		}
	}
	for _, value := range e.Delivery.Header["Content-Length"] {
		if n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64); err == nil && n > int64(len(body)) {
			return Explanation{
				Cause:  CauseBodyTruncated,
				Detail: fmt.Sprintf("The delivery announces %d bytes, and %d are there.", n, len(body)),
				Cure:   "Read the whole body before verifying; look for a size limit in a proxy or a log that cuts.",
			}
		}
	}
	if compressed && len(e.Delivery.Header["Content-Encoding"]) == 0 {
		return Explanation{
			Cause:  CauseBodyGzip,
			Detail: "The body is compressed, and no header says so.",
			Cure:   "Save the body before anything compresses it.",
		}
	}
	if endsEarly(body) {
		return Explanation{
			Cause:  CauseBodyTruncated,
			Detail: "The body is JSON that ends in the middle.",
			Cure:   "Read the whole body before verifying; look for a size limit in a proxy or a log that cuts.",
		}
	}
	return Explanation{}
}

// endsEarly reports whether a body begins as a JSON object or array and breaks
// off.
func endsEarly(body []byte) bool {
	text := bytes.TrimLeft(body, " \t\r\n")
	if len(text) == 0 || text[0] != '{' && text[0] != '[' {
		return false
	}
	var v json.RawMessage
	return errors.Is(json.NewDecoder(bytes.NewReader(text)).Decode(&v), io.ErrUnexpectedEOF)
}
