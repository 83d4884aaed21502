// Package faceki is a client of FACEKI (BLAZE 3.0): KYC links, verification of
// documents and a selfie, records, face match, and webhooks.
//
//	client, err := faceki.New(faceki.Config{
//		ClientID:     id,
//		ClientSecret: kyckit.NewSecret(secret),
//	})
//	…
//	record, err := client.Verify(ctx, faceki.VerifyParams{
//		WorkflowID: workflow,
//		Selfie:     faceki.Image{Reader: selfie},
//		Documents:  []faceki.Document{{Front: faceki.Image{Reader: front}, Back: faceki.Image{Reader: back}}},
//	})
//	switch {
//	case errors.Is(err, faceki.ErrRetakeSelfie): // ask for another picture
//	case err != nil:                             // see below
//	case record.Decision.Accepted():             // ACCEPTED or APPROVED
//	default:                                     // DECLINED, REVIEW, or a word of the future
//	}
//
// # Concurrency
//
// A [Client] is immutable and safe for concurrent use. Its calls share one
// token; token calls may be billed by FACEKI, so make one client and keep it.
// The readers of an [Image] belong to the call until it returns.
//
// # Errors
//
// Every error is a *kyckit.Error. FACEKI reports most failures inside HTTP 200;
// their code is in Error.Code, and errors.Is tells what it means: the kinds of
// package kyckit and [ErrRetakeSelfie], [ErrSelfie], [ErrDocument],
// [ErrVerificationFailed], [ErrLink], [ErrBilling], [ErrConfiguration] and
// [ErrUnknownCode] here. A declined person is no error but a [Decision].
// Messages and bodies of FACEKI are behind Error.Message and Error.Body and
// never in a text.
//
// # Retries
//
// Reading ([Client.Records], [Client.WorkflowRules]) and token calls are
// retried. [Client.CreateLink], [Client.Verify] and [Client.SearchByFace] are
// not: they cost money or start something, and FACEKI has no idempotency keys.
// If one of them may have arrived without a usable answer, its error is of kind
// kyckit.ErrOutcomeUnknown. For a verification the [*VerifyError] in the chain
// has the record identifier by which Records finds it. The one exception is a
// refused token, a 401 or code 1 in a 200: it is dropped and the call sent once
// more with a new one, images being read again from their start; see
// Config.BufferReaders for readers that cannot seek. Code 1 also stands for a
// wrong path, so if it comes back, that is the answer.
//
// # Webhooks
//
// FACEKI's webhooks carry no signature, secret, time or event id. So:
//
//   - Guard the address: a path that cannot be guessed, or Basic credentials,
//     both in package webhook, over https. That keeps strangers out and proves
//     nothing about the content.
//   - Take the event for a hint, and read the record: [Client.Confirm], or
//     [Client.OnConfirmed] as the handler. Where the address leaks, strangers
//     cause no more than about 46 reads a minute.
//   - Set webhook.HandlerConfig.Key to [EventKey]. A status that changes away
//     and back sends the same body twice. By the body alone, the handler's
//     default, the second would be dropped for three days, and with it the
//     decision that counts.
//   - Read records of open verifications from time to time: whether FACEKI
//     sends a failed delivery again is not documented.
//
// # What is logged
//
// One debug record a try with operation, path template, status and duration,
// and one a token event. Bodies, tokens, identifiers and personal data are never
// logged. Types with personal data print redacted; their JSON is clear.
//
// # What is not here
//
// The PDF report is in FACEKI's menu, but its method, path and parameters are
// published nowhere, so this package does not guess them. Neither does it
// fetch stored images by their keys, use calls that FACEKI's mobile SDKs make
// with a link in place of a token, or speak to the quality add-on or the older
// KYC V2.
//
// # Documented or assumed
//
//	base https://sdk.faceki.com, bearer token        documented
//	POST generate-token with a JSON body             documented; one revision says access-token
//	GET access-token with a query                    older documentation and SDKs; TokenLegacyQuery
//	token lifetime 3600 s, calls may be billed       documented
//	envelope A (responseCode 0), B (status, 200)     documented
//	envelope C (status false, statusCode)            documented for the token call
//	envelope D (errors)                              iOS SDK only
//	401 for wrong credentials and for dead tokens    assumed; the bodies are not documented
//	failures inside HTTP 200                         SDKs
//	expiryTime in minutes, as a number               documented; an older page says string
//	link answers 200 or 201, data is the id          SDKs
//	parts of a verification, search by face          documented
//	result of a verification                         iOS SDK (object); read tolerantly
//	at most three documents                          documented parts
//	GET /api/v3/kyc_verification for records         documented; another line prints an older path
//	no match is 8013 or an empty list                assumed
//	codes 1, 400, 422, 500, 5001-5011, 8004-8006     documented
//	codes 1000, 7001, 8001-8003, 8007-8019           SDKs, some of the older product
//	code 5012 (document liveness)                    name documented, number assumed
//	8003 asks for another selfie                     Android SDK
//	workflow rules                                   SDKs only
//	webhook fields                                   documented; kycData as a record by reference only
//	upload timeout 120 s                             SDKs
//	JPEG and PNG only, 32 MiB                        assumed; no limit is documented
//	code 1 in a 200 means a refused token            assumed from its name
package faceki
