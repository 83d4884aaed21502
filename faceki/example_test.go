package faceki_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/faceki"
	"github.com/kyckit/kyckit/faceki/facekitest"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/webhook"
)

func Example() {
	fake := facekitest.NewServer(facekitest.Config{})
	defer fake.Close()
	client, err := faceki.New(fake.ClientConfig()) // in production: ClientID and ClientSecret
	if err != nil {
		panic(err)
	}

	record, err := client.Verify(context.Background(), faceki.VerifyParams{
		WorkflowID: facekitest.WorkflowID,
		Selfie:     faceki.Image{Reader: bytes.NewReader(facekitest.JPEG(4096))},
		Documents: []faceki.Document{{
			Front: faceki.Image{Reader: bytes.NewReader(facekitest.JPEG(4096))},
			Back:  faceki.Image{Reader: bytes.NewReader(facekitest.PNG(4096))},
		}},
	})
	switch {
	case errors.Is(err, faceki.ErrRetakeSelfie):
		fmt.Println("please take another picture")
	case err != nil:
		fmt.Println(err)
	case record.Decision.Accepted():
		fmt.Println("verified")
	default:
		fmt.Println("not verified:", record.Decision)
	}
	// Output: verified
}

func ExampleClient_CreateLink() {
	fake := facekitest.NewServer(facekitest.Config{})
	defer fake.Close()
	client, _ := faceki.New(fake.ClientConfig())

	link, err := client.CreateLink(context.Background(), faceki.LinkParams{
		WorkflowID:    facekitest.WorkflowID,
		Expiry:        30 * time.Minute,
		ApplicationID: "order-5117",
		RedirectURL:   "https://shop.example/kyc/done",
	})
	fmt.Println(err, link.URL != "")
	// Output: <nil> true
}

// A verification whose answer was lost is looked up, never repeated.
func ExampleVerifyError() {
	ctx := context.Background()
	fake := facekitest.NewServer(facekitest.Config{})
	defer fake.Close()
	client, _ := faceki.New(fake.ClientConfig())

	fake.Fail(facekitest.OpVerify, 1, kyctest.Fault{LoseAnswer: true})
	_, err := client.Verify(ctx, params())
	fmt.Println(err)

	var failed *faceki.VerifyError
	if errors.Is(err, kyckit.ErrOutcomeUnknown) && errors.As(err, &failed) {
		records, err := client.Records(ctx, faceki.RecordFilter{RecordIdentifier: failed.RecordIdentifier})
		switch {
		case errors.Is(err, kyckit.ErrNotFound):
			fmt.Println("it did not run, or still does: look again later")
		case err != nil:
			fmt.Println(err)
		default:
			fmt.Println("it ran:", records[0].Decision)
		}
	}
	// Output:
	// faceki: verify: outcome unknown: the connection was lost before the answer was complete
	// it ran: ACCEPTED
}

func ExampleClient_OnConfirmed() {
	fake := facekitest.NewServer(facekitest.Config{})
	defer fake.Close()
	client, _ := faceki.New(fake.ClientConfig())

	guard, err := webhook.NewSecretPath(webhook.SecretPathConfig{
		Prefix: "/webhooks/faceki/",
		Tokens: []kyckit.Secret{kyckit.NewSecret("made-with-crypto-rand")},
	})
	if err != nil {
		panic(err)
	}
	handler, err := webhook.NewHandler(webhook.HandlerConfig{
		Authenticate: guard,
		Key:          faceki.EventKey,
		Handle: client.OnConfirmed(func(_ context.Context, e faceki.Event, r *faceki.Record) error {
			fmt.Println(e.Type, r.Decision)
			return nil
		}),
	})
	if err != nil {
		panic(err)
	}
	server := httptest.NewServer(handler) // in production: over https
	defer server.Close()

	requestID := fake.AddRecord(nil)
	status, err := fake.Deliver(context.Background(), server.URL+"/webhooks/faceki/made-with-crypto-rand", fake.Completed(requestID))
	fmt.Println(status, err)
	// Output:
	// verified ACCEPTED
	// 200 <nil>
}
