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
// scripted through the embedded kyctest.Server, with the operations "token",
// "request", "status" and "details":
//
//	fake.Fail("request", 1, kyctest.Fault{LoseAnswer: true})
//
// With Config.InMemory it works inside a testing/synctest bubble.
package nafathtest
