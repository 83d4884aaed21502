package upload

import (
	"path"
	"strings"
)

// maxName bounds a file's name, maxExt its extension, both in bytes.
const (
	maxName = 64
	maxExt  = 16
)

// CleanName returns a file's name and its extension, the full stop included, in
// a form that is safe in a header and tells nothing of the caller's disk:
// directories and characters outside a-z, A-Z, 0-9, ".", "_" and "-" are
// dropped, and both are cut to a sensible length. Either may be empty.
func CleanName(name string) (base, ext string) {
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	ext = path.Ext(name)
	base = strings.Trim(plain(strings.TrimSuffix(name, ext)), ".")
	if ext = plain(ext); ext == "." {
		ext = ""
	}
	return base[:min(len(base), maxName)], ext[:min(len(ext), maxExt)]
}

func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-' {
			return r
		}
		return -1
	}, s)
}
