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
// With Options.InMemory it works inside a testing/synctest bubble; give
// Options.Webhook a Client then, if webhooks are to stay inside as well.
//
// The fake follows the documented shapes. Where FACEKI documents nothing, it
// chooses, and is strict where that makes a mistake show:
//
//   - A bearer that is missing, unknown, expired or sent without the word Bearer
//     gets 401 with code 1, or code 1 in a 200 after [Server.RefuseInBody]. Wrong
//     credentials get 401. No body of a 401 is documented.
//   - Codes come inside HTTP 200, but for the 422 of the token call, the 413 of an
//     image that is too large, and what a [kyctest.Fault] says.
//   - A body that is no JSON, is labelled otherwise or has a field of a wrong type
//     is a body without fields: 422 from the token call, 5002 from the link call.
//     expiryTime must be a whole number of minutes. Links never expire.
//   - An image must be a JPEG or PNG, labelled as what it is by its type and the
//     extension of its name, else 8001; FACEKI itself takes wrong labels. A part
//     that comes twice or breaks off is 5002. A missing selfie is 8001, a missing
//     first document 5006; backs and further documents are not demanded.
//   - Reading records without any filter is 5002; what FACEKI does is not known.
//     No match is an empty list.
//   - The same verification sent again makes another record.
//
// All names and numbers that it makes up belong to nobody. [Server.Uploads] and
// the record of the embedded [kyctest.Server] tell what arrived.
package facekitest
