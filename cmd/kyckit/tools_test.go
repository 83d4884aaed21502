package main

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/webhook"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestCerts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "certs")
	r := call(t, "certs", "-dir", dir, "-host", "hooks.test", "-json")
	require.Equal(t, exitOK, r.code, r.err)
	assert.NotContains(t, r.out, "PRIVATE")
	names := map[string]bool{}
	for line := range strings.Lines(r.out) {
		names[fields(t, line)["file"].(string)] = true
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, names, len(entries))
	assert.Len(t, entries, 2+2*(3+len(webhooktest.BadCerts())))
	for _, e := range entries {
		raw, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		block, rest := pem.Decode(raw)
		require.NotNil(t, block, e.Name())
		_ = rest
		info, err := e.Info()
		require.NoError(t, err)
		if isKey := strings.HasSuffix(e.Name(), "-key.pem"); isKey && runtime.GOOS != "windows" {
			assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), e.Name())
			assert.Equal(t, "PRIVATE KEY", block.Type)
		}
	}
	pool := x509.NewCertPool()
	ca, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	require.NoError(t, err)
	require.True(t, pool.AppendCertsFromPEM(ca))
	server, err := os.ReadFile(filepath.Join(dir, "server.pem"))
	require.NoError(t, err)
	leaf := certificatesOf(server)[0]
	for _, name := range []string{"127.0.0.1", "localhost", "hooks.test", "::1"} {
		_, err = leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: name})
		require.NoError(t, err, name)
	}

	r = call(t, "certs", "-dir", dir)
	assert.Equal(t, exitUsage, r.code, "nothing is overwritten")
	again, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	require.NoError(t, err)
	assert.Equal(t, ca, again)
	assert.Equal(t, exitUsage, call(t, "certs").code)
	assert.Equal(t, exitUsage, call(t, "certs", "-dir", dir, "-valid", "99999h").code)
	assert.Equal(t, exitUsage, call(t, "certs", "-dir", filepath.Join(dir, "x"), "-host", "no ascii ü").code)
	assert.Equal(t, exitUsage, call(t, "certs", "-dir", filepath.Join(dir, "ca.pem", "x")).code)
}

func TestHeaders(t *testing.T) {
	s := start(t, "headers", "-json")
	address := fields(t, s.first)["url"].(string)
	ca := webhooktest.NewTestCA(t, "made-up CA")
	below := ca.Intermediate("made-up intermediate")
	leaf := below.Issue(webhooktest.Leaf{CommonName: "made-up sender", DNSNames: []string{"hooks.test"}})
	send := func(h http.Header) map[string]any {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address+"/x?key="+planted, strings.NewReader(planted))
		require.NoError(t, err)
		req.Header = h.Clone()
		req.Header.Set("Authorization", "Bearer "+planted)
		req.Header.Set("X-Forwarded-For", "192.0.2.7")
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		line := s.next()
		assert.NotContains(t, line, planted)
		assert.Contains(t, line, "192.0.2.7")
		return fields(t, line)
	}
	for name, format := range map[string]webhook.ProxyFormat{
		"ProxyNginx": webhook.ProxyNginx, "ProxyEnvoy": webhook.ProxyEnvoy, "ProxyALB": webhook.ProxyALB,
		"ProxyRFC9440": webhook.ProxyRFC9440, "ProxyTraefik": webhook.ProxyTraefik, "ProxyHAProxy": webhook.ProxyHAProxy,
		"ProxyApache": webhook.ProxyApache, "ProxyDER": webhook.ProxyDER,
	} {
		m := send(webhooktest.Forward(format, leaf.Certificate, below.Certificate))
		assert.Equal(t, name, m["format"], m["advice"])
		assert.Contains(t, m["advice"], "webhook."+name)
		assert.Equal(t, leaf.SPKI(), m["spki"], name)
		assert.Empty(t, send(webhooktest.Forward(format))["format"], name+" without a certificate")
	}
	assert.Empty(t, send(http.Header{})["format"])
	odd := webhooktest.Forward(webhook.ProxyNginx, leaf.Certificate)
	odd.Set("X-Ssl-Client-Verify", "FAILED:expired")
	m := send(odd)
	assert.Empty(t, m["format"])
	assert.Contains(t, m["advice"], "refuses")
	odd = webhooktest.Forward(webhook.ProxyNginx, leaf.Certificate)
	odd["X-Ssl-Client-Cert"] = append(odd["X-Ssl-Client-Cert"], odd["X-Ssl-Client-Cert"][0])
	assert.Empty(t, send(odd)["format"], "given twice")
	s.stop(terminate)

	plain := start(t, "headers")
	get(t, strings.Fields(plain.first)[2])
	assert.Empty(t, plain.next())
	assert.Contains(t, plain.next(), "GET from 127.0.0.1")
	plain.stop(terminate)
}

func TestCompletion(t *testing.T) {
	for shell, complete := range map[string]string{
		"bash": `source "$1"; try() { COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); _kyckit; echo "${COMPREPLY[*]}"; }
try kyckit ""; try kyckit webhook ""; try kyckit webhook verify -sch; try kyckit fake na`,
		"zsh":  `autoload -U compinit; compinit -D; source "$1"; whence -w _kyckit`,
		"fish": `source $argv[1]; complete -C "kyckit "; complete -C "kyckit webhook "; complete -C "kyckit fake na"`,
	} {
		r := call(t, "completion", shell)
		require.Equal(t, exitOK, r.code)
		for _, word := range []string{"webhook", "verify", "doctor", "nafath", "base-url"} {
			assert.Contains(t, r.out, word, shell)
		}
		path, err := exec.LookPath(shell)
		if err != nil {
			t.Logf("%s is not here", shell)
			continue
		}
		script := strings.TrimPrefix(file(t, r.out), "@")
		args := []string{"-c", complete, shell, script}
		if shell == "fish" {
			args = []string{"-c", complete, script}
		}
		cmd := exec.CommandContext(t.Context(), path, args...)
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		if shell == "zsh" {
			assert.Contains(t, string(out), "function")
			continue
		}
		for _, want := range []string{"doctor", "verify", "nafath"} {
			assert.Contains(t, string(out), want, shell)
		}
	}
	assert.Equal(t, exitUsage, call(t, "completion", "tcsh").code)
	assert.Equal(t, exitUsage, call(t, "completion").code)
}
