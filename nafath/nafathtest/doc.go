// Package nafathtest is a fake Nafath provider for tests: the token endpoint,
// the three calls with their tenant limits, a phone, and webhooks.
//
//	fake := nafathtest.NewServer(nafathtest.Config{})
//	defer fake.Close()
//	client, err := nafath.New(fake.ClientConfig())
//	tx, err := client.Request(ctx, "1000000008")
//	err = fake.Approve(tx.TransID, tx.Random) // what the person does on the phone
//
// It refuses what a real provider would refuse: a wrong bearer, a wrong code, a
// field of a wrong type, a call beyond the limit. Faults for single calls are
// scripted through the embedded [kyctest.Server], with the operations [OpToken],
// [OpRequest], [OpStatus] and [OpDetails]; what is none of these calls is
// recorded as [kyctest.OpOther].
//
//	fake.Fail(nafathtest.OpRequest, 1, kyctest.Fault{LoseAnswer: true})
//
// [Server.Transactions] tells which verifications were started, whatever the
// client learned of it, and Config.OnPrompt is called with each. With
// Options.InMemory the fake works inside a testing/synctest bubble, where a
// test of minutes takes no time.
//
// People can answer on a page as well, [kyctest.Phone], and programs in other
// languages over HTTP, [kyctest.Admin]; with Config.MagicIDs some people act by
// themselves. The command kyckit serves all of it: kyckit fake nafath.
//
// # What is documented and what is chosen
//
// Documented are the calls and their fields, the form with the credentials, 400
// without a transId, 401, 404 for an unknown transaction, 422 for a bad national
// id, 429 and the limits, the statuses, and the event. Where the provider says
// nothing, the fake chooses:
//
//   - Errors of the token call are those of RFC 6749, of the other calls the
//     envelope with a null result. A 429 has no Retry-After unless configured.
//   - A call that is refused for its bearer uses up none of the limit; one that is
//     refused for anything else does. A minute is the last 60 s, see FixedWindow.
//   - A body that is not one JSON object of strings in UTF-8, or is labelled
//     otherwise, is a 400, as are a missing random and nationalId. A random or
//     national id of another transaction is the 404 of an unknown one.
//   - A person has 180 s, and the same request again starts another verification,
//     see Lifetime and OneOpen.
//   - Details before the approval are a 404; afterwards they stay.
//   - A webhook is sent once, on the change to a terminal status.
package nafathtest
