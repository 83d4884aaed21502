package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/webhook"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

const (
	planted = "planted-secret-of-the-test"
	event   = `{"id":"evt-1","name":"Planted Person"}`
)

// signed returns the header lines of a signed delivery.
func signed(t *testing.T, s webhook.Scheme, secret, body string, at time.Time) http.Header {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	require.NoError(t, webhooktest.HMAC{Scheme: s, Secrets: []string{secret}}.Sign(r, "evt-1", at, []byte(body)))
	return r.Header
}

func text(h http.Header) string {
	var out strings.Builder
	for name, values := range h {
		for _, v := range values {
			fmt.Fprintf(&out, "%s: %s\n", name, v)
		}
	}
	return out.String()
}

func TestVerify(t *testing.T) {
	now := time.Now()
	github, stripe := webhook.GitHub(), webhook.Stripe()
	good := signed(t, stripe, planted, event, now)
	both := good.Clone()
	both.Add("Stripe-Signature", both.Get("Stripe-Signature"))
	for name, tc := range map[string]struct {
		scheme, secret string
		header         http.Header
		body           string
		more           []string
		cause          string
	}{
		"ok":             {"stripe", planted + "\n", good, event, nil, ""},
		"ok, github":     {"github", planted, signed(t, github, planted, event, now), event, nil, ""},
		"newline":        {"stripe", planted, good, event + "\n", nil, "body-newline"},
		"reformatted":    {"stripe", planted, good, strings.ReplaceAll(event, ",", ", "), nil, "body-reformatted"},
		"BOM":            {"stripe", planted, good, "\ufeff" + event, nil, "body-bom"},
		"secret":         {"stripe", "other", good, event, nil, "secret-wrong"},
		"blank":          {"stripe", planted + " ", good, event, nil, "secret-whitespace"},
		"doubled":        {"stripe", planted, both, event, nil, "header-doubled"},
		"missing":        {"stripe", planted, http.Header{"Host": {"us.example"}}, event, nil, "header-missing"},
		"other scheme":   {"github", planted, good, event, nil, "other-scheme"},
		"old":            {"stripe", planted, good, event, []string{"-at", now.Add(time.Hour).Format(time.RFC3339)}, "clock-skew"},
		"at its time":    {"stripe", planted, signed(t, stripe, planted, event, now.Add(-time.Hour)), event, []string{"-at", now.Add(-time.Hour).Format(time.RFC3339)}, ""},
		"unreadable":     {"stripe", planted, http.Header{"Stripe-Signature": {"?"}}, event, nil, "unknown"},
		"cut by a log":   {"stripe", planted, mergedHeader(good, "Content-Length", "999"), event[:10], nil, "body-truncated"},
		"wide tolerance": {"stripe", planted, good, event, []string{"-tolerance", "2h", "-at", now.Add(time.Hour).Format(time.RFC3339)}, ""},
	} {
		args := append([]string{"webhook", "verify", "-scheme", tc.scheme, "-secret", file(t, tc.secret), "-headers", file(t, text(tc.header)), "-body", file(t, tc.body)}, tc.more...)
		r := call(t, args...)
		line := fields(t, r.out)
		if tc.cause == "" {
			assert.Equal(t, exitOK, r.code, name+r.err)
			assert.Equal(t, map[string]any{"result": "ok"}, line, name)
			continue
		}
		assert.Equal(t, exitFinding, r.code, name)
		assert.Equal(t, map[string]any{"result": "refused", "cause": tc.cause}, line, name)
		assert.Contains(t, r.err, tc.cause, name)
		asJSON := call(t, append(args, "-json")...)
		assert.Equal(t, tc.cause, fields(t, asJSON.out)["cause"])
		assert.NotEmpty(t, fields(t, asJSON.out)["detail"])
		for _, secret := range []string{planted, "Planted Person", good.Get("Stripe-Signature"), "\x1b"} {
			assert.NotContains(t, r.out+r.err+asJSON.out+asJSON.err, secret, name)
		}
	}
	for name, args := range map[string][]string{
		"no scheme":   {"-secret", file(t, "s"), "-headers", file(t, ""), "-body", file(t, "")},
		"no secret":   {"-scheme", "github", "-headers", file(t, ""), "-body", file(t, "")},
		"no headers":  {"-scheme", "github", "-secret", file(t, "s"), "-body", file(t, "")},
		"no body":     {"-scheme", "github", "-secret", file(t, "s"), "-headers", file(t, "")},
		"bad headers": {"-scheme", "github", "-secret", file(t, "s"), "-headers", file(t, "no colon here"), "-body", file(t, "")},
		"bad time":    {"-scheme", "github", "-secret", file(t, "s"), "-headers", file(t, ""), "-body", file(t, ""), "-at", "noon"},
	} {
		assert.Equal(t, exitUsage, call(t, append([]string{"webhook", "verify"}, args...)...).code, name)
	}
}

func mergedHeader(h http.Header, name, value string) http.Header {
	h = h.Clone()
	h.Set(name, value)
	return h
}

func TestVerifyJudgesCertificates(t *testing.T) {
	ca := webhooktest.NewTestCA(t, "made-up CA")
	leaf := webhooktest.Leaf{DNSNames: []string{"hooks.test"}}
	good, revoked := ca.Issue(leaf), ca.Issue(leaf)
	list := ca.CRL(webhooktest.CRL{Revoked: nil})
	h, b, s := file(t, text(signed(t, webhook.GitHub(), planted, event, time.Now()))), file(t, event), file(t, planted)
	_ = revoked
	for name, tc := range map[string]struct {
		cert  *webhooktest.Identity
		more  []string
		cause string
	}{
		"good":        {good, nil, ""},
		"right name":  {good, []string{"-dns", "hooks.test"}, ""},
		"other name":  {good, []string{"-dns", "other.test"}, "certificate"},
		"right pin":   {good, []string{"-spki", good.SPKI()}, ""},
		"with a list": {good, []string{"-crl", file(t, string(list))}, ""},
		"expired":     {ca.Bad(webhooktest.Expired, leaf), nil, "certificate"},
		"stranger":    {ca.Bad(webhooktest.Stranger, leaf), nil, "certificate"},
	} {
		r := call(t, append([]string{
			"webhook", "verify", "-scheme", "github", "-secret", s, "-headers", h, "-body", b,
			"-cert", file(t, string(tc.cert.PEM())), "-ca", file(t, string(ca.PEM())),
		}, tc.more...)...)
		cause, _ := fields(t, r.out)["cause"].(string)
		assert.Equal(t, tc.cause, cause, name+r.err)
	}
	r := call(t, "webhook", "verify", "-scheme", "github", "-secret", s, "-headers", h, "-body", b, "-cert", file(t, "none"))
	assert.Equal(t, exitUsage, r.code)
}

func TestSendListenSaveForwardAndReplay(t *testing.T) {
	var got atomic.Int32
	var macs sync.Map // signatures that arrived
	var lines []string
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.Add(1)
		assert.Equal(t, "/hook", r.URL.Path)
		assert.NotEmpty(t, r.Header.Get("Webhook-Signature"))
		macs.Store(r.Header.Get("Webhook-Signature"), true)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer backend.Close()
	const secret = "whsec_bWFkZS11cCBzZWNyZXQgb2YgdGhlIHRlc3Q="
	dir := filepath.Join(t.TempDir(), "saved")
	listen := start(t, "webhook", "listen", "-json", "-scheme", "standard-webhooks", "-secret", file(t, secret), "-forward", backend.URL+"/hook", "-save", dir)
	url := fields(t, listen.first)["url"].(string)
	next := func() string {
		line := listen.next()
		lines = append(lines, line)
		return line
	}
	send := func(secret string, more ...string) result {
		return call(t, append([]string{"webhook", "send", "-url", url, "-scheme", "standard-webhooks", "-secret", file(t, secret), "-body", file(t, event)}, more...)...)
	}
	r := send(secret)
	assert.Equal(t, exitOK, r.code, r.err)
	assert.Contains(t, r.out, "202")
	line := next()
	assert.Equal(t, "ok", fields(t, line)["result"])
	assert.InDelta(t, 202, fields(t, line)["forward"], 0)
	r = send("whsec_YW5vdGhlciBzZWNyZXQ=", "-json")
	assert.InDelta(t, 202, fields(t, r.out)["status"], 0, "the receiver decides")
	line = next()
	assert.Equal(t, "secret-wrong", fields(t, line)["cause"])
	r = send(secret, "-at", "2020-01-02T03:04:05Z")
	assert.Equal(t, exitOK, r.code)
	assert.Equal(t, "clock-skew", fields(t, next())["cause"])

	for _, name := range []string{"1.headers", "1.body", "2.body"} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
	}
	r = call(t, "webhook", "verify", "-scheme", "standard-webhooks", "-secret", file(t, secret), "-headers", "@"+filepath.Join(dir, "1.headers"), "-body", "@"+filepath.Join(dir, "1.body"))
	assert.Equal(t, exitOK, r.code, r.err)
	r = call(t, "webhook", "send", "-url", url, "-headers", "@"+filepath.Join(dir, "1.headers"), "-body", "@"+filepath.Join(dir, "1.body"))
	assert.Equal(t, exitOK, r.code, r.err)
	assert.Equal(t, "ok", fields(t, next())["result"], "a saved delivery is sent again as it was")
	assert.EqualValues(t, 4, got.Load())

	backend.Close()
	r = send(secret)
	assert.Equal(t, exitFinding, r.code)
	assert.Contains(t, fields(t, next())["detail"], "cannot be reached")
	listen.stop(terminate)
	r = send(secret)
	assert.Equal(t, exitUnreachable, r.code)
	said := strings.Join(lines, "\n") + listen.stderr.String() + r.out + r.err
	for _, p := range []string{"Planted Person", secret, strings.TrimPrefix(secret, "whsec_")} {
		assert.NotContains(t, said, p)
	}
	macs.Range(func(mac, _ any) bool {
		return assert.NotContains(t, said, strings.TrimPrefix(mac.(string), "v1,"))
	})
}

func TestListenAnswersByItself(t *testing.T) {
	listen := start(t, "webhook", "listen", "-scheme", "github", "-secret", file(t, planted), "-max-body", "100")
	url := strings.Fields(listen.first)[2]
	send := func(body string) result {
		return call(t, "webhook", "send", "-url", url, "-scheme", "github", "-secret", file(t, planted), "-body", file(t, body))
	}
	assert.Equal(t, exitOK, send(event).code)
	assert.Contains(t, listen.next(), "ok")
	status, _ := post(t, url, event)
	assert.Equal(t, http.StatusUnauthorized, status)
	line := listen.next()
	assert.Contains(t, line, "refused header-missing")
	assert.NotContains(t, line, "\x1b")
	assert.Equal(t, exitFinding, send(strings.Repeat("x", 101)).code)
	assert.Contains(t, listen.next(), "too-large")
	listen.stop(os.Interrupt)
}

func TestSendToNobody(t *testing.T) {
	args := []string{"webhook", "send", "-scheme", "github", "-secret", file(t, "s"), "-body", file(t, "{}"), "-url"}
	assert.Equal(t, exitUnreachable, call(t, append(args, "http://127.0.0.1:1/")...).code)
	assert.Equal(t, exitUsage, call(t, append(args, "ftp://127.0.0.1:1/")...).code)
	assert.Equal(t, exitUsage, call(t, append(args, "")...).code)
	r := call(t, append(args, "http://user:"+planted+"@127.0.0.1:1/")...)
	assert.NotContains(t, r.out+r.err, planted)
}
