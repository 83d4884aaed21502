package main

import (
	"bufio"
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
)

// site is the running application.
type site struct {
	url  string
	log  *logBuffer
	stop func() // SIGTERM: it drains
}

// newSite runs the application in this process, with its own fake.
func newSite(t *testing.T, args ...string) *site {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	s := &site{log: &logBuffer{}}
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, append([]string{"-addr", "127.0.0.1:0", "-drain", "2s"}, args...), w, s.log)
		_ = w.Close()
	}()
	line, err := bufio.NewReader(r).ReadString('\n')
	require.NoError(t, err, s.log)
	go func() { _, _ = io.Copy(io.Discard, r) }()
	s.url = strings.TrimSpace(line)
	stopped := false
	s.stop = func() {
		cancel()
		if !stopped {
			stopped = true
			require.NoError(t, <-ended)
		}
	}
	t.Cleanup(s.stop)
	return s
}

// process is the application as a program, which can be killed.
type process struct {
	url string
	cmd *exec.Cmd
}

// newProcess builds and starts the program against a fake that outlives it.
func newProcess(t *testing.T, program, db, addr string, fake *nafathtest.Server, more ...string) *process {
	t.Helper()
	cfg := fake.TokenConfig()
	cmd := exec.Command(program, append([]string{
		"-addr", addr, "-db", db, "-key", "env:NAFATHWEB_KEY", "-drain", "1s",
		"-base-url", fake.ClientConfig().BaseURL, "-token-url", cfg.TokenURL, "-client-id", cfg.ClientID, "-client-secret", "env:NAFATHWEB_SECRET",
	}, more...)...)
	cmd.Env = append(os.Environ(), "NAFATHWEB_KEY="+strings.Repeat("test key for tests only ", 2), "NAFATHWEB_SECRET="+cfg.ClientSecret.Reveal())
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _, _ = cmd.Process.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return &process{strings.TrimSpace(line), cmd}
}

// kill is kill -9.
func (p *process) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Kill())
	_ = p.cmd.Wait()
}

func buildProgram(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "nafathweb")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	return program
}

func newFakeProvider(t *testing.T) *nafathtest.Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	fake := nafathtest.NewServer(nafathtest.Config{Options: kyctest.Options{Listener: listener}})
	t.Cleanup(fake.Close)
	return fake
}

// browser is a client without a script: it keeps the cookie, which Go's jar
// would not send over plain http.
type browser struct {
	t      *testing.T
	url    string
	cookie string
	header http.Header
}

func newBrowser(t *testing.T, s *site) *browser {
	t.Helper()
	return &browser{t: t, url: strings.TrimSuffix(s.url, "/"), header: http.Header{}}
}

// do makes one request, keeps the cookie, and follows no redirect.
func (b *browser) do(method, path string, form url.Values) (*http.Response, string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(form.Encode()))
	require.NoError(b.t, err)
	maps.Copy(r.Header, b.header)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if r.Header.Get("Sec-Fetch-Site") == "" {
			r.Header.Set("Sec-Fetch-Site", "same-origin")
		}
	}
	if b.cookie != "" {
		r.Header.Set("Cookie", b.cookie)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	require.NoError(b.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(b.t, err)
	for _, c := range resp.Cookies() {
		b.cookie = c.Name + "=" + c.Value
	}
	return resp, string(body)
}

// begin opens the first page and sends the form.
func (b *browser) begin(nationalID string) (*http.Response, string) {
	b.t.Helper()
	b.do(http.MethodGet, "/", nil)
	return b.do(http.MethodPost, "/begin", url.Values{"nationalId": {nationalID}})
}

// shows waits until the verification's page has an element with a text that
// matches, and returns the text.
func (b *browser) shows(testID, pattern string, within time.Duration) string {
	b.t.Helper()
	var text string
	require.Eventually(b.t, func() bool {
		_, body := b.do(http.MethodGet, "/verification", nil)
		text = element(body, testID)
		return regexp.MustCompile(pattern).MatchString(text)
	}, within, 50*time.Millisecond, "%s never matched %q", testID, pattern)
	return text
}

// element returns the text of the element with a data-testid.
func element(body, testID string) string {
	_, after, ok := strings.Cut(body, `data-testid="`+testID+`"`)
	if !ok {
		return ""
	}
	_, after, _ = strings.Cut(after, ">")
	text, _, _ := strings.Cut(after, "</p>")
	text, _, _ = strings.Cut(text, "</bdi></p>")
	return strings.TrimSpace(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(text, ""))
}

// answer presses a button of the simulated phone for the request with a code.
func (b *browser) answer(nationalID, code, answer string) {
	b.t.Helper()
	_, body := b.do(http.MethodGet, "/phone?nationalId="+nationalID, nil)
	match := regexp.MustCompile(`name="transId" value="([^"]+)"`).FindStringSubmatch(body)
	require.NotNil(b.t, match, body)
	resp, body := b.do(http.MethodPost, "/phone?nationalId="+nationalID, url.Values{"transId": {match[1]}, "random": {code}, "answer": {answer}})
	require.Equal(b.t, http.StatusSeeOther, resp.StatusCode, body)
}

// ids are made-up national ids that pass the check digit.
func ids(n int) []string {
	var all []string
	for i := 1000000000; len(all) < n; i++ {
		id := []byte{}
		for d := i; d > 0; d /= 10 {
			id = append([]byte{byte('0' + d%10)}, id...)
		}
		if normal, err := nafath.Normalise(string(id)); err == nil {
			all = append(all, normal)
		}
	}
	return all
}
