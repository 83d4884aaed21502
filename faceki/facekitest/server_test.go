package facekitest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kyckit/kyckit/faceki"
	"github.com/kyckit/kyckit/faceki/facekitest"
	"github.com/kyckit/kyckit/kyctest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func Example() {
	fake := facekitest.NewServer(facekitest.Config{})
	defer fake.Close()
	client, err := faceki.New(fake.ClientConfig())
	if err != nil {
		panic(err)
	}

	fake.SetDecision(faceki.DecisionDeclined)
	fake.Fail(facekitest.OpVerify, 1, facekitest.Refusal(5004))
	for range 2 {
		record, err := client.Verify(context.Background(), faceki.VerifyParams{
			WorkflowID: facekitest.WorkflowID,
			Selfie:     faceki.Image{Reader: bytes.NewReader(facekitest.JPEG(100))},
			Documents:  []faceki.Document{{Front: faceki.Image{Reader: bytes.NewReader(facekitest.PNG(100))}}},
		})
		if errors.Is(err, faceki.ErrRetakeSelfie) {
			fmt.Println("again, please")
			continue
		}
		fmt.Println(record.Decision)
	}
	// Output:
	// again, please
	// DECLINED
}

// raw sends a verification by hand, so that the fake's own checks are seen.
func raw(t *testing.T, fake *facekitest.Server, filename, contentType string, image []byte) string {
	t.Helper()
	var body bytes.Buffer
	mw := multipart.NewWriter(&body)
	require.NoError(t, mw.WriteField("workflowId", "w"))
	for _, field := range []string{"selfie", "document_1_front"} {
		part, err := mw.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {fmt.Sprintf("form-data; name=%q; filename=%q", field, filename)},
			"Content-Type":        {contentType},
		})
		require.NoError(t, err)
		_, err = part.Write(image)
		require.NoError(t, err)
	}
	require.NoError(t, mw.Close())
	do := func(method, path, contentType string, body io.Reader, token string) string {
		req, err := http.NewRequestWithContext(t.Context(), method, fake.URL+path, body)
		require.NoError(t, err)
		req.Header.Set("Content-Type", contentType)
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := fake.Client().Do(req)
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return string(b)
	}
	do(http.MethodPost, "/auth/api/generate-token", "application/json",
		bytes.NewReader([]byte(`{"clientId":"fake-client","clientSecret":"fake-secret-for-tests"}`)), "")
	return do(http.MethodPost, "/api/v3/kyc_verification", mw.FormDataContentType(), &body, "fake-token-0001")
}

// The fake demands that an image is labelled as what it is.
func TestImageChecks(t *testing.T) {
	for name, tc := range map[string]struct {
		filename, contentType string
		image                 []byte
		want                  string
	}{
		"good JPEG":       {"a.jpg", "image/jpeg", facekitest.JPEG(10), `"ACCEPTED"`},
		"good PNG":        {"a.png", "image/png", facekitest.PNG(10), `"ACCEPTED"`},
		"wrong extension": {"a.png", "image/jpeg", facekitest.JPEG(10), `8001`},
		"wrong type":      {"a.jpg", "multipart/form-data", facekitest.JPEG(10), `8001`},
		"no image":        {"a.jpg", "image/jpeg", []byte("text"), `8001`},
		"empty":           {"a.jpg", "image/jpeg", nil, `8001`},
		"too large":       {"a.jpg", "image/jpeg", facekitest.JPEG(2000), `<html>`},
	} {
		t.Run(name, func(t *testing.T) {
			fake := facekitest.NewServer(facekitest.Config{MaxImageBytes: 1000})
			defer fake.Close()
			require.Contains(t, raw(t, fake, tc.filename, tc.contentType, tc.image), tc.want)
		})
	}
}

func TestTokensExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := facekitest.NewServer(facekitest.Config{Options: kyctest.Options{InMemory: true}, TokenLifetime: time.Minute})
		defer fake.Close()
		client, err := faceki.New(fake.ClientConfig())
		require.NoError(t, err)
		_, err = client.WorkflowRules(t.Context(), "w")
		require.NoError(t, err)
		time.Sleep(2 * time.Minute)
		_, err = client.WorkflowRules(t.Context(), "w")
		require.NoError(t, err)
		require.Equal(t, 2, fake.Count(facekitest.OpToken))
	})
}

func TestWebhookSender(t *testing.T) {
	fake := facekitest.NewServer(facekitest.Config{})
	defer fake.Close()
	var bodies [][]byte
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		bodies = append(bodies, b)
		if user, password, _ := r.BasicAuth(); user != "u" || password != "p" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer sink.Close()
	id := fake.AddRecord(nil)
	url := "http://u:p@" + sink.Listener.Addr().String()

	status, err := fake.Deliver(t.Context(), url, fake.Completed(id))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	require.True(t, fake.ChangeDecision(id, faceki.DecisionApproved, "desk@portal.test"))
	_, err = fake.Deliver(t.Context(), url, fake.Changed(id))
	require.NoError(t, err)
	first, err := faceki.ParseEvent(bodies[0])
	require.NoError(t, err)
	require.Equal(t, faceki.EventVerified, first.Type)
	require.Equal(t, "MIRA EXAMPLE TESTER", first.FullName)
	require.Equal(t, id, first.Record.RequestID)
	second, err := faceki.ParseEvent(bodies[1])
	require.NoError(t, err)
	require.Equal(t, faceki.EventStatusChanged, second.Type)
	require.Equal(t, faceki.DecisionApproved, second.Status)

	_, err = fake.Deliver(t.Context(), url, fake.Completed("unknown"))
	require.Error(t, err)
	require.False(t, fake.ChangeDecision("unknown", faceki.DecisionApproved, ""))
	require.Empty(t, fake.CompleteLink("unknown"))
	fake.Forget()
	require.Empty(t, fake.Completed(id))
}

func TestOnPrompt(t *testing.T) {
	var fake *facekitest.Server
	var finished []string
	fake = facekitest.NewServer(facekitest.Config{
		ClientID: "another", ClientSecret: "another secret",
		OnPrompt: func(linkID string) { finished = append(finished, fake.CompleteLink(linkID)) },
	})
	defer fake.Close()
	client, err := faceki.New(fake.ClientConfig())
	require.NoError(t, err)
	link, err := client.CreateLink(t.Context(), faceki.LinkParams{WorkflowID: facekitest.WorkflowID})
	require.NoError(t, err)
	records, err := client.Records(t.Context(), faceki.RecordFilter{Link: link.ID})
	require.NoError(t, err)
	require.Len(t, records, 1)
	require.Equal(t, []string{records[0].RequestID}, finished)
}

func TestPeopleAnswerLinks(t *testing.T) {
	receiver := kyctest.NewServer(kyctest.Options{})
	defer receiver.Close()
	receiver.Handle("POST /hook", "hook", func(http.ResponseWriter, *http.Request) {})
	fake := facekitest.NewServer(facekitest.Config{Options: kyctest.Options{Webhook: kyctest.Webhook{URL: receiver.URL + "/hook"}}})
	client, err := faceki.New(fake.ClientConfig())
	require.NoError(t, err)
	var ids []string
	for range 4 {
		link, err := client.CreateLink(t.Context(), faceki.LinkParams{WorkflowID: facekitest.WorkflowID})
		require.NoError(t, err)
		ids = append(ids, link.ID)
	}
	for i, answer := range []string{"approve", "reject", "expire"} {
		require.NoError(t, fake.Answer(ids[i], answer))
		require.Error(t, fake.Answer(ids[i], answer), "twice")
	}
	require.Error(t, fake.Answer(ids[3], "adopt"))
	require.ErrorIs(t, fake.Answer("unknown", "approve"), kyctest.ErrNoPrompt)
	var stands []string
	for _, p := range fake.Prompts() {
		stands = append(stands, p.Status)
	}
	require.Equal(t, []string{"ACCEPTED", "DECLINED", "closed", "WAITING"}, stands)
	records, err := client.Records(t.Context(), faceki.RecordFilter{Link: ids[1]})
	require.NoError(t, err)
	require.Equal(t, faceki.DecisionDeclined, records[0].Decision)
	fake.Close()
	require.Equal(t, 2, receiver.Count("hook"))
	fake.Reset()
	require.Empty(t, fake.Prompts())
}
