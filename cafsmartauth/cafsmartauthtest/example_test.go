package cafsmartauthtest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/cafsmartauth"
	"github.com/kyckit/kyckit/cafsmartauth/cafsmartauthtest"
	"github.com/kyckit/kyckit/kyctest"
)

func Example() {
	fake := cafsmartauthtest.NewServer(cafsmartauthtest.Config{})
	defer fake.Close()
	client, err := cafsmartauth.New(fake.ClientConfig())
	if err != nil {
		panic(err)
	}
	const cpf, policy = "00011122285", "login"
	token, err := client.Mint(cpf, time.Minute)
	if err != nil {
		panic(err)
	}
	for _, outcome := range []cafsmartauthtest.Outcome{cafsmartauthtest.Authorized, cafsmartauthtest.Forged, cafsmartauthtest.Expired} {
		answer, err := fake.SDK().VerifyPolicy(token.Access.Reveal(), cpf, policy, outcome)
		if err != nil {
			panic(err)
		}
		_, err = client.VerifyAnswer(answer, cafsmartauth.Expected{PersonID: cpf, PolicyID: policy})
		fmt.Println(err == nil, errors.Is(err, cafsmartauth.ErrForged), errors.Is(err, cafsmartauth.ErrExpired))
	}
	// Output:
	// true false false
	// false true false
	// false false true
}

func ExampleServer() {
	fake := cafsmartauthtest.NewServer(cafsmartauthtest.Config{})
	defer fake.Close()
	client, err := cafsmartauth.New(fake.ClientConfig())
	if err != nil {
		panic(err)
	}
	// The identity is created, and nobody learns of it.
	fake.Fail(cafsmartauthtest.OpIdentity, 1, kyctest.Fault{LoseAnswer: true})
	_, err = client.CreateIdentity(context.Background(), cafsmartauth.IdentityParams{
		Name: "Pessoa Inventada", PersonID: "00011122285", ImageURL: "https://selfies.example/1.jpg",
	})
	fmt.Println(errors.Is(err, kyckit.ErrOutcomeUnknown), len(fake.Identities()), fake.Count(cafsmartauthtest.OpIdentity))
	// Output: true 1 1
}

func ExampleSDK_Sign() {
	fake := cafsmartauthtest.NewServer(cafsmartauthtest.Config{})
	defer fake.Close()
	client, err := cafsmartauth.New(fake.ClientConfig())
	if err != nil {
		panic(err)
	}
	odd := fake.SDK().Sign(`{"alg":"HS256"}`, `{"attemptId":"a","peopleId":"00011122285","policyId":"login","isAuthorized":"true","exp":9999999999}`)
	_, err = client.VerifyAttestation(odd, cafsmartauth.Expected{PersonID: "00011122285", PolicyID: "login"})
	fmt.Println(err)
	// Output: cafsmartauth: verify attestation: invalid: malformed attestation: the payload has an isAuthorized that is not a boolean
}
