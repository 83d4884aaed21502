package webhooktest_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/webhook"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

// Send what a provider would send, and what an attacker would.
func ExampleSender() {
	const secret = "made-up"
	authenticate, err := webhook.NewHMAC(webhook.HMACConfig{
		Scheme: webhook.GitHub(), Secrets: []kyckit.Secret{kyckit.NewSecret(secret)},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler, err := webhook.NewHandler(webhook.HandlerConfig{
		Authenticate: authenticate,
		Handle: func(_ context.Context, d *webhook.Delivery) error {
			fmt.Printf("handled %d bytes\n", len(d.Body))
			return nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	receiver := httptest.NewServer(handler)
	defer receiver.Close()

	ctx := context.Background()
	sender := &webhooktest.Sender{
		URL: receiver.URL, Client: receiver.Client(),
		Signer: webhooktest.HMAC{Scheme: webhook.GitHub(), Secrets: []string{secret}},
	}
	event := webhooktest.Event{Body: []byte(`{"status":"COMPLETED"}`)}
	fmt.Println(sender.Send(ctx, event).Status)
	fmt.Println(sender.Send(ctx, event).Status) // a duplicate is not handled again
	for _, answer := range sender.Forge(ctx, event, "X-Hub-Signature-256") {
		if answer.Status < 400 {
			fmt.Println("accepted a forgery:", answer.What)
		}
	}
	// Output:
	// handled 22 bytes
	// 200
	// 200
}
