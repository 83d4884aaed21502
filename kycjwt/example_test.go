package kycjwt_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/kycjwt"
	"github.com/kyckit/kyckit/kycjwt/kycjwttest"
	"github.com/kyckit/kyckit/webhook"
)

func Example() {
	ctx := context.Background()
	fake := kycjwttest.NewServer(kycjwttest.Config{})
	defer fake.Close()

	client, err := kycjwt.New(kycjwt.Config{
		BaseURL:  fake.URL, // the address that the provider gave you
		Username: kycjwttest.Username,
		Password: kyckit.NewSecret(kycjwttest.Password),
	})
	if err != nil {
		log.Fatal(err)
	}
	made, err := client.CreatePerson(ctx, kycjwt.PersonParams{
		ExternalID: "customer-17", FirstName: "Mirelle", LastName: "Vantongeren", Nationality: "MLT",
		Gender: kycjwt.GenderFemale, BirthCountry: "MLT", BirthPlace: "Zejtun", BirthDate: "1984-02-29",
		StreetName: "Triq il-Hafna", StreetNumber: "12b", City: "Zejtun", PostalCode: "ZTN 1901", Country: "MLT",
		Phone: "+35699000017", Email: "mirelle@mail.example", TaxIdentificationNumber: "TIN-4471-X", TaxCountry: "MLT",
	})
	if err != nil {
		log.Fatal(err)
	}
	for q, err := range client.Questionnaires(ctx, kycjwt.Person(made.ID)) {
		if err != nil {
			log.Fatal(err)
		}
		_, err = client.Respond(ctx, kycjwt.Person(made.ID), q.ID, []kycjwt.Answer{
			{QuestionID: q.Data.Questions[0].ID, Text: new("salary")},
		})
		fmt.Println(q.Name, err)
	}
	// Output: onboarding <nil>
}

func ExampleClient_Get() {
	fake := kycjwttest.NewServer(kycjwttest.Config{})
	defer fake.Close()
	client, err := kycjwt.New(fake.ClientConfig())
	if err != nil {
		log.Fatal(err)
	}
	var q struct {
		Name string `json:"name"`
	}
	err = client.Get(context.Background(), "/questionnaires/"+kycjwttest.QuestionnaireID, nil, &q)
	fmt.Println(q.Name, err)

	err = client.Get(context.Background(), "/questionnaires/unknown", nil, &q)
	fmt.Println(errors.Is(err, kyckit.ErrNotFound), err)
	// Output:
	// onboarding <nil>
	// true kycjwt: get: not found (http 404)
}

func ExampleList() {
	fake := kycjwttest.NewServer(kycjwttest.Config{})
	defer fake.Close()
	client, err := kycjwt.New(fake.ClientConfig())
	if err != nil {
		log.Fatal(err)
	}
	for raw, err := range kycjwt.List[json.RawMessage](context.Background(), client, "/questionnaires/persons", nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(len(raw) > 0)
	}
	// Output: true
}

func ExampleValidationError() {
	fake := kycjwttest.NewServer(kycjwttest.Config{})
	defer fake.Close()
	client, err := kycjwt.New(fake.ClientConfig())
	if err != nil {
		log.Fatal(err)
	}
	err = client.Post(context.Background(), "/webhooks", map[string]any{}, nil)
	fmt.Println(err)
	if refused, ok := errors.AsType[*kycjwt.ValidationError](err); ok {
		for _, f := range refused.Fields() {
			fmt.Println(f.Path(), f.Type)
		}
	}
	// Output:
	// kycjwt: post: invalid (http 422)
	// body.url missing
}

func ExampleNewAuthenticator() {
	fake := kycjwttest.NewServer(kycjwttest.Config{})
	defer fake.Close()
	authenticator, err := kycjwt.NewAuthenticator(kycjwt.AuthenticatorConfig{
		PublicKeys: []string{fake.PublicKey()}, // kept from RegisterWebhook
	})
	if err != nil {
		log.Fatal(err)
	}
	handler, err := webhook.NewHandler(webhook.HandlerConfig{
		Authenticate: authenticator,
		Key:          kycjwt.EventKey,
		Handle: func(_ context.Context, d *webhook.Delivery) error {
			event, err := kycjwt.ParseEvent(d.Body)
			if err != nil {
				return err
			}
			fmt.Println("handling", event.Type)
			return nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}

	server := httptest.NewServer(handler) // in production: over https
	defer server.Close()

	event := []byte(`{"notification_id":"n-1","notification_type":"entitlementCompleted"}`)
	fmt.Println(fake.Deliver(context.Background(), server.URL, event))
	// Output:
	// handling entitlementCompleted
	// 200 <nil>
}
