package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sdk "github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/webhook"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

func FuzzHeaderLines(f *testing.F) {
	for _, seed := range []string{"A: b\nC:d\n", "POST / HTTP/1.1\r\nA: b\r\n\r\nbody: x", "no colon", ": x", "A b: c", "\n\nA: b", "A:\x00\xff", "HTTP/1.1 200 OK\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		found, err := headerLines(text)
		if err != nil {
			for line := range strings.SplitSeq(string(text), "\n") {
				if len(line) > 12 {
					assert.NotContains(t, err.Error(), line, "a line may hold a signature")
				}
			}
			return
		}
		for name, values := range found {
			assert.NotEmpty(t, name)
			assert.False(t, strings.ContainsFunc(name, unicode.IsSpace), name)
			assert.NotEmpty(t, values)
		}
	})
}

func FuzzInspect(f *testing.F) {
	f.Add(token(`{"alg":"HS256"}`, `{"exp":9999999999,"x":"\u001b[2J"}`))
	f.Add(token(`{"alg":"none"}`, `{"exp":"x"}`))
	f.Add("a.b.c")
	f.Add("...")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		out := judge(text, sdk.NewSecret("a secret that nobody knows"), time.Now())
		require.NotEmpty(t, out.Reasons, "nobody can sign by chance")
		for _, raw := range []json.RawMessage{out.Header, out.Claims} {
			assert.True(t, raw == nil || json.Valid(raw))
			assert.False(t, strings.ContainsFunc(string(raw), unicode.IsControl))
		}
	})
}

func FuzzForwardedHeaders(f *testing.F) {
	ca, err := webhooktest.NewCA("made-up CA")
	require.NoError(f, err)
	leaf, err := ca.Issue(webhooktest.Leaf{CommonName: "made-up"})
	require.NoError(f, err)
	for format := webhook.ProxyNginx; format <= webhook.ProxyDER; format++ {
		for name, values := range webhooktest.Forward(format, leaf.Certificate) {
			f.Add(name, values[0])
		}
	}
	f.Add("X-Forwarded-Client-Cert", `Hash=0;Cert="%zz`)
	f.Add("Client-Cert", ":AAAA:")
	f.Fuzz(func(t *testing.T, name, value string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
		r.Header = http.Header{http.CanonicalHeaderKey(name): {value}}
		out := forwardedOf(r)
		assert.NotEmpty(t, out.Advice)
		assert.Equal(t, out.Format == "", !strings.Contains(out.Advice, "Set ProxyCertConfig.Format"))
	})
}

func FuzzRedisReply(f *testing.F) {
	for _, seed := range []string{"+PONG\r\n", "-ERR x\r\n", "$3\r\nabc\r\n", "$-1\r\n", "$99999999999999999999\r\n", "$1048576\r\nx", ":1\r\n", "", "\r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		text, err := reply(bufio.NewReader(bytes.NewReader(raw)))
		assert.True(t, err == nil || text == "")
		assert.LessOrEqual(t, len(text), len(raw))
	})
}

func FuzzTokenAnswers(f *testing.F) {
	for _, seed := range []string{
		`{"access_token":"planted-token","token_type":"Bearer","expires_in":60}`, `{"data":{"access_token":"planted-token","expires_in":1e308}}`,
		`{"access_token":"a.eyJleHAiOjF9.planted-token","token_type":"bearer"}`, `{"error":"planted-token"}`, `{"error":{"x":1}}`, `[]`, `<html>`, ``,
	} {
		f.Add(200, []byte(seed))
		f.Add(401, []byte(seed))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		var out bytes.Buffer
		d := &doctor{program: &program{stdout: &out, stderr: &out, getenv: func(string) string { return "" }}, flags: &doctorFlags{}}
		well := d.checkToken(answer{status: status, body: body})
		assert.Equal(t, !well, d.failed)
		assert.NotContains(t, out.String(), "planted-token")
		assert.False(t, strings.ContainsFunc(strings.TrimSuffix(out.String(), "\n"), unicode.IsControl))
	})
}
