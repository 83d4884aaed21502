// Kycjwt takes one customer through a KYC API behind a password login: it logs
// in, creates a person, answers the questionnaire while the token dies in the
// middle, uploads a document and believes a signed webhook.
//
//	go run ./examples/kycjwt                           against a fake in this process
//	go run ./examples/kycjwt -password wrong           refused credentials
//	go run ./examples/kycjwt -base https://kyc.example -username u -questionnaire id
//
// With -base a real provider is called as the user given: KYCJWT_PASSWORD in the
// environment is the password. Nothing can expire its tokens from here, and no
// webhook is shown.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/signal"
	"strings"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/kycjwt"
	"github.com/kyckit/kyckit/kycjwt/kycjwttest"
	"github.com/kyckit/kyckit/webhook"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "kycjwt:", err)
		os.Exit(1)
	}
}

// program is one run.
type program struct {
	client *kycjwt.Client
	fake   *kycjwttest.Server // nil with a real provider
	out    io.Writer
}

func (p *program) say(format string, args ...any) { _, _ = fmt.Fprintf(p.out, format+"\n", args...) }

func run(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	flags := flag.NewFlagSet("kycjwt", flag.ContinueOnError)
	flags.SetOutput(out)
	base := flags.String("base", "", "the provider's address; empty starts a fake")
	username := flags.String("username", kycjwttest.Username, "the login")
	password := flags.String("password", kycjwttest.Password, "the fake's password; a real one is read from KYCJWT_PASSWORD")
	questionnaire := flags.String("questionnaire", kycjwttest.QuestionnaireID, "the questionnaire to answer")
	if err := flags.Parse(args); err != nil {
		return err
	}
	p := &program{out: out}
	cfg := kycjwt.Config{BaseURL: *base, Username: *username, Password: kyckit.NewSecret(getenv("KYCJWT_PASSWORD"))}
	if *base == "" {
		p.fake = kycjwttest.NewServer(kycjwttest.Config{})
		defer p.fake.Close()
		cfg.BaseURL, cfg.HTTP.Client, cfg.Password = p.fake.URL, p.fake.Client(), kyckit.NewSecret(*password)
	}
	var err error
	if p.client, err = kycjwt.New(cfg); err != nil {
		return err
	}
	err = p.onboard(ctx, *questionnaire)
	if refused, ok := errors.AsType[*kycjwt.ValidationError](err); ok {
		for _, field := range refused.Fields() {
			p.say("Refused: %s (%s)", field.Path(), field.Type)
		}
	}
	if errors.Is(err, kyckit.ErrOutcomeUnknown) {
		p.say("The provider may have acted. Look before you call again.")
	}
	return err
}

func (p *program) onboard(ctx context.Context, questionnaireID string) error {
	// 1. The first call logs in.
	made, err := p.client.CreatePerson(ctx, customer())
	if err != nil {
		return err
	}
	p.say("Created the person %s.", made.ID)
	person := kycjwt.Person(made.ID)

	// 2. Read what is asked.
	questionnaire, err := p.client.Questionnaire(ctx, questionnaireID)
	if err != nil {
		return err
	}
	answers := answer(questionnaire)
	p.say("The questionnaire %q is answered with %d answers.", questionnaire.Name, len(answers))

	// 3. The token dies between reading and answering. The client logs in once
	// more and sends the same answers again; the refused try had no effect.
	if p.fake != nil {
		p.fake.RevokeTokens()
		p.say("The provider's key changes: the token is dead.")
	}
	if _, err := p.client.Respond(ctx, person, questionnaire.ID, answers); err != nil {
		return err
	}
	p.say("Answered all the same.")

	// 4. A document is streamed.
	document, err := p.client.UploadDocument(ctx, person, kycjwt.DocumentParams{
		Category: "poa", Orientation: kycjwt.OrientationFront, Name: "bill.txt", ContentType: "text/plain",
		Reader: strings.NewReader("an electricity bill"),
	})
	if err != nil {
		return err
	}
	for d, err := range p.client.Documents(ctx, person) {
		if err != nil {
			return err
		}
		p.say("The person has the document %s, uploaded now: %t.", d.ID, d.ID == document.ID)
	}
	if p.fake == nil {
		return nil
	}
	p.say("It took %d logins.", p.fake.Count("login"))
	return p.listen(ctx)
}

// listen registers for events and receives one, twice.
func (p *program) listen(ctx context.Context) error {
	const here = "https://us.example/kyc"
	registration, err := p.client.RegisterWebhook(ctx, kycjwt.WebhookParams{URL: here})
	if err != nil {
		return err
	}
	// The key must be kept: no call is documented that reads it again.
	authenticator, err := kycjwt.NewAuthenticator(kycjwt.AuthenticatorConfig{PublicKeys: []string{registration.PublicKey}})
	if err != nil {
		return err
	}
	handler, err := webhook.NewHandler(webhook.HandlerConfig{
		Authenticate: authenticator,
		Key:          kycjwt.EventKey,
		Handle: func(_ context.Context, d *webhook.Delivery) error {
			event, err := kycjwt.ParseEvent(d.Body)
			if err != nil {
				return err
			}
			p.say("An event is handled: %s.", event.Type)
			return nil
		},
	})
	if err != nil {
		return err
	}
	server := httptest.NewServer(handler) // stands for the address that was registered
	defer server.Close()
	for range 2 {
		status, err := p.fake.Deliver(ctx, server.URL, []byte(`{"notification_id":"n-1","notification_type":"entitlementCompleted","details":{}}`))
		if err != nil {
			return err
		}
		p.say("The delivery is answered with %d.", status)
	}
	return nil
}

// customer is an invented person.
func customer() kycjwt.PersonParams {
	return kycjwt.PersonParams{
		ExternalID: "customer-17", FirstName: "Mirelle", LastName: "Vantongeren", Nationality: "MLT",
		Gender: kycjwt.GenderFemale, BirthCountry: "MLT", BirthPlace: "Zejtun", BirthDate: "1984-02-29",
		StreetName: "Triq il-Hafna", StreetNumber: "12b", City: "Zejtun", PostalCode: "ZTN 1901", Country: "MLT",
		Phone: "+35699000017", Email: "mirelle@mail.example", TaxIdentificationNumber: "TIN-4471-X", TaxCountry: "MLT",
	}
}

// answer answers the questions it knows how to answer.
func answer(q *kycjwt.Questionnaire) []kycjwt.Answer {
	if q.Data == nil {
		return nil
	}
	var answers []kycjwt.Answer
	for _, question := range q.Data.Questions {
		switch question.QuestionType {
		case "text":
			answers = append(answers, kycjwt.Answer{QuestionID: question.ID, Text: new("salary")})
		case "integer":
			answers = append(answers, kycjwt.Answer{QuestionID: question.ID, Integer: new(int64(2))})
		case "bool":
			answers = append(answers, kycjwt.Answer{QuestionID: question.ID, Bool: new(false)})
		}
	}
	return answers
}
