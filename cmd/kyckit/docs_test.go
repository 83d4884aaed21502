package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// transcript runs what a document shows.
type transcript struct {
	t       *testing.T
	dir     string
	ports   map[string]string // of the document, and in this run
	servers []*exec.Cmd
	code    int // of the last command
}

var documentedPort = regexp.MustCompile(`127\.0\.0\.1:(80\d\d)`)

// Every console block of the documentation of the command is run, and its
// output compared: an ellipsis stands for anything, a line of it for any lines.
func TestDocumentedTranscripts(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the transcripts are for a shell")
	}
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not here", tool)
		}
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "command", "README.md"))
	require.NoError(t, err)
	run := &transcript{t: t, dir: t.TempDir(), ports: map[string]string{}}
	defer run.stop()
	blocks := strings.Split(string(text), "\n```console\n")[1:]
	require.NotEmpty(t, blocks)
	for _, block := range blocks {
		block, _, _ := strings.Cut(block, "\n```")
		for _, step := range strings.Split("\n"+block, "\n$ ")[1:] {
			command, want, _ := strings.Cut(step, "\n")
			got := run.command(run.here(command))
			assert.Regexp(t, pattern(run.here(want)), got, command)
		}
	}
}

// here puts the ports of this run in the place of the documented ones.
func (r *transcript) here(text string) string {
	return documentedPort.ReplaceAllStringFunc(text, func(address string) string {
		if r.ports[address] == "" {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(r.t, err)
			r.ports[address] = ln.Addr().String()
			require.NoError(r.t, ln.Close())
		}
		return r.ports[address]
	})
}

// pattern is the regular expression of what a document shows.
func pattern(shown string) string {
	text := regexp.QuoteMeta(strings.TrimRight(shown, "\n"))
	text = regexp.MustCompile(`(?m)^…$`).ReplaceAllString(text, `(?s:.*)`)
	return `^` + strings.ReplaceAll(text, "…", `[^\n]*`) + `\n*$`
}

func (r *transcript) command(line string) (output string) {
	if line == "echo $?" {
		return itoa(r.code) + "\n"
	}
	line, background := strings.CutSuffix(line, " &")
	if background {
		line = "exec " + line
	}
	cmd := exec.Command("bash", "-c", line)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"))
	if background {
		require.NoError(r.t, cmd.Start())
		r.servers = append(r.servers, cmd)
		r.wait(line)
		return ""
	}
	out, err := cmd.CombinedOutput()
	if r.code = cmd.ProcessState.ExitCode(); r.code < 0 {
		require.NoError(r.t, err)
	}
	return string(out)
}

// wait returns when the server of a command has said all that it says at first.
func (r *transcript) wait(line string) {
	name := regexp.MustCompile(` >(\S+)`).FindStringSubmatch(line)[1]
	size := int64(0)
	require.Eventually(r.t, func() bool {
		before := size
		if info, err := os.Stat(filepath.Join(r.dir, name)); err == nil {
			size = info.Size()
		}
		return size > 0 && size == before
	}, time.Minute, 100*time.Millisecond, line)
}

func (r *transcript) stop() {
	for _, s := range r.servers {
		assert.NoError(r.t, s.Process.Signal(syscall.SIGTERM))
		assert.NoError(r.t, s.Wait(), "a server ends with 0")
	}
}
