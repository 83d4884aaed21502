package faceki_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/faceki"
	"github.com/kyckit/kyckit/faceki/facekitest"
	"github.com/kyckit/kyckit/internal/leaktest"
	"github.com/kyckit/kyckit/kyctest"
)

// TestNothingPersonalIsPrinted plants personal data and secrets everywhere and
// looks for them in all that this package prints, logs or returns as an error.
func TestNothingPersonalIsPrinted(t *testing.T) {
	ctx := context.Background()
	const name, number, birth, identifier, url = "Plantedname", "770011227", "1971-12-31", "planted-identifier", "planted-url"
	planted := []string{name, number, birth, identifier, url, facekitest.ClientSecret, "fake-token-"}

	var log bytes.Buffer
	fake, client := newFake(t, fastRetries, func(c *faceki.Config) {
		c.HTTP.Logger = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c.Token.Logger = c.HTTP.Logger
		c.MaxImageBytes = 100_000
	})
	cfg := fake.ClientConfig()

	text := strings.Join([]string{name, number, birth, identifier, url}, " ")
	quoted := json.RawMessage(`"` + text + `"`)
	conf := map[string]float64{name: 1}
	record := faceki.Record{
		RequestID: identifier, RecordIdentifier: identifier, FaceID: identifier, Link: identifier, Decision: name, UpdateBy: name,
		Documents:          []faceki.DocumentData{{FullName: name, DocumentNumber: number, DateOfBirth: birth, MRZ: text}},
		DocumentConfidence: []faceki.DocumentConfidence{{Reference: number, Fields: conf}},
		Warnings:           []json.RawMessage{quoted}, AML: []json.RawMessage{quoted}, ErrorCodes: []json.RawMessage{quoted},
		Images: []faceki.StoredImage{{Key: identifier}},
		Device: faceki.DeviceDetails{UserAgent: text, Detected: faceki.DeviceDetect{
			Client: faceki.DeviceClient{Name: name}, Device: faceki.Device{ID: identifier},
		}},
		Raw: quoted,
	}
	event := faceki.Event{RequestID: identifier, FullName: name, ModifiedByEmail: text, Record: &record, Raw: quoted}
	link := faceki.Link{ID: identifier, URL: url, Raw: quoted}
	verify := params()
	verify.RecordIdentifier, verify.Selfie.Name = identifier, name
	create := faceki.LinkParams{WorkflowID: "w", ApplicationID: identifier, RedirectURL: "https://" + url, Extra: map[string]any{"x": name}}
	filter := faceki.RecordFilter{RequestID: identifier, FaceID: identifier, Link: identifier, RecordIdentifier: number}
	values := []any{
		record, &record,
		[]faceki.Record{record},
		map[string]any{"r": record},
		record.Documents[0], record.Documents,
		record.DocumentConfidence[0], record.Images[0], record.Device, record.Device.Detected,
		record.Device.Detected.Client, record.Device.Detected.Device, record.Selfie, record.Summary, record.Documents[0].FaceMatch,
		event, &event, link, &link, verify, &verify, verify.Selfie, verify.Documents, create, filter, &filter,
		faceki.WorkflowRules{CallbackURL: url},
		faceki.WorkflowRules{Theme: json.RawMessage(fmt.Sprintf("%q", url))},
		cfg, &cfg, client, *client,
	}

	bad := json.RawMessage(fmt.Sprintf(`{"status":false,"code":%q,"message":%q,"result":%q,"statusCode":%s}`, text, text, text, number))
	for _, fault := range []kyctest.Fault{
		facekitest.RefusalWith(5004, text),
		{Status: 200, Body: string(bad)},
		{Status: 400, Body: string(bad)},
		facekitest.Errors(400, text),
		{Status: 500, Body: "<html>" + text},
		{Status: 413, Body: text},
		{Status: 200, Body: `{"status":true,"code":200,"result":"` + text + `"}`},
		{Status: 200, Body: `{"responseCode":0,"data":["` + text + `"]}`},
		{Status: 302, Header: http.Header{"Location": {"https://kyckit.invalid/" + number + "?" + url}}},
		{Status: 401, Body: text},
		{Hangup: true},
		{Status: 200, Body: text, Truncate: true},
	} {
		for _, op := range []string{facekitest.OpLink, facekitest.OpVerify, facekitest.OpRecords, facekitest.OpSearch, facekitest.OpRules} {
			fake.Fail(op, 0, fault)
		}
		_, err := client.CreateLink(ctx, create)
		values = append(values, err)
		verify.Selfie, verify.Documents = jpeg(100), params().Documents
		if record, err := client.Verify(ctx, verify); err != nil {
			values = append(values, err)
		} else {
			values = append(values, record)
		}
		_, err = client.Records(ctx, filter)
		values = append(values, err)
		_, err = client.SearchByFace(ctx, jpeg(100))
		values = append(values, err)
		_, err = client.WorkflowRules(ctx, identifier)
		values = append(values, err)
		fake.Heal()
	}
	for _, change := range []func(*faceki.VerifyParams){
		func(p *faceki.VerifyParams) { p.WorkflowID = text + "\n" },
		func(p *faceki.VerifyParams) { p.RecordIdentifier = text + "\n" },
		func(p *faceki.VerifyParams) { p.Selfie = faceki.Image{Name: name, Reader: strings.NewReader(text)} },
		func(p *faceki.VerifyParams) { p.Selfie = jpeg(100_001) },
		func(p *faceki.VerifyParams) { p.Selfie = faceki.Image{Reader: iotest.ErrReader(errors.New(text))} },
		func(p *faceki.VerifyParams) { p.Selfie = failing(false) },
	} {
		p := params()
		p.RecordIdentifier = identifier
		change(&p)
		_, err := client.Verify(ctx, p)
		values = append(values, err)
	}
	_, err := client.CreateLink(ctx, faceki.LinkParams{WorkflowID: "w", RedirectURL: text})
	values = append(values, err)
	_, err = faceki.ParseEvent([]byte(`{"requestId":"` + text + `","status":["` + text + `"]}`))
	values = append(values, err, faceki.CodeError("5004"), faceki.CodeError("77001122"))
	fake.Fail(facekitest.OpToken, 0, kyctest.Fault{Status: 200, Body: `{"responseCode":0,"data":{"access_token":["` + text + `"]}}`})
	fake.RevokeTokens()
	_, err = client.WorkflowRules(ctx, identifier)
	values = append(values, err)

	for i, v := range values {
		what := fmt.Sprintf("value %d (%T)", i, v)
		leaktest.Silent(t, what, leaktest.Printed(v), planted...)
		err, isError := v.(error)
		if !isError {
			continue
		}
		leaktest.Silent(t, what, leaktest.Encoded(v), planted...)
		if e, ok := errors.AsType[*kyckit.Error](err); ok {
			leaktest.Silent(t, what, leaktest.Printed(*e)+chain(e.Err), planted...)
		}
		if failed, ok := errors.AsType[*faceki.VerifyError](err); ok {
			leaktest.Silent(t, what, leaktest.Printed(failed)+leaktest.Printed(*failed)+leaktest.Encoded(failed)+leaktest.Encoded(*failed), planted...)
		}
	}
	leaktest.Silent(t, "the log", log.String(), planted...)
	cfg.HTTP = kyckit.HTTP{} // reflection would reach into the fake's connections
	fresh, err := faceki.New(cfg)
	require.NoError(t, err)
	leaktest.Silent(t, "reflection", leaktest.Reachable(fresh)+leaktest.Reachable(cfg), facekitest.ClientSecret)
	assert.Contains(t, log.String(), "/api/v3/kyc_verification")

	// JSON is for storing, and clear.
	b, err := json.Marshal(record)
	require.NoError(t, err)
	assert.Contains(t, string(b), number)
}

// chain prints every error below err, but for a reader's own.
func chain(err error) string {
	if err == nil {
		return ""
	}
	out := leaktest.Printed(err)
	if v := reflect.ValueOf(err); v.Kind() == reflect.Pointer && v.Elem().CanInterface() {
		out += leaktest.Printed(v.Elem().Interface())
	}
	switch e := err.(type) { //nolint:errorlint // every link is looked at
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			out += chain(inner)
		}
	case interface{ Unwrap() error }:
		if fmt.Sprintf("%T", err) != "*upload.ReaderError" {
			out += chain(e.Unwrap())
		}
	}
	return out
}

// Every exported type with a person's data or a secret in it prints nothing,
// and a new type is found here if it is forgotten.
func TestNoTypePrintsItsFields(t *testing.T) {
	leaktest.Types(t, []any{
		faceki.Client{},
		faceki.Device{},
		faceki.DeviceClient{},
		faceki.DeviceDetails{},
		faceki.DeviceDetect{},
		faceki.Document{},
		faceki.DocumentConfidence{},
		faceki.DocumentData{},
		faceki.Event{},
		faceki.FaceMatch{},
		faceki.Image{},
		faceki.Link{},
		faceki.LinkParams{},
		faceki.Record{},
		faceki.RecordFilter{},
		faceki.SelfieData{},
		faceki.StoredImage{},
		faceki.Summary{},
		faceki.VerifyError{},
		faceki.VerifyParams{},
		faceki.WorkflowRules{},
	}, "Config", "Paths")
}
