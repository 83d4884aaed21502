package kycjwttest_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/kyckit/kyckit/kycjwt"
	"github.com/kyckit/kyckit/kycjwt/kycjwttest"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/webhook"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

func Example() {
	fake := kycjwttest.NewServer(kycjwttest.Config{})
	defer fake.Close()
	client, err := kycjwt.New(fake.ClientConfig())
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	_, err = client.Questionnaire(ctx, kycjwttest.QuestionnaireID)
	fmt.Println(err)

	fake.RevokeTokens()                                        // all tokens die
	fake.Fail("questionnaire", 2, kyctest.Fault{Hangup: true}) // and the replay is cut off
	_, err = client.Questionnaire(ctx, kycjwttest.QuestionnaireID)
	fmt.Println(err, fake.Count("login"))
	// Output:
	// <nil>
	// <nil> 2
}

// Deliveries that a receiver must take once, and those it must refuse.
func ExampleServer_Sign() {
	fake := kycjwttest.NewServer(kycjwttest.Config{})
	defer fake.Close()
	authenticate, err := kycjwt.NewAuthenticator(kycjwt.AuthenticatorConfig{PublicKeys: []string{fake.PublicKey()}})
	if err != nil {
		log.Fatal(err)
	}
	handler, err := webhook.NewHandler(webhook.HandlerConfig{
		Authenticate: authenticate,
		Key:          kycjwt.EventKey,
		Handle: func(context.Context, *webhook.Delivery) error {
			fmt.Println("handled")
			return nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	receiver := httptest.NewServer(handler)
	defer receiver.Close()

	ctx := context.Background()
	sender := &webhooktest.Sender{URL: receiver.URL, Signer: fake}
	event := webhooktest.Event{Body: []byte(`{"notification_id":"n-1","notification_type":"entitlementCompleted"}`)}
	fmt.Println(sender.Send(ctx, event).Status, sender.Send(ctx, event).Status)
	forgeries := sender.Forge(ctx, event, "X-DLT-Signature")
	refused := 0
	for _, answer := range forgeries {
		if answer.Status == http.StatusUnauthorized {
			refused++
		}
	}
	fmt.Println("all refused:", refused == len(forgeries))
	// Output:
	// handled
	// 200 200
	// all refused: true
}
