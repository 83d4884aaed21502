package cafsmartauth

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// documented has every documented field, with invented values.
const documented = `{
 "requestId": "req-1", "id": "fa01e0000000000000000001", "status": "approved", "createdAt": "2025-03-04T05:06:07.089Z",
 "identity": {"id": "i1", "name": "Pessoa Inventada", "personId": "00011122285", "createdAt": "2025-01-02T03:04:05.678Z"},
 "policy": {"id": "p1", "name": "Login", "policyId": "policy-0001", "createdAt": "2025-01-02T03:04:05.678Z"},
 "context": {
  "device": {
   "info": {"userAgent": "UA", "browser": {"name": "B", "version": "1.2", "major": "1"}, "engine": {"name": "E", "version": "3"},
    "os": {"name": "O", "version": "4"}, "device": {"vendor": "V", "model": "M", "type": "mobile"}, "cpu": {"architecture": "arm"}},
   "fingerPrint": "fp", "providedInfo": {"manufacturer": "F", "model": "X", "operatingSystem": "S", "platform": "P"},
   "createdAt": "2025-01-02T03:04:05.678Z", "type": "web"},
  "location": {
   "reverseGeolocation": {"formattedAddress": "FA", "streetName": "SN", "streetNumber": "10", "neighborhood": "N", "city": "C",
    "region": "R", "regionCode": "RC", "country": "Brasil", "countryCode": "BR", "zipcode": "00000-000"},
   "location": {"type": "Point", "accuracy": "12.5", "coordinates": [-23.5, -46.5]}},
  "network": {"ip": "192.0.2.7", "asCode": 64500, "asName": "AS", "isVpn": false,
   "location": {"city": "C2", "region": "R2", "regionCode": "RC2", "country": "Brasil", "countryCode": "BR"}}},
 "contextAnalysisResult": "INVALID",
 "authenticationMethods": {
  "face_authentication": {"status": "approved", "attempts": [{
   "createdAt": "2025-01-02T03:04:05.678Z", "refusalReason": "person_not_alive",
   "providedFace": {"signedUrl": "https://faces.example/1?s=x"}, "expectedFace": {"signedUrl": "https://faces.example/2?s=x"},
   "faceMatch": {"isMatch": true, "similarity": "98.75"}, "liveness": {"isAlive": false}}]},
  "something_else": {"status": "sent"}},
 "fieldOfTomorrow": [1, 2]
}`

func TestAuthenticationHoldsEveryDocumentedField(t *testing.T) {
	a, ok := decodeAuthentication([]byte(documented))
	require.True(t, ok)
	assert.Equal(t, StatusApproved, a.Status)
	assert.Equal(t, time.Date(2025, 3, 4, 5, 6, 7, 89e6, time.UTC), a.CreatedAt.Time)
	assert.True(t, *a.AuthenticationMethods.Face.Attempts[0].FaceMatch.IsMatch)
	assert.False(t, *a.Context.Network.IsVPN)
	assert.JSONEq(t, `{"status":"sent"}`, string(a.AuthenticationMethods.Other["something_else"]))

	// Whatever the types hold comes out again under its documented name, so a
	// field that was dropped or misspelt would be missing.
	encoded, err := json.Marshal(a)
	require.NoError(t, err)
	var got, want map[string]any
	require.NoError(t, json.Unmarshal(encoded, &got))
	require.NoError(t, json.Unmarshal([]byte(documented), &want))
	delete(want, "fieldOfTomorrow")
	want["context"].(map[string]any)["network"].(map[string]any)["asCode"] = "64500"
	point := want["context"].(map[string]any)["location"].(map[string]any)["location"].(map[string]any)
	point["coordinates"] = []any{"-23.5", "-46.5"}
	assert.Equal(t, want, got)
	assert.Equal(t, documented, string(a.Raw))
}

func TestPitfallNumbersAsStrings(t *testing.T) {
	for _, value := range []string{`"12.5"`, `12.5`, `1.25e1`, `"1.25e1"`} {
		a, ok := decodeAuthentication([]byte(`{"context":{"location":{"location":{"accuracy":` + value + `}}},
			"authenticationMethods":{"face_authentication":{"attempts":[{"faceMatch":{"similarity":` + value + `}}]}}}`))
		require.True(t, ok)
		for _, n := range []Number{a.Context.Location.Location.Accuracy, a.AuthenticationMethods.Face.Attempts[0].FaceMatch.Similarity} {
			f, ok := n.Float64()
			assert.True(t, ok)
			assert.InDelta(t, 12.5, f, 0)
		}
	}
	for _, n := range []Number{"", "x", "NaN", "Inf", "-infinity", "1e999", "12,5", "12.5 m"} {
		_, ok := n.Float64()
		assert.Falsef(t, ok, "%q", string(n))
	}
}

func TestPitfallLatitudeComesFirst(t *testing.T) {
	a, _ := decodeAuthentication([]byte(documented))
	lat, lng, ok := a.Context.Location.Location.LatLng()
	require.True(t, ok)
	assert.InDelta(t, -23.5, lat, 0)
	assert.InDelta(t, -46.5, lng, 0)
	for _, bad := range [][]Number{nil, {"1"}, {"1", "2", "3"}, {"91", "0"}, {"0", "181"}, {"-90.1", "0"}, {"0", "-180.1"}, {"a", "b"}} {
		_, _, ok := (&Point{Coordinates: bad}).LatLng()
		assert.False(t, ok)
	}
	_, _, ok = (*Point)(nil).LatLng()
	assert.False(t, ok)
}

func TestAuthenticationToleratesWhatNobodyDocuments(t *testing.T) {
	for _, body := range []string{
		`{}`, `{"status":null,"identity":null,"policy":null,"context":null,"authenticationMethods":null}`,
		`{"status":5,"identity":[],"createdAt":17,"context":"x"}`, `{"createdAt":"yesterday"}`,
		`{"authenticationMethods":[]}`, `{"authenticationMethods":{"face_authentication":[]}}`,
		`{"authenticationMethods":{"face_authentication":{"attempts":{"a":1}}}}`,
		`{"context":{"network":{"asCode":true,"isVpn":"no"}}}`,
	} {
		a, ok := decodeAuthentication([]byte(body))
		require.True(t, ok, body)
		assert.NotEqual(t, StatusApproved, a.Status, body)
		assert.True(t, a.CreatedAt.IsZero())
		assert.Equal(t, body, string(a.Raw))
	}
	// One odd field costs that field alone.
	a, ok := decodeAuthentication([]byte(`{"context":"odd","status":"approved","id":"x"}`))
	require.True(t, ok)
	assert.Equal(t, StatusApproved, a.Status)
	assert.Equal(t, "x", a.ID)
	for _, body := range []string{``, `null`, `[]`, `"x"`, `5`, `{`, `{"a":1}x`, `<html>`} {
		_, ok := decodeAuthentication([]byte(body))
		assert.False(t, ok, body)
	}
}

func TestTimesOfEveryForm(t *testing.T) {
	for _, s := range []string{"2025-03-04T05:06:07.089Z", "2025-03-04T05:06:07.089", "2025-03-04T02:06:07.089-03:00", "2025-03-04T02:06:07.089-0300"} {
		var got Time
		require.NoError(t, json.Unmarshal([]byte(`"`+s+`"`), &got))
		assert.Truef(t, got.Equal(time.Date(2025, 3, 4, 5, 6, 7, 89e6, time.UTC)), s)
	}
}
