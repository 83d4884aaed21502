// Package kyckit is the front door of a Go SDK for identity verification (KYC)
// providers. It holds what all of them share: [Error] and its kinds, [Secret],
// and the [HTTP] settings. The work is done in the packages below.
//
//	nafath         verify people through Nafath (Saudi Arabia): start, poll for a whole tenant, read details
//	faceki         FACEKI links, document and face verification, records, face match
//	cafsmartauth   mint Caf Smart Auth tokens, verify attestations, call its two endpoints
//	kycjwt         a KYC API behind a password login without refresh tokens
//	webhook        decide whether an incoming delivery may be believed, and handle it once
//	auth           obtain, cache, attach and mint tokens
//
// Each has a fake to test against, named after it: nafathtest, facekitest,
// cafsmartauthtest, kycjwttest, webhooktest, authtest. Package kyctest holds what
// they share: faults on demand, a record of what arrived, virtual time.
//
// # What holds everywhere
//
//   - A call that starts a verification, costs money or prompts a phone is
//     never repeated once it may have reached the provider. It ends in
//     [ErrOutcomeUnknown] instead.
//   - Errors, logs and printed values hold no secrets and no personal data.
//     Clear values are read through methods and fields that say so.
//   - Credentials go to https only, loopback aside, and never to another host.
//   - Every constructor checks its configuration; nothing is read from the
//     environment.
//   - Clients are safe for concurrent use and immutable after construction.
package kyckit
