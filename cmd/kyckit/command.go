package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// The exit codes.
const (
	exitOK          = 0
	exitFinding     = 1 // a negative finding
	exitUsage       = 2
	exitUnreachable = 3
)

// failure is an error with an exit code. Its text is the program's own words.
type failure struct {
	code int
	text string
}

func (f *failure) Error() string { return f.text }

func usage(format string, args ...any) error {
	return &failure{exitUsage, fmt.Sprintf(format, args...)}
}

func unreachable(format string, args ...any) error {
	return &failure{exitUnreachable, fmt.Sprintf(format, args...)}
}

// errFinding ends the program with a negative finding that was printed already.
var errFinding = &failure{code: exitFinding}

// program is what a command works with.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string

	stdinTaken string // by which flag
}

// command is one subcommand. Its run registers flags and returns what to do once
// they are parsed.
type command struct {
	name    string // "webhook verify"
	args    string // what follows the flags, such as "@token"
	summary string
	about   string // further explanation, may be empty
	example []string
	setup   func(p *program, fs *flag.FlagSet) func(ctx context.Context, args []string) error
}

// commands is the table of subcommands, in the order of the help.
func commands() []command {
	return []command{
		fakeCommand(), sendCommand(), verifyCommand(), listenCommand(),
		mintCommand(), inspectCommand(), attestationCommand(), doctorCommand(),
		certsCommand(), headersCommand(), completionCommand(), versionCommand(),
	}
}

// run runs the subcommand that args name and returns the exit code.
func run(ctx context.Context, args []string, p *program) int {
	if len(args) == 0 {
		overview(p.stderr, "")
		return exitUsage
	}
	if isHelp(args[0]) {
		overview(p.stdout, "")
		return exitOK
	}
	for _, c := range commands() {
		words := strings.Fields(c.name)
		if len(args) < len(words) || strings.Join(args[:len(words)], " ") != c.name {
			continue
		}
		return c.run(ctx, args[len(words):], p)
	}
	for _, c := range commands() {
		if group, _, ok := strings.Cut(c.name, " "); ok && group == args[0] {
			if len(args) > 1 && isHelp(args[1]) {
				overview(p.stdout, group)
				return exitOK
			}
			overview(p.stderr, group)
			return exitUsage
		}
	}
	p.note("kyckit: there is no such command; kyckit -h lists them")
	return exitUsage
}

func isHelp(arg string) bool {
	return arg == "-h" || arg == "-help" || arg == "--help" || arg == "help"
}

// overview lists the commands, or those of a group.
func overview(w io.Writer, group string) {
	writef(w, "Usage: kyckit <command> [flags]\n\n")
	for _, c := range commands() {
		if group == "" || strings.HasPrefix(c.name, group+" ") {
			writef(w, "  %-16s %s\n", c.name, c.summary)
		}
	}
	writef(w, "\nkyckit <command> -h explains one. Secrets are @file, env:NAME or - (standard input).\n"+
		"Exit codes: 0 fine, 1 a negative finding, 2 wrong usage, 3 unreachable.\n")
}

// run parses the flags and does the work.
func (c command) run(ctx context.Context, args []string, p *program) int {
	fs := flag.NewFlagSet("kyckit "+c.name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	do := c.setup(p, fs)
	rest, err := parse(fs, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		c.help(p.stdout, fs)
		return exitOK
	case err != nil:
		err = usage("%s", withoutValues(err))
	default:
		err = do(ctx, rest)
	}
	var known *failure
	switch {
	case err == nil:
		return exitOK
	case !errors.As(err, &known):
		known = &failure{exitFinding, err.Error()}
	}
	if known.text != "" {
		p.note("kyckit: %s", known.text)
	}
	if known.code == exitUsage {
		p.note("kyckit %s -h explains the flags", c.name)
	}
	return known.code
}

// parse takes flags before, between and after the arguments.
func parse(fs *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := fs.Parse(args); err != nil {
			return nil, err
		}
		args = fs.Args()
		if len(args) == 0 {
			return rest, nil
		}
		rest, args = append(rest, args[0]), args[1:]
	}
}

// withoutValues is the text of an error of package flag without what was typed,
// which may be a secret.
func withoutValues(err error) string {
	text := err.Error()
	switch {
	case strings.HasPrefix(text, "flag provided but not defined: "):
		return "there is no flag " + strings.TrimPrefix(text, "flag provided but not defined: ")
	case strings.Contains(text, " for flag "), strings.Contains(text, "boolean value"):
		_, name, _ := strings.Cut(text, " for ")
		name, _, _ = strings.Cut(strings.TrimPrefix(name, "flag "), ":")
		return "the value of " + name + " is not valid"
	}
	return text
}

func (c command) help(w io.Writer, fs *flag.FlagSet) {
	args := ""
	if c.args != "" {
		args = " " + c.args
	}
	writef(w, "kyckit %s: %s\n\nUsage: kyckit %s%s [flags]\n", c.name, c.summary, c.name, args)
	if c.about != "" {
		writef(w, "\n%s\n", strings.TrimSpace(c.about))
	}
	writef(w, "\nFlags:\n")
	fs.VisitAll(func(f *flag.Flag) {
		name, text := flag.UnquoteUsage(f)
		line := "  -" + f.Name
		if name != "" {
			line += " " + name
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "0s" {
			text += " (default " + f.DefValue + ")"
		}
		writef(w, "%-28s %s\n", line, text)
	})
	if len(c.example) > 0 {
		writef(w, "\nExamples:\n  %s\n", strings.Join(c.example, "\n  "))
	}
}

// one returns the only argument of a command.
func one(args []string, what string) (string, error) {
	if len(args) != 1 {
		return "", usage("exactly one argument is needed: %s", what)
	}
	return args[0], nil
}

func none(args []string) error {
	if len(args) > 0 {
		return usage("this command takes flags alone")
	}
	return nil
}
