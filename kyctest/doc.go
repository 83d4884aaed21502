// Package kyctest holds what the fake providers of this module have in common:
// an HTTP server on loopback or in memory, scripted faults, and a record of
// what arrived.
//
// Use a provider's own fake, for example nafathtest, and reach this package
// through the [Server] it embeds:
//
//	fake := nafathtest.NewServer(nafathtest.Config{})
//	defer fake.Close()
//	fake.Fail("status", 2, kyctest.Fault{Status: 503}) // the second status check from now
//
// With [Options].InMemory the server runs on a network of pipes, which works
// inside a testing/synctest bubble: time is then virtual and tests of minutes
// take milliseconds. Start and Close such a server inside the bubble. What you
// test must reach it through [Server.Client], as the ClientConfig of every fake
// sees to; the documentation of nafathtest has a whole test.
package kyctest
