// Package facekitest is a fake FACEKI for tests: it hands out tokens, makes KYC
// links, checks uploaded images, keeps records, sends webhooks, and fails on
// demand in every way the real one is known to.
//
//	fake := facekitest.NewServer(facekitest.Config{})
//	defer fake.Close()
//	client, err := faceki.New(fake.ClientConfig())
//
//	fake.SetDecision(faceki.DecisionDeclined)                       // what verifications give from now on
//	fake.Fail(facekitest.OpVerify, 1, facekitest.Refusal(5004))     // the next verification fails in a 2xx
//	fake.Fail(facekitest.OpRecords, 0, kyctest.Fault{Status: 503})  // every reading fails
//	fake.RevokeTokens()
//
// The fake follows the documented shapes. Where FACEKI documents none, such as
// for the body of a 401, it is a guess, and Server can be told to answer
// otherwise. All names and numbers that it makes up belong to nobody.
package facekitest
