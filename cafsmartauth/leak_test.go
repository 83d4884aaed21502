package cafsmartauth_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/cafsmartauth"
	"github.com/kyckit/kyckit/cafsmartauth/cafsmartauthtest"
	"github.com/kyckit/kyckit/internal/leaktest"
	"github.com/kyckit/kyckit/kyctest"
)

// planted is what must not be found anywhere.
var planted = []string{
	"planted-secret", "70655021070", "706.550.210-70", "Planted Name", "planted@example.com", "planted.example", "5511988887777", "98888-7777",
	"planted-attempt", "planted-policy", "planted-signature", "192.0.2.99", "-12.3456", "Planted Street", "planted-body", "planted-phone",
}

func assertSilent(t *testing.T, what, out string, extra ...string) {
	t.Helper()
	leaktest.Silent(t, what, out, append(extra, planted...)...)
}

func TestNothingLeaks(t *testing.T) {
	const leakCPF, leakPolicy = "70655021070", "planted-policy"
	secret := kyckit.NewSecret("planted-secret-of-the-client")
	fake := cafsmartauthtest.NewServer(cafsmartauthtest.Config{ClientSecret: secret.Reveal(), Options: kyctest.Options{InMemory: true}})
	defer fake.Close()
	var log bytes.Buffer
	cfg := fake.ClientConfig()
	cfg.HTTP.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg.HTTP.Retry.MaxAttempts = 1
	client, err := cafsmartauth.New(cfg)
	require.NoError(t, err)

	values := map[string]any{"config": cfg.ClientSecret, "client": client, "client value": *client}
	jsonToo := map[string]any{"client": client}
	var errs []error

	token, err := client.Mint(leakCPF, time.Minute)
	require.NoError(t, err)
	access := token.Access.Reveal()
	values["token"], jsonToo["token"] = token, token

	expected := cafsmartauth.Expected{PersonID: leakCPF, PolicyID: leakPolicy}
	values["expected"] = expected
	secrets := []string{access}
	sdk := fake.SDK()
	for _, outcome := range cafsmartauthtest.Outcomes() {
		answer, err := sdk.VerifyPolicy(access, leakCPF, leakPolicy, outcome)
		require.NoError(t, err)
		values[fmt.Sprint("answer ", outcome)] = answer
		if answer.Attestation != "" {
			secrets = append(secrets, answer.Attestation)
		}
		secrets = append(secrets, answer.AttemptID)
		a, err := client.VerifyAnswer(answer, expected)
		if err != nil {
			errs = append(errs, err)
			if cause, ok := errors.AsType[*cafsmartauth.NotAuthorizedError](err); ok {
				values[fmt.Sprint("cause ", outcome)], values[fmt.Sprint("cause value ", outcome)] = cause, *cause
			}
			continue
		}
		values["attestation"], values["attestation value"] = a, *a
	}
	for _, payload := range []string{
		`{"peopleId":"` + leakCPF + `"}`, `{"attemptId":"planted-attempt","exp":"planted-body"}`, `{"planted-body":`, `{"planted-body":1,"planted-body":2}`,
		`{"peopleId":70655021070}`, `["planted-body"]`,
	} {
		_, err := client.VerifyAttestation(sdk.Sign(`{"alg":"HS256"}`, payload), expected)
		errs = append(errs, err)
		_, err = client.VerifyAttestation(sdk.Sign(payload, payload), expected)
		errs = append(errs, err)
	}
	for _, bad := range []string{leakCPF + "0", leakCPF + "planted-body", "706.550.210-701"} {
		_, err := client.Mint(bad, time.Minute)
		errs = append(errs, err)
		_, err = client.VerifyAttestation(access, cafsmartauth.Expected{PersonID: bad})
		errs = append(errs, err)
	}

	const details = `{"id":"planted-attempt","requestId":"70655021070","identity":{"name":"Planted Name","personId":"70655021070"},
		"policy":{"policyId":"planted-policy","name":"planted-policy"},
		"context":{"device":{"fingerPrint":"planted-phone","info":{"userAgent":"planted-phone","browser":{"name":"planted-phone"},"engine":{"name":"planted-phone"},
		"os":{"name":"planted-phone"},"device":{"model":"planted-phone"},"cpu":{"architecture":"planted-phone"}},"providedInfo":{"model":"planted-phone"}},
		"location":{"reverseGeolocation":{"streetName":"Planted Street"},"location":{"coordinates":[-12.3456,1],"accuracy":"1"}},
		"network":{"ip":"192.0.2.99","location":{"city":"Planted Street"}}},
		"authenticationMethods":{"x":{"planted-body":1},"face_authentication":{"attempts":[{"refusalReason":"planted-body",
		"providedFace":{"signedUrl":"https://planted.example/?s=planted-signature"},"expectedFace":{"signedUrl":"https://planted.example/"},
		"faceMatch":{"similarity":"planted-body"},"liveness":{"isAlive":true}}]}}}`
	fake.SetAuthentication("planted-attempt", json.RawMessage(details))
	got, err := client.Authentication(t.Context(), "planted-attempt")
	require.NoError(t, err)
	face := got.AuthenticationMethods.Face.Attempts[0]
	for _, v := range []any{
		got, *got, got.Identity, *got.Identity, got.Policy, *got.Policy, got.Context, *got.Context,
		got.AuthenticationMethods, got.AuthenticationMethods.Face, *got.AuthenticationMethods.Face, face, face.ProvidedFace, *face.ProvidedFace, face.FaceMatch, *face.FaceMatch,
		face.Liveness, got.Context.Device, *got.Context.Device, got.Context.Device.Info, *got.Context.Device.Info, *got.Context.Device.Info.Browser,
		*got.Context.Device.Info.Engine, *got.Context.Device.Info.Device, *got.Context.Device.Info.CPU, *got.Context.Device.ProvidedInfo,
		got.Context.Location, *got.Context.Location, *got.Context.Location.ReverseGeolocation, got.Context.Location.Location, *got.Context.Location.Location,
		got.Context.Network, *got.Context.Network, *got.Context.Network.Location,
	} {
		values[fmt.Sprintf("%T", v)] = v
	}

	params := cafsmartauth.IdentityParams{Name: "Planted Name", PersonID: leakCPF, ImageURL: "https://planted.example/", Email: "planted@example.com", Phone: "5511988887777"}
	identity, err := client.CreateIdentity(t.Context(), params)
	require.NoError(t, err)
	values["params"], values["identity"] = params, identity
	for _, p := range []cafsmartauth.IdentityParams{
		{Name: "Planted Name", PersonID: leakCPF, ImageURL: "ftp://planted.example"},
		{Name: "Planted Name", PersonID: leakCPF + "1", ImageURL: "https://planted.example"},
		{Name: "Planted Name", PersonID: leakCPF, ImageURL: "https://planted.example", Email: "planted@example.com>"},
		{Name: "Planted Name", PersonID: leakCPF, ImageURL: "https://planted.example", Phone: "98888-7777x"},
	} {
		_, err := client.CreateIdentity(t.Context(), p)
		errs = append(errs, err)
	}
	for _, fault := range []kyctest.Fault{
		{Status: 400, Body: `{"requestId":"706.550.210-70","message":"planted-body 70655021070"}`},
		{Status: 500, Body: "planted-body"},
		{Status: 200, Body: "planted-body"},
		{Status: 200, Body: `{"planted-body":1}`},
		{Hangup: true},
		{Status: 200, Body: "planted-body", Truncate: true},
		{Status: 307, Header: map[string][]string{"Location": {"https://planted.example/?s=planted-signature"}}},
		{Status: 401, Body: "planted-body"},
	} {
		fake.Fail(cafsmartauthtest.OpIdentity, 1, fault)
		_, err := client.CreateIdentity(t.Context(), params)
		if fault.Status != 401 { // a 401 is replayed and works
			errs = append(errs, err)
		}
		fake.Fail(cafsmartauthtest.OpAuthentication, 1, fault)
		_, err = client.Authentication(t.Context(), "planted-attempt")
		if err != nil {
			errs = append(errs, err)
		}
	}
	_, err = client.Authentication(t.Context(), "planted-attempt/../x")
	errs = append(errs, err)

	for what, v := range values {
		assertSilent(t, what, leaktest.Printed(v), secrets...)
	}
	for what, v := range jsonToo {
		b, err := json.Marshal(v)
		require.NoError(t, err)
		assertSilent(t, what+" as JSON", string(b), secrets...)
	}
	for _, err := range errs {
		require.Error(t, err)
		what := fmt.Sprintf("error %q", err.Error())
		assertSilent(t, what, leaktest.Printed(err)+err.Error(), secrets...)
		var e *kyckit.Error
		require.ErrorAs(t, err, &e)
		assertSilent(t, what+" by value", leaktest.Printed(*e), secrets...)
		b, jsonErr := json.Marshal(err)
		require.NoError(t, jsonErr)
		assertSilent(t, what+" as JSON", string(b), secrets...)
		for next := err; next != nil; next = errors.Unwrap(next) {
			assertSilent(t, what, next.Error(), secrets...)
		}
	}
	assert.NotEmpty(t, log.String())
	assertSilent(t, "the log", log.String(), secrets...)

	// The test can fail: JSON of a result is clear, and so is what it asks for
	// by name.
	b, err := json.Marshal(got)
	require.NoError(t, err)
	assert.Contains(t, string(b), leakCPF)
	assert.Contains(t, leaktest.Printed(struct{ S string }{leakCPF}), leakCPF)
}

// Every exported type with a person's data or a secret in it prints nothing,
// and a new type is found here if it is forgotten.
func TestNoTypePrintsItsFields(t *testing.T) {
	leaktest.Types(t, []any{
		cafsmartauth.Address{},
		cafsmartauth.Answer{},
		cafsmartauth.Attestation{},
		cafsmartauth.Authentication{},
		cafsmartauth.AuthenticationMethods{},
		cafsmartauth.Browser{},
		cafsmartauth.CPU{},
		cafsmartauth.Client{},
		cafsmartauth.Context{},
		cafsmartauth.Device{},
		cafsmartauth.DeviceInfo{},
		cafsmartauth.DeviceModel{},
		cafsmartauth.DeviceProvided{},
		cafsmartauth.Expected{},
		cafsmartauth.Face{},
		cafsmartauth.FaceAttempt{},
		cafsmartauth.FaceAuthentication{},
		cafsmartauth.FaceMatch{},
		cafsmartauth.Identity{},
		cafsmartauth.IdentityParams{},
		cafsmartauth.Liveness{},
		cafsmartauth.Location{},
		cafsmartauth.Network{},
		cafsmartauth.NetworkLocation{},
		cafsmartauth.NotAuthorizedError{},
		cafsmartauth.PersonInfo{},
		cafsmartauth.Point{},
		cafsmartauth.PolicyInfo{},
		cafsmartauth.Software{},
	}, "Config", "Time")
}
