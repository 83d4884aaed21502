// Package cafsmartauthtest is a fake Caf Smart Auth to test against: a server
// for the two calls and a simulator of the SDK in the app, which answers with
// attestations of every kind.
//
//	fake := cafsmartauthtest.NewServer(cafsmartauthtest.Config{})
//	defer fake.Close()
//	client, err := cafsmartauth.New(fake.ClientConfig())
//	…
//	token, err := client.Mint(cpf, 5*time.Minute)
//	answer, err := fake.SDK().VerifyPolicy(token.Access.Reveal(), cpf, policy, cafsmartauthtest.Denied)
//	_, err = client.VerifyAnswer(answer, cafsmartauth.Expected{PersonID: cpf, PolicyID: policy}) // cafsmartauth.ErrDenied
//
// Faults are scripted through the embedded [kyctest.Server]. Nothing of this
// package is meant for anything but tests.
package cafsmartauthtest
