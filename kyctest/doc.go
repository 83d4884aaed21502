// Package kyctest holds what the fake providers of this module have in common:
// an HTTP server on loopback or in memory, scripted faults, and a record of
// what arrived.
//
// Use a provider's own fake, for example nafathtest, and reach this package
// through the [Server] it embeds:
//
//	fake := nafathtest.NewServer(nafathtest.Config{})
//	defer fake.Close()
//	fake.Fail(nafathtest.OpStatus, 2, kyctest.Fault{Status: 503}) // the second status check from now
//
// The record, [Server.Requests], has every request, those included that no
// operation takes: their operation is [OpOther]. So a client that calls a wrong
// path or with a wrong method is seen to do so.
//
// Every fake's Config embeds [Options], names its credentials in the same words,
// and delivers webhooks through [Server.Deliver] and [Options].Webhook.
//
// [Phone] is a page on which people answer what a fake asks them, and [Admin] an
// HTTP interface to drive a fake from any language.
//
// With [Options].InMemory the server runs on a network of pipes, which works
// inside a testing/synctest bubble: time is then virtual and tests of minutes
// take milliseconds. Start and Close such a server inside the bubble, and reach
// it through its own [Server.Client] only, for all of them have the same URL.
//
//	func TestExpiry(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			fake := nafathtest.NewServer(nafathtest.Config{Options: kyctest.Options{InMemory: true}})
//			defer fake.Close()
//			client, err := nafath.New(fake.ClientConfig())
//			require.NoError(t, err)
//			tx, err := client.Request(t.Context(), "1000000008")
//			require.NoError(t, err)
//			time.Sleep(3 * time.Minute) // takes no time
//			status, err := client.Status(t.Context(), tx)
//			require.NoError(t, err)
//			require.Equal(t, nafath.StatusExpired, status)
//		})
//	}
//
// Close leaves no goroutine and no connection behind. Servers take requests from
// any number of goroutines.
package kyctest
