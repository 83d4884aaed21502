// Package cafsmartauth is the backend side of Caf Smart Auth, formerly named
// Identity: it mints the tokens that apps run the SDK with, decides whether the
// SDK's attestation may be believed, and makes the provider's two calls.
//
//	client, err := cafsmartauth.New(cafsmartauth.Config{
//		ClientID:     id,
//		ClientSecret: kyckit.NewSecret(secret),
//	})
//	…
//	token, err := client.Mint(cpf, 5*time.Minute) // token.Access.Reveal() goes to the app
//	…
//	a, err := client.VerifyAnswer(answer, cafsmartauth.Expected{PersonID: cpf, PolicyID: policy})
//	if err == nil {
//		err = cafsmartauth.UseOnce(ctx, claims, a)
//	}
//	if err != nil {
//		// not in: errors.Is with ErrDenied, ErrPending, ErrExpired, …
//	}
//
// # The one thing to know
//
// Access tokens and attestations are signed with the same secret, and the app
// holds an access token. A check of the signature alone would let anybody in.
// [Client.VerifyAttestation] demands every claim of an attestation, a boolean
// isAuthorized above all, and the person and the policy that you expect. Take
// the expected CPF from your own session.
//
// # Denied and pending
//
// An attestation says isAuthorized true or false. A pending attempt, which
// somebody still looks at, is false there too: only the SDK's callback in the
// app knows that it is pending, and the app has to pass that on as
// [Answer.Pending]. [Client.VerifyAnswer] then returns [ErrPending];
// [Client.VerifyAttestation], which sees no more than the attestation, returns
// [ErrDenied] for denied and pending attempts alike. Answer.Pending is not
// signed, so it never lets anybody in. [Client.Authentication] tells more.
//
// # Concurrency, errors, retries, logs
//
// A [Client] is immutable and safe for concurrent use; it owns no goroutine
// between calls. Every error is a *kyckit.Error. Reading an authentication is
// repeated as [kyckit.HTTP] says; creating an identity is never repeated once it
// may have arrived, and ends in [kyckit.ErrOutcomeUnknown]. With HTTP.Logger one
// debug record a try is written: operation, method, path template, status,
// attempt, duration and request id. No CPF, name, token, id of an attempt or
// signed address is ever logged, and the types of this package print nothing
// of what they hold; their JSON is clear and yours to keep safe.
//
// The calls carry a token of their own, minted for 5 minutes, cached, replaced in
// time, and bound to no person: personId is not required, one of the calls
// does not know the person, and the token never leaves the backend.
//
// # Documented and assumed
//
//	documented                                    assumed
//	header alg HS256 and typ JWT; iss, exp and    the secret's raw UTF-8 bytes are the key; nothing but
//	personId in access tokens; iss required       these claims is sent; exp always is
//	no lifetime limits                            Mint up to MaxTTL, 24 h by default
//	attestation: same secret; attemptId,          HS256 alone; all but isNewContext and iat required;
//	peopleId, policyId, isAuthorized,             exp in seconds, at most Leeway past (30 s); iat not in
//	isNewContext, iat, exp                        the future; at most 8 KiB
//	—                                             a header may omit typ; unknown parameters are ignored,
//	                                              crit, b64, zip and enc refused; unknown claims ignored
//	pending exists in the SDKs                    no claim marks it
//	production host                               BaseURL for any other; the SDKs' beta and dev hosts are
//	                                              not documented
//	bearer JWT on both calls, 401 without         a token without personId is good for both calls
//	CPFs bare and punctuated in samples           11 bare digits are sent; CPFForm changes it; two CPFs
//	                                              are the same when their digits are
//	samples with wrong check digits               check digits are checked by CheckCPF only
//	phone a string in the table, a number in      a string of digits; PhoneAsNumber changes it
//	the sample
//	2xx is success; 200 with id                   an empty id is not success
//	every field optional; accuracy and            numbers in both forms; a field of another form is left
//	similarity strings; latitude first            empty; Raw has everything
//	status approved; refusal reason               any other value is kept and means nothing
//	person_not_alive
//	requestId in every answer                     taken when it looks like an id; no other error schema
//	no duplicate-CPF behaviour, no key            CreateIdentity is never repeated
//
// Smart Auth itself documents no webhook. Caf Connect does; see
// webhook.CafConnect. The sample signature on its page is another vendor's, word
// for word, and no test of Caf Connect's own.
package cafsmartauth
