package cafsmartauth_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/cafsmartauth"
	"github.com/kyckit/kyckit/cafsmartauth/cafsmartauthtest"
	"github.com/kyckit/kyckit/webhook"
)

// A fake stands in for the provider and the app in these examples. Your own
// configuration is a client id and a secret:
//
//	cafsmartauth.Config{ClientID: id, ClientSecret: kyckit.NewSecret(secret)}
func exampleClient() (*cafsmartauthtest.Server, *cafsmartauth.Client) {
	fake := cafsmartauthtest.NewServer(cafsmartauthtest.Config{})
	client, err := cafsmartauth.New(fake.ClientConfig())
	if err != nil {
		panic(err)
	}
	return fake, client
}

func Example() {
	fake, client := exampleClient()
	defer fake.Close()

	// The person at the door claims to have this CPF. Their app gets a token
	// that is good for nobody else.
	const claimed, policy = "000.111.222-85", "login"
	token, err := client.Mint(claimed, 5*time.Minute)
	if err != nil {
		panic(err)
	}
	fmt.Println("to the app:", token, "or, in clear,", len(token.Access.Reveal()) > 0)

	// The app runs the SDK and sends its answer.
	answer, err := fake.SDK().VerifyPolicy(token.Access.Reveal(), claimed, policy, cafsmartauthtest.Authorized)
	if err != nil {
		panic(err)
	}
	attestation, err := client.VerifyAnswer(answer, cafsmartauth.Expected{PersonID: claimed, PolicyID: policy})
	fmt.Println("in:", err == nil, attestation)
	// Output:
	// to the app: [redacted] or, in clear, true
	// in: true [redacted]
}

func ExampleClient_VerifyAnswer() {
	fake, client := exampleClient()
	defer fake.Close()
	const claimed, policy = "00011122285", "login"
	token, err := client.Mint(claimed, time.Minute)
	if err != nil {
		panic(err)
	}
	for _, outcome := range []cafsmartauthtest.Outcome{
		cafsmartauthtest.Authorized, cafsmartauthtest.Denied, cafsmartauthtest.Pending, cafsmartauthtest.OtherPerson, cafsmartauthtest.AccessToken,
	} {
		answer, err := fake.SDK().VerifyPolicy(token.Access.Reveal(), claimed, policy, outcome)
		if err != nil {
			panic(err)
		}
		_, err = client.VerifyAnswer(answer, cafsmartauth.Expected{PersonID: claimed, PolicyID: policy})
		switch {
		case err == nil:
			fmt.Println("come in")
		case errors.Is(err, cafsmartauth.ErrPending):
			fmt.Println("somebody will look at it")
		case errors.Is(err, cafsmartauth.ErrDenied):
			if denied, ok := errors.AsType[*cafsmartauth.NotAuthorizedError](err); ok {
				details, err := client.Authentication(context.Background(), denied.AttemptID)
				if err != nil {
					panic(err)
				}
				fmt.Println("denied:", details.AuthenticationMethods.Face.Attempts[0].RefusalReason)
			}
		default:
			fmt.Println("refused:", err)
		}
	}
	// Output:
	// come in
	// denied: person_not_alive
	// somebody will look at it
	// refused: cafsmartauth: verify attestation: invalid: attestation of another person
	// refused: cafsmartauth: verify attestation: invalid: access token instead of an attestation
}

func ExampleUseOnce() {
	fake, client := exampleClient()
	defer fake.Close()
	// One store for all replicas; this one is for a single process.
	used := webhook.NewMemoryClaims(webhook.MemoryClaimsConfig{})

	const claimed, policy = "00011122285", "login"
	token, err := client.Mint(claimed, time.Minute)
	if err != nil {
		panic(err)
	}
	answer, err := fake.SDK().VerifyPolicy(token.Access.Reveal(), claimed, policy, cafsmartauthtest.Authorized)
	if err != nil {
		panic(err)
	}
	for range 2 {
		a, err := client.VerifyAnswer(answer, cafsmartauth.Expected{PersonID: claimed, PolicyID: policy})
		if err == nil {
			err = cafsmartauth.UseOnce(context.Background(), used, a)
		}
		fmt.Println(err == nil, errors.Is(err, cafsmartauth.ErrReplayed))
	}
	// Output:
	// true false
	// false true
}

func ExampleClient_CreateIdentity() {
	fake, client := exampleClient()
	defer fake.Close()
	identity, err := client.CreateIdentity(context.Background(), cafsmartauth.IdentityParams{
		Name:     "Pessoa Inventada",
		PersonID: "000.111.222-85",
		ImageURL: "https://selfies.example/1.jpg",
		Phone:    "+55 (11) 99999-0000",
	})
	if errors.Is(err, kyckit.ErrOutcomeUnknown) {
		return // it may exist: ask the provider's portal, do not call again
	}
	if err != nil {
		panic(err)
	}
	fmt.Println(identity.ID != "", fake.Identities()[0].PersonID)
	// Output: true 00011122285
}
