package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
	"github.com/kyckit/kyckit/webhook"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

// freeAddr is an address of loopback that nobody listens at.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// startRedis runs a redis-server of the test's own.
func startRedis(t *testing.T) (addr string, cmd *exec.Cmd) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		missing(t, "redis-server")
	}
	addr = freeAddr(t)
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	cmd = exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", "", "--loglevel", "warning")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, 20*time.Second, 50*time.Millisecond)
	return addr, cmd
}

// pairedWebhooks are the arguments for a process that takes webhooks, and how a fake
// sends them.
func pairedWebhooks(t *testing.T) (args []string, sends kyctest.Webhook) {
	t.Helper()
	ca := webhooktest.NewTestCA(t, "providers")
	server := ca.Issue(webhooktest.Leaf{DNSNames: []string{"localhost"}, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}).TLS()
	dir, addr := t.TempDir(), freeAddr(t)
	key, err := x509.MarshalPKCS8PrivateKey(server.PrivateKey)
	require.NoError(t, err)
	write(t, filepath.Join(dir, "ca.pem"), string(ca.PEM()))
	write(t, filepath.Join(dir, "cert.pem"), pemText("CERTIFICATE", server.Certificate[0]))
	write(t, filepath.Join(dir, "key.pem"), pemText("PRIVATE KEY", key))
	secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("made-up ", 4)))
	write(t, filepath.Join(dir, "secret"), secret)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.PEM())
	sender := ca.Issue(webhooktest.Leaf{DNSNames: []string{"sender.example"}}).TLS()
	flags := []string{
		"-webhook-addr", addr, "-webhook-cert", filepath.Join(dir, "cert.pem"), "-webhook-key", filepath.Join(dir, "key.pem"),
		"-webhook-ca", filepath.Join(dir, "ca.pem"), "-webhook-sender", "sender.example", "-webhook-secret", "@" + filepath.Join(dir, "secret"),
	}
	hook := kyctest.Webhook{
		URL: "https://" + addr + "/",
		Client: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{
			RootCAs: roots, ServerName: "localhost", Certificates: []tls.Certificate{sender},
		}}},
		Signer: webhooktest.HMAC{Scheme: webhook.StandardWebhooks(), Secrets: []string{secret}},
	}
	return flags, hook
}

// Two processes share a database and a Redis. The webhook comes to the one that does
// not follow the verification, and wakes the one that does; when that is
// killed, the other goes on.
func TestTwoProcessesOnOneRedis(t *testing.T) {
	redis, _ := startRedis(t)
	hookArgs, sends := pairedWebhooks(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	fake := nafathtest.NewServer(nafathtest.Config{Options: kyctest.Options{Listener: listener, Webhook: sends}})
	t.Cleanup(fake.Close)
	program, db := buildProgram(t), filepath.Join(t.TempDir(), "people.sqlite")
	ops := freeAddr(t)
	// Six checks a minute are three for each: without a webhook an answer may take 20 s.
	common := []string{"-redis", "redis://" + redis, "-replicas", "2", "-tenant-checks", "6"}
	follows := newProcess(t, program, db, "127.0.0.1:0", fake, append(common, "-ops-addr", ops)...)
	hears := newProcess(t, program, db, "127.0.0.1:0", fake, append(common, hookArgs...)...)

	b := newBrowser(t, &site{url: follows.url})
	b.begin(someone)
	code := b.shows("code", `^\d\d$`, 30*time.Second)
	b.url = strings.TrimSuffix(hears.url, "/")
	assert.Equal(t, code, b.shows("code", `^\d\d$`, 20*time.Second), "either process serves the page")
	require.NoError(t, fake.Approve(fake.Transactions()[0].TransID, code))
	numbers := newBrowser(t, &site{url: "http://" + ops})
	require.Eventually(t, func() bool {
		_, page := numbers.do(http.MethodGet, "/operator", nil)
		return regexp.MustCompile(`Hints by webhooks since the start</th><td>[1-9]`).MatchString(page)
	}, 30*time.Second, 100*time.Millisecond, "the webhook woke the other process")
	b.shows("result", regexpOf(english.Outcomes[outcomeVerified]), 60*time.Second)

	other := newBrowser(t, &site{url: follows.url})
	other.begin(ids(3)[2])
	code = other.shows("code", `^\d\d$`, 60*time.Second)
	follows.kill(t)
	other.url = strings.TrimSuffix(hears.url, "/")
	for _, tx := range fake.Transactions() {
		if tx.NationalID == ids(3)[2] {
			require.NoError(t, fake.Approve(tx.TransID, code))
		}
	}
	other.shows("result", regexpOf(english.Outcomes[outcomeVerified]), 90*time.Second)
	assert.Len(t, fake.Transactions(), 2, "nobody was prompted twice")
	assert.Equal(t, 1, fake.Count(nafathtest.OpToken), "one login for both")
}

// Without its Redis a process still verifies people.
func TestRedisIsAway(t *testing.T) {
	fake := newFakeProvider(t)
	redis, server := startRedis(t)
	s := newSite(t, append(against(t, fake, filepath.Join(t.TempDir(), "people.sqlite")), "-redis", redis, "-replicas", "2")...)
	require.NoError(t, server.Process.Kill())
	b := newBrowser(t, s)
	b.begin(someone)
	code := b.shows("code", `^\d\d$`, 60*time.Second)
	require.NoError(t, fake.Approve(fake.Transactions()[0].TransID, code))
	b.shows("result", regexpOf(english.Outcomes[outcomeVerified]), 60*time.Second)
}

func TestFlagsForSeveralProcesses(t *testing.T) {
	for _, bad := range [][]string{
		{"-redis", "localhost:6379"},
		{"-redis", "localhost:6379", "-replicas", "2"},
		{"-redis", "localhost:6379", "-db", "x", "-key", "env:X", "-base-url", "https://x.example"},
		{"-replicas", "0"},
	} {
		_, err := parse(bad, &logBuffer{})
		assert.Error(t, err, bad)
	}
	_, err := openShared(t.Context(), nil, "redis://user:hunter2@[", keys{shared: []byte("k")})
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "hunter2")
	assert.Equal(t, nafath.Limits{Requests: 3, StatusChecks: 20, Details: 10}, part(nafath.Limits{}, 3))
	assert.Equal(t, nafath.Limits{Requests: 1, StatusChecks: 1, Details: 2}, part(nafath.Limits{Requests: 2, StatusChecks: 5, Details: 10}, 4+1))
}
