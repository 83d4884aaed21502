package kycjwt

import (
	"strings"
)

// resourcePath turns a caller's path into a template and its arguments, which
// the transport escapes one by one. Places written {name} are filled from
// args. Everything that could lead elsewhere is refused: another host, dots,
// separators in disguise, a query, a trailing slash.
//
// The template is what logs show. Only words that are known to be no ids stay
// in it; every other segment becomes an argument.
func resourcePath(op, prefix, path string, args []string) (template string, values []string, err error) {
	if !strings.HasPrefix(path, "/") || len(path) < 2 {
		return "", nil, invalid(op, "the path must begin with a slash and name a resource")
	}
	var b strings.Builder
	b.WriteString(prefix)
	for segment := range strings.SplitSeq(path[1:], "/") {
		switch {
		case len(segment) > 1 && segment[0] == '{' && segment[len(segment)-1] == '}':
			if len(args) == 0 {
				return "", nil, invalid(op, "the path has more places than arguments")
			}
			values = append(values, args[0])
			args = args[1:]
		case !literalSegment(segment):
			return "", nil, invalid(op,
				"the path must be unescaped names between single slashes, without dots, query or trailing slash")
		case resourceWord(segment):
			b.WriteString("/" + segment)
			continue
		default:
			values = append(values, segment)
		}
		b.WriteString("/{}")
	}
	if len(args) > 0 {
		return "", nil, invalid(op, "the path has fewer places than arguments")
	}
	return b.String(), values, nil
}

// resourceWord reports the path words of this API, which may be logged.
func resourceWord(s string) bool {
	switch s {
	case "persons", "corporates", "entitlements", "entitlement_triggers", "questionnaires", "response",
		"documents", "download_link", "webhooks":
		return true
	}
	return false
}

// literalSegment accepts a segment that stands in a path as the caller wrote
// it. A percent sign is refused: the segment would be escaped twice, or hide a
// separator.
func literalSegment(s string) bool {
	if s == "" || s == "." || s == ".." {
		return false
	}
	for _, r := range s {
		if r <= ' ' || r == 0x7f || r == '\ufffd' || strings.ContainsRune(`%?#\{}`, r) {
			return false
		}
	}
	return true
}

// plainSegment accepts what needs no escaping at all.
func plainSegment(s string) bool {
	if s == "" || s == "." || s == ".." {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-._~", rune(c)) {
			return false
		}
	}
	return true
}
