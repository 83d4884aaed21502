package nafath_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/leaktest"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
)

// TestNothingPersonalIsPrinted plants personal data and secrets everywhere and
// looks for them in all that this package prints, logs or returns as an error.
func TestNothingPersonalIsPrinted(t *testing.T) {
	const name, birth, code, token = "Plantedname", "31-12-1971", "c0de77", "planted-trans-id"
	planted := []string{citizen, name, birth, code, token, nafathtest.ClientSecret, "fake-token-"}

	var log bytes.Buffer
	fake := nafathtest.NewServer(nafathtest.Config{})
	defer fake.Close()
	cfg := fake.ClientConfig()
	cfg.HTTP.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg.HTTP.Retry = kyckit.Retry{MaxAttempts: 2, MinWait: time.Millisecond, MaxWait: time.Millisecond}
	client, err := nafath.New(cfg)
	require.NoError(t, err)
	poller, err := nafath.NewPoller(nafath.PollerConfig{Client: client})
	require.NoError(t, err)
	defer func() { require.NoError(t, poller.Close()) }()
	sealer, err := nafath.NewSealer(key('p'))
	require.NoError(t, err)

	tx := nafath.Transaction{TransID: token, Random: code, NationalID: citizen, CreatedAt: time.Now()}
	details := nafath.Details{
		TransID: token, IDNumber: citizen, EnglishFirstName: name, EnglishLastName: name, DateOfBirthG: birth,
		NationalAddress: json.RawMessage(`"` + name + `"`), Raw: json.RawMessage(`"` + name + `"`),
	}
	event, err := nafath.ParseEvent([]byte(`{"Type":"x","TransId":"` + token + `","Status":"COMPLETED"}`))
	require.NoError(t, err)
	values := []any{
		tx, &tx,
		[]nafath.Transaction{tx},
		details, &details,
		[]*nafath.Details{&details},
		event, &event,
		cfg, &cfg, client, *client, poller, sealer, *sealer,
		map[string]any{"tx": tx},
	}

	text := fmt.Sprintf("%s %s %s %s %s", citizen, name, birth, code, token)
	for _, fault := range []kyctest.Fault{
		{Status: 400, Body: `{"statusCode":400,"messages":["` + text + `"],"code":"` + citizen + `"}`},
		{Status: 200, Body: `{"statusCode":422,"messages":["` + text + `"],"result":null}`},
		{Status: 500, Body: "<html>" + text},
		{Status: 200, Body: `{"result":{"status":["` + text + `"],"transId":{"x":"` + text + `"}}}`},
		{Status: 200, Body: `{"transId":["` + text + `"]}`},
		{Status: 302, Header: map[string][]string{"Location": {"https://kyckit.invalid/" + citizen + "?" + token}}},
		{Status: 401, Body: text},
		{Hangup: true},
	} {
		for _, op := range []string{"request", "status", "details"} {
			fake.Fail(op, 0, fault)
		}
		_, err := client.Request(t.Context(), citizen)
		values = append(values, err)
		_, err = client.Status(t.Context(), tx)
		values = append(values, err)
		_, err = client.Details(t.Context(), token)
		values = append(values, err)
		fake.Heal()
	}
	_, err = client.Request(t.Context(), citizen+"0")
	values = append(values, err)
	_, err = client.Details(t.Context(), "../"+token)
	values = append(values, err)
	_, err = nafath.ParseEvent([]byte(`{"TransId":"` + token + `","Status":["` + text + `"]}`))
	values = append(values, err)
	_, err = sealer.Open("nafath1."+token, token)
	values = append(values, err)

	for _, v := range values {
		what := fmt.Sprintf("%T", v)
		leaktest.Silent(t, what, leaktest.Printed(v), planted...)
		var e *kyckit.Error
		if err, isError := v.(error); isError && assert.ErrorAs(t, err, &e) {
			leaktest.Silent(t, what, leaktest.Printed(*e)+leaktest.Encoded(err), planted...)
		}
	}
	leaktest.Types(t, []any{tx, details, event, nafath.Update{}, nafath.Verification{}, nafath.Poller{}, nafath.Sealer{}, nafath.Client{}},
		"Config", "Paths", "NationalIDRule", "Limits", "PollerConfig", "Stats", "Notice",
		"Use", "Mark", "Grant", "Want", "Bid", "Learned")
	leaktest.Silent(t, "the log", log.String(), planted...)
	assert.Contains(t, log.String(), "/ExtNafath/details/{transId}")

	// JSON is for storing, and clear.
	b, err := json.Marshal(tx)
	require.NoError(t, err)
	assert.Contains(t, string(b), citizen)
	var back nafath.Transaction
	require.NoError(t, json.Unmarshal(b, &back))
	assert.Equal(t, tx.Random, back.Random)
}
