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
// # Virtual time
//
// With Config.InMemory it works inside a testing/synctest bubble, where a wait of
// minutes takes none:
//
//	synctest.Test(t, func(t *testing.T) {
//		fake := nafathtest.NewServer(nafathtest.Config{InMemory: true})
//		defer fake.Close()
//		client, err := nafath.New(fake.ClientConfig())
//		poller, err := nafath.NewPoller(nafath.PollerConfig{Client: client})
//		defer poller.Close()
//		details, err := poller.Verify(t.Context(), "1000000008", func(tx nafath.Transaction) {
//			time.AfterFunc(179*time.Second, func() { fake.Approve(tx.TransID, tx.Random) })
//		})
//	})
//
// To have its webhooks reach a handler of your own inside the bubble, serve that
// by a [kyctest.Server] that is in memory too, and give its Client to [Webhook]:
//
//	receiver := kyctest.NewServer(kyctest.Options{InMemory: true})
//	receiver.Handle("POST /hook", "hook", handler.ServeHTTP)
//	webhook := nafathtest.Webhook{URL: receiver.URL + "/hook", Client: receiver.Client()}
package nafathtest
