package main

import (
	"context"
	"database/sql"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
)

// against are the arguments for a process that shares a database and a provider.
func against(t *testing.T, fake *nafathtest.Server, db string) []string {
	t.Helper()
	t.Setenv("NAFATHWEB_KEY", strings.Repeat("test key for tests only ", 2))
	t.Setenv("NAFATHWEB_SECRET", nafathtest.ClientSecret)
	cfg := fake.TokenConfig()
	return []string{
		"-db", db, "-key", "env:NAFATHWEB_KEY", "-base-url", fake.ClientConfig().BaseURL,
		"-token-url", cfg.TokenURL, "-client-id", cfg.ClientID, "-client-secret", "env:NAFATHWEB_SECRET",
	}
}

func execute(t *testing.T, file, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(20000)")
	require.NoError(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), statement)
	require.NoError(t, err)
}

// post sends the form without opening the first page.
func (b *browser) post(nationalID string) *http.Response {
	b.t.Helper()
	resp, _ := b.do(http.MethodPost, "/begin", url.Values{"nationalId": {nationalID}})
	return resp
}

// The first answer to a double click is thrown away by the browser.
func TestASecondClickLeadsToTheSameVerification(t *testing.T) {
	s := newSite(t)
	first := newBrowser(t, s)
	first.do(http.MethodGet, "/", nil)
	second, planted := *first, *first
	require.Equal(t, http.StatusSeeOther, first.post(someone).StatusCode)
	require.Equal(t, http.StatusSeeOther, second.post(someone).StatusCode)
	assert.NotEqual(t, first.cookie, second.cookie)
	second.shows("code", `^\d\d$`, 20*time.Second)
	_, phone := first.do(http.MethodGet, "/phone", nil)
	assert.Equal(t, 1, strings.Count(phone, `data-testid="request"`))

	// Once its page was looked at, the cookie of the form opens nothing.
	before := planted.cookie
	assert.Equal(t, http.StatusConflict, planted.post(someone).StatusCode)
	assert.Equal(t, before, planted.cookie)
	resp, _ := planted.do(http.MethodGet, "/verification", nil)
	assert.Equal(t, http.StatusSeeOther, resp.StatusCode)
}

func TestASecondTabDoesNotLoseTheFirst(t *testing.T) {
	b := newBrowser(t, newSite(t))
	b.begin(someone)
	shown := b.shows("code", `^\d\d$`, 20*time.Second)
	resp := b.post(ids(3)[2]) // from a tab that still shows the form
	assert.Equal(t, "/verification?lang=en", resp.Header.Get("Location"))
	assert.Equal(t, shown, b.shows("code", `^\d\d$`, 20*time.Second))
}

func TestAFloodAtOnceDoesNotSlipBelowALimit(t *testing.T) {
	s := newSite(t, "-visitor-limit", "3", "-tenant-requests", "600")
	b := newBrowser(t, s)
	b.do(http.MethodGet, "/", nil)
	var begun atomic.Int32
	var clicks sync.WaitGroup
	for _, id := range ids(16) {
		clicks.Go(func() {
			copied := *b
			if copied.post(id).StatusCode == http.StatusSeeOther {
				begun.Add(1)
			}
		})
	}
	clicks.Wait()
	assert.LessOrEqual(t, begun.Load(), int32(3))
	require.Eventually(t, func() bool {
		_, phone := b.do(http.MethodGet, "/phone", nil)
		return strings.Count(phone, `data-testid="request"`) == int(begun.Load())
	}, 20*time.Second, 100*time.Millisecond, "what was refused was not sent, and what was begun was")
}

func TestHowLongToWaitIsSaid(t *testing.T) {
	s := newSite(t, "-person-limit", "1", "-lifetime", "1s")
	b := newBrowser(t, s)
	b.begin(someone)
	b.shows("result", ".+", 20*time.Second)
	resp, body := newBrowser(t, s).begin(someone)
	assert.Equal(t, http.StatusTooManyRequests, resp.StatusCode)
	assert.Regexp(t, `^3[56]\d\d$`, resp.Header.Get("Retry-After"), "until the first is an hour old")
	assert.Contains(t, body, "possible in about 60 minutes.")
	assert.Equal(t, "This will be possible in about 31 seconds.", english.after(30*time.Second+time.Millisecond))
	assert.Contains(t, arabic.after(time.Hour), "60")
}

func TestWhoLeavesTheQueueIsNotPrompted(t *testing.T) {
	s := newSite(t, "-tenant-requests", "6")
	var last *browser
	people := ids(8)
	for _, id := range people {
		last = newBrowser(t, s)
		last.begin(id)
	}
	last.shows("queue", `number \d`, 20*time.Second)
	old := *last
	resp, _ := last.do(http.MethodPost, "/leave", nil)
	require.Equal(t, "/?lang=en", resp.Header.Get("Location"))
	resp, _ = old.do(http.MethodGet, "/verification", nil)
	assert.Equal(t, http.StatusSeeOther, resp.StatusCode, "a copy of the cookie opens nothing either")
	again := newBrowser(t, s)
	require.Eventually(t, func() bool {
		resp, _ := again.begin(people[7])
		return resp.StatusCode == http.StatusSeeOther
	}, 20*time.Second, 200*time.Millisecond, "the person may begin again at once")
}

func TestTheQueueCanBeLeftByWayOfAnotherProcess(t *testing.T) {
	fake, db := newFakeProvider(t), filepath.Join(t.TempDir(), "people.sqlite")
	args := append(against(t, fake, db), "-tenant-requests", "6")
	holds, other := newSite(t, args...), newSite(t, args...)
	var last *browser
	people := ids(4)
	for _, id := range people {
		last = newBrowser(t, holds)
		last.begin(id)
	}
	last.shows("queue", `number \d`, 20*time.Second)
	last.url = strings.TrimSuffix(other.url, "/")
	assert.Equal(t, english.InQueue, last.shows("status", ".", 20*time.Second), "its place is not known here")
	last.do(http.MethodPost, "/leave", nil)
	again := newBrowser(t, other)
	require.Eventually(t, func() bool {
		resp, _ := again.begin(people[3])
		return resp.StatusCode == http.StatusSeeOther
	}, 40*time.Second, 300*time.Millisecond)
}

// A process that stalls for longer than its lease learns that its rows are another's:
// it shows no code that it could not store, and no outcome of its own.
func TestAStalledProcessDoesNotShowWhatItNoLongerHolds(t *testing.T) {
	fake, db := newFakeProvider(t), filepath.Join(t.TempDir(), "people.sqlite")
	fake.Fail(nafathtest.OpRequest, 1, kyctest.Fault{Delay: 2 * time.Second})
	s := newSite(t, against(t, fake, db)...)
	b := newBrowser(t, s)
	b.begin(someone)
	require.Eventually(t, func() bool { return fake.Count(nafathtest.OpRequest) == 1 }, 20*time.Second, 20*time.Millisecond)
	execute(t, db, `UPDATE verifications SET owner = 'another', lease_until = 9000000000000`)
	require.Eventually(t, func() bool { return len(fake.Transactions()) == 1 }, 20*time.Second, 20*time.Millisecond)
	for range 20 {
		_, body := b.do(http.MethodGet, "/verification", nil)
		assert.Empty(t, element(body, "code"))
		time.Sleep(50 * time.Millisecond)
	}
	execute(t, db, `UPDATE verifications SET state = 'done', outcome = 'unknown'`)
	b.shows("result", regexpOf(english.Outcomes[outcomeUnknown]), 20*time.Second)

	// The same with a code that is out: the other process says how it ended.
	other := newBrowser(t, s)
	other.begin(ids(3)[2])
	shown := other.shows("code", `^\d\d$`, 60*time.Second)
	execute(t, db, `UPDATE verifications SET owner = 'another', lease_until = 9000000000000 WHERE state = 'open'`)
	assert.Equal(t, shown, other.shows("code", `^\d\d$`, 20*time.Second))
	execute(t, db, `UPDATE verifications SET state = 'done', outcome = 'rejected' WHERE state = 'open'`)
	other.shows("result", regexpOf(english.Outcomes[outcomeRejected]), 20*time.Second)
}

func TestTheStoreIsAway(t *testing.T) {
	fake, db := newFakeProvider(t), filepath.Join(t.TempDir(), "people.sqlite")
	s := newSite(t, against(t, fake, db)...)
	b, waits := newBrowser(t, s), newBrowser(t, s)
	waits.begin(someone)
	shown := waits.shows("code", `^\d\d$`, 20*time.Second)
	execute(t, db, `ALTER TABLE verifications RENAME TO away`)
	resp, body := b.begin(ids(3)[2])
	assert.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	assert.Contains(t, body, english.Errors["internal"])
	resp, body = waits.do(http.MethodGet, "/verification", nil)
	assert.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	assert.Contains(t, body, english.Trouble)
	assert.NotContains(t, body, "Nothing was sent", "a request is on the phone")
	resp, _ = waits.do(http.MethodGet, "/events", nil)
	assert.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	execute(t, db, `ALTER TABLE away RENAME TO verifications`)
	assert.Equal(t, shown, waits.shows("code", `^\d\d$`, 20*time.Second))
	assert.Len(t, fake.Transactions(), 1)
	assert.Equal(t, http.StatusSeeOther, b.post(ids(3)[2]).StatusCode, "nobody is locked out")
}

func TestAVisitorHasSixStreams(t *testing.T) {
	s := newSite(t)
	b := newBrowser(t, s)
	b.begin(someone)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream := func() int {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"events", nil)
		require.NoError(t, err)
		r.Header.Set("Cookie", b.cookie)
		resp, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp.StatusCode
	}
	for range streamsEach {
		require.Equal(t, http.StatusOK, stream())
	}
	assert.Equal(t, http.StatusTooManyRequests, stream())
	cancel()
	ctx = t.Context()
	require.Eventually(t, func() bool { return stream() == http.StatusOK }, 20*time.Second, 100*time.Millisecond)
}

// A place in the queue may take longer to come up than a cookie lasts.
func TestASessionGoesOnWhileItsPageIsOpen(t *testing.T) {
	k, now := deriveKeys([]byte("a key of this test alone")), time.Now()
	want, cookie := k.newSession(nil, now)
	for range 30 {
		now = now.Add(prolongAfter + time.Minute)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/events", nil)
		r.AddCookie(cookie)
		s, raw, ok := k.readSession(r, now)
		require.True(t, ok)
		require.Equal(t, want, s)
		w := httptest.NewRecorder()
		k.prolong(w, raw, now.Add(-2*time.Minute))
		require.Empty(t, w.Header(), "not at each answer")
		k.prolong(w, raw, now)
		cookie = w.Result().Cookies()[0]
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.AddCookie(cookie)
	_, _, ok := k.readSession(r, now.Add(sessionAge+time.Second))
	assert.False(t, ok)
}

func TestWhatIsServedAndLinked(t *testing.T) {
	s := newSite(t, "-app-link", "idapp://open")
	b := newBrowser(t, s)
	for _, path := range []string{"/static/", "/static/start.html", "/static/../main.go"} {
		resp, _ := b.do(http.MethodGet, path, nil)
		assert.NotEqual(t, http.StatusOK, resp.StatusCode, path)
	}
	b.header.Set("Sec-Fetch-Site", "cross-site")
	resp, _ := b.do(http.MethodPost, "/begin", url.Values{"nationalId": {someone}})
	assert.Equal(t, http.StatusForbidden, resp.StatusCode)
	assert.Contains(t, resp.Header.Get("Content-Security-Policy"), "default-src 'none'", "refusals have the headers, too")
	b.header.Del("Sec-Fetch-Site")
	b.begin(someone)
	_, body := b.do(http.MethodGet, "/verification", nil)
	assert.Contains(t, body, `href="idapp://open"`)
	for _, bad := range []string{"javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "/relative", "://"} {
		_, err := appLink(bad)
		assert.Error(t, err, bad)
	}
}

func TestEveryLanguageHasEveryWord(t *testing.T) {
	for outcome := range english.Outcomes {
		assert.NotEmpty(t, arabic.Outcomes[outcome])
	}
	assert.Len(t, arabic.Outcomes, len(english.Outcomes))
	for why := range english.Errors {
		assert.NotEmpty(t, arabic.Errors[why])
	}
	assert.Len(t, arabic.Errors, len(english.Errors))
	for _, l := range []*language{english, arabic} {
		for stage, v := range map[nafath.Stage]view{
			nafath.StageQueued: {Stage: nafath.StageQueued, Place: 2}, nafath.StageOpen: {Stage: nafath.StageOpen}, nafath.StageDone: {Stage: nafath.StageDone},
		} {
			assert.NotEmpty(t, l.state(v, time.Now()).Status, stage)
		}
		for _, words := range []string{l.LeaveQueue, l.Trouble, l.Reload, l.Seconds, l.Minutes} {
			assert.NotEmpty(t, words)
		}
	}
}
