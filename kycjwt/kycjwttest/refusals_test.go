package kycjwttest_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"mime/multipart"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/kycjwt/kycjwttest"
	"github.com/kyckit/kyckit/kyctest"
)

const jsonType = "application/json"

// person is a good one, with one field set to something else.
func person(t *testing.T, field string, value any) string {
	t.Helper()
	in := map[string]any{}
	for _, name := range kycjwttest.PersonFields() {
		in[name] = "x"
	}
	maps.Copy(in, map[string]any{
		"gender": 9, "nationality": "MLT", "birth_country": "MLT", "country": "MLT", "tax_country": "MLT",
		"birth_date": "1984-02-29", "phone": "+35699000017", field: value,
	})
	raw, err := json.Marshal(in)
	require.NoError(t, err)
	return string(raw)
}

func TestWrongPersonsAreRefused(t *testing.T) {
	fake := start(t, kycjwttest.Config{})
	bearer := "Bearer " + tokenOf(t, fake)
	for _, tc := range []struct {
		field  string
		value  any
		status int
	}{
		{"middle_name", "Y", 201},
		{"middle_name", nil, 201},
		{"other_nationalities", []string{"UTO"}, 201},
		{"anything_else", 1, 201},
		{"city", nil, 422},
		{"city", 7, 422},
		{"external_id", map[string]any{}, 422},
		{"gender", "female", 422},
		{"gender", "1", 422},
		{"gender", 3, 422},
		{"gender", 1.5, 422},
		{"birth_date", "29.02.1984", 422},
		{"country", "MT", 422},
		{"nationality", "Maltese", 422},
		{"phone", "99 000017", 422},
		{"region", 1, 422},
		{"other_nationalities", "UTO", 422},
		{"other_nationalities", []string{"UT"}, 422},
	} {
		resp, body := send(t, fake, "POST", "/api/v1/persons", jsonType, person(t, tc.field, tc.value), "Authorization", bearer)
		assert.Equal(t, tc.status, resp.StatusCode, "%s %v: %s", tc.field, tc.value, body)
		if tc.status == 422 {
			assert.Contains(t, body, `"loc":["body","`+tc.field+`"]`)
		}
	}
	good := person(t, "city", "X")
	for contentType, body := range map[string]string{
		"text/plain": good, "": good, formType: "city=X", "application/json; charset=utf-16": good, jsonType: good + good,
		"application/json; charset=utf-8": "null",
	} {
		resp, answer := send(t, fake, "POST", "/api/v1/persons", contentType, body, "Authorization", bearer)
		assert.Equal(t, 422, resp.StatusCode, "%s: %s", contentType, answer)
	}
	assert.Len(t, fake.Persons(), 4)
}

func TestOtherMethodsAndPathsAreRefusedAndRecorded(t *testing.T) {
	fake := start(t, kycjwttest.Config{})
	bearer := "Bearer " + tokenOf(t, fake)
	for _, tc := range []struct {
		method, path    string
		status          int
		allow, location string
	}{
		{"GET", "/api/v1/persons", 405, "POST", ""},
		{"PUT", "/api/v1/webhooks", 405, "POST, GET, DELETE", ""},
		{"POST", "/api/v1/questionnaires/x", 405, "GET", ""},
		{"POST", "/persons", 404, "", ""},
		{"POST", "/api/v1/persons/", 307, "", "/api/v1/persons"},
		{"GET", "/api/v1/questionnaires/a%2Fb%0d/?x=%0a", 307, "", "/api/v1/questionnaires/a%2Fb%0d?x=%0a"},
		{"GET", "/nowhere/", 404, "", ""},
		{"GET", "/", 404, "", ""},
		{"POST", "/auth/jwt/refresh", 404, "", ""},
	} {
		resp, body := send(t, fake, tc.method, tc.path, jsonType, "{}", "Authorization", bearer)
		assert.Equal(t, tc.status, resp.StatusCode, "%s %s: %s", tc.method, tc.path, body)
		assert.Equal(t, tc.allow, resp.Header.Get("Allow"), tc.path)
		if tc.location != "" {
			assert.Equal(t, fake.URL+tc.location, resp.Header.Get("Location"))
		}
	}
	assert.Len(t, fake.Requests(kyctest.OpOther), 9)
}

func TestWrongAnswersDocumentsAndRegistrationsAreRefused(t *testing.T) {
	fake := start(t, kycjwttest.Config{})
	bearer := "Bearer " + tokenOf(t, fake)
	_, made := send(t, fake, "POST", "/api/v1/persons", jsonType, person(t, "city", "X"), "Authorization", bearer)
	var customer struct{ ID string }
	require.NoError(t, json.Unmarshal([]byte(made), &customer))
	respond := "/api/v1/persons/" + customer.ID + "/questionnaires/" + kycjwttest.QuestionnaireID + "/response"
	for _, tc := range []struct {
		path, contentType, body string
		status                  int
		contains                string
	}{
		{respond, jsonType, `{"answers":[{"question_id":"question-text","answer_text":"x"},{"question_id":"question-integer","answer_integer":7},
			{"question_id":"question-bool","answer_boolean":false},{"question_id":"question-choice","answer_option_id":"option-a"},
			{"question_id":"question-document","answer_document_id":"d"}]}`, 201, ""},
		{respond, jsonType, `{"answers":[{"question_id":"question-integer","answer_text":"7"}]}`, 422, `["body","answers",0,"answer_text"]`},
		{respond, jsonType, `{"answers":[{"question_id":"question-integer","answer_integer":"7"}]}`, 422, `["body","answers",0,"question_id"]`},
		{respond, jsonType, `{"answers":[{"question_id":"question-text","answer_text":null}]}`, 422, `["body","answers",0,"answer_text"]`},
		{respond, jsonType, `{"answers":[{"question_id":"question-text","answer_text":"x","answer_integer":1}]}`, 422, `["body","answers",0,"question_id"]`},
		{respond, jsonType, `{"answers":[{"question_id":"question-text","answer_text":"x"},]}`, 422, `["body","answers"]`},
		{respond, "text/plain", `{"answers":[{"question_id":"question-text","answer_text":"x"}]}`, 422, `["body","answers"]`},
		{"/api/v1/webhooks", jsonType, `{"url":"https://us.example/kyc"}`, 201, `"public_key"`},
		{"/api/v1/webhooks", jsonType, `{"url":"http://us.example/kyc"}`, 422, `["body","url"]`},
		{"/api/v1/webhooks", jsonType, `{"url":7}`, 422, `["body","url"]`},
		{"/api/v1/webhooks", jsonType, `{"url":"https://us.example/kyc","event_types":"completedIDV"}`, 422, `["body"]`},
		{"/api/v1/webhooks", formType, `url=https://us.example/kyc`, 422, `["body","url"]`},
	} {
		resp, body := send(t, fake, "POST", tc.path, tc.contentType, tc.body, "Authorization", bearer)
		assert.Equal(t, tc.status, resp.StatusCode, "%s: %s", tc.body, body)
		assert.Contains(t, body, tc.contains, tc.body)
	}
	assert.Len(t, fake.Responses(), 1)

	for orientation, want := range map[string]int{"front": 201, "undetermined": 201, "": 201, "sideways": 422} {
		var form bytes.Buffer
		w := multipart.NewWriter(&form)
		require.NoError(t, w.WriteField("category", "poa"))
		require.NoError(t, w.WriteField("orientation", orientation))
		_, err := w.CreateFormFile("file", "a.txt")
		require.NoError(t, err)
		require.NoError(t, w.Close())
		resp, body := send(t, fake, "POST", "/api/v1/persons/"+customer.ID+"/documents", w.FormDataContentType(), form.String(), "Authorization", bearer)
		assert.Equal(t, want, resp.StatusCode, body)
	}
}

func TestATokenExpiresInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := kycjwttest.NewServer(kycjwttest.Config{
			Options: kyctest.Options{InMemory: true}, TokenLifetime: time.Minute,
			Users: []kycjwttest.User{{Username: "user@x.example", Password: "p+w"}},
		})
		defer fake.Close()
		bearer := "Bearer " + tokenOf(t, fake)
		resp, _ := send(t, fake, "GET", "/api/v1/webhooks", "", "", "Authorization", bearer)
		assert.Equal(t, 200, resp.StatusCode)
		time.Sleep(time.Minute)
		resp, _ = send(t, fake, "GET", "/api/v1/webhooks", "", "", "Authorization", bearer)
		assert.Equal(t, 401, resp.StatusCode)
	})
}

// A client that makes a call while it reads a list must get its answer. On
// pipes nothing of the list is buffered.
func TestASlowReaderHoldsUpNobody(t *testing.T) {
	fake := kycjwttest.NewServer(kycjwttest.Config{
		Options: kyctest.Options{InMemory: true}, Users: []kycjwttest.User{{Username: "user@x.example", Password: "p+w"}},
	})
	defer fake.Close()
	bearer := "Bearer " + tokenOf(t, fake)
	for range 60 {
		send(t, fake, "POST", "/api/v1/webhooks", jsonType, `{"url":"https://us.example/kyc"}`, "Authorization", bearer)
	}
	list, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fake.URL+"/api/v1/webhooks", nil)
	require.NoError(t, err)
	list.Header.Set("Authorization", bearer)
	resp, err := fake.Client().Do(list)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	second, _ := send(t, fake, "GET", "/api/v1/entitlements?owner_type=person", "", "", "Authorization", bearer)
	assert.Equal(t, 200, second.StatusCode)
}
