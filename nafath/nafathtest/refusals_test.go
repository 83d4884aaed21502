package nafathtest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/testhttp"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
)

const (
	formType = "application/x-www-form-urlencoded"
	jsonType = "application/json"
)

func send(t *testing.T, fake *nafathtest.Server, method, path, contentType, body, authorization string) (int, string) {
	t.Helper()
	resp, got := testhttp.Send(t, fake.Client(), method, fake.URL+path, body, "Content-Type", contentType, "Authorization", authorization)
	return resp.StatusCode, got
}

func credentials() url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "client_id": {nafathtest.ClientID}, "client_secret": {nafathtest.ClientSecret}}
}

func bearer(t *testing.T, fake *nafathtest.Server) string {
	t.Helper()
	_, body := send(t, fake, "POST", "/oauth/token", formType, credentials().Encode(), "")
	var out struct {
		Token string `json:"access_token"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &out))
	require.NotEmpty(t, out.Token)
	return "Bearer " + out.Token
}

func TestRawWrongClientsAreRefused(t *testing.T) {
	fake := nafathtest.NewServer(nafathtest.Config{Limits: nafath.Limits{Requests: -1, StatusChecks: -1, Details: -1}})
	defer fake.Close()
	good := bearer(t, fake)
	c := client(t, fake)
	own, err := c.Request(t.Context(), citizen)
	require.NoError(t, err)
	other, err := c.Request(t.Context(), "2000000006")
	require.NoError(t, err)
	require.Equal(t, []nafath.Transaction{own, other}, strip(fake.Transactions(), own, other))

	without := func(field string) string { v := credentials(); v.Del(field); return v.Encode() }
	status := func(transID, random, id string) string {
		return fmt.Sprintf(`{"transId":%q,"random":%q,"nationalId":%q}`, transID, random, id)
	}
	const ask = `{"nationalId":"1000000008"}`
	for _, tc := range []struct {
		name, method, path, contentType, body, authorization string
		status                                               int
		contains                                             string
	}{
		{"token", "POST", "/oauth/token", formType + "; charset=UTF-8", credentials().Encode(), "", 200, `"expires_in":3600`},
		{"token as JSON", "POST", "/oauth/token", jsonType, `{"grant_type":"client_credentials"}`, "", 400, "invalid_request"},
		{"token, all in the query", "POST", "/oauth/token?" + credentials().Encode(), formType, "", "", 400, "invalid_request"},
		{"token, no grant", "POST", "/oauth/token", formType, without("grant_type"), "", 400, "invalid_request"},
		{"token, field twice", "POST", "/oauth/token", formType, credentials().Encode() + "&client_id=x", "", 400, "invalid_request"},
		{"token, no id", "POST", "/oauth/token", formType, without("client_id"), "", 401, "invalid_client"},
		{"token, Basic", "POST", "/oauth/token", formType, "grant_type=client_credentials", "Basic ZmFrZS1jbGllbnQ6ZmFrZS1jbGllbnQtc2VjcmV0", 401, "invalid_client"},
		{"token, other grant", "POST", "/oauth/token", formType, strings.Replace(credentials().Encode(), "client_credentials", "password", 1), "", 400, "unsupported_grant_type"},
		{"token by GET", "GET", "/oauth/token", "", "", "", 405, ""},
		{"request, charset", "POST", "/ExtNafath/request", "application/json; charset=utf-8", ask, good, 200, `"transId"`},
		{"request, other charset", "POST", "/ExtNafath/request", "application/json; charset=utf-16", ask, good, 400, `"statusCode":400`},
		{"request as text", "POST", "/ExtNafath/request", "text/plain", ask, good, 400, `"statusCode":400`},
		{"request, two values", "POST", "/ExtNafath/request", jsonType, ask + ask, good, 400, `"statusCode":400`},
		{"request, no bearer", "POST", "/ExtNafath/request", jsonType, ask, "", 401, `"statusCode":401`},
		{"request, token alone", "POST", "/ExtNafath/request", jsonType, ask, strings.TrimPrefix(good, "Bearer "), 401, `"statusCode":401`},
		{"request, nine digits", "POST", "/ExtNafath/request", jsonType, `{"nationalId":"100000000"}`, good, 422, `"statusCode":422`},
		{"request, border number", "POST", "/ExtNafath/request", jsonType, `{"nationalId":"3000000004"}`, good, 422, `"statusCode":422`},
		{"request, other digits", "POST", "/ExtNafath/request", jsonType, `{"nationalId":"1٠٠٠٠٠"}`, good, 422, `"statusCode":422`},
		{"request by GET", "GET", "/ExtNafath/request", "", "", good, 405, ""},
		{"status", "POST", "/ExtNafath/status", jsonType, status(own.TransID, own.Random, citizen), good, 200, "WAITING"},
		{"status, other's code", "POST", "/ExtNafath/status", jsonType, status(own.TransID, other.Random, citizen), good, 404, `"statusCode":404`},
		{"status, other's id", "POST", "/ExtNafath/status", jsonType, status(own.TransID, own.Random, "2000000006"), good, 404, `"statusCode":404`},
		{"status, transId alone", "POST", "/ExtNafath/status", jsonType, `{"transId":"` + own.TransID + `"}`, good, 400, `"statusCode":400`},
		{"status, no transId", "POST", "/ExtNafath/status", jsonType, status("", own.Random, citizen), good, 400, "TransId is required"},
		{"details, too early", "GET", "/ExtNafath/details/" + own.TransID, "", "", good, 404, `"statusCode":404`},
		{"details without an id", "GET", "/ExtNafath/details/", "", "", good, 400, "TransId is required"},
		{"details by query", "GET", "/ExtNafath/details?transId=" + own.TransID, "", "", good, 400, "TransId is required"},
		{"details by POST", "POST", "/ExtNafath/details/" + own.TransID, jsonType, "{}", good, 405, ""},
		{"a slash too many", "POST", "/ExtNafath/status/", jsonType, "{}", good, 404, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := len(fake.Requests(""))
			got, body := send(t, fake, tc.method, tc.path, tc.contentType, tc.body, tc.authorization)
			assert.Equal(t, tc.status, got, body)
			assert.Contains(t, body, tc.contains)
			all := fake.Requests("")
			require.Len(t, all, before+1)
			assert.Equal(t, tc.method, all[before].Method)
		})
	}
	assert.Len(t, fake.Transactions(), 3, "only what was accepted started a verification")
}

// strip gives the fake's transactions the clients' times, which are a little
// later.
func strip(all []nafath.Transaction, same ...nafath.Transaction) []nafath.Transaction {
	for i := range all {
		all[i].CreatedAt = same[i].CreatedAt
	}
	return all
}

func TestATokenIsRefusedAfterItsLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := nafathtest.NewServer(nafathtest.Config{Options: kyctest.Options{InMemory: true}, TokenLifetime: time.Minute})
		defer fake.Close()
		good := bearer(t, fake)
		time.Sleep(time.Minute)
		status, _ := send(t, fake, "POST", "/ExtNafath/request", jsonType, `{"nationalId":"1000000008"}`, good)
		assert.Equal(t, http.StatusUnauthorized, status)
		assert.Empty(t, fake.Transactions())
		fresh := bearer(t, fake)
		fake.RevokeTokens()
		status, _ = send(t, fake, "POST", "/ExtNafath/request", jsonType, `{"nationalId":"1000000008"}`, fresh)
		assert.Equal(t, http.StatusUnauthorized, status)
	})
}

// What the client cannot know, the test can.
func TestALostAnswerStillPromptsThePhone(t *testing.T) {
	fake := nafathtest.NewServer(nafathtest.Config{Prefixes: "123"})
	defer fake.Close()
	cfg := fake.ClientConfig()
	cfg.NationalID.Prefixes = "123"
	c, err := nafath.New(cfg)
	require.NoError(t, err)
	fake.Fail("request", 1, kyctest.Fault{LoseAnswer: true})
	_, err = c.Request(t.Context(), "3000000004")
	require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
	all := fake.Transactions()
	require.Len(t, all, 1)
	require.Equal(t, "3000000004", all[0].NationalID)
	require.NoError(t, fake.Approve(all[0].TransID, all[0].Random))
}

func TestLimitsOfOtherOperations(t *testing.T) {
	fake := nafathtest.NewServer(nafathtest.Config{})
	defer fake.Close()
	fake.Spend("token", 3)
	fake.Spend("status", 100)
	assert.Zero(t, fake.Limited("token"))
	assert.Zero(t, fake.Limited("status"), "nobody was refused yet")
}

func TestWebhooksAreRepeatedAndOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		receiver := kyctest.NewServer(kyctest.Options{InMemory: true})
		defer receiver.Close()
		receiver.Handle("PATCH /hook", "hook", func(http.ResponseWriter, *http.Request) {})
		fake := nafathtest.NewServer(nafathtest.Config{Options: kyctest.Options{InMemory: true, Webhook: kyctest.Webhook{
			URL: receiver.URL + "/hook", Client: receiver.Client(), Method: http.MethodPatch, Delay: time.Second,
			Repeat: func(n int) int { return n - 1 },
			Late:   func(n int) time.Duration { return time.Minute / time.Duration(n) },
		}}})
		c := client(t, fake)
		var transIDs []string
		for range 2 {
			tx, err := c.Request(t.Context(), citizen)
			require.NoError(t, err)
			require.NoError(t, fake.Approve(tx.TransID, tx.Random))
			transIDs = append(transIDs, tx.TransID)
		}
		left, err := c.Request(t.Context(), citizen)
		require.NoError(t, err)
		fake.Close()
		require.NoError(t, fake.Reject(left.TransID), "after Close this sends nothing")
		time.Sleep(time.Hour)
		var got []string
		for _, r := range receiver.Requests("hook") {
			var e struct{ TransID string }
			require.NoError(t, json.Unmarshal(r.Body, &e))
			got = append(got, e.TransID)
		}
		assert.Equal(t, []string{transIDs[1], transIDs[1], transIDs[0]}, got)
	})
}

func TestAForcedStatusLivesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		receiver := kyctest.NewServer(kyctest.Options{InMemory: true})
		defer receiver.Close()
		receiver.Handle("/hook", "hook", func(http.ResponseWriter, *http.Request) {})
		fake := nafathtest.NewServer(nafathtest.Config{Options: kyctest.Options{
			InMemory: true, Webhook: kyctest.Webhook{URL: receiver.URL + "/hook", Client: receiver.Client()},
		}})
		defer fake.Close()
		c := client(t, fake)
		tx, err := c.Request(t.Context(), citizen)
		require.NoError(t, err)
		time.Sleep(100 * time.Second)
		fake.SetStatus(tx.TransID, nafath.StatusWaiting)
		fake.SetStatus("unknown", nafath.StatusWaiting)
		time.Sleep(100 * time.Second)
		status, err := c.Status(t.Context(), tx)
		require.NoError(t, err)
		assert.Equal(t, nafath.StatusWaiting, status)
		time.Sleep(100 * time.Second)
		synctest.Wait()
		assert.Equal(t, 1, receiver.Count("hook"), "it expires by its new deadline")
	})
}

// The test that the documentation of kyctest shows.
func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := nafathtest.NewServer(nafathtest.Config{Options: kyctest.Options{InMemory: true}})
		defer fake.Close()
		client, err := nafath.New(fake.ClientConfig())
		require.NoError(t, err)
		tx, err := client.Request(t.Context(), "1000000008")
		require.NoError(t, err)
		time.Sleep(3 * time.Minute) // takes no time
		status, err := client.Status(t.Context(), tx)
		require.NoError(t, err)
		require.Equal(t, nafath.StatusExpired, status)
	})
}
