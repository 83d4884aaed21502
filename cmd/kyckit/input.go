package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/kyckit/kyckit"
)

const (
	maxSecret = 64 << 10
	maxBody   = 32 << 20
)

// refUsage is how the help describes a flag that takes a secret.
const refUsage = "as `@file`, env:NAME or - (standard input)"

// secret reads a secret that a flag refers to. One line break at the end of a
// file or of the standard input is not part of it; other white space is, and is
// reported.
func (p *program) secret(flag, ref string) (kyckit.Secret, error) {
	var text string
	switch {
	case ref == "":
		return kyckit.Secret{}, usage("-%s is required: @file, env:NAME or -", flag)
	case strings.HasPrefix(ref, "env:"):
		text = p.getenv(strings.TrimPrefix(ref, "env:"))
		if text == "" {
			return kyckit.Secret{}, usage("-%s: the environment variable is not set, or empty", flag)
		}
	case ref == "-" || strings.HasPrefix(ref, "@"):
		raw, err := p.content(flag, ref, maxSecret)
		if err != nil {
			return kyckit.Secret{}, err
		}
		text = withoutLineBreak(string(raw))
	default:
		return kyckit.Secret{}, usage("-%s is @file, env:NAME or -, never the secret itself: other users of the machine can see arguments", flag)
	}
	if text == "" {
		return kyckit.Secret{}, usage("-%s: the secret is empty", flag)
	}
	if hasBlanks(text) {
		p.note("kyckit: -%s: there is white space at the beginning or end of the secret", flag)
	}
	return kyckit.NewSecret(text), nil
}

func withoutLineBreak(text string) string {
	return strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
}

func hasBlanks(text string) bool {
	return strings.TrimFunc(text, func(r rune) bool { return unicode.IsSpace(r) || r == '\ufeff' }) != text
}

// content reads what a flag refers to: @file, or - for the standard input, which
// serves one flag.
func (p *program) content(flag, ref string, limit int64) ([]byte, error) {
	name, isFile := strings.CutPrefix(ref, "@")
	switch {
	case ref == "":
		return nil, usage("-%s is required: @file or -", flag)
	case ref == "-":
		if p.stdinTaken != "" {
			return nil, usage("-%s and -%s cannot both read the standard input", p.stdinTaken, flag)
		}
		p.stdinTaken = flag
		raw, err := io.ReadAll(io.LimitReader(p.stdin, limit+1))
		return bounded(flag, raw, err, limit)
	case !isFile:
		return nil, usage("-%s is @file or - (standard input)", flag)
	}
	f, err := os.Open(name) //nolint:gosec // the user names it
	if err != nil {
		return nil, usage("-%s: %s", flag, withoutPath(err))
	}
	defer func() { _ = f.Close() }()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	return bounded(flag, raw, err, limit)
}

func bounded(flag string, raw []byte, err error, limit int64) ([]byte, error) {
	switch {
	case err != nil:
		return nil, usage("-%s: %s", flag, withoutPath(err))
	case int64(len(raw)) > limit:
		return nil, usage("-%s: more than %d bytes", flag, limit)
	}
	return raw, nil
}

// optional reads what a flag refers to; nothing when it is not set.
func (p *program) optional(flag, ref string) ([]byte, error) {
	if ref == "" {
		return nil, nil
	}
	return p.content(flag, ref, maxBody)
}

// withoutPath is an error of package os without the path: a secret that was
// typed after an @ by mistake must not be printed.
func withoutPath(err error) string {
	if path, ok := errors.AsType[*os.PathError](err); ok {
		err = path.Err
	}
	return "the file cannot be read: " + err.Error()
}

// headerLines reads header lines, one "Name: value" a line. An empty line ends
// them, and a first line that is a request line or a status line is skipped.
func headerLines(text []byte) (map[string][]string, error) {
	out := map[string][]string{}
	for i, line := range bytes.Split(text, []byte("\n")) {
		line := strings.TrimSuffix(string(line), "\r")
		if strings.TrimSpace(line) == "" {
			if len(out) == 0 {
				continue
			}
			break
		}
		name, value, ok := strings.Cut(line, ":")
		switch {
		case i == 0 && (strings.Contains(line, " HTTP/") || strings.HasPrefix(line, "HTTP/")):
		case !ok || name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
			return nil, usage("-headers: line %d is not \"Name: value\"", i+1)
		default:
			out[name] = append(out[name], strings.Trim(value, " \t"))
		}
	}
	return out, nil
}
