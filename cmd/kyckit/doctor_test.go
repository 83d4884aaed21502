package main

import (
	"bufio"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/auth/authtest"
	"github.com/kyckit/kyckit/cafsmartauth/cafsmartauthtest"
	"github.com/kyckit/kyckit/faceki/facekitest"
	"github.com/kyckit/kyckit/kycjwt/kycjwttest"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath/nafathtest"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

// examined runs doctor and returns the results by check, and the details.
func examined(t *testing.T, args ...string) (results map[string]string, details string, r result) {
	t.Helper()
	r = call(t, append([]string{"doctor", "-json"}, args...)...)
	results = map[string]string{}
	for line := range strings.Lines(r.out) {
		m := fields(t, line)
		assert.Len(t, m, 3, line)
		results[m["check"].(string)] = m["result"].(string)
	}
	return results, r.out, r
}

func TestDoctorOnHealthyProviders(t *testing.T) {
	n, f := nafathtest.NewServer(nafathtest.Config{}), facekitest.NewServer(facekitest.Config{})
	c, k := cafsmartauthtest.NewServer(cafsmartauthtest.Config{}), kycjwttest.NewServer(kycjwttest.Config{})
	for _, s := range []interface{ Close() }{n, f, c, k} {
		defer s.Close()
	}
	for provider, args := range map[string][]string{
		"nafath": {"-base-url", n.URL, "-token-url", n.TokenConfig().TokenURL, "-client-id", nafathtest.ClientID, "-client-secret", file(t, nafathtest.ClientSecret)},
		"faceki": {"-base-url", f.URL, "-token-url", f.URL + "/auth/api/access-token", "-client-id", facekitest.ClientID, "-client-secret", file(t, facekitest.ClientSecret)},
		"caf":    {"-base-url", c.URL + "/", "-client-id", cafsmartauthtest.ClientID, "-client-secret", file(t, cafsmartauthtest.ClientSecret)},
		"kycjwt": {"-base-url", k.URL, "-token-url", k.URL + "/auth/jwt/login", "-username", kycjwttest.Username, "-password", file(t, kycjwttest.Password)},
	} {
		results, details, r := examined(t, append(args, provider)...)
		assert.Equal(t, exitOK, r.code, provider+details)
		for _, name := range []string{"url", "dns", "token", "read", "clock"} {
			assert.Equal(t, pass, results[name], provider+details)
		}
		plain := call(t, append([]string{"doctor", provider}, args...)...)
		assert.Equal(t, exitOK, plain.code)
		assert.Contains(t, plain.out, "PASS  token")
		assert.NotContains(t, plain.out, "\x1b")

		wrong := append([]string{provider}, args...)
		wrong[len(wrong)-1] = file(t, planted+"-wrong-and-long-enough")
		results, details, r = examined(t, wrong...)
		assert.Equal(t, exitFinding, r.code, details)
		assert.Contains(t, []string{results["token"], results["read"]}, fail, provider+details)
		assert.NotContains(t, details+r.err, planted)
	}
	assert.Empty(t, n.Transactions(), "nobody was prompted")
	assert.Empty(t, c.Identities())
	assert.Empty(t, k.Persons())
	for _, request := range append(append(n.Requests(""), f.Requests("")...), k.Requests("")...) {
		assert.Contains(t, []string{"token", "status", "records", "login", "questionnaire"}, request.Op)
	}
}

func TestDoctorOnClocks(t *testing.T) {
	for _, tc := range []struct {
		skew time.Duration
		want string
		code int
	}{{0, pass, exitOK}, {-20 * time.Second, pass, exitOK}, {time.Minute, warn, exitOK}, {-2 * time.Minute, warn, exitOK}, {6 * time.Minute, fail, exitFinding}, {-time.Hour, fail, exitFinding}} {
		fake := nafathtest.NewServer(nafathtest.Config{})
		skewed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", time.Now().Add(tc.skew).UTC().Format(http.TimeFormat))
			fake.ServeHTTP(w, r)
		}))
		results, details, r := examined(t, "nafath", "-base-url", skewed.URL, "-token-url", skewed.URL+"/oauth/token", "-client-id", nafathtest.ClientID, "-client-secret", file(t, nafathtest.ClientSecret))
		assert.Equal(t, tc.want, results["clock"], details)
		assert.Equal(t, tc.code, r.code, details)
		skewed.Close()
		fake.Close()
	}
}

func TestDoctorOnAddresses(t *testing.T) {
	secret := file(t, planted)
	for name, tc := range map[string]struct {
		base, token, check string
		code               int
	}{
		"plain http":   {"http://provider.example", "https://127.0.0.1:1", "url", exitFinding},
		"plain token":  {"https://127.0.0.1:1", "http://provider.example/t", "url", exitFinding},
		"ftp":          {"ftp://provider.example", "https://127.0.0.1:1", "url", exitFinding},
		"password":     {"https://user:" + planted + "@127.0.0.1:1", "https://127.0.0.1:1", "url", exitFinding},
		"query":        {"https://127.0.0.1:1/?key=" + planted, "https://127.0.0.1:1", "url", exitFinding},
		"nobody":       {"http://127.0.0.1:1", "http://127.0.0.1:1/t", "tls", exitUnreachable},
		"no such name": {"https://no-such-host.invalid", "https://no-such-host.invalid/t", "dns", exitUnreachable},
	} {
		results, details, r := examined(t, "nafath", "-base-url", tc.base, "-token-url", tc.token, "-client-id", "i", "-client-secret", secret, "-timeout", "5s")
		assert.Equal(t, fail, results[tc.check], name+details)
		assert.Equal(t, tc.code, r.code, name+details)
		assert.Equal(t, skip, results["token"], name)
		assert.NotContains(t, details+r.err, planted)
	}
	for name, args := range map[string][]string{
		"no provider": {"-base-url", "https://x"}, "other": {"stripe", "-base-url", "https://x", "-client-id", "i", "-client-secret", secret},
		"no base": {"faceki", "-client-id", "i", "-client-secret", secret}, "no id": {"faceki", "-base-url", "https://x", "-client-secret", secret},
		"no secret": {"faceki", "-base-url", "https://x", "-client-id", "i"}, "no token": {"nafath", "-base-url", "https://x", "-client-id", "i", "-client-secret", secret},
		"no user": {"kycjwt", "-base-url", "https://x", "-password", secret}, "no address": {"faceki", "-base-url", "x", "-client-id", "i", "-client-secret", secret},
	} {
		assert.Equal(t, exitUsage, call(t, append([]string{"doctor"}, args...)...).code, name)
	}
}

func TestDoctorOnOddAnswers(t *testing.T) {
	for name, tc := range map[string]struct {
		op    string
		fault kyctest.Fault
		check string
		want  string
		code  int
	}{
		"token broken":     {"token", kyctest.Fault{Status: 500, Body: planted}, "token", fail, exitFinding},
		"token is HTML":    {"token", kyctest.Fault{Status: 200, Body: "<html>" + planted}, "token", fail, exitFinding},
		"token of seconds": {"token", kyctest.Fault{Status: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: `{"access_token":"` + planted + `","token_type":"Bearer","expires_in":5}`}, "token", warn, exitFinding},
		"token cut off":    {"token", kyctest.Fault{Hangup: true}, "token", fail, exitUnreachable},
		"read forbidden":   {"status", kyctest.Fault{Status: 403, Body: planted}, "read", fail, exitFinding},
		"read limited":     {"status", kyctest.Fault{Status: 429, Header: http.Header{"Retry-After": {"7"}}}, "limits", warn, exitOK},
		"read broken":      {"status", kyctest.Fault{Status: 502, Body: planted}, "read", fail, exitFinding},
		"read cut off":     {"status", kyctest.Fault{Hangup: true}, "read", fail, exitUnreachable},
		"limits told":      {"status", kyctest.Fault{Status: 404, Header: http.Header{"X-Ratelimit-Remaining": {"58"}, "Content-Type": {"application/json"}}, Body: "{}"}, "limits", pass, exitOK},
		"another server":   {"status", kyctest.Fault{Status: 404, Body: "404 page"}, "read", warn, exitOK},
	} {
		fake := nafathtest.NewServer(nafathtest.Config{})
		fake.Fail(tc.op, 0, tc.fault)
		results, details, r := examined(t, "nafath", "-base-url", fake.URL, "-token-url", fake.TokenConfig().TokenURL, "-client-id", nafathtest.ClientID, "-client-secret", file(t, nafathtest.ClientSecret), "-timeout", "5s")
		assert.Equal(t, tc.want, results[tc.check], name+details)
		assert.Equal(t, tc.code, r.code, name+details)
		assert.NotContains(t, details+r.err, planted, name)
		fake.Close()
	}
	results, details, r := examined(t, "faceki", "-base-url", "http://127.0.0.1:1/", "-token-url", "http://localhost:1/t", "-client-id", "i", "-client-secret", file(t, planted))
	assert.NotEqual(t, exitOK, r.code, details)
	assert.NotEqual(t, pass, results["token"])
	s := authtest.NewServer(authtest.Config{JWT: true, Lifetime: time.Hour}) // a login whose token tells its own end
	defer s.Close()
	_, details, _ = examined(t, "kycjwt", "-base-url", s.URL, "-username", authtest.Username, "-password", file(t, authtest.Password))
	assert.Contains(t, details, "lives for")
}

func TestDoctorOnCertificatesAndLists(t *testing.T) {
	ca := webhooktest.NewTestCA(t, "made-up CA")
	soon := ca.Issue(webhooktest.Leaf{CommonName: "made-up client", NotAfter: time.Now().Add(48 * time.Hour)})
	expired := ca.Bad(webhooktest.Expired, webhooktest.Leaf{CommonName: "made-up client"})
	fresh := ca.CRL(webhooktest.CRL{NextUpdate: time.Now().Add(240 * time.Hour)})
	stale := ca.CRL(webhooktest.CRL{ThisUpdate: time.Now().Add(-48 * time.Hour), NextUpdate: time.Now().Add(-24 * time.Hour)})
	fake := nafathtest.NewServer(nafathtest.Config{})
	defer fake.Close()
	for name, tc := range map[string]struct {
		args        []string
		check, want string
	}{
		"soon":    {[]string{"-cert", file(t, string(soon.PEM())), "-key", file(t, string(soon.KeyPEM()))}, "certificate", warn},
		"expired": {[]string{"-cert", file(t, string(expired.PEM())), "-key", file(t, string(expired.KeyPEM()))}, "certificate", fail},
		"fresh":   {[]string{"-crl", file(t, string(fresh))}, "crl", pass},
		"stale":   {[]string{"-crl", file(t, string(stale))}, "crl", fail},
		"no list": {[]string{"-crl", file(t, "hello")}, "crl", fail},
	} {
		results, details, r := examined(t, append([]string{"nafath", "-base-url", fake.URL, "-token-url", fake.TokenConfig().TokenURL, "-client-id", nafathtest.ClientID, "-client-secret", file(t, nafathtest.ClientSecret)}, tc.args...)...)
		assert.Equal(t, tc.want, results[tc.check], name+details)
		assert.Equal(t, tc.want == fail, r.code == exitFinding)
	}
	server := ca.Issue(webhooktest.Leaf{DNSNames: []string{"elsewhere.test"}})
	_ = server
}

// redisServer answers as Redis does, as far as a check asks.
func redisServer(t *testing.T, policy string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				authorised := false
				for scan := bufio.NewScanner(conn); scan.Scan(); {
					answer := ""
					switch scan.Text() {
					case "PING":
						answer = "-NOAUTH Authentication required.\r\n"
						if authorised {
							answer = "+PONG\r\n"
						}
					case planted:
						authorised, answer = true, "+OK\r\n"
					case "wrong":
						answer = "-WRONGPASS invalid\r\n"
					case "memory":
						body := "# Memory\r\nmaxmemory_policy:" + policy + "\r\n"
						answer = "$" + itoa(len(body)) + "\r\n" + body + "\r\n"
					}
					if _, err := conn.Write([]byte(answer)); err != nil {
						return
					}
				}
			}()
		}
	}()
	return ln.Addr().String()
}

func TestDoctorOnRedis(t *testing.T) {
	fake := cafsmartauthtest.NewServer(cafsmartauthtest.Config{})
	defer fake.Close()
	base := []string{"caf", "-base-url", fake.URL, "-client-id", cafsmartauthtest.ClientID, "-client-secret", file(t, cafsmartauthtest.ClientSecret), "-redis"}
	for _, tc := range []struct {
		address, password, want string
		code                    int
	}{
		{redisServer(t, "noeviction"), planted, pass, exitOK},
		{"redis://" + redisServer(t, "noeviction") + "/", planted, pass, exitOK},
		{redisServer(t, "allkeys-lru"), planted, fail, exitFinding},
		{redisServer(t, "volatile-ttl"), planted, fail, exitFinding},
		{redisServer(t, "\x1b[31m"), planted, warn, exitOK},
		{redisServer(t, "noeviction"), "wrong", fail, exitFinding},
		{redisServer(t, "noeviction"), "", fail, exitFinding},
		{"127.0.0.1:1", "", fail, exitUnreachable},
	} {
		args := append(append([]string{}, base...), tc.address)
		if tc.password != "" {
			args = append(args, "-redis-password", file(t, tc.password))
		}
		results, details, r := examined(t, args...)
		assert.Equal(t, tc.want, results["redis"], details)
		assert.Equal(t, tc.code, r.code, details)
		assert.NotContains(t, details+r.err, planted)
		assert.NotContains(t, details, "\x1b")
	}
}
