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
// entitlements, questionnaires, documents and webhooks live in memory. What
// the provider does not document (ids, bodies of answers to creations, errors
// of resources) is this fake's invention: do not build on it.
//
// The embedded kyctest.Server adds faults and a record of what arrived. The
// names of operations are those of kycjwt's errors: "login", "logout",
// "create person", "get person", "entitlements", "trigger entitlement",
// "questionnaires", "questionnaire", "respond", "upload document",
// "documents", "document", "document link", "register webhook", "webhooks",
// "delete webhook"; everything else is "other".
package kycjwttest
