package webhook

import (
	"net/textproto"
	"strings"
)

// piece is one piece of the signed content.
type piece struct {
	kind pieceKind
	text string // of a literal; the name of a header

	// What the value must not hold, because the end or the start of the value
	// could not be told otherwise.
	until   string // the literal behind, of which the first occurrence must end the value
	since   string // the literal in front, of which the last occurrence must begin the value
	noColon bool   // an RFC 3339 timestamp follows, which is found by its first colon
	noSlash bool   // a path follows, which begins with the first slash
	rooted  bool   // it is that path
}

type pieceKind uint8

const (
	pieceBody pieceKind = iota
	pieceBodySHA256
	pieceLiteral
	pieceTimestamp
	pieceID
	pieceMethod
	piecePath
	pieceQuery
	pieceURL
	pieceHeader
)

// pieceNames are the fields of a template; a header has its name behind.
var pieceNames = [...]string{
	pieceBody: "body", pieceBodySHA256: "bodySHA256", pieceTimestamp: "timestamp", pieceID: "id",
	pieceMethod: "method", piecePath: "path", pieceQuery: "query", pieceURL: "url", pieceHeader: "header",
}

const headerField = "header:"

// parseTemplate reads Scheme.Signed, or returns what is wrong with it.
func parseTemplate(text string) (pieces []piece, reason string) {
	for text != "" {
		i := strings.IndexAny(text, "{}")
		if i < 0 {
			i = len(text)
		}
		if i > 0 {
			pieces = append(pieces, piece{kind: pieceLiteral, text: text[:i]})
			text = text[i:]
			continue
		}
		name, rest, closed := strings.Cut(text[1:], "}")
		if text[0] == '}' || !closed {
			return nil, "Scheme.Signed has a brace that belongs to no field"
		}
		p, reason := parseField(name)
		if reason != "" {
			return nil, reason
		}
		pieces, text = append(pieces, p), rest
	}
	return pieces, ""
}

func parseField(name string) (p piece, reason string) {
	if header, ok := strings.CutPrefix(name, headerField); ok {
		header = textproto.CanonicalMIMEHeaderKey(header)
		switch {
		case !validHeaderName(header):
			return p, "Scheme.Signed: {header:…} must name a header"
		case header == "Host":
			return p, "Scheme.Signed: Host is no header of a received request; use {url} or a literal"
		}
		return piece{kind: pieceHeader, text: header}, ""
	}
	for kind, known := range pieceNames {
		if known != "" && name == known && pieceKind(kind) != pieceHeader {
			return piece{kind: pieceKind(kind)}, ""
		}
	}
	return p, "Scheme.Signed has an unknown field; the fields are {id}, {timestamp}, {body}, {bodySHA256}, {method}, {path}, {query}, {url} and {header:Name}"
}

// template is the content that a scheme signs.
type template struct {
	pieces []piece
	digits bool // timestamps are written in digits
	fixed  bool // and must have the length that Unix times have for centuries
}

// signed returns what the scheme signs, such that no content can be read in two
// ways, or what is wrong with Scheme.Signed. publicURL stands for {url}.
//
// Content is read from the left as long as the end of each value is plain, and
// from the right as long as its start is. One value may be left in between, and
// a body, which may hold anything, can only be that one.
func (s *Scheme) signed(publicURL string) (t template, reason string) {
	t.digits = s.TimestampUnit != RFC3339
	parsed, reason := parseTemplate(s.Signed)
	if reason != "" {
		return t, reason
	}
	for _, p := range parsed {
		if p.kind == pieceURL {
			p = piece{kind: pieceLiteral, text: publicURL}
		}
		if last := len(t.pieces) - 1; p.kind == pieceLiteral && last >= 0 && t.pieces[last].kind == pieceLiteral {
			t.pieces[last].text += p.text
			continue
		}
		t.pieces = append(t.pieces, p)
	}
	left, right := 0, len(t.pieces)-1
	for left < len(t.pieces) && t.endIsPlain(left) {
		left++
	}
	for right > left && t.startIsPlain(right) {
		right--
	}
	if right > left {
		return t, "Scheme.Signed can be read in two ways: put a literal between " + t.pieces[right-1].name() + " and " + t.pieces[right].name()
	}
	return t, ""
}

// endIsPlain reports whether a reader from the left sees where a piece ends,
// and notes what its value must not hold for that.
func (t *template) endIsPlain(i int) bool {
	p, next := &t.pieces[i], &piece{kind: pieceLiteral} // nothing follows the last one
	if i+1 < len(t.pieces) {
		next = &t.pieces[i+1]
	}
	switch {
	case p.kind == pieceBody:
		return false
	case p.kind == pieceLiteral, p.kind == pieceBodySHA256:
	case p.kind == pieceTimestamp:
		t.fixed = t.fixed || t.digits && !next.showsDigits()
	case next.kind == pieceLiteral && next.text != "":
		p.until = next.text
	case next.kind == pieceTimestamp && !t.digits:
		p.noColon = true
	case p.kind == pieceMethod && next.kind == piecePath:
		p.noSlash, next.rooted = true, true
	default:
		return false
	}
	return true
}

// startIsPlain reports whether a reader from the right sees where a piece that
// is not the first one begins.
func (t *template) startIsPlain(i int) bool {
	p, before := &t.pieces[i], &t.pieces[i-1]
	switch {
	case p.kind == pieceBody:
		return false
	case p.kind == pieceLiteral, p.kind == pieceBodySHA256:
	case p.kind == pieceTimestamp:
		t.fixed = t.fixed || t.digits && !before.showsDigits()
	case before.kind == pieceLiteral:
		p.since = before.text
	default:
		return false
	}
	return true
}

// showsDigits reports whether a piece is a text beside which it is plain how far
// digits go.
func (p *piece) showsDigits() bool {
	return p.kind == pieceLiteral && strings.ContainsFunc(p.text, func(r rune) bool { return r < '0' || r > '9' })
}

func (p *piece) name() string {
	if p.kind == pieceLiteral {
		return "a literal"
	}
	return "{" + pieceNames[p.kind] + "}"
}

// value returns the text of a piece that is no body.
func (p *piece) value(d *Delivery, c *content) string {
	switch p.kind { // the others have no text
	case pieceLiteral:
		return p.text
	case pieceTimestamp:
		return c.timestamp
	case pieceID:
		return c.id
	case pieceMethod:
		return d.Method
	case pieceHeader:
		value, _ := single(d, p.text)
		return value
	}
	switch {
	case d.URL == nil:
		return ""
	case p.kind == piecePath:
		return d.URL.EscapedPath()
	}
	return d.URL.RawQuery
}

// limited reports whether there is something that the value must not hold.
func (p *piece) limited() bool {
	return p.until != "" || p.since != "" || p.noColon || p.noSlash || p.rooted
}

// plain reports whether a value begins and ends where the template says, and
// could not begin or end elsewhere.
func (p *piece) plain(value string) bool {
	switch {
	case p.until != "" && !endsAtFirst(value, p.until):
	case p.since != "" && !beginsAtLast(value, p.since):
	case p.noColon && strings.Contains(value, ":"):
	case p.noSlash && strings.Contains(value, "/"):
	case p.rooted && !strings.HasPrefix(value, "/"):
	default:
		return true
	}
	return false
}

// endsAtFirst reports whether the first literal in value+literal is the one
// behind value. The literal may reach from the value into itself.
func endsAtFirst(value, literal string) bool {
	if strings.Contains(value, literal) {
		return false
	}
	for n := 1; n < len(literal) && n <= len(value); n++ {
		if strings.HasSuffix(value, literal[:n]) && strings.HasPrefix(literal, literal[n:]) {
			return false
		}
	}
	return true
}

// beginsAtLast reports whether the last literal in literal+value is the one in
// front of value.
func beginsAtLast(value, literal string) bool {
	if strings.Contains(value, literal) {
		return false
	}
	for n := 1; n < len(literal) && n <= len(value); n++ {
		rest := literal[:len(literal)-n]
		if strings.HasPrefix(value, literal[len(rest):]) && strings.HasSuffix(literal, rest) {
			return false
		}
	}
	return true
}
