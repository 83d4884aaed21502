package transport

import (
	"net/url"
	"strings"
)

// expand puts args into the {…} places of a path template, each escaped. It
// refuses values that could change the path. The result is a valid escaped
// path; ok is false when an argument was refused.
func expand(template string, args []string) (path string, ok bool) {
	if len(args) == 0 {
		return template, true
	}
	var b strings.Builder
	for _, arg := range args {
		i := strings.IndexByte(template, '{')
		j := strings.IndexByte(template, '}')
		if i < 0 || j < i || !safeSegment(arg) {
			return "", false
		}
		b.WriteString(template[:i])
		b.WriteString(url.PathEscape(arg))
		template = template[j+1:]
	}
	b.WriteString(template)
	return b.String(), true
}

// maxSegment is far beyond any id and keeps a hostile one out of the request
// line.
const maxSegment = 256

// safeSegment refuses what cannot be one segment of a path: nothing, dots,
// separators in either spelling, and control characters.
func safeSegment(s string) bool {
	if s == "" || s == "." || s == ".." || len(s) > maxSegment {
		return false
	}
	for _, r := range s {
		if r == '/' || r == '\\' || r < ' ' || r == 0x7f || r == '\ufffd' {
			return false
		}
	}
	// An id that arrives escaped already could be unescaped twice on its way.
	lower := strings.ToLower(s)
	return !strings.Contains(lower, "%2f") && !strings.Contains(lower, "%5c") && !strings.Contains(lower, "%2e")
}

// CheckPath accepts a configured path template: it begins with a slash, holds
// exactly ids {…} places, and nothing that could leave the base URL.
func CheckPath(provider, field, template string, ids int) error {
	if !strings.HasPrefix(template, "/") || strings.ContainsAny(template, "?#\\ ") || !printable(template) {
		return ConfigError(provider, field, "must be a path that begins with a slash")
	}
	clear, err := url.PathUnescape(template)
	if err != nil {
		return ConfigError(provider, field, "must be escaped as in a URL")
	}
	for segment := range strings.SplitSeq(clear, "/") {
		if segment == "." || segment == ".." {
			return ConfigError(provider, field, "must not hold dot segments")
		}
	}
	args := make([]string, ids)
	for i := range args {
		args[i] = "x"
	}
	if filled, ok := expand(template, args); !ok || strings.ContainsAny(filled, "{}") {
		return ConfigError(provider, field, "has the wrong number of {…} places")
	}
	return nil
}
