package main

import (
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath/nafathtest"
)

const someone = "1000000008"

func TestApproveRejectAndTheWordsForEach(t *testing.T) {
	s := newSite(t)
	for answer, want := range map[string]string{"approve": english.Outcomes[outcomeVerified], "reject": english.Outcomes[outcomeRejected]} {
		b := newBrowser(t, s)
		id := map[string]string{"approve": ids(9)[7], "reject": ids(9)[8]}[answer]
		resp, _ := b.begin(id)
		require.Equal(t, http.StatusSeeOther, resp.StatusCode)
		require.Equal(t, "/verification?lang=en", resp.Header.Get("Location"))
		code := b.shows("code", `^\d\d$`, 10*time.Second)
		b.answer(id, code, answer)
		result := b.shows("result", regexpOf(want), 20*time.Second)
		if answer == "approve" {
			assert.Contains(t, result, "••••••"+id[6:])
			assert.NotContains(t, result, id)
		}
	}
}

func TestExpiry(t *testing.T) {
	b := newBrowser(t, newSite(t, "-lifetime", "3s"))
	b.begin(someone)
	b.shows("countdown", `^0:0[0-3]$`, 10*time.Second)
	b.shows("result", regexpOf(english.Outcomes[outcomeExpired]), 20*time.Second)
}

func TestAStrangerAndASecondVisitorGetNothing(t *testing.T) {
	s := newSite(t)
	first, second, stranger := newBrowser(t, s), newBrowser(t, s), newBrowser(t, s)
	first.begin(someone)
	code := first.shows("code", `^\d\d$`, 10*time.Second)

	resp, body := second.begin(" 1000-000-008 ") // the same person in another spelling
	assert.Equal(t, http.StatusConflict, resp.StatusCode)
	assert.Contains(t, body, english.Errors["open"])
	assert.NotContains(t, element(body, "code"), code)

	for _, path := range []string{"/verification", "/events"} {
		resp, body = stranger.do(http.MethodGet, path, nil)
		assert.NotEqual(t, http.StatusOK, resp.StatusCode)
		assert.NotContains(t, body, code+"<")
	}
	_, phone := first.do(http.MethodGet, "/phone", nil)
	assert.Equal(t, 1, strings.Count(phone, `data-testid="request"`), "one prompt")
	first.answer(someone, code, "reject")
}

func TestADoubleClickPromptsOnce(t *testing.T) {
	s := newSite(t)
	b := newBrowser(t, s)
	b.do(http.MethodGet, "/", nil)
	var clicks sync.WaitGroup
	for range 5 {
		clicks.Go(func() {
			copied := *b
			copied.do(http.MethodPost, "/begin", url.Values{"nationalId": {someone}})
		})
	}
	clicks.Wait()
	require.Eventually(t, func() bool {
		_, phone := b.do(http.MethodGet, "/phone", nil)
		return strings.Count(phone, `data-testid="request"`) == 1
	}, 5*time.Second, 20*time.Millisecond)
	time.Sleep(300 * time.Millisecond)
	_, phone := b.do(http.MethodGet, "/phone", nil)
	assert.Equal(t, 1, strings.Count(phone, `data-testid="request"`))
}

func TestRetryNeverPromptsByItself(t *testing.T) {
	s := newSite(t)
	b := newBrowser(t, s)
	b.begin(someone)
	b.answer(someone, b.shows("code", `^\d\d$`, 10*time.Second), "reject")
	b.shows("result", regexpOf(english.Outcomes[outcomeRejected]), 20*time.Second)
	before := b.cookie
	resp, _ := b.do(http.MethodPost, "/leave", nil)
	assert.Equal(t, "/?lang=en", resp.Header.Get("Location"))
	assert.NotEqual(t, before, b.cookie, "a new session")
	_, page := b.do(http.MethodGet, "/", nil)
	assert.Contains(t, page, `data-testid="start"`)
	_, phone := b.do(http.MethodGet, "/phone", nil)
	assert.Zero(t, strings.Count(phone, `data-testid="request"`))
}

func TestWhatIsRefusedSendsNothing(t *testing.T) {
	s := newSite(t)
	for name, try := range map[string]func(*browser) (*http.Response, string){
		"another site": func(b *browser) (*http.Response, string) {
			b.do(http.MethodGet, "/", nil)
			b.header.Set("Sec-Fetch-Site", "cross-site")
			return b.do(http.MethodPost, "/begin", url.Values{"nationalId": {someone}})
		},
		"no session": func(b *browser) (*http.Response, string) {
			return b.do(http.MethodPost, "/begin", url.Values{"nationalId": {someone}})
		},
		"a forged cookie": func(b *browser) (*http.Response, string) {
			b.do(http.MethodGet, "/", nil)
			b.cookie = b.cookie[:len(b.cookie)-8] + "AAAAAAAA"
			return b.do(http.MethodPost, "/begin", url.Values{"nationalId": {someone}})
		},
		"GET": func(b *browser) (*http.Response, string) {
			b.do(http.MethodGet, "/", nil)
			return b.do(http.MethodGet, "/begin?nationalId="+someone, nil)
		},
		"no id":   func(b *browser) (*http.Response, string) { return b.begin("") },
		"bad id":  func(b *browser) (*http.Response, string) { return b.begin("3000000000") },
		"markup":  func(b *browser) (*http.Response, string) { return b.begin("<script>alert(1)</script>") },
		"a flood": func(b *browser) (*http.Response, string) { return b.begin(strings.Repeat("1", 1<<20)) },
	} {
		t.Run(name, func(t *testing.T) {
			resp, body := try(newBrowser(t, s))
			assert.GreaterOrEqual(t, resp.StatusCode, 400)
			assert.NotContains(t, body, "alert(1)")
			_, phone := newBrowser(t, s).do(http.MethodGet, "/phone", nil)
			assert.Zero(t, strings.Count(phone, `data-testid="request"`))
		})
	}
}

func TestThreeAnHourAndPerson(t *testing.T) {
	s := newSite(t, "-lifetime", "1s")
	for range 3 {
		b := newBrowser(t, s)
		resp, _ := b.begin(someone)
		require.Equal(t, http.StatusSeeOther, resp.StatusCode)
		b.shows("result", ".+", 20*time.Second)
	}
	resp, body := newBrowser(t, s).begin(someone)
	assert.Equal(t, http.StatusTooManyRequests, resp.StatusCode)
	assert.Contains(t, body, english.Errors["often"])
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	s := newSite(t)
	b := newBrowser(t, s)
	for _, path := range []string{"/", "/static/live.js", "/static/style.css", "/nowhere", "/operator", "/events"} {
		resp, body := b.do(http.MethodGet, path, nil)
		assert.Contains(t, resp.Header.Get("Content-Security-Policy"), "default-src 'none'", path)
		assert.Contains(t, resp.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'", path)
		assert.NotContains(t, resp.Header.Get("Content-Security-Policy"), "unsafe", path)
		assert.Equal(t, "same-origin", resp.Header.Get("Referrer-Policy"), path)
		assert.Equal(t, "no-store", resp.Header.Get("Cache-Control"), path)
		assert.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"), path)
		assert.NotContains(t, body, " style=", path)
		assert.NotContains(t, body, "onclick", path)
	}
	resp, _ := newBrowser(t, s).do(http.MethodGet, "/", nil)
	cookie := resp.Cookies()[0]
	assert.Equal(t, "__Host-nafathweb", cookie.Name)
	assert.True(t, cookie.HttpOnly && cookie.Secure && cookie.SameSite == http.SameSiteLaxMode && cookie.Path == "/")
}

func TestNothingPersonalIsLoggedOrStoredInClear(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	write(t, key, strings.Repeat("k3y ", 10))
	db := filepath.Join(t.TempDir(), "people.sqlite")
	s := newSite(t, "-db", db, "-key", "@"+key)
	b := newBrowser(t, s)
	b.begin(someone)
	code := b.shows("code", `^\d\d$`, 10*time.Second)
	_, phone := b.do(http.MethodGet, "/phone", nil)
	_, after, _ := strings.Cut(phone, `name="transId" value="`)
	transID, _, _ := strings.Cut(after, `"`)
	require.NotEmpty(t, transID)
	_, page := b.do(http.MethodGet, "/verification", nil)
	assert.NotContains(t, page, transID)
	assert.NotContains(t, page, someone)
	stored := read(t, db) + read(t, db+"-wal")
	b.answer(someone, code, "approve")
	b.shows("result", regexpOf(english.Outcomes[outcomeVerified]), 20*time.Second)
	s.stop()
	stored += read(t, db)
	for _, planted := range []string{someone, transID} {
		assert.NotContains(t, s.log.String(), planted)
		assert.NotContains(t, stored, planted)
	}
}

// Whoever deploys must lose nobody: the page waits, the process is killed, the
// next one goes on with what was stored.
func TestAKilledProcessLosesNobody(t *testing.T) {
	program, fake := buildProgram(t), newFakeProvider(t)
	db := filepath.Join(t.TempDir(), "people.sqlite")
	first := newProcess(t, program, db, "127.0.0.1:0", fake)
	addr := strings.TrimSuffix(strings.TrimPrefix(first.url, "http://"), "/")
	b := newBrowser(t, &site{url: first.url})
	b.begin(someone)
	code := b.shows("code", `^\d\d$`, 20*time.Second)
	first.kill(t)
	require.NoError(t, fake.Approve(fake.Transactions()[0].TransID, code)) // the person answers while nobody looks
	newProcess(t, program, db, addr, fake)
	b.shows("result", regexpOf(english.Outcomes[outcomeVerified]), 60*time.Second)
	assert.Len(t, fake.Transactions(), 1)
}

// A process that dies after sending and before storing says so: nobody has the
// code, and nothing is sent again.
func TestAProcessKilledInFlightSaysThatItDoesNotKnow(t *testing.T) {
	program, fake := buildProgram(t), newFakeProvider(t)
	fake.Fail(nafathtest.OpRequest, 1, kyctest.Fault{Delay: time.Minute})
	db := filepath.Join(t.TempDir(), "people.sqlite")
	first := newProcess(t, program, db, "127.0.0.1:0", fake)
	addr := strings.TrimSuffix(strings.TrimPrefix(first.url, "http://"), "/")
	b := newBrowser(t, &site{url: first.url})
	b.begin(someone)
	require.Eventually(t, func() bool { return fake.Count(nafathtest.OpRequest) == 1 }, 20*time.Second, 20*time.Millisecond)
	first.kill(t)
	newProcess(t, program, db, addr, fake)
	b.shows("result", regexpOf(english.Outcomes[outcomeUnknown]), 60*time.Second)
	assert.Equal(t, 1, fake.Count(nafathtest.OpRequest))
}

// A deploy: SIGTERM while one person has the code and the next process starts.
func TestADeployLosesNobody(t *testing.T) {
	fake := newFakeProvider(t)
	t.Setenv("NAFATHWEB_KEY", strings.Repeat("test key for tests only ", 2))
	t.Setenv("NAFATHWEB_SECRET", nafathtest.ClientSecret)
	cfg := fake.TokenConfig()
	args := []string{
		"-db", filepath.Join(t.TempDir(), "people.sqlite"), "-key", "env:NAFATHWEB_KEY", "-base-url", fake.ClientConfig().BaseURL,
		"-token-url", cfg.TokenURL, "-client-id", cfg.ClientID, "-client-secret", "env:NAFATHWEB_SECRET",
	}
	first := newSite(t, args...)
	b := newBrowser(t, first)
	b.begin(someone)
	code := b.shows("code", `^\d\d$`, 20*time.Second)
	first.stop()
	b.url = strings.TrimSuffix(newSite(t, args...).url, "/")
	assert.Equal(t, code, b.shows("code", `^\d\d$`, 10*time.Second), "the same code, at once: the lease was given back")
	require.NoError(t, fake.Approve(fake.Transactions()[0].TransID, code))
	b.shows("result", regexpOf(english.Outcomes[outcomeVerified]), 60*time.Second)
	assert.Len(t, fake.Transactions(), 1)
}

func TestThirtyPeopleAtOnce(t *testing.T) {
	s := newSite(t, "-tenant-requests", "600", "-tenant-checks", "1200", "-tenant-details", "600")
	var people sync.WaitGroup
	for _, id := range ids(30) {
		people.Go(func() {
			b := newBrowser(t, s)
			resp, body := b.begin(id)
			if assert.Equal(t, http.StatusSeeOther, resp.StatusCode, body) {
				b.answer(id, b.shows("code", `^\d\d$`, 60*time.Second), "approve")
				assert.Contains(t, b.shows("result", ".+", 90*time.Second), english.Outcomes[outcomeVerified])
			}
		})
	}
	people.Wait()
}

func TestThoseInTheQueueSeeTheirPlace(t *testing.T) {
	s := newSite(t, "-tenant-requests", "6")
	var last *browser
	for _, id := range ids(8) {
		last = newBrowser(t, s)
		last.begin(id)
	}
	last.shows("queue", `You are number \d+ in the queue\. The request goes out in about \d+ seconds\.`, 10*time.Second)
}
