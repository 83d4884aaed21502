package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
)

// line prints one JSON line.
func (p *program) line(v any) {
	enc := json.NewEncoder(p.stdout)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		p.note("kyckit: the result cannot be written: %v", err)
	}
}

func (p *program) printf(format string, args ...any) { writef(p.stdout, format, args...) }

func (p *program) note(format string, args ...any) { writef(p.stderr, format+"\n", args...) }

// writef writes where nobody can be told of an error.
func writef(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }

// colour is an escape code of terminals.
type colour string

const (
	green  colour = "\x1b[32m"
	yellow colour = "\x1b[33m"
	red    colour = "\x1b[31m"
	dim    colour = "\x1b[2m"
)

// paint colours text on a terminal that wants it.
func (p *program) paint(w io.Writer, c colour, text string) string {
	if !p.colours(w) {
		return text
	}
	return string(c) + text + "\x1b[0m"
}

func (p *program) colours(w io.Writer) bool {
	return terminal(w) && p.getenv("NO_COLOR") == "" && p.getenv("TERM") != "dumb" && p.getenv("TERM") != ""
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// visible writes a text from outside so that it can change no terminal: control
// and format characters are escaped.
func visible(text string) string {
	var out strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) || r == ' ' {
			out.WriteRune(r)
		} else if r > 0xffff {
			fmt.Fprintf(&out, `\U%08x`, r)
		} else {
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.String()
}
