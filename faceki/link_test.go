package faceki_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/faceki"
	"github.com/kyckit/kyckit/faceki/facekitest"
	"github.com/kyckit/kyckit/kyctest"
)

func TestCreateLink(t *testing.T) {
	fake, client := newFake(t)
	link, err := client.CreateLink(context.Background(), faceki.LinkParams{
		WorkflowID:    facekitest.WorkflowID,
		Expiry:        30 * time.Minute,
		ApplicationID: "order-5117",
		RedirectURL:   "https://shop.mock.test/kyc/done",
		Extra:         map[string]any{"document_optional": true},
	})
	require.NoError(t, err)
	require.Equal(t, "https://verification.faceki.test/"+link.ID, link.URL)

	requests := fake.Requests(facekitest.OpLink)
	require.Len(t, requests, 1)
	want := map[string]any{"document_optional": true}
	require.NoError(t, json.Unmarshal(sample(t, "link_request.json"), &want))
	require.Equal(t, want, decodeAny(t, requests[0].Body), "as in the documentation, expiryTime a number of minutes")
	require.Equal(t, "application/json", requests[0].Header.Get("Content-Type"))
}

func TestCreateLinkMinimal(t *testing.T) {
	fake, client := newFake(t)
	_, err := client.CreateLink(context.Background(), faceki.LinkParams{WorkflowID: "w"})
	require.NoError(t, err)
	require.JSONEq(t, `{"workflowId":"w"}`, string(fake.Requests(facekitest.OpLink)[0].Body))
}

func TestCreateLinkInput(t *testing.T) {
	fake, client := newFake(t)
	for name, p := range map[string]faceki.LinkParams{
		"no workflow":     {},
		"negative expiry": {WorkflowID: "w", Expiry: -time.Minute},
		"half a minute":   {WorkflowID: "w", Expiry: 90 * time.Second},
		"relative URL":    {WorkflowID: "w", RedirectURL: "/done"},
		"no URL":          {WorkflowID: "w", RedirectURL: "::"},
		"extra workflow":  {WorkflowID: "w", Extra: map[string]any{"workflowId": "x"}},
		"extra not JSON":  {WorkflowID: "w", Extra: map[string]any{"x": func() {}}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client.CreateLink(context.Background(), p)
			require.ErrorIs(t, err, kyckit.ErrInvalid)
		})
	}
	require.Zero(t, fake.Count(facekitest.OpLink))
	require.Zero(t, fake.Count(facekitest.OpToken))
}

// 200 and 201, with and without a URL; anything but a text in data is refused
// and the answer kept.
func TestCreateLinkAnswers(t *testing.T) {
	ctx := context.Background()
	fake, client := newFake(t)
	p := faceki.LinkParams{WorkflowID: "w"}

	fake.Fail(facekitest.OpLink, 1, kyctest.Fault{Status: http.StatusOK, Body: `{"responseCode":0,"data":"l-1","url":""}`})
	link, err := client.CreateLink(ctx, p)
	require.NoError(t, err)
	require.Equal(t, "l-1", link.ID)
	require.Empty(t, link.URL)

	fake.Fail(facekitest.OpLink, 1, kyctest.Fault{Status: http.StatusCreated, Body: `{"responseCode":"0","data":"l-2"}`})
	link, err = client.CreateLink(ctx, p)
	require.NoError(t, err)
	require.Equal(t, "l-2", link.ID)

	for _, body := range []string{
		`{"responseCode":0,"data":"","url":"https://verification.mock.test/l-3"}`,
		`{"responseCode":0,"data":{"id":"l-3"}}`, `{"responseCode":0,"data":3}`, `{"responseCode":0}`,
		`{"responseCode":null,"data":"l-3"}`, `{"data":"l-3"}`, `[]`, `null`, ``, `<html>`,
	} {
		fake.Fail(facekitest.OpLink, 1, kyctest.Fault{Status: http.StatusOK, Body: body})
		_, err = client.CreateLink(ctx, p)
		require.ErrorIs(t, err, kyckit.ErrDecode, body)
		require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown, body)
		var e *kyckit.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, body, string(e.Body()))
	}
}

func TestCreateLinkIsNotRepeated(t *testing.T) {
	for name, f := range map[string]kyctest.Fault{
		"503": {Status: 503}, "hangup": {Hangup: true}, "lost": {LoseAnswer: true}, "truncated": {Status: 200, Body: "{", Truncate: true},
	} {
		t.Run(name, func(t *testing.T) {
			fake, client := newFake(t)
			fake.Fail(facekitest.OpLink, 0, f)
			_, err := client.CreateLink(context.Background(), faceki.LinkParams{WorkflowID: "w"})
			require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
			require.Equal(t, 1, fake.Count(facekitest.OpLink))
		})
	}
}
