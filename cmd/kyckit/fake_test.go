package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sdk "github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/cafsmartauth"
	"github.com/kyckit/kyckit/faceki"
	"github.com/kyckit/kyckit/kycjwt"
	"github.com/kyckit/kyckit/nafath"
)

// farewells bounds how long a server may take to stop; the machine may be slow.
const farewells = 10 * time.Second

// describedBy is the first line of a fake.
func describedBy(t *testing.T, s *server) description {
	t.Helper()
	var d description
	require.NoError(t, json.Unmarshal([]byte(s.first), &d))
	return d
}

func nafathClient(t *testing.T, d description, client *http.Client) *nafath.Client {
	t.Helper()
	h := sdk.HTTP{Client: client}
	source, err := auth.NewClientCredentials(auth.ClientCredentialsConfig{TokenURL: d.TokenURL, ClientID: d.ClientID, ClientSecret: sdk.NewSecret(d.ClientSecret), HTTP: h})
	require.NoError(t, err)
	c, err := nafath.New(nafath.Config{BaseURL: d.URL, Auth: source, HTTP: h})
	require.NoError(t, err)
	return c
}

func TestFakeNafath(t *testing.T) {
	listen := start(t, "webhook", "listen", "-json", "-scheme", "github", "-secret", file(t, planted))
	hook := fields(t, listen.first)["url"].(string)
	s := start(t, "fake", "nafath", "-json", "-webhook", hook, "-webhook-scheme", "github", "-webhook-secret", file(t, planted))
	d := describedBy(t, s)
	assert.Equal(t, "nafath", d.Provider)
	assert.True(t, strings.HasPrefix(d.URL, "http://127.0.0.1:"))
	c := nafathClient(t, d, nil)
	tx, err := c.Request(t.Context(), "1000000008")
	require.NoError(t, err)

	_, list := get(t, d.Admin+"/transactions")
	var prompts []map[string]string
	require.NoError(t, json.Unmarshal([]byte(list), &prompts))
	require.Equal(t, []map[string]string{{"transId": tx.TransID, "random": tx.Random, "nationalId": "1000000008", "status": "WAITING"}}, prompts)
	_, page := get(t, d.Phone)
	assert.Contains(t, page, "FAKE")
	assert.Contains(t, page, tx.TransID)
	resp, err := http.PostForm(d.Phone, url.Values{"transId": {tx.TransID}, "random": {tx.Random}, "answer": {"approve"}})
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	status, err := c.Status(t.Context(), tx)
	require.NoError(t, err)
	assert.Equal(t, nafath.StatusCompleted, status)
	assert.Equal(t, "ok", fields(t, listen.next())["result"], "the webhook is signed")

	code, _ := post(t, d.Admin+"/faults", `{"op":"status","n":1,"status":404}`)
	assert.Equal(t, http.StatusNoContent, code)
	_, err = c.Status(t.Context(), tx)
	require.ErrorIs(t, err, sdk.ErrNotFound)
	code, body := post(t, d.Admin+"/deliver", `{"made":"up"}`)
	assert.Equal(t, http.StatusOK, code)
	assert.JSONEq(t, `{"status":200}`, body)
	listen.next()
	_, body = get(t, d.Admin+"/requests")
	assert.Contains(t, body, `{"op":"token","method":"POST","path":"/oauth/token"}`)
	code, _ = post(t, d.Admin+"/reset", "")
	assert.Equal(t, http.StatusNoContent, code)
	_, list = get(t, d.Admin+"/transactions")
	assert.JSONEq(t, "[]", list)

	assert.Less(t, s.stop(terminate), farewells)
	listen.stop(terminate)
	assert.Empty(t, s.stderr.String(), "a script need not read the standard error")
	assert.NotContains(t, s.stderr.String()+listen.stderr.String(), planted)
}

// Whoever hangs on a connection does not keep the server.
func TestAServerEndsWhateverIsOpen(t *testing.T) {
	faults := file(t, `[{"op":"token","n":0,"delay":"1h"}]`)
	for _, args := range [][]string{
		{"fake", "nafath", "-json", "-faults", faults}, {"webhook", "listen", "-json", "-scheme", "github", "-secret", file(t, "s")}, {"headers", "-json"},
	} {
		for _, signal := range []os.Signal{terminate, os.Interrupt} {
			s := start(t, args...)
			u, err := url.Parse(fields(t, s.first)["url"].(string))
			require.NoError(t, err)
			for _, open := range []string{
				"", "POST /oauth/token HTTP/1.1\r\n", "POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf",
				"POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=b",
			} {
				conn, err := net.Dial("tcp", u.Host)
				require.NoError(t, err)
				defer func() { _ = conn.Close() }()
				_, err = io.WriteString(conn, open)
				require.NoError(t, err)
			}
			time.Sleep(50 * time.Millisecond) // let the requests arrive; without them the test is only weaker
			assert.Less(t, s.stop(signal), farewells, args)
		}
	}
}

func TestFakesOfTheOthers(t *testing.T) {
	s := start(t, "fake", "-json", "faceki") // flags may come first
	d := describedBy(t, s)
	f, err := faceki.New(faceki.Config{BaseURL: d.URL, ClientID: d.ClientID, ClientSecret: sdk.NewSecret(d.ClientSecret)})
	require.NoError(t, err)
	link, err := f.CreateLink(t.Context(), faceki.LinkParams{WorkflowID: "w"})
	require.NoError(t, err)
	code, _ := post(t, d.Admin+"/transactions/"+link.ID+"/reject", "")
	assert.Equal(t, http.StatusNoContent, code)
	records, err := f.Records(t.Context(), faceki.RecordFilter{Link: link.ID})
	require.NoError(t, err)
	require.Len(t, records, 1)
	assert.Equal(t, faceki.DecisionDeclined, records[0].Decision)
	code, body := post(t, d.Admin+"/deliver", `{}`)
	assert.Equal(t, http.StatusConflict, code)
	assert.Contains(t, body, "-webhook")
	s.stop(terminate)

	s = start(t, "fake", "caf", "-json")
	d = describedBy(t, s)
	assert.Empty(t, d.TokenURL)
	c, err := cafsmartauth.New(cafsmartauth.Config{BaseURL: d.URL, ClientID: d.ClientID, ClientSecret: sdk.NewSecret(d.ClientSecret)})
	require.NoError(t, err)
	access, err := c.Mint("00011122285", time.Minute)
	require.NoError(t, err)
	attest := func(outcome string) (int, cafsmartauth.Answer) {
		in, err := json.Marshal(map[string]string{"accessToken": access.Access.Reveal(), "personId": "00011122285", "policyId": "login", "outcome": outcome})
		require.NoError(t, err)
		code, body := post(t, d.Admin+"/attestations", string(in))
		var a cafsmartauth.Answer
		if code == http.StatusOK {
			require.NoError(t, json.Unmarshal([]byte(body), &a))
		}
		return code, a
	}
	_, a := attest("authorized")
	_, err = c.VerifyAnswer(a, cafsmartauth.Expected{PersonID: "00011122285", PolicyID: "login"})
	require.NoError(t, err)
	_, a = attest("denied")
	_, err = c.VerifyAnswer(a, cafsmartauth.Expected{PersonID: "00011122285", PolicyID: "login"})
	require.ErrorIs(t, err, cafsmartauth.ErrDenied)
	code, _ = attest("adopt")
	assert.Equal(t, http.StatusBadRequest, code)
	s.stop(terminate)

	s = start(t, "fake", "kycjwt", "-json")
	d = describedBy(t, s)
	k, err := kycjwt.New(kycjwt.Config{BaseURL: d.URL, Username: d.ClientID, Password: sdk.NewSecret(d.ClientSecret)})
	require.NoError(t, err)
	require.NoError(t, k.Get(t.Context(), "/webhooks", nil, nil))
	code, _ = get(t, d.Phone)
	assert.Equal(t, http.StatusOK, code)
	s.stop(terminate)
}

func TestFakeOverMutualTLS(t *testing.T) {
	dir := t.TempDir()
	require.Equal(t, exitOK, call(t, "certs", "-dir", dir).code)
	pem := func(name string) []byte {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		return raw
	}
	s := start(t, "fake", "nafath", "-json", "-tls-cert", "@"+filepath.Join(dir, "server.pem"), "-tls-key", "@"+filepath.Join(dir, "server-key.pem"), "-client-ca", "@"+filepath.Join(dir, "ca.pem"))
	d := describedBy(t, s)
	assert.True(t, strings.HasPrefix(d.URL, "https://"))
	cfg := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	require.True(t, cfg.RootCAs.AppendCertsFromPEM(pem("ca.pem")))
	stranger := nafathClient(t, d, &http.Client{Transport: &http.Transport{TLSClientConfig: cfg.Clone()}})
	_, err := stranger.Request(t.Context(), "1000000008")
	require.Error(t, err)
	pair, err := tls.X509KeyPair(pem("client.pem"), pem("client-key.pem"))
	require.NoError(t, err)
	cfg.Certificates = []tls.Certificate{pair}
	_, err = nafathClient(t, d, &http.Client{Transport: &http.Transport{TLSClientConfig: cfg}}).Request(t.Context(), "1000000008")
	require.NoError(t, err)
	r := call(t, "doctor", "nafath", "-base-url", d.URL, "-token-url", d.TokenURL, "-client-id", d.ClientID, "-client-secret", file(t, d.ClientSecret),
		"-ca", "@"+filepath.Join(dir, "ca.pem"), "-cert", "@"+filepath.Join(dir, "client.pem"), "-key", "@"+filepath.Join(dir, "client-key.pem"), "-crl", "@"+filepath.Join(dir, "ca.crl"))
	assert.Equal(t, exitOK, r.code, r.out+r.err)
	assert.Contains(t, r.out, "kyckit test CA")
	assert.NotContains(t, r.out, "FAIL")
	r = call(t, "doctor", "nafath", "-base-url", d.URL, "-token-url", d.TokenURL, "-client-id", d.ClientID, "-client-secret", file(t, d.ClientSecret))
	assert.Equal(t, exitFinding, r.code)
	assert.Contains(t, r.out, "unknown authority")
	r = call(t, "doctor", "nafath", "-base-url", d.URL, "-token-url", d.TokenURL, "-client-id", d.ClientID, "-client-secret", file(t, d.ClientSecret),
		"-ca", "@"+filepath.Join(dir, "ca.pem"))
	assert.Equal(t, exitFinding, r.code, r.out)
	assert.Contains(t, r.out, "demands a client certificate")
	s.stop(terminate)
}

func TestFakeUsage(t *testing.T) {
	for name, args := range map[string][]string{
		"no provider": {}, "other provider": {"stripe"}, "two": {"nafath", "caf"}, "address": {"nafath", "-addr", "here"},
		"limits": {"nafath", "-limits", "1/2"}, "lifetime": {"nafath", "-lifetime", "-1s"}, "webhook": {"nafath", "-webhook", "x"},
		"faults": {"nafath", "-faults", file(t, `{"op":"adopt","n":1,"status":500}`)}, "scheme": {"nafath", "-webhook", "http://127.0.0.1:1", "-webhook-scheme", "x"},
		"scheme alone": {"nafath", "-webhook-scheme", "github"}, "secret alone": {"nafath", "-webhook", "http://127.0.0.1:1", "-webhook-secret", file(t, "s")},
		"no base64": {"nafath", "-webhook", "http://127.0.0.1:1", "-webhook-scheme", "standard-webhooks", "-webhook-secret", file(t, "!")},
		"no pair":   {"nafath", "-tls-cert", file(t, "x"), "-tls-key", file(t, "y")}, "key alone": {"nafath", "-tls-key", file(t, "y")},
	} {
		assert.Equal(t, exitUsage, call(t, append([]string{"fake"}, args...)...).code, name)
	}
	taken := start(t, "fake", "nafath", "-json")
	address := strings.TrimPrefix(describedBy(t, taken).URL, "http://")
	assert.Equal(t, exitUnreachable, call(t, "fake", "nafath", "-addr", address).code)
	s := start(t, "fake", "nafath", "-addr", ":0", "-limits", "1/2/3")
	assert.Contains(t, s.next(), "127.0.0.1", "no host is loopback")
	s.stop(terminate)
	taken.stop(terminate)
}

func TestFakeWithoutJSONSaysHowToTryIt(t *testing.T) {
	for _, provider := range []string{"nafath", "faceki", "caf", "kycjwt"} {
		s := start(t, "fake", provider)
		var out bytes.Buffer
		out.WriteString(s.first + "\n")
		for !strings.Contains(out.String(), "/_admin/transactions") {
			out.WriteString(s.next() + "\n")
		}
		assert.Contains(t, out.String(), "FAKE")
		assert.Contains(t, out.String(), "/phone")
		assert.NotContains(t, out.String(), "\x1b")
		s.stop(terminate)
	}
}
