package nafathtest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
)

// withPeople is a fake with a phone and an admin interface.
func withPeople(t *testing.T, cfg nafathtest.Config) *nafathtest.Server {
	t.Helper()
	fake := nafathtest.NewServer(cfg)
	fake.Mount("/phone", kyctest.Phone(fake))
	fake.Mount(kyctest.AdminPath, kyctest.Admin(fake))
	t.Cleanup(fake.Close)
	return fake
}

// call sends a request without a media type, as scripts do.
func call(t *testing.T, fake *nafathtest.Server, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, fake.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	if strings.HasPrefix(path, "/phone") {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := fake.Client().Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(raw)
}

func TestAdmin(t *testing.T) {
	fake := withPeople(t, nafathtest.Config{})
	c := client(t, fake)
	status, body := call(t, fake, "GET", "/_admin/transactions", "")
	assert.Equal(t, 200, status)
	assert.JSONEq(t, "[]", body)
	for answer, want := range map[string]nafath.Status{
		"approve": nafath.StatusCompleted, "reject": nafath.StatusRejected, "expire": nafath.StatusExpired, "error": nafath.StatusError,
	} {
		tx, err := c.Request(t.Context(), citizen)
		require.NoError(t, err)
		status, body = call(t, fake, "POST", "/_admin/transactions/"+tx.TransID+"/"+answer, "")
		assert.Equal(t, http.StatusNoContent, status, body)
		got, err := c.Status(t.Context(), tx)
		require.NoError(t, err)
		assert.Equal(t, want, got)
		status, body = call(t, fake, "POST", "/_admin/transactions/"+tx.TransID+"/approve", "")
		assert.Equal(t, http.StatusConflict, status)
		assert.Contains(t, body, "not open")
	}
	_, body = call(t, fake, "GET", "/_admin/transactions", "")
	var list []map[string]string
	require.NoError(t, json.Unmarshal([]byte(body), &list))
	require.Len(t, list, 4)
	all := fake.Transactions()
	for i, tx := range all {
		assert.Equal(t, map[string]string{
			"transId": tx.TransID, "random": tx.Random, "nationalId": citizen, "status": list[i]["status"],
		}, list[i])
		assert.NotEqual(t, "WAITING", list[i]["status"])
	}
	for path, want := range map[string]int{
		"/_admin/transactions/unknown/approve":               http.StatusNotFound,
		"/_admin/transactions/" + all[0].TransID + "/adopt":  http.StatusNotFound,
		"/_admin/transactions/" + all[0].TransID + "/reject": http.StatusConflict,
	} {
		status, _ = call(t, fake, "POST", path, "")
		assert.Equal(t, want, status, path)
	}
	_, body = call(t, fake, "GET", "/_admin/requests", "")
	assert.Contains(t, body, `{"op":"request","method":"POST","path":"/ExtNafath/request"}`)
	assert.NotContains(t, body, "_admin", "the operator's own requests are no record of a client's")
}

func TestAdminFaultsAndReset(t *testing.T) {
	fake := withPeople(t, nafathtest.Config{Limits: nafath.Limits{Requests: 3}})
	good := bearer(t, fake)
	const ask = `{"nationalId":"1000000008"}`
	request := func() int {
		status, _ := send(t, fake, "POST", "/ExtNafath/request", jsonType, ask, good)
		return status
	}
	status, body := call(t, fake, "POST", "/_admin/faults", `{"op":"request","n":2,"status":503}`)
	require.Equal(t, http.StatusNoContent, status, body)
	assert.Equal(t, []int{503, 503, 200, 200, 200, 429}, []int{request(), request(), request(), request(), request(), request()})
	status, _ = call(t, fake, "POST", "/_admin/reset", "")
	require.Equal(t, http.StatusNoContent, status)
	assert.Empty(t, fake.Transactions())
	assert.Empty(t, fake.Requests(""))
	assert.Equal(t, 200, request(), "the limit is forgotten, the token is not")
	status, _ = call(t, fake, "POST", "/_admin/faults", `[{"op":"request","n":0,"status":500,"body":"broken","header":{"Retry-After":"7"}},{"op":"status","n":1,"delay":"1ms"}]`)
	require.Equal(t, http.StatusNoContent, status)
	assert.Equal(t, []int{500, 500}, []int{request(), request()})
	for _, bad := range []string{
		``, `null`, `[]x`, `{`, `{"op":"requests","n":1,"status":503}`, `{"op":"request","n":-1,"status":503}`, `{"op":"request","n":10001,"status":503}`,
		`{"op":"request","n":1}`, `{"op":"request","n":1,"status":99}`, `{"op":"request","n":1,"delay":"soon"}`, `{"op":"request","n":1,"delay":"-1s"}`,
		`{"op":"request","n":1,"status":"503"}`, `{"op":"request","n":1,"status":503,"typo":1}`, `{"op":"request","n":1,"status":503}{}`,
		`[{"op":"status","n":0,"status":503},{"op":"other thing","status":503}]`,
	} {
		status, body = call(t, fake, "POST", "/_admin/faults", bad)
		if bad == `null` {
			continue // no faults
		}
		assert.Equal(t, http.StatusBadRequest, status, bad)
		assert.Contains(t, body, `{"error":"`, bad)
	}
	fake.Heal()
	assert.Equal(t, 200, request())
}

var formOf = regexp.MustCompile(`(?s)<form.*?</form>`)

func TestPhone(t *testing.T) {
	fake := withPeople(t, nafathtest.Config{})
	c := client(t, fake)
	_, page := call(t, fake, "GET", "/phone", "")
	assert.Contains(t, page, "FAKE")
	assert.Contains(t, page, "There is no request to answer")
	assert.NotContains(t, page, "<script")

	tx, err := c.Request(t.Context(), citizen)
	require.NoError(t, err)
	other, err := c.Request(t.Context(), "2000000006")
	require.NoError(t, err)
	_, page = call(t, fake, "GET", "/phone", "")
	assert.Len(t, formOf.FindAllString(page, -1), 2)
	_, page = call(t, fake, "GET", "/phone?nationalId="+citizen, "")
	forms := formOf.FindAllString(page, -1)
	require.Len(t, forms, 1)
	for _, want := range []string{
		`data-testid="request"`, `data-testid="approve"`, `data-testid="reject"`, citizen, `value="` + tx.Random + `" checked`,
		`name="transId" value="` + tx.TransID + `"`,
	} {
		assert.Contains(t, forms[0], want)
	}
	assert.Equal(t, 3, strings.Count(forms[0], `type="radio"`), "a number is to be matched")

	answer := func(transID, random, answer string) (int, string) {
		return call(t, fake, "POST", "/phone?nationalId="+citizen, url.Values{"transId": {transID}, "random": {random}, "answer": {answer}}.Encode())
	}
	for _, wrong := range [][]string{{tx.TransID, "xx", "approve"}, {tx.TransID, tx.Random, "adopt"}, {"<b>", tx.Random, "approve"}, {"", "", ""}} {
		status, page := answer(wrong[0], wrong[1], wrong[2])
		assert.Equal(t, http.StatusConflict, status)
		assert.Contains(t, page, `role="alert"`)
		assert.NotContains(t, page, "<b>")
	}
	got, err := c.Status(t.Context(), tx)
	require.NoError(t, err)
	assert.Equal(t, nafath.StatusWaiting, got)
	status, page := answer(tx.TransID, tx.Random, "approve")
	assert.Equal(t, http.StatusOK, status, "shows the page again")
	assert.Empty(t, formOf.FindAllString(page, -1))
	got, err = c.Status(t.Context(), tx)
	require.NoError(t, err)
	assert.Equal(t, nafath.StatusCompleted, got)
	status, _ = answer(tx.TransID, tx.Random, "reject")
	assert.Equal(t, http.StatusConflict, status, "twice")
	_, _ = answer(other.TransID, "", "reject")
	got, err = c.Status(t.Context(), other)
	require.NoError(t, err)
	assert.Equal(t, nafath.StatusRejected, got, "no number is needed to reject")
	status, _ = call(t, fake, "PUT", "/phone", "")
	assert.Equal(t, http.StatusMethodNotAllowed, status)
	assert.Empty(t, fake.Requests(kyctest.OpOther), "the page is no call of a client")
}

func TestMagicIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		receiver := kyctest.NewServer(kyctest.Options{InMemory: true})
		defer receiver.Close()
		receiver.Handle("POST /hook", "hook", func(http.ResponseWriter, *http.Request) {})
		fake := nafathtest.NewServer(nafathtest.Config{
			MagicIDs: true, Limits: nafath.Limits{Requests: -1, StatusChecks: -1, Details: -1},
			Options: kyctest.Options{InMemory: true, Webhook: kyctest.Webhook{URL: receiver.URL + "/hook", Client: receiver.Client()}},
		})
		defer fake.Close()
		cfg := fake.ClientConfig()
		cfg.NationalID.Luhn = true
		c, err := nafath.New(cfg)
		require.NoError(t, err)
		for _, tc := range []struct {
			id             string
			asked, decided time.Duration
			status         nafath.Status
			hooks          int
			named          string
		}{
			{"1090000017", 0, 3 * time.Second, nafath.StatusCompleted, 1, "1090000017"},
			{"1090000025", 0, 3 * time.Second, nafath.StatusRejected, 1, ""},
			{"1090000033", 0, 3 * time.Second, nafath.StatusExpired, 1, ""},
			{"1090000041", 0, 3 * time.Second, nafath.StatusError, 1, ""},
			{"1090000058", 0, 175 * time.Second, nafath.StatusCompleted, 1, "1090000058"},
			{"1090000066", 10 * time.Second, 0, nafath.StatusCompleted, 1, "1090000066"},
			{"1090000074", 0, 3 * time.Second, nafath.StatusCompleted, 0, "1090000074"},
			{"1090000082", 0, 3 * time.Second, nafath.StatusCompleted, 1, "1090000090"},
		} {
			before, began := receiver.Count("hook"), time.Now()
			tx, err := c.Request(t.Context(), tc.id)
			require.NoError(t, err, tc.id)
			assert.Equal(t, tc.asked, time.Since(began), tc.id)
			if tc.decided > 0 {
				time.Sleep(tc.decided - time.Nanosecond)
				status, err := c.Status(t.Context(), tx)
				require.NoError(t, err)
				assert.Equal(t, nafath.StatusWaiting, status, tc.id)
				time.Sleep(time.Nanosecond)
			}
			synctest.Wait()
			status, err := c.Status(t.Context(), tx)
			require.NoError(t, err)
			assert.Equal(t, tc.status, status, tc.id)
			synctest.Wait()
			assert.Equal(t, tc.hooks, receiver.Count("hook")-before, tc.id)
			if tc.named != "" {
				raw := person(t, fake, tx)
				assert.Contains(t, raw, tc.named, tc.id)
			}
		}
	})
}

func person(t *testing.T, fake *nafathtest.Server, tx nafath.Transaction) string {
	t.Helper()
	_, body := send(t, fake, "GET", "/ExtNafath/details/"+tx.TransID, "", "", bearer(t, fake))
	return body
}
