package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whoever scrapes learns how it goes, and about nobody.
func TestMetricsNameNobody(t *testing.T) {
	s := newSite(t)
	b := newBrowser(t, s)
	b.begin(someone)
	code := b.shows("code", `^\d\d$`, 20*time.Second)
	_, phone := b.do(http.MethodGet, "/phone", nil)
	_, after, _ := strings.Cut(phone, `name="transId" value="`)
	transID, _, _ := strings.Cut(after, `"`)
	require.NotEmpty(t, transID)
	b.answer(someone, code, "approve")
	b.shows("result", regexpOf(english.Outcomes[outcomeVerified]), 30*time.Second)
	var body string
	require.Eventually(t, func() bool {
		_, body = b.do(http.MethodGet, "/metrics", nil)
		for _, name := range []string{
			"http_client_request_duration_seconds_count", "kyckit_call_duration_seconds_count", "kyckit_nafath_pending", "kyckit_nafath_checks",
			"kyckit_nafath_verifications", `kyckit_nafath_status="`, "kyckit_webhook_deliveries",
		} {
			if !strings.Contains(body, name) {
				return false
			}
		}
		return true
	}, 20*time.Second, 100*time.Millisecond, "not all of the numbers are there")
	_, session, _ := strings.Cut(b.cookie, "=")
	for _, planted := range []string{someone, transID, session, `"` + code + `"`} {
		assert.NotContains(t, body, planted)
	}
	_, shown := b.do(http.MethodGet, "/verification", nil)
	assert.NotContains(t, body, strings.TrimSpace(element(shown, "result")))
}

// With a real provider the numbers are where -ops-addr says, and nowhere else.
func TestMetricsAreNotBesideThePagesOfARealProvider(t *testing.T) {
	fake := newFakeProvider(t)
	args := against(t, fake, t.TempDir()+"/people.sqlite")
	ops := freeAddr(t)
	for _, s := range []*site{newSite(t, args...), newSite(t, append(args, "-ops-addr", ops)...)} {
		for _, path := range []string{"/metrics", "/operator"} {
			resp, _ := newBrowser(t, s).do(http.MethodGet, path, nil)
			assert.Equal(t, http.StatusNotFound, resp.StatusCode, path)
		}
	}
	resp, _ := newBrowser(t, &site{url: "http://" + ops}).do(http.MethodGet, "/metrics", nil)
	assert.Equal(t, http.StatusOK, resp.StatusCode)
}
