// Facekilink plays one FACEKI verification through a KYC link: it creates the
// link, waits for the webhook, reads the record to confirm what the webhook
// hints at, and prints the decision with personal data masked.
//
//	go run ./examples/facekilink                      the person passes
//	go run ./examples/facekilink -outcome declined    … does not
//	go run ./examples/facekilink -outcome review      a person in the portal approves later
//	go run ./examples/facekilink -outcome forged      somebody who learned the address sends a lie
//	go run ./examples/facekilink -outcome lost        the webhook never comes
//
// No call leaves this process: a fake stands in for FACEKI, its webhooks come
// over loopback.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/faceki"
	"github.com/kyckit/kyckit/faceki/facekitest"
	"github.com/kyckit/kyckit/webhook"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "facekilink:", err)
		os.Exit(1)
	}
}

// person is what happens at the other end of the link.
type person func(ctx context.Context, fake *facekitest.Server, link, webhookURL string) error

var outcomes = map[string]person{
	"accepted": finish(faceki.DecisionAccepted),
	"declined": finish(faceki.DecisionDeclined),
	"review":   review,
	"forged":   forge,
	"lost":     lose,
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("facekilink", flag.ContinueOnError)
	flags.SetOutput(out)
	outcome := flags.String("outcome", "accepted", "accepted, declined, review, forged or lost")
	patience := flags.Duration("patience", 2*time.Second, "how long to wait for a webhook before looking at the records")
	if err := flags.Parse(args); err != nil {
		return err
	}
	play, ok := outcomes[*outcome]
	if !ok {
		return errors.New("-outcome is accepted, declined, review, forged or lost")
	}
	say := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }

	fake := facekitest.NewServer(facekitest.Config{})
	defer fake.Close()
	client, err := faceki.New(fake.ClientConfig()) // in production: ClientID and ClientSecret
	if err != nil {
		return err
	}

	// 1. An address for the webhooks that nobody can guess. FACEKI signs
	// nothing, so this keeps strangers out and proves nothing.
	confirmed := make(chan *faceki.Record, 8)
	address, stop, err := listen(ctx, client, confirmed)
	if err != nil {
		return err
	}
	defer stop()

	// 2. A link for one person. The application id is ours.
	order := "order-" + rand.Text()[:8]
	link, err := client.CreateLink(ctx, faceki.LinkParams{
		WorkflowID: facekitest.WorkflowID, Expiry: 30 * time.Minute, ApplicationID: order,
	})
	if err != nil {
		return err
	}
	say("Created a link that lives 30 minutes: id …%s.", link.ID[len(link.ID)-4:])

	// 3. The person opens it, and FACEKI sends its webhook.
	done := make(chan error, 1)
	go func() { done <- play(ctx, fake, link.ID, address) }()

	// 4. What the webhook says is a hint; the record is what counts.
	err = decide(ctx, client, confirmed, link.ID, *patience, say)
	return errors.Join(err, <-done)
}

// listen serves webhooks and passes on the records that they are about.
func listen(ctx context.Context, client *faceki.Client, confirmed chan<- *faceki.Record) (address string, stop func(), err error) {
	const prefix = "/webhooks/faceki/"
	token := rand.Text()
	guard, err := webhook.NewSecretPath(webhook.SecretPathConfig{Prefix: prefix, Tokens: []kyckit.Secret{kyckit.NewSecret(token)}})
	if err != nil {
		return "", nil, err
	}
	handler, err := webhook.NewHandler(webhook.HandlerConfig{
		Authenticate: guard,
		Key:          faceki.EventKey, // a status that comes back is no duplicate
		Handle: client.OnConfirmed(func(ctx context.Context, _ faceki.Event, r *faceki.Record) error {
			select {
			case confirmed <- r:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}),
	})
	if err != nil {
		return "", nil, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0") // in production: https
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: handler, ReadTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }()
	return "http://" + l.Addr().String() + prefix + token, func() { _ = server.Close() }, nil
}

// decide waits until the record of the link has an outcome that is final.
func decide(
	ctx context.Context, client *faceki.Client, confirmed <-chan *faceki.Record, link string, patience time.Duration, say func(string, ...any),
) error {
	timer := time.NewTicker(patience)
	defer timer.Stop()
	for {
		var record *faceki.Record
		select {
		case record = <-confirmed:
			say("A webhook came; its record was read.")
		case <-timer.C:
			// Whether FACEKI repeats a webhook is not documented, so look.
			records, err := client.Records(ctx, faceki.RecordFilter{Link: link})
			if errors.Is(err, kyckit.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			record = &records[len(records)-1]
			say("No webhook came; the records were read.")
		case <-ctx.Done():
			return ctx.Err()
		}
		if record.Link != link {
			say("It is about another link.")
			continue
		}
		switch {
		case record.Decision.Accepted():
			say("Verified: %s, document …%s, decision %s.", mask(first(record).FullName), tail(first(record).DocumentNumber), record.Decision)
			return nil
		case record.Decision == faceki.DecisionDeclined:
			say("Not verified: decision %s.", record.Decision)
			return nil
		case record.Decision == faceki.DecisionReview:
			say("Somebody has to look at it: decision %s.", record.Decision)
		default:
			say("A decision that this version does not know: not verified.")
		}
	}
}

func first(r *faceki.Record) faceki.DocumentData {
	if len(r.Documents) == 0 {
		return faceki.DocumentData{}
	}
	return r.Documents[0]
}

// mask keeps the first letter of each word.
func mask(name string) string {
	words := strings.Fields(name)
	for i, w := range words {
		words[i] = string([]rune(w)[:1]) + "…"
	}
	return strings.Join(words, " ")
}

func tail(s string) string { return s[max(0, len(s)-2):] }
