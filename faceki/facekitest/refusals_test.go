package facekitest_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/faceki"
	"github.com/kyckit/kyckit/faceki/facekitest"
	"github.com/kyckit/kyckit/internal/testhttp"
	"github.com/kyckit/kyckit/kyctest"
)

const (
	jsonType   = "application/json"
	tokenPath  = "/auth/api/generate-token"
	linkPath   = "/kycverify/api/kycverify/kyc-verify-link"
	verifyPath = "/api/v3/kyc_verification"
)

func send(t *testing.T, fake *facekitest.Server, method, path, contentType, body, authorization string) (int, string) {
	t.Helper()
	resp, got := testhttp.Send(t, fake.Client(), method, fake.URL+path, body, "Content-Type", contentType, "Authorization", authorization)
	return resp.StatusCode, got
}

func bearer(t *testing.T, fake *facekitest.Server) string {
	t.Helper()
	_, body := send(t, fake, "POST", tokenPath, jsonType, `{"clientId":"fake-client","clientSecret":"fake-secret-for-tests"}`, "")
	var out struct {
		Data struct {
			Token string `json:"access_token"`
		} `json:"data"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &out))
	return "Bearer " + out.Data.Token
}

func TestWrongClientsAreRefused(t *testing.T) {
	fake := facekitest.NewServer(facekitest.Config{})
	defer fake.Close()
	fake.AddRecord(nil)
	good := bearer(t, fake)
	bare := strings.TrimPrefix(good, "Bearer ")
	credentials := `{"clientId":"fake-client","clientSecret":"fake-secret-for-tests"}`
	for _, tc := range []struct {
		name, method, path, contentType, body, authorization string
		status                                               int
		contains                                             string
	}{
		{"token, charset", "POST", tokenPath, "application/json; charset=UTF-8", credentials, "", 200, `"expires_in":3600`},
		{"token, labelled as text", "POST", tokenPath, "text/plain", credentials, "", 422, `"statusCode":422`},
		{"token, other charset", "POST", tokenPath, "application/json; charset=utf-16", credentials, "", 422, `"statusCode":422`},
		{"token, two values", "POST", tokenPath, jsonType, credentials + "{}", "", 422, `"statusCode":422`},
		{"token, number", "POST", tokenPath, jsonType, `{"clientId":1,"clientSecret":"x"}`, "", 422, "client id is required"},
		{"token, secret in the query", "POST", tokenPath + "?clientId=fake-client&clientSecret=fake-secret-for-tests", jsonType, "{}", "", 422, "client id is required"},
		{"token, wrong method", "GET", tokenPath, "", "", "", 405, ""},
		{"link", "POST", linkPath, jsonType, `{"workflowId":"w"}`, good, 201, `"responseCode":0`},
		{"link, no bearer", "POST", linkPath, jsonType, `{"workflowId":"w"}`, "", 401, `"code":1`},
		{"link, token alone", "POST", linkPath, jsonType, `{"workflowId":"w"}`, bare, 401, `"code":1`},
		{"link, other scheme", "POST", linkPath, jsonType, `{"workflowId":"w"}`, "Basic " + bare, 401, `"code":1`},
		{"link, labelled as text", "POST", linkPath, "text/plain", `{"workflowId":"w"}`, good, 200, `"responseCode":5002`},
		{"link, minutes as text", "POST", linkPath, jsonType, `{"workflowId":"w","expiryTime":"5"}`, good, 200, `"responseCode":5002`},
		{"records, no filter", "GET", verifyPath, "", "", good, 200, `"code":5002`},
		{"records, unknown filter", "GET", verifyPath + "?request_id=x", "", "", good, 200, `"code":5002`},
		{"older records, no filter", "GET", "/kycverify/api/kycverify/records", "", "", good, 200, `"responseCode":5002`},
		{"records, no match", "GET", verifyPath + "?requestId=x", "", "", good, 200, `"result":[]`},
		{"verify as JSON", "POST", verifyPath, jsonType, `{}`, good, 200, `"code":5002`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, body := send(t, fake, tc.method, tc.path, tc.contentType, tc.body, tc.authorization)
			assert.Equal(t, tc.status, status, body)
			assert.Contains(t, body, tc.contains)
		})
	}
	require.Len(t, fake.Requests(kyctest.OpOther), 1, "the wrong method shows in the record")
}

func TestWrongUploadsAreRefused(t *testing.T) {
	fake := facekitest.NewServer(facekitest.Config{})
	defer fake.Close()
	good := bearer(t, fake)
	upload := func(fields map[string]string, files ...string) (string, string) {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		for name, value := range fields {
			require.NoError(t, w.WriteField(name, value))
		}
		for _, name := range files {
			part, err := w.CreatePart(map[string][]string{
				"Content-Disposition": {`form-data; name="` + name + `"; filename="a.jpg"`}, "Content-Type": {"image/jpeg"},
			})
			require.NoError(t, err)
			_, _ = part.Write(facekitest.JPEG(100))
		}
		require.NoError(t, w.Close())
		return w.FormDataContentType(), b.String()
	}
	workflow := map[string]string{"workflowId": "w"}
	long := maps.Clone(workflow)
	long["record_identifier"] = strings.Repeat("x", 5000)
	for _, tc := range []struct {
		name   string
		fields map[string]string
		files  []string
		cut    int
		want   string
	}{
		{"good", workflow, []string{"selfie", "document_1_front"}, 0, `"ACCEPTED"`},
		{"no workflow", nil, []string{"selfie", "document_1_front"}, 0, `"code":5002`},
		{"no selfie", workflow, []string{"document_1_front"}, 0, `"code":8001`},
		{"older name of the selfie", workflow, []string{"selfie_image", "document_1_front"}, 0, `"code":8001`},
		{"no document", workflow, []string{"selfie"}, 0, `"code":5006`},
		{"selfie twice", workflow, []string{"selfie", "selfie", "document_1_front"}, 0, `"code":5002`},
		{"too long a text", long, []string{"selfie", "document_1_front"}, 0, `"code":5002`},
		{"cut in the last boundary", workflow, []string{"selfie", "document_1_front"}, 10, `"code":5002`},
		{"cut in an image", workflow, []string{"selfie", "document_1_front"}, 100, `"code":5002`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			contentType, body := upload(tc.fields, tc.files...)
			_, answer := send(t, fake, "POST", verifyPath, contentType, body[:len(body)-tc.cut], good)
			assert.Contains(t, answer, tc.want)
		})
	}
	for _, cut := range []int{10, 100} {
		contentType, body := upload(nil, "selfie")
		_, answer := send(t, fake, "POST", verifyPath+"/search-by-face", contentType, body[:len(body)-cut], good)
		assert.Contains(t, answer, `"code":5002`)
	}
}

func TestWebhooksInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		receiver := kyctest.NewServer(kyctest.Options{InMemory: true})
		defer receiver.Close()
		receiver.Handle("POST /hook", "hook", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
		fake := facekitest.NewServer(facekitest.Config{Options: kyctest.Options{
			InMemory: true, Webhook: kyctest.Webhook{URL: receiver.URL + "/hook", Client: receiver.Client()},
		}})
		defer fake.Close()
		id := fake.AddRecord(map[string]any{"document_data": []any{map[string]any{}}})
		status, err := fake.Deliver(t.Context(), "", fake.Completed(id))
		require.NoError(t, err)
		require.Equal(t, http.StatusAccepted, status)
		event, err := faceki.ParseEvent(receiver.Requests("hook")[0].Body)
		require.NoError(t, err)
		require.Empty(t, event.FullName, "a record without a name")
	})
}
