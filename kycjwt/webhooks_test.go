package kycjwt_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/kycjwt"
	"github.com/kyckit/kyckit/kycjwt/kycjwttest"
	"github.com/kyckit/kyckit/kyctest"
)

func TestPitfallDeleteWebhookTakesItsIDInTheQuery(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	ctx := t.Context()
	hook, err := client.RegisterWebhook(ctx, kycjwt.WebhookParams{URL: "https://us.example/kyc?x=1"})
	require.NoError(t, err)
	assert.True(t, hook.IncludeAllEvents)
	assert.Equal(t, fake.PublicKey(), hook.PublicKey, "pitfall: the key is kept at registration")
	some, err := client.RegisterWebhook(ctx, kycjwt.WebhookParams{
		URL: "https://us.example/kyc", EventTypes: []kycjwt.EventType{kycjwt.EventIDVFailed, "later"},
	})
	require.NoError(t, err)
	assert.False(t, some.IncludeAllEvents)
	assert.Equal(t, []kycjwt.EventType{kycjwt.EventIDVFailed, "later"}, some.EventTypes)
	require.Len(t, all(t, client.Webhooks(ctx)), 2)

	require.NoError(t, client.DeleteWebhook(ctx, hook.ID))
	sent := fake.Requests("delete webhook")[0]
	assert.Equal(t, "/api/v1/webhooks", sent.Path)
	assert.Equal(t, hook.ID, sent.Query.Get("webhook_id"))
	left := all(t, client.Webhooks(ctx))
	require.Len(t, left, 1)
	assert.Equal(t, some.ID, left[0].ID)
	require.ErrorIs(t, client.DeleteWebhook(ctx, hook.ID), kyckit.ErrNotFound)
	require.ErrorIs(t, client.DeleteWebhook(ctx, ""), kyckit.ErrInvalid)
}

func TestPitfallALostPublicKeyIsAnError(t *testing.T) {
	fake, client := start(t, kycjwttest.Config{})
	for _, body := range []string{`{"id":"1"}`, `{"id":"1","public_key":"AAAA"}`, `{"id":"1","public_key":7}`, ``, `<html>`} {
		fake.Fail("register webhook", 1, kyctest.Fault{Status: 201, Body: body})
		_, err := client.RegisterWebhook(t.Context(), kycjwt.WebhookParams{URL: "https://us.example"})
		require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown, "a registration without its key may exist")
		require.ErrorIs(t, err, kyckit.ErrDecode)
	}
	count := fake.Count("register webhook")
	for _, u := range []string{"", "http://us.example", "us.example", "https://", "ftp://us.example", "https://a b"} {
		_, err := client.RegisterWebhook(t.Context(), kycjwt.WebhookParams{URL: u})
		require.ErrorIs(t, err, kyckit.ErrInvalid, u)
	}
	assert.Equal(t, count, fake.Count("register webhook"))
}
