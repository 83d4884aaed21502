package faceki_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/faceki"
	"github.com/kyckit/kyckit/faceki/facekitest"
	"github.com/kyckit/kyckit/webhook"
)

func TestParseEvent(t *testing.T) {
	e, err := faceki.ParseEvent(sample(t, "webhook_kyc_completed.json"))
	require.NoError(t, err)
	require.Equal(t, faceki.EventVerified, e.Type)
	require.Equal(t, "3f2a9c10-7b44-4d0e-9a31-b6c5d4e3f201", e.RequestID)
	require.Equal(t, "LUKA TRIAL MOCKMAN", e.FullName)
	require.Equal(t, faceki.DecisionAccepted, e.Status)
	require.Equal(t, "order-5117", e.Record.RecordIdentifier)
	require.Empty(t, e.ModifiedByEmail)

	e, err = faceki.ParseEvent(sample(t, "webhook_kyc_completed_empty_kycdata.json"))
	require.NoError(t, err)
	require.Equal(t, faceki.EventVerified, e.Type)
	require.Equal(t, faceki.DecisionReview, e.Status)
	require.Nil(t, e.Record)

	e, err = faceki.ParseEvent(sample(t, "webhook_portal_update.json"))
	require.NoError(t, err)
	require.Equal(t, faceki.EventStatusChanged, e.Type)
	require.True(t, e.Status.Accepted())
	require.Equal(t, "desk@portal.test", e.ModifiedByEmail)
}

func TestParseEventVariants(t *testing.T) {
	for name, body := range map[string]string{
		"no data":        `{"requestId":"r","status":"X"}`,
		"null":           `{"requestId":"r","status":"X","kycData":null,"modifiedByEmail":null,"fullName":null}`,
		"empty":          `{"requestId":"r","status":"X","kycData":{}}`,
		"empty array":    `{"requestId":"r","status":"X","kycData":[]}`,
		"array of one":   `{"requestId":"r","status":"X","kycData":[{"requestId":"r"}]}`,
		"unknown fields": `{"requestId":"r","status":"X","event":"new","kycData":{"requestId":"r","new":[1]},"at":17}`,
	} {
		t.Run(name, func(t *testing.T) {
			e, err := faceki.ParseEvent([]byte(body))
			require.NoError(t, err)
			require.Equal(t, faceki.Decision("X"), e.Status)
			require.False(t, e.Status.Accepted())
			require.Equal(t, faceki.EventVerified, e.Type)
			require.Equal(t, body, string(e.Raw))
		})
	}
	for name, body := range map[string]string{
		"empty":               ``,
		"null":                `null`,
		"array":               `[]`,
		"no object":           `"x"`,
		"no id":               `{"status":"ACCEPTED"}`,
		"empty id":            `{"requestId":"","status":"ACCEPTED"}`,
		"id a number":         `{"requestId":7,"status":"ACCEPTED"}`,
		"no status":           `{"requestId":"r"}`,
		"status of an answer": `{"requestId":"r","status":true}`,
		"id twice":            `{"requestId":"r","status":"ACCEPTED","requestId":"s"}`,
		"id in two spellings": `{"requestId":"r","status":"ACCEPTED","RequestId":"s"}`,
		"more after it":       `{"requestId":"r","status":"ACCEPTED"}{}`,
		"data a text":         `{"requestId":"r","status":"ACCEPTED","kycData":"x"}`,
		"two records":         `{"requestId":"r","status":"ACCEPTED","kycData":[{"a":1},{"a":2}]}`,
		"other record":        `{"requestId":"r","status":"ACCEPTED","kycData":{"requestId":"s"}}`,
		"too large":           `{"requestId":"r","status":"ACCEPTED","x":"` + strings.Repeat("x", 4<<20) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := faceki.ParseEvent([]byte(body))
			require.ErrorIs(t, err, kyckit.ErrDecode)
			require.ErrorIs(t, err, kyckit.ErrInvalid)
			require.ErrorIs(t, err, webhook.ErrMalformed)
		})
	}
}

// TestEventKeysCompareExactlyInside: a key of the record that differs by case is
// another key, which reaches no field.
func TestEventKeysCompareExactlyInside(t *testing.T) {
	e, err := faceki.ParseEvent([]byte(`{"requestId":"r","status":"X","kycData":{"requestId":"r","decision":"DECLINED","Decision":"ACCEPTED","RequestId":"s"}}`))
	require.NoError(t, err)
	require.Equal(t, "r", e.Record.RequestID)
	require.Equal(t, faceki.Decision("DECLINED"), e.Record.Decision)
}

const secretPath = "4fJt0aVb2kqLw9ZrXc7N"

// handlerOf serves deliveries behind a secret path.
func handlerOf(t *testing.T, handle func(context.Context, *webhook.Delivery) error) (url string) {
	t.Helper()
	guard, err := webhook.NewSecretPath(webhook.SecretPathConfig{
		Prefix: "/faceki/", Tokens: []kyckit.Secret{kyckit.NewSecret(secretPath)},
	})
	require.NoError(t, err)
	handler, err := webhook.NewHandler(webhook.HandlerConfig{Authenticate: guard, Key: faceki.EventKey, Handle: handle})
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL + "/faceki/"
}

func TestConfirmedWebhook(t *testing.T) {
	ctx := context.Background()
	fake, client := newFake(t)
	var got []faceki.Decision
	url := handlerOf(t, client.OnConfirmed(func(_ context.Context, e faceki.Event, r *faceki.Record) error {
		require.Equal(t, e.RequestID, r.RequestID)
		got = append(got, r.Decision)
		return nil
	}))
	deliver := func(want int, status int, err error) {
		t.Helper()
		require.NoError(t, err)
		require.Equal(t, want, status)
	}

	link, err := client.CreateLink(ctx, faceki.LinkParams{WorkflowID: "w"})
	require.NoError(t, err)
	fake.SetDecision(faceki.DecisionReview)
	id := fake.CompleteLink(link.ID)
	status, err := fake.Deliver(ctx, url+secretPath, fake.Completed(id))
	deliver(http.StatusOK, status, err)
	status, err = fake.Deliver(ctx, url+secretPath, fake.Completed(id))
	deliver(http.StatusOK, status, err) // a duplicate
	require.Equal(t, []faceki.Decision{faceki.DecisionReview}, got)

	require.True(t, fake.ChangeDecision(id, faceki.DecisionApproved, "desk@portal.test"))
	status, err = fake.Deliver(ctx, url+secretPath, fake.Changed(id))
	deliver(http.StatusOK, status, err)
	require.Equal(t, []faceki.Decision{faceki.DecisionReview, faceki.DecisionApproved}, got)

	status, err = fake.Deliver(ctx, url+"guessed-guessed-guessed", fake.Completed(id))
	deliver(http.StatusUnauthorized, status, err)
	require.Len(t, got, 2)
}

// The body says ACCEPTED, the record says DECLINED: the record counts.
func TestForgedWebhookIsNotBelieved(t *testing.T) {
	ctx := context.Background()
	fake, client := newFake(t)
	id := fake.AddRecord(map[string]any{"decision": "DECLINED"})
	e, err := faceki.ParseEvent([]byte(`{"requestId":"` + id + `","status":"ACCEPTED"}`))
	require.NoError(t, err)
	record, err := client.Confirm(ctx, e)
	require.NoError(t, err)
	require.False(t, record.Decision.Accepted())

	_, err = client.Confirm(ctx, faceki.Event{RequestID: "made-up", Status: "ACCEPTED"})
	require.ErrorIs(t, err, kyckit.ErrNotFound)
	_, err = client.Confirm(ctx, faceki.Event{})
	require.ErrorIs(t, err, kyckit.ErrInvalid)

	fake.Fail(facekitest.OpRecords, 1, answer(sample(t, "records_success.json")))
	_, err = client.Confirm(ctx, e)
	require.ErrorIs(t, err, kyckit.ErrDecode, "another person's record")
}

func TestEventHandlerErrors(t *testing.T) {
	broken := errors.New("database down")
	handle := faceki.OnEvent(func(context.Context, faceki.Event) error { return broken })
	require.ErrorIs(t, handle(context.Background(), &webhook.Delivery{Body: []byte(`{}`)}), webhook.ErrMalformed)
	require.ErrorIs(t, handle(context.Background(), &webhook.Delivery{Body: []byte(`{"requestId":"r","status":"X"}`)}), broken)

	fake, client := newFake(t, fastRetries)
	fake.Fail(facekitest.OpRecords, 0, facekitest.HTML(503))
	err := client.OnConfirmed(func(context.Context, faceki.Event, *faceki.Record) error {
		t.Error("handled without a record")
		return nil
	})(context.Background(), &webhook.Delivery{Body: []byte(`{"requestId":"r","status":"X"}`)})
	require.ErrorIs(t, err, kyckit.ErrUnavailable)
}
