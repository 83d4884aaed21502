package kyckit_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/cafsmartauth"
	"github.com/kyckit/kyckit/faceki"
	"github.com/kyckit/kyckit/kycjwt"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/webhook"
)

// squeeze drops indentation and blank lines.
func squeeze(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

var _ = []any{readmeNafath, readmeBegin, readmeWebhook, readmeSmartAuth, readmeFaceki, readmeKYCJWT}

func readmeNafath(ctx context.Context, clientID string, clientSecret kyckit.Secret, nationalID string, show func(string)) error {
	source, err := auth.NewClientCredentials(auth.ClientCredentialsConfig{
		TokenURL:     "https://api.example.sa/oauth/token",
		ClientID:     clientID,
		ClientSecret: clientSecret, // a kyckit.Secret
	})
	if err != nil {
		return err
	}
	client, err := nafath.New(nafath.Config{BaseURL: "https://api.example.sa", Auth: source})
	if err != nil {
		return err
	}

	poller, err := nafath.NewPoller(nafath.PollerConfig{Client: client}) // one for the whole tenant
	if err != nil {
		return err
	}
	defer poller.Close()

	details, err := poller.Verify(ctx, nationalID, func(tx nafath.Transaction) {
		show(tx.Random) // to this person, and to nobody else
	})
	switch {
	case err == nil: // details are those of nationalID
	case errors.Is(err, nafath.ErrRejected), errors.Is(err, nafath.ErrExpired): // offer to try again
	case errors.Is(err, kyckit.ErrOutcomeUnknown): // the prompt may be on the phone: let it expire before you ask again
	}
	_ = details
	return err
}

func readmeBegin(ctx context.Context, poller *nafath.Poller, login, nationalID string, say func(string, ...any), show func(string), finish func(*nafath.Details, error)) error {
	verification, err := poller.BeginAs(login, nationalID) // keep the handle under the session
	if err != nil {
		return err // kyckit.ErrConflict: this person has one open; kyckit.ErrRateLimited: RetryAfter says how long
	}
	for u := range verification.Updates(ctx) { // of each page that follows; select on it beside a heartbeat
		switch u.Stage {
		case nafath.StageQueued:
			say("you are number %d, about %v", u.Place, u.ETA)
		case nafath.StageOpen:
			show(u.Transaction.Random) // store the transaction first
		case nafath.StageDone:
			finish(u.Details, u.Err) // compared with nationalID, or an error of Verify
		}
	}
	return nil
}

func readmeWebhook(poller *nafath.Poller, secret kyckit.Secret) error {
	signature, err := webhook.NewHMAC(webhook.HMACConfig{
		Scheme:  webhook.StandardWebhooks(), // or Stripe, GitHub, Slack, CafConnect, or one of your own
		Secrets: []kyckit.Secret{secret},
	})
	if err != nil {
		return err
	}
	certificate, err := webhook.NewClientCert(webhook.ClientCertConfig{
		CAFile:   "provider-ca.pem",
		DNSNames: []string{"webhooks.example.sa"},
	})
	if err != nil {
		return err
	}
	handler, err := webhook.NewHandler(webhook.HandlerConfig{
		Authenticate: webhook.All(certificate, signature),
		Handle:       poller.HandleWebhook, // a hint: the poller finds out for itself
	})
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, TLSConfig: certificate.TLSConfig(nil), ReadTimeout: 10 * time.Second}
	return server.Close()
}

func readmeSmartAuth(ctx context.Context, clientID string, clientSecret kyckit.Secret, cpf, policy string, claims webhook.Claims, answer func(auth.Token) string) error {
	client, err := cafsmartauth.New(cafsmartauth.Config{ClientID: clientID, ClientSecret: clientSecret})
	if err != nil {
		return err
	}
	token, err := client.Mint(cpf, 5*time.Minute) // token.Access.Reveal() goes to the app
	if err != nil {
		return err
	}
	// The app runs the SDK and sends back an attestation.
	attestation, err := client.VerifyAttestation(answer(token), cafsmartauth.Expected{PersonID: cpf, PolicyID: policy})
	if err != nil {
		return err // cafsmartauth.ErrForged, ErrExpired, ErrDenied, ErrWrongPerson, …
	}
	err = cafsmartauth.UseOnce(ctx, claims, attestation) // claims: webhook.NewMemoryClaims or a shared store
	return err
}

func readmeFaceki(ctx context.Context, clientID string, clientSecret kyckit.Secret, workflowID string, selfie, front io.Reader) error {
	client, err := faceki.New(faceki.Config{ClientID: clientID, ClientSecret: clientSecret})
	if err != nil {
		return err
	}
	record, err := client.Verify(ctx, faceki.VerifyParams{
		WorkflowID: workflowID,
		Selfie:     faceki.Image{Name: "selfie.jpg", Reader: selfie},
		Documents:  []faceki.Document{{Front: faceki.Image{Name: "front.jpg", Reader: front}}},
	})
	_ = record
	return err
}

func readmeKYCJWT(ctx context.Context, baseURL, username string, password kyckit.Secret, personID string, person any, use func(kycjwt.Document)) error {
	client, err := kycjwt.New(kycjwt.Config{BaseURL: baseURL, Username: username, Password: password})
	if err != nil {
		return err
	}
	for document, err := range client.Documents(ctx, kycjwt.Person(personID)) { // logs in, and again when the token dies
		if err != nil {
			return err
		}
		use(document)
	}
	// Whatever has no method of its own. Ids go into Args, where they cannot change the path.
	err = client.Do(ctx, kycjwt.Request{Method: http.MethodGet, Path: "/persons/{id}", Args: []string{personID}}, &person)
	return err
}
