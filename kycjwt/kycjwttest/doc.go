// Package kycjwttest is a fake of the password-login KYC API, to test against
// without a network.
//
//	fake := kycjwttest.NewServer(kycjwttest.Config{})
//	defer fake.Close()
//	client, err := kycjwt.New(fake.ClientConfig())
//
// Its login answers as FastAPI-Users does: a form only, 400 with a code for
// refused credentials, 422 for missing fields in either generation of the
// validation errors, 307 for a trailing slash, 401 with one body for every bad
// token, tokens with exp and an audience list, no refresh. Persons,
// entitlements, questionnaires, documents and webhooks live in memory.
//
// The fields of persons, answers, documents and registrations are documented,
// and checked: types, dates, country codes, phone numbers, https addresses, the
// member of an answer that belongs to the type of its question. What the
// provider does not document is this fake's invention, do not build on it: ids,
// the answers to creations, every error of a resource (422 for a body that is
// not JSON labelled as such or is not as documented, 404 for an unknown id, 405
// for another method), and that the same person sent again is another person.
//
// The embedded kyctest.Server adds faults and a record of what arrived. The
// operations are [OpLogin] and the other constants; everything else is
// [kyctest.OpOther]. Deliver sends signed events. With Options.InMemory the fake
// works inside a testing/synctest bubble.
package kycjwttest
