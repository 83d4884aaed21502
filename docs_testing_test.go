package kyckit_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
	"github.com/kyckit/kyckit/webhook"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

// What docs/testing.md shows.

func TestTheTestingGuideLosesAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := nafathtest.NewServer(nafathtest.Config{Options: kyctest.Options{InMemory: true}})
		defer fake.Close()
		client, err := nafath.New(fake.ClientConfig())
		if err != nil {
			t.Fatal(err)
		}
		fake.Fail(nafathtest.OpRequest, 1, kyctest.Fault{LoseAnswer: true}) // it arrives, the answer does not
		if _, err := client.Request(t.Context(), "1000000008"); !errors.Is(err, kyckit.ErrOutcomeUnknown) {
			t.Error(err)
		}
		if n := len(fake.Transactions()); n != 1 {
			t.Errorf("%d phones rang", n)
		}
	})
}

func TestTheTestingGuideLetsNobodyElseIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := nafathtest.NewServer(nafathtest.Config{Options: kyctest.Options{InMemory: true}, MagicIDs: true})
		defer fake.Close()
		client, err := nafath.New(fake.ClientConfig())
		if err != nil {
			t.Fatal(err)
		}
		poller, err := nafath.NewPoller(nafath.PollerConfig{Client: client})
		if err != nil {
			t.Fatal(err)
		}
		defer poller.Close()
		if _, err := poller.Verify(t.Context(), "1090000082", nil); !errors.Is(err, nafath.ErrIdentityMismatch) {
			t.Error("somebody else was let in:", err)
		}
	})
}

func TestTheTestingGuideHandlesOnce(t *testing.T) {
	const secret = "made-up secret of a test"
	signature, err := webhook.NewHMAC(webhook.HMACConfig{Scheme: webhook.GitHub(), Secrets: []kyckit.Secret{kyckit.NewSecret(secret)}})
	if err != nil {
		t.Fatal(err)
	}
	handled := 0
	handler, err := webhook.NewHandler(webhook.HandlerConfig{
		Authenticate: signature,
		Handle:       func(context.Context, *webhook.Delivery) error { handled++; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	receiver := httptest.NewServer(handler)
	defer receiver.Close()

	sender := webhooktest.Sender{URL: receiver.URL, Signer: webhooktest.HMAC{Scheme: webhook.GitHub(), Secrets: []string{secret}}}
	event := webhooktest.Event{Body: []byte(`{"id":"evt-1"}`)}
	for range 3 { // a provider that did not hear the answer
		if answer := sender.Send(t.Context(), event); answer.Status != http.StatusOK {
			t.Error(answer)
		}
	}
	if handled != 1 {
		t.Errorf("handled %d times", handled)
	}
}
