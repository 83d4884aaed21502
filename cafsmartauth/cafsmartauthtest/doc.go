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
// Faults are scripted through the embedded [kyctest.Server] with the operations
// [OpAuthentication] and [OpIdentity]; what is neither call is recorded as
// [kyctest.OpOther]. With Options.InMemory the fake works inside a
// testing/synctest bubble; the clock of tokens and attestations is time.Now.
//
// # What is documented and what is chosen
//
// Documented are the two calls and their fields, 401 "Unauthorized" for a bearer
// that is missing or invalid, 200 for a created identity, the requestId in each
// answer, and the claims of tokens and attestations. Where the documents are
// silent, the fake is stricter than the provider may be, so that mistakes show:
//
//   - A bearer without exp, with exp in milliseconds, with a peopleId, or of
//     another header than HS256 and JWT is a 401. One that is bound to a person is
//     taken for any person.
//   - An identity is a 400 when its body is not JSON in UTF-8 labelled as such,
//     has unknown fields, a CPF that is not 11 digits, bare or punctuated, an
//     imageUrl that is no http address, or a phone that is not digits. Check digits
//     of CPFs do not count: the documents' own samples break them. The same
//     identity sent again is another identity.
//   - An attempt that is not known is a 404.
//   - [SDK.VerifyPolicy] refuses an access token of another person. Details of an
//     attempt have the status approved; the others are made up.
//
// Smart Auth sends no webhooks; for those of Caf Connect there is
// webhooktest.Sender. Nothing of this package is meant for anything but tests.
package cafsmartauthtest
