package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/device"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath/nafathtest"
)

// missing skips a test for want of a program, except where everything must run.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what + " is missing")
	}
	t.Skip(what + " is missing: this test needs it")
}

// newChromium starts a headless browser with a profile of its own: another
// person at another machine.
func newChromium(t *testing.T) context.Context {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			program = found
			break
		}
	}
	if program == "" {
		missing(t, "chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("accept-lang", "en"), chromedp.WSURLReadTimeout(time.Minute))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	do(t, ctx, chromedp.Navigate("about:blank"))
	ctx, cancel = context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// do runs browser actions.
func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) { //nolint:revive // the test comes first, as everywhere
	t.Helper()
	require.NoError(t, chromedp.Do(ctx, steps...))
}

// get runs a browser action that answers something.
func get[T any](t *testing.T, ctx context.Context, action chromedp.Action[T]) T { //nolint:revive // as do
	t.Helper()
	v, err := chromedp.Run(ctx, action)
	require.NoError(t, err)
	return v
}

func byID(testID string) chromedp.CSS { return chromedp.CSS(`[data-testid="` + testID + `"]`) }

// begin fills in the form with the keyboard and sends it.
func begin(t *testing.T, ctx context.Context, url, nationalID string) { //nolint:revive // as do
	t.Helper()
	do(t, ctx, chromedp.Navigate(url), chromedp.SendKeys(byID("national-id"), nationalID), chromedp.Click(byID("start")))
}

// code waits for the number and returns it.
func code(t *testing.T, ctx context.Context) string { //nolint:revive // as do
	t.Helper()
	do(t, ctx, chromedp.WaitVisible(byID("code")))
	text := get(t, ctx, chromedp.Text(byID("code")))
	require.Regexp(t, `^[0-9]{2}$`, text, "Western digits")
	return text
}

// result waits for the end and returns its words.
func result(t *testing.T, ctx context.Context) string { //nolint:revive // as do
	t.Helper()
	do(t, ctx, chromedp.WaitVisible(byID("retry")))
	return get(t, ctx, chromedp.Text(byID("result")))
}

// press answers on the simulated phone, in a tab of its own.
func press(t *testing.T, ctx context.Context, url, button string) { //nolint:revive // as do
	t.Helper()
	tab, cancel := chromedp.NewContext(ctx)
	defer cancel()
	do(t, tab, chromedp.Navigate(url+"phone"), chromedp.Click(chromedp.CSS(`[data-testid="request"] button[value="`+button+`"]`)))
	do(t, tab, chromedp.WaitNotPresent(byID("request")))
}

// picture keeps a screenshot where NAFATHWEB_SCREENSHOTS says.
func picture(t *testing.T, ctx context.Context, name string) { //nolint:revive // as do
	t.Helper()
	dir := os.Getenv("NAFATHWEB_SCREENSHOTS")
	if dir == "" {
		return
	}
	png := get(t, ctx, chromedp.FullScreenshot(100))
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644))
}

// accessible runs axe-core in the page: nothing serious may be found.
func accessible(t *testing.T, ctx context.Context) { //nolint:revive // as do
	t.Helper()
	axe, err := os.ReadFile("node_modules/axe-core/axe.min.js")
	if err != nil {
		missing(t, "axe-core (npm ci in this folder)")
	}
	do(t, ctx, chromedp.Evaluate[chromedp.Void](string(axe)+"; undefined"))
	found := get(t, ctx, chromedp.Evaluate[string](`axe.run().then((r) => JSON.stringify(r.violations
		.filter((v) => v.impact === 'serious' || v.impact === 'critical')
		.map((v) => v.id + ': ' + v.nodes.map((n) => n.html).join(' '))))`, chromedp.EvalAwaitPromise))
	var violations []string
	require.NoError(t, json.Unmarshal([]byte(found), &violations))
	assert.Empty(t, violations)
}

func TestChromiumApprove(t *testing.T) {
	s, ctx := newSite(t), newChromium(t)
	do(t, ctx, chromedp.Navigate(s.url))
	accessible(t, ctx)
	picture(t, ctx, "start")
	begin(t, ctx, s.url, someone)
	code(t, ctx)
	accessible(t, ctx)
	picture(t, ctx, "code")
	press(t, ctx, s.url, "approve")
	words := result(t, ctx)
	assert.Contains(t, words, english.Outcomes[outcomeVerified])
	assert.NotContains(t, words, someone)
	accessible(t, ctx)
	picture(t, ctx, "verified")

	// Nothing of it is in the address or kept in the browser.
	kept := get(t, ctx, chromedp.Evaluate[string](`location.href + JSON.stringify(localStorage) + JSON.stringify(sessionStorage) + document.cookie`))
	assert.Equal(t, s.url+"verification?lang=en{}{}", kept)
}

func TestChromiumReject(t *testing.T) {
	s, ctx := newSite(t), newChromium(t)
	begin(t, ctx, s.url, someone)
	code(t, ctx)
	press(t, ctx, s.url, "reject")
	assert.Contains(t, result(t, ctx), english.Outcomes[outcomeRejected])
	do(t, ctx, chromedp.Click(byID("retry")), chromedp.WaitVisible(byID("start")))
}

func TestChromiumExpire(t *testing.T) {
	s, ctx := newSite(t, "-lifetime", "4s"), newChromium(t)
	begin(t, ctx, s.url, someone)
	do(t, ctx, chromedp.WaitVisible(byID("countdown")))
	assert.Regexp(t, `^0:0[0-4]$`, get(t, ctx, chromedp.Text(byID("countdown"))))
	assert.Contains(t, result(t, ctx), english.Outcomes[outcomeExpired])
}

func TestChromiumReloadInTheMiddle(t *testing.T) {
	s, ctx := newSite(t), newChromium(t)
	begin(t, ctx, s.url, someone)
	before := code(t, ctx)
	do(t, ctx, chromedp.Reload())
	assert.Equal(t, before, code(t, ctx))
	do(t, ctx, chromedp.Navigate(s.url)) // typed the address again
	assert.Equal(t, before, code(t, ctx))
	press(t, ctx, s.url, "approve")
	assert.Contains(t, result(t, ctx), english.Outcomes[outcomeVerified])
	do(t, ctx, chromedp.Reload())
	assert.Contains(t, result(t, ctx), english.Outcomes[outcomeVerified])
}

func TestChromiumAStrangerAndTwoVisitorsAtOnce(t *testing.T) {
	s := newSite(t)
	first, second := newChromium(t), newChromium(t)
	begin(t, first, s.url, someone)
	shown := code(t, first)

	// The same person at another machine: neither a code nor a prompt.
	begin(t, second, s.url, someone)
	do(t, second, chromedp.WaitVisible(byID("status")))
	assert.Equal(t, english.Errors["open"], get(t, second, chromedp.Text(byID("status"))))
	do(t, second, chromedp.Navigate(s.url+"verification"), chromedp.WaitVisible(byID("start")))
	assert.NotContains(t, get(t, second, chromedp.OuterHTML(chromedp.CSS("html"))), ">"+shown+"<")

	// Another person at that machine, at the same time.
	begin(t, second, s.url, ids(3)[2])
	code(t, second)
	tab, cancel := chromedp.NewContext(first)
	defer cancel()
	do(t, tab, chromedp.Navigate(s.url+"phone"))
	assert.Equal(t, 2, get(t, tab, chromedp.Evaluate[int](`document.querySelectorAll('[data-testid="request"]').length`)))
}

// A proxy in front answers for the application while that starts anew. EventSource gives
// up then; the page must not.
func TestChromiumAsksAgainAfterARefusal(t *testing.T) {
	s, ctx := newSite(t), newChromium(t)
	behind, err := url.Parse(s.url)
	require.NoError(t, err)
	forward := httputil.NewSingleHostReverseProxy(behind)
	var refused atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/events" && refused.Add(1) <= 2 {
			http.Error(w, "starting", http.StatusServiceUnavailable)
			return
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	t.Cleanup(proxy.CloseClientConnections)
	begin(t, ctx, proxy.URL+"/", someone)
	code(t, ctx)
	require.Eventually(t, func() bool { return refused.Load() > 2 }, time.Minute, 100*time.Millisecond)
	press(t, ctx, s.url, "approve")
	assert.Contains(t, result(t, ctx), english.Outcomes[outcomeVerified])
}

func TestChromiumLeavesTheQueue(t *testing.T) {
	s, ctx := newSite(t, "-tenant-requests", "6"), newChromium(t)
	for _, id := range ids(8)[:7] {
		newBrowser(t, s).begin(id)
	}
	begin(t, ctx, s.url, ids(8)[7])
	do(t, ctx, chromedp.WaitVisible(byID("leave")))
	accessible(t, ctx)
	picture(t, ctx, "queue")
	do(t, ctx, chromedp.Click(byID("leave")), chromedp.WaitVisible(byID("start")))
}

func TestChromiumKeyboardAlone(t *testing.T) {
	s, ctx := newSite(t), newChromium(t)
	do(t, ctx, chromedp.Navigate(s.url), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(someone),
		chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter))
	code(t, ctx)
	press(t, ctx, s.url, "reject")
	result(t, ctx)
	// The outcome has the focus, so that it is read out; the button is next.
	do(t, ctx, chromedp.Poll[chromedp.Void](`document.activeElement.id === 'status'`), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(byID("start")))
}

func TestChromiumPhoneSizedArabic(t *testing.T) {
	s, ctx := newSite(t), newChromium(t)
	do(t, ctx, chromedp.Emulate(device.IPhone13))
	begin(t, ctx, s.url+"?lang=ar", someone)
	code(t, ctx)
	assert.Equal(t, "rtlar", get(t, ctx, chromedp.Evaluate[string](`document.dir + document.documentElement.lang`)))
	assert.Equal(t, "ltr", get(t, ctx, chromedp.Evaluate[string](`getComputedStyle(document.getElementById('code')).direction`)))
	assert.False(t, get(t, ctx, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > window.innerWidth`)), "the page is as wide as the phone")
	accessible(t, ctx)
	picture(t, ctx, "code-arabic-phone")
	press(t, ctx, s.url, "approve")
	assert.Contains(t, result(t, ctx), arabic.Outcomes[outcomeVerified])
}

func TestChromiumWithoutScript(t *testing.T) {
	s, ctx := newSite(t), newChromium(t)
	_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	require.NoError(t, err)
	begin(t, ctx, s.url, someone)
	do(t, ctx, chromedp.WaitVisible(byID("code")))
	press(t, ctx, s.url, "approve")
	do(t, ctx, chromedp.WaitVisible(byID("retry"))) // the page reloads by itself
}

func TestChromiumServerKilledWhileThePageWaits(t *testing.T) {
	ctx := newChromium(t)
	program, fake := buildProgram(t), newFakeProvider(t)
	db := filepath.Join(t.TempDir(), "people.sqlite")
	first := newProcess(t, program, db, "127.0.0.1:0", fake)
	begin(t, ctx, first.url, someone)
	shown := code(t, ctx)
	first.kill(t)
	require.NoError(t, fake.Approve(fake.Transactions()[0].TransID, shown))
	newProcess(t, program, db, strings.TrimSuffix(strings.TrimPrefix(first.url, "http://"), "/"), fake)
	assert.Contains(t, result(t, ctx), english.Outcomes[outcomeVerified], "the page found the new process by itself")
	assert.Len(t, fake.Transactions(), 1)
}

func TestChromiumAnUnknownOutcomeIsSaid(t *testing.T) {
	ctx := newChromium(t)
	program, fake := buildProgram(t), newFakeProvider(t)
	fake.Fail(nafathtest.OpRequest, 1, kyctest.Fault{LoseAnswer: true})
	p := newProcess(t, program, filepath.Join(t.TempDir(), "people.sqlite"), "127.0.0.1:0", fake)
	begin(t, ctx, p.url, someone)
	assert.Contains(t, result(t, ctx), english.Outcomes[outcomeUnknown])
}
