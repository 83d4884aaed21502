package kycjwt_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/leaktest"
	"github.com/kyckit/kyckit/kycjwt"
	"github.com/kyckit/kyckit/kycjwt/kycjwttest"
	"github.com/kyckit/kyckit/kyctest"
)

// planted is part of everything that must not show up.
const planted = "Zyx9Planted"

// printed is v in every way a program prints it. JSON is included where it is
// promised to be safe.
func printed(v any, withJSON bool) string {
	out := leaktest.Printed(v)
	if withJSON {
		out += leaktest.Encoded(v)
	}
	return out
}

func checkClean(t *testing.T, what, output string) {
	t.Helper()
	leaktest.Silent(t, what, output, planted, strings.ToLower(planted))
}

func TestNothingLeaksFromValues(t *testing.T) {
	raw := json.RawMessage(`{"x":"` + planted + `"}`)
	cfg := kycjwt.Config{
		BaseURL: "https://" + planted + ".example", Username: planted, Password: kyckit.NewSecret(planted),
	}
	client, err := kycjwt.New(cfg)
	require.NoError(t, err)
	p := kycjwt.PersonParams{ExternalID: planted, FirstName: planted, LastName: planted, Phone: planted, OtherNationalities: []string{planted}}
	file := kycjwt.File{Name: planted, Reader: strings.NewReader(planted), Fields: []kycjwt.Field{{Name: planted, Value: planted}}}
	event, err := kycjwt.ParseEvent([]byte(`{"notification_id":"` + planted + `","notification_type":"failedIDV","owner_id":"` + planted +
		`","details":{"status":"` + planted + `","messages":[{"description":"` + planted + `"}]}}`))
	require.NoError(t, err)
	require.NotNil(t, event.IDVResult)
	for _, v := range []any{
		cfg, &cfg, client, *client, p, &p, file, &file, file.Fields[0],
		kycjwt.DocumentParams{Category: planted, Name: planted},
		kycjwt.WebhookParams{URL: planted},
		kycjwt.Created{ID: planted, Raw: raw},
		&kycjwt.Created{ID: planted, Raw: raw},
		kycjwt.Document{ID: planted, OwnerID: planted, Raw: raw},
		kycjwt.DownloadLink{URL: kyckit.NewSecret(planted), Raw: raw},
		kycjwt.Answer{QuestionID: planted, Text: new(planted), OptionIDs: []string{planted}},
		kycjwt.Questionnaire{Name: planted, Raw: raw},
		kycjwt.QuestionnaireData{Questions: []kycjwt.Question{{Label: planted, Value: raw}}},
		kycjwt.Question{Label: planted, Value: raw},
		kycjwt.Webhook{URL: planted, PublicKey: planted, Raw: raw},
		event, &event, event.IDVResult, event.IDVResult.Messages[0],
		kycjwt.QuestionnaireRequired{Reason: planted, PendingQuestionnaireIDs: []string{planted}},
		kycjwt.IDVRequired{Name: planted},
		kycjwt.EntitlementResult{PEP: raw},
		kycjwt.FieldError{Location: []kycjwt.PathElement{{Name: planted}}, Type: planted},
		kycjwt.PathElement{Name: planted},
		kycjwt.Owner{Type: kycjwt.OwnerPerson, ID: planted},
		kycjwt.Request{Path: planted, Args: []string{planted}, Body: p},
	} {
		checkClean(t, fmt.Sprintf("%T", v), printed(v, false))
	}
	for _, v := range []any{client, kycjwt.DownloadLink{URL: kyckit.NewSecret(planted), Raw: raw}} {
		checkClean(t, fmt.Sprintf("JSON of %T", v), printed(v, true))
	}
	clear, err := json.Marshal(p)
	require.NoError(t, err)
	assert.Contains(t, string(clear), planted, "JSON of data is its owner's")
}

// causes is err and everything in its tree.
func causes(err error) []error {
	out := []error{err}
	switch e := err.(type) { //nolint:errorlint // walks the tree itself
	case interface{ Unwrap() []error }:
		for _, c := range e.Unwrap() {
			out = append(out, causes(c)...)
		}
	case interface{ Unwrap() error }:
		if c := e.Unwrap(); c != nil {
			out = append(out, causes(c)...)
		}
	}
	return out
}

func TestNothingLeaksFromErrorsAndLogs(t *testing.T) {
	var log bytes.Buffer
	user := kycjwttest.User{Username: planted + "@x.example", Password: planted}
	logged := func(c *kycjwt.Config) {
		c.HTTP.Logger = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c.HTTP.Retry.MaxAttempts = 1
	}
	fake, client := start(t, kycjwttest.Config{Users: []kycjwttest.User{user}}, logged)
	ctx := t.Context()
	p := person()
	p.FirstName, p.ExternalID = planted, planted
	echo := `{"detail":[{"loc":["body","` + planted + `"],"msg":"` + planted + `","type":"` + planted + `","input":{"a":"` + planted +
		`"},"ctx":{"p":"` + planted + `"}}],"code":"` + planted + `"}`

	var errs []error
	try := func(op string, f kyctest.Fault, call func() error) {
		client = clientOf(t, fake, logged) // a client whose token was refused twice would not ask
		fake.Fail(op, 0, f)
		err := call()
		fake.Heal()
		require.Error(t, err, "%s %d %s", op, f.Status, f.Body)
		errs = append(errs, err)
	}
	create := func() error { _, err := client.CreatePerson(ctx, p); return err }
	get := func() error {
		return client.Get(ctx, "/persons/"+planted+"/documents/"+planted, url.Values{planted: {planted}}, nil)
	}
	for _, body := range []string{
		echo, `{"detail":"` + planted + `"}`, `{"detail":{"code":"` + planted + `","reason":"` + planted + `"}}`, planted, `{"id":"` + planted, "",
	} {
		for _, status := range []int{200, 400, 401, 403, 404, 409, 422, 429, 500, 503, 307} {
			if status == 200 && (body == "" || json.Valid([]byte(body))) {
				continue
			}
			try("create person", kyctest.Fault{Status: status, Body: body}, create)
			try("document", kyctest.Fault{Status: status, Body: body}, func() error {
				var out kycjwt.Document
				return client.Get(ctx, "/persons/"+planted+"/documents/"+planted, url.Values{planted: {planted}}, &out)
			})
		}
	}
	try("create person", kyctest.Fault{Hangup: true}, create)
	try("document", kyctest.Fault{Status: 200, Body: planted, Truncate: true}, get)
	try("none", kyctest.Fault{}, func() error { return client.Get(ctx, "/persons/../"+planted, nil, nil) })
	try("none", kyctest.Fault{}, func() error { return client.Get(ctx, "https://"+planted+".example/", nil, nil) })
	try("none", kyctest.Fault{}, func() error {
		_, err := client.UploadDocument(ctx, kycjwt.Person(planted), kycjwt.DocumentParams{
			Category: planted, Name: planted, Reader: failingReader{errors.New(planted)},
		})
		var e *kyckit.Error
		require.ErrorAs(t, err, &e)
		require.ErrorIs(t, err, kyckit.ErrInvalid)
		e.Err = errors.Unwrap(e.Err) // the caller's own error is the caller's
		require.EqualError(t, e.Err, planted)
		e.Err = nil
		return err
	})
	try("none", kyctest.Fault{}, func() error { _, err := kycjwt.ParseEvent([]byte(`{"` + planted + `":`)); return err })
	try("none", kyctest.Fault{}, func() error {
		bad := person()
		bad.Phone = planted
		_, err := client.CreatePerson(ctx, bad)
		return err
	})
	for _, status := range []int{200, 400, 422, 503} {
		for _, body := range []string{echo, `{"detail":"` + planted + `"}`, "<html>" + planted} {
			try("login", kyctest.Fault{Status: status, Body: body}, get)
		}
	}
	_, err := kycjwt.New(kycjwt.Config{BaseURL: "ftp://" + planted, Username: planted})
	errs = append(errs, err)
	_, err = kycjwt.New(kycjwt.Config{BaseURL: "https://x.example", LoginPath: "/" + planted + "/..", Username: planted})
	errs = append(errs, err)
	_, err = kycjwt.NewAuthenticator(kycjwt.AuthenticatorConfig{PublicKeys: []string{planted}})
	errs = append(errs, err)

	require.Greater(t, len(errs), 100)
	fields, answered := 0, 0
	for _, err := range errs {
		for _, c := range causes(err) {
			checkClean(t, fmt.Sprintf("%T", c), printed(c, true))
			if e, ok := errors.AsType[*kyckit.Error](c); ok {
				if e.StatusCode != 0 {
					answered++
				}
				checkClean(t, "an error by value", printed(*e, true))
			}
		}
		if v, ok := errors.AsType[*kycjwt.ValidationError](err); ok {
			fields++
			checkClean(t, "refused fields by value", printed(*v, true))
			checkClean(t, "refused fields", printed(v.Fields(), true))
			assert.Contains(t, v.Fields()[0].Message(), planted, "the message is there for those who ask")
		}
	}
	assert.Greater(t, fields, 10)
	assert.Greater(t, answered, 100)
	checkClean(t, "the log", log.String())
	assert.Contains(t, log.String(), `"path":"/api/v1/persons/{}/documents/{}"`)
}

// failingReader fails with err.
type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

// Every exported type with a person's data or a secret in it prints nothing,
// and a new type is found here if it is forgotten.
func TestNoTypePrintsItsFields(t *testing.T) {
	leaktest.Types(t, []any{
		kycjwt.Answer{},
		kycjwt.Client{},
		kycjwt.Config{},
		kycjwt.Created{},
		kycjwt.Document{},
		kycjwt.DocumentParams{},
		kycjwt.DownloadLink{},
		kycjwt.EntitlementResult{},
		kycjwt.Event{},
		kycjwt.Field{},
		kycjwt.FieldError{},
		kycjwt.File{},
		kycjwt.IDVMessage{},
		kycjwt.IDVRequired{},
		kycjwt.IDVResult{},
		kycjwt.Owner{},
		kycjwt.PathElement{},
		kycjwt.PersonParams{},
		kycjwt.Question{},
		kycjwt.Questionnaire{},
		kycjwt.QuestionnaireData{},
		kycjwt.QuestionnaireRequired{},
		kycjwt.Request{},
		kycjwt.ValidationError{},
		kycjwt.Webhook{},
		kycjwt.WebhookParams{},
	}, "AuthenticatorConfig", "Entitlement", "EntitlementQuestionnaire")
}
