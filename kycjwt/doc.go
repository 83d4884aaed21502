// Package kycjwt calls a KYC API behind a password login that gives no refresh
// tokens, and reads the webhooks it signs with Ed25519.
//
//	client, err := kycjwt.New(kycjwt.Config{
//		BaseURL:  "https://kyc.example.com", // given by the provider
//		Username: username,
//		Password: kyckit.NewSecret(password),
//	})
//	…
//	person, err := client.CreatePerson(ctx, kycjwt.PersonParams{…})
//
// Every resource is reached with [Client.Get], [Client.Post], [Client.Do] and
// [List], JSON in and JSON out. The likely resources have typed calls on top,
// which keep the raw JSON beside what they decode.
//
// # Login
//
// The first call logs in; all calls share the token. It is renewed shortly
// before its expiry when it is a JWT that has one, and after a 401 otherwise: a
// refused token is dropped, one login serves all calls that were refused
// together, and each of those is sent once more. A second 401 is final, and a
// 403 never causes a login. Refused credentials are remembered for a while, so
// that no caller can lock the account by calling again.
//
// # Retries
//
// Reads are retried as Config.HTTP.Retry says. Everything else is sent once,
// the replay after a 401 aside, for a refused call had no effect. Where no usable
// answer comes back the error is [kyckit.ErrOutcomeUnknown]: find out by
// reading.
//
// # Errors
//
// Every error is a [*kyckit.Error]. Its Code is the provider's, such as
// LOGIN_BAD_CREDENTIALS or LOGIN_USER_NOT_VERIFIED (both
// [kyckit.ErrUnauthorized]). The fields that a 422 refuses are found by
// errors.As as a [*ValidationError]. Values that the provider echoes are kept
// nowhere but in Error.Body.
//
// # Concurrency and logging
//
// A Client is safe for concurrent use and immutable. With Config.HTTP.Logger
// each try is one debug record: operation, method, path with ids left out,
// status, duration. Bodies, queries, tokens and credentials are never logged.
// Types that hold personal data print their name alone; their JSON is clear.
//
// # Webhooks
//
// [NewAuthenticator] and [EventKey] go into a webhook.Handler, [ParseEvent]
// reads what arrived. The provider repeats a delivery until it is answered
// with exactly 200, which is what that handler does.
//
// # Documented and assumed
//
//	login: form, path, fields, answer, two codes    documented by the provider
//	422 bodies in two generations, 401 and 403      assumed: FastAPI-Users behind the login
//	grant_type=password in the login                samples differ; sent, OmitGrantType leaves it out
//	prefix /api/v1                                  in the samples, not in the reference; APIPrefix
//	expiry read from the token                      assumed, as a hint only
//	creating a person: fields                       documented
//	answers to creations                            not documented: Created has Raw, and an assumed "id"
//	entitlements: GET /entitlements?owner_type=     documented on the newer page; EntitlementLists selects the older form
//	starting an entitlement: path                   documented; its body is not, and is the caller's
//	questionnaires and answers                      documented; options and values of questions are not
//	documents: upload form                          documented; categories and the answer are not
//	document owner                                  owner_id (newer) and owner_type_id (older) are both read
//	download link                                   documented; the form of its answer is not
//	webhook registration                            documented; its list's items are not
//	list envelope                                   documented; total and pages optional; page and size as query assumed,
//	                                                counted from 1, or as the first page says
//	events: members                                 documented; types of dates and of check results are not
//	delivery signature                              documented with the timestamp; the older, body-only form is refused
//	base64 of signatures and keys                   pages differ; both alphabets are read, padded or not
//	timestamp notation and tolerance                not documented: off unless AuthenticatorConfig.Tolerance is set
//
// Not documented at all, and therefore without a typed call: creating a
// corporate and starting an identity verification; use Do. A logout is not
// offered, because the token stays valid after it.
//
// Sources: the provider's authentication page; docs.dlt-finance.com/kyc, the
// newer reference, and docs.quanttradingfactory.com/guides/kyc, the older one;
// FastAPI-Users for the behaviour of the login.
package kycjwt
