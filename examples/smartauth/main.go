// Smartauth plays one Caf Smart Auth login from the backend's side: it mints a
// token for a CPF, shows what the app gets, lets a simulated app answer, and
// decides.
//
//	go run ./examples/smartauth                         the person passes
//	go run ./examples/smartauth -outcome denied         … does not, and why
//	go run ./examples/smartauth -outcome access-token   the app sends its own token back
//	go run ./examples/smartauth -outcome help           all outcomes
//
// No call leaves this process: a fake stands in for the provider. With
// SMARTAUTH_CLIENT_ID and SMARTAUTH_CLIENT_SECRET set, tokens are minted with
// those, so that -show-token prints one that the real SDK accepts.
package main

import (
	"context"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/kyckit/kyckit/cafsmartauth"
	"github.com/kyckit/kyckit/cafsmartauth/cafsmartauthtest"
	"github.com/kyckit/kyckit/webhook"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "smartauth:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	flags := flag.NewFlagSet("smartauth", flag.ContinueOnError)
	flags.SetOutput(out)
	cpf := flags.String("cpf", "000.111.222-85", "who claims to be at the other end")
	policy := flags.String("policy", "login", "the policy the app must pass")
	name := flags.String("outcome", "authorized", "how it ends, or help")
	show := flags.Bool("show-token", false, "print the access token in clear")
	if err := flags.Parse(args); err != nil {
		return err
	}
	outcome := cafsmartauthtest.Outcome(*name)
	if all := cafsmartauthtest.Outcomes(); !slices.Contains(all, outcome) {
		return fmt.Errorf("-outcome is one of %s", all)
	}
	say := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }

	fake := cafsmartauthtest.NewServer(cafsmartauthtest.Config{
		ClientID:     getenv("SMARTAUTH_CLIENT_ID"),
		ClientSecret: getenv("SMARTAUTH_CLIENT_SECRET"),
	})
	defer fake.Close()
	client, err := cafsmartauth.New(fake.ClientConfig())
	if err != nil {
		return err
	}
	// One store for all replicas; in production a shared one.
	used := webhook.NewMemoryClaims(webhook.MemoryClaimsConfig{})

	// 1. The backend mints.
	token, err := client.Mint(*cpf, 5*time.Minute)
	if err != nil {
		return err
	}
	access := token.Access.Reveal()
	say("The backend mints a token for %s, good until %s.", mask(*cpf), token.Expiry.Format(time.TimeOnly))
	say("The app gets %d bytes with the claims %s, which are bound to that person.", len(access), strings.Join(keys(access), ", "))
	if *show {
		say("\n%s\n", access)
	}

	// 2. The app runs the SDK and sends what it says.
	answer, err := fake.SDK().VerifyPolicy(access, *cpf, *policy, outcome)
	if err != nil {
		return err
	}
	say("The app answers: isAuthorized %t, pending %t, an attestation of %d bytes.", answer.IsAuthorized, answer.Pending, len(answer.Attestation))

	// 3. The backend decides. Who is expected comes from its own session.
	expected := cafsmartauth.Expected{PersonID: *cpf, PolicyID: *policy}
	attestation, err := client.VerifyAnswer(answer, expected)
	if err == nil {
		err = cafsmartauth.UseOnce(ctx, used, attestation)
	}
	if err != nil {
		return refused(ctx, client, err, say)
	}
	say("Verified: %s passed the policy at %s.", mask(attestation.PersonID), attestation.IssuedAt.Format(time.TimeOnly))
	if attestation.IsNewContext != nil && *attestation.IsNewContext {
		say("The device, the place or the network is new.")
	}

	// 4. The same answer a second time is of no use.
	attestation, err = client.VerifyAnswer(answer, expected)
	if err == nil {
		err = cafsmartauth.UseOnce(ctx, used, attestation)
	}
	say("Sent again: %v.", err)
	return nil
}

// refused says why somebody stays outside, with the provider's reason where
// there is one. A refusal is this program's result, not its failure.
func refused(ctx context.Context, client *cafsmartauth.Client, err error, say func(string, ...any)) error {
	switch {
	case errors.Is(err, cafsmartauth.ErrPending):
		say("Not yet: somebody looks at it.")
	case errors.Is(err, cafsmartauth.ErrDenied):
		say("Denied.")
	default:
		say("Refused: %v.", err)
	}
	var attempt *cafsmartauth.NotAuthorizedError
	if !errors.As(err, &attempt) || attempt.AttemptID == "" {
		return nil
	}
	details, err := client.Authentication(ctx, attempt.AttemptID)
	if err != nil {
		return err
	}
	say("The provider says: status %q.", details.Status)
	if face := details.AuthenticationMethods.Face; face != nil {
		for _, try := range face.Attempts {
			if try.RefusalReason != "" {
				say("  face: %s", try.RefusalReason)
			}
		}
	}
	return nil
}

// keys names the claims of a token without their values.
func keys(token string) []string {
	parts := strings.Split(token, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil
	}
	var names []string
	for _, name := range []string{"iss", "exp", "personId"} {
		if strings.Contains(string(payload), `"`+name+`":`) {
			names = append(names, name)
		}
	}
	return names
}

// mask keeps the last two characters.
func mask(s string) string {
	if len(s) <= 2 {
		return "…"
	}
	return "…" + s[len(s)-2:]
}
