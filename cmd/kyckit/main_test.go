package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// binary is the built command, made once for all tests.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "kyckit")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "kyckit")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		panic(string(out))
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// result is what a run of the command gave.
type result struct {
	out, err string
	code     int
}

// given is what a run of the command gets besides its arguments.
type given struct {
	env   []string
	stdin string
	dir   string
}

func (g given) run(t *testing.T, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), g.env...)
	cmd.Dir = g.dir
	cmd.Stdin = strings.NewReader(g.stdin)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	require.NoError(t, ctx.Err())
	if cmd.ProcessState == nil {
		require.NoError(t, err)
	}
	return result{out.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

func call(t *testing.T, args ...string) result {
	t.Helper()
	return given{}.run(t, args...)
}

// fields decodes a JSON line.
func fields(t *testing.T, line string) map[string]any {
	t.Helper()
	var m map[string]any
	require.NoError(t, json.Unmarshal([]byte(line), &m), line)
	return m
}

// file writes a file of the test and returns "@" and its path.
func file(t *testing.T, content string) string {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	require.NoError(t, err)
	_, err = f.WriteString(content)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	return "@" + f.Name()
}

// server is a running server of the command.
type server struct {
	t      *testing.T
	cmd    *exec.Cmd
	first  string      // line on the standard output
	lines  chan string // those that follow
	stderr *bytes.Buffer
}

// start runs a command that serves, and waits for its first line.
func start(t *testing.T, args ...string) *server {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no signals to end a server by")
	}
	s := &server{t: t, lines: make(chan string, 1000), stderr: &bytes.Buffer{}}
	s.cmd = exec.Command(binary, args...)
	s.cmd.Stderr = s.stderr
	out, err := s.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, s.cmd.Start())
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	all := make(chan string, 1000)
	go func() {
		defer close(all)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			all <- scan.Text()
		}
	}()
	s.lines = all
	s.first = s.next()
	return s
}

func (s *server) next() string {
	s.t.Helper()
	select {
	case line, ok := <-s.lines:
		require.True(s.t, ok, "the server ended")
		return line
	case <-time.After(time.Minute):
		require.Fail(s.t, "the server says nothing")
		return ""
	}
}

// stop ends the server by a signal and returns how long that took.
func (s *server) stop(signal os.Signal) time.Duration {
	s.t.Helper()
	began := time.Now()
	require.NoError(s.t, s.cmd.Process.Signal(signal))
	for range s.lines {
	}
	err := s.cmd.Wait()
	require.NoError(s.t, err, "the exit code is 0")
	return time.Since(began)
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

func post(t *testing.T, url, body string) (int, string) {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(answer)
}

func TestHelp(t *testing.T) {
	r := call(t)
	assert.Equal(t, exitUsage, r.code)
	assert.Contains(t, r.err, "webhook verify")
	for _, help := range []string{"-h", "--help", "help"} {
		r = call(t, help)
		assert.Equal(t, exitOK, r.code)
		assert.Contains(t, r.out, "webhook verify")
		assert.Empty(t, r.err)
	}
	for _, c := range commands() {
		r = call(t, append(strings.Fields(c.name), "-h")...)
		assert.Equal(t, exitOK, r.code, c.name)
		assert.Contains(t, r.out, "Usage: kyckit "+c.name)
		assert.Contains(t, r.out, c.summary)
		for _, example := range c.example {
			assert.Contains(t, r.out, example)
		}
		r = call(t, append(strings.Fields(c.name), "-no-such-flag")...)
		assert.Equal(t, exitUsage, r.code, c.name)
		assert.Contains(t, r.err, "no-such-flag")
		assert.Empty(t, r.out)
	}
	for _, group := range []string{"webhook", "token"} {
		assert.Equal(t, exitOK, call(t, group, "-h").code)
		assert.Equal(t, exitUsage, call(t, group).code)
		assert.Equal(t, exitUsage, call(t, group, "adopt").code)
	}
	assert.Equal(t, exitUsage, call(t, "adopt").code)
	assert.Equal(t, exitUsage, call(t, "version", "x").code)
}

// Whoever types a secret as an argument is told so, without seeing it again.
func TestSecretsAreNoArguments(t *testing.T) {
	const typed = "typed-by-mistake"
	for _, args := range [][]string{
		{"webhook", "send", "-url", "http://127.0.0.1:1", "-scheme", "github", "-body", file(t, "{}"), "-secret", typed},
		{"webhook", "verify", "-scheme", "github", "-headers", file(t, "A: b"), "-body", file(t, "{}"), "-secret", typed},
		{"webhook", "listen", "-scheme", "github", "-secret", typed},
		{"token", "mint", "-issuer", "i", "-person", "00011122285", "-secret", typed},
		{"token", "inspect", "-secret", typed, file(t, "x")},
		{"token", "inspect", typed},
		{"token", "verify", "-secret", typed, "-person", "1", "-policy", "p", file(t, "x")},
		{"doctor", "faceki", "-base-url", "http://127.0.0.1:1", "-client-id", "i", "-client-secret", typed},
		{"doctor", "kycjwt", "-base-url", "http://127.0.0.1:1", "-username", "u", "-password", typed},
		{"fake", "nafath", "-webhook", "http://127.0.0.1:1", "-webhook-scheme", "github", "-webhook-secret", typed},
		{"token", "mint", "-ttl", typed},
		{"token", "inspect", "-secret", "@" + typed, file(t, "x")},
		{"token", "inspect", "-secret", "env:" + typed, file(t, "x")},
		{"webhook", "send", "-url", "http://127.0.0.1:1", "-scheme", typed, "-body", file(t, "{}"), "-secret", file(t, "s")},
	} {
		r := call(t, args...)
		assert.Equal(t, exitUsage, r.code, args)
		assert.NotContains(t, r.out+r.err, typed, args)
	}
}

func TestSecretReferences(t *testing.T) {
	mint := func(g given, ref string) result {
		return g.run(t, "token", "mint", "-issuer", "i", "-person", "00011122285", "-secret", ref)
	}
	tokens := map[string]string{}
	for name, r := range map[string]result{
		"file":           mint(given{}, file(t, "made-up secret")),
		"line break":     mint(given{}, file(t, "made-up secret\n")),
		"Windows break":  mint(given{}, file(t, "made-up secret\r\n")),
		"environment":    mint(given{env: []string{"KYCKIT_TEST_SECRET=made-up secret"}}, "env:KYCKIT_TEST_SECRET"),
		"standard input": mint(given{stdin: "made-up secret\n"}, "-"),
		"another one":    mint(given{}, file(t, "another secret")),
	} {
		require.Equal(t, exitOK, r.code, "%s: %s", name, r.err)
		parts := strings.Split(strings.TrimSpace(r.out), ".")
		require.Len(t, parts, 3)
		i := call(t, "token", "inspect", "-secret", file(t, "made-up secret"), file(t, r.out))
		tokens[name] = i.out
		assert.Equal(t, name == "another one", i.code == exitFinding, i.out)
	}
	for name, r := range map[string]result{
		"empty file": mint(given{}, file(t, "\n")), "empty environment": mint(given{env: []string{"KYCKIT_EMPTY="}}, "env:KYCKIT_EMPTY"),
		"no file": mint(given{}, "@/no/such/file"), "directory": mint(given{}, "@"+t.TempDir()), "nothing": mint(given{}, ""),
		"empty input": mint(given{}, "-"), "too much": mint(given{}, file(t, strings.Repeat("x", maxSecret+1))),
	} {
		assert.Equal(t, exitUsage, r.code, name)
	}
	r := given{stdin: "x"}.run(t, "token", "inspect", "-secret", "-", "-")
	assert.Equal(t, exitUsage, r.code)
	assert.Contains(t, r.err, "standard input")
	// White space is a part of the secret, and is told of.
	r = call(t, "webhook", "verify", "-scheme", "github", "-secret", file(t, "made-up \n"), "-headers", file(t, "A: b"), "-body", file(t, "{}"))
	assert.Contains(t, r.err, "white space")
}

func TestVersion(t *testing.T) {
	r := call(t, "version")
	assert.Equal(t, exitOK, r.code)
	assert.Contains(t, r.out, runtime.Version())
	m := fields(t, call(t, "version", "-json").out)
	assert.Equal(t, runtime.Version(), m["go"])
	assert.NotEmpty(t, m["version"])
}

func TestColoursAreForTerminalsThatWantThem(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	require.NoError(t, err)
	defer func() { _ = null.Close() }()
	if !terminal(null) {
		t.Skip("the null device is no character device here")
	}
	for _, tc := range []struct {
		env  map[string]string
		want bool
	}{
		{map[string]string{"TERM": "xterm"}, true},
		{map[string]string{"TERM": "xterm", "NO_COLOR": "1"}, false},
		{map[string]string{"TERM": "dumb"}, false},
		{map[string]string{}, false},
	} {
		p := &program{getenv: func(name string) string { return tc.env[name] }}
		assert.Equal(t, tc.want, strings.Contains(p.paint(null, red, "x"), "\x1b"), tc.env)
		assert.Equal(t, "x", p.paint(&bytes.Buffer{}, red, "x"), "a pipe")
	}
}

var terminate os.Signal = syscall.SIGTERM
