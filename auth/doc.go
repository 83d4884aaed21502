// Package auth obtains, caches, attaches and mints access tokens.
//
// A [Source] yields tokens. The constructors return one that caches:
//
//	NewClientCredentials  OAuth 2.0 client credentials (Nafath's token endpoint)
//	NewPasswordLogin      a form login without lifetimes or refresh tokens (FastAPI-Users)
//	NewJSONExchange       a JSON object answered in an envelope (FACEKI, and others)
//	NewCache              any other source that does not cache by itself
//
// [NewTransport] sends the token with every request. [Minter] builds tokens
// locally and needs no provider.
//
//	source, err := auth.NewClientCredentials(auth.ClientCredentialsConfig{
//		TokenURL:     "https://kyc.example.com/oauth/token",
//		ClientID:     id,
//		ClientSecret: kyckit.NewSecret(secret),
//	})
//	client := &http.Client{Transport: auth.NewTransport(nil, source)}
//
// # Concurrency
//
// Everything is safe for concurrent use. Share one Cache per set of
// credentials: with 10,000 callers and no token there is still one exchange. A
// Cache owns no goroutine at rest; [Cache.Close] ends an exchange in flight.
//
// A Cache keeps the credentials that it was made with; the example of [Source]
// changes them without a restart.
//
// # Retries
//
// While a token lives nobody waits: it is replaced in the background, at most
// 60 s and at most a fifth of its lifetime before it expires, at a moment drawn
// at random. A failing endpoint is asked again after 0.4 s, doubling to 15 s,
// and the old token serves until its real expiry; one more attempt begins just
// before. An endpoint that accepts a call and never answers holds that attempt
// until HTTP.Timeout is over, 10 s unless set. Without a living token the
// waits stay below a second; the first exchange tries three times while its
// callers wait, later ones once, and between them callers get the last error
// with RetryAfter. A Retry-After of the endpoint is honoured up to a minute.
//
// Refused credentials are remembered for 1 s, doubling to 60 s, so that no
// number of callers locks an account. So is every other answer that asking
// again cannot mend: one without a usable token, a redirect, a 404, 409, 410 or
// 501. A 401 from the provider's API costs one exchange shared by all, and one
// replay; a 403 costs nothing. Where the new token is accepted it replaces the
// old one; elsewhere the old one goes on, so that a resource which refuses
// every token takes nothing else down. A budget bounds these exchanges: ten in
// a row that help nobody, then one a minute, 120 in any hour at most. Beyond it
// the 401 is the answer.
//
// # Errors
//
// Every error is a *kyckit.Error with Provider "auth" (the constructor's
// Provider for a JSON exchange) and Op "token", "mint" or "config".
//
//	kyckit.ErrUnauthorized  wrong credentials
//	kyckit.ErrForbidden     credentials that may not do this
//	kyckit.ErrInvalid       a refused request, or a wrong configuration
//	kyckit.ErrRateLimited   too many exchanges
//	kyckit.ErrUnavailable   no answer, a failing endpoint, or a source that panics or never returns
//	kyckit.ErrDecode        an answer without a usable bearer token
//	context.Canceled, context.DeadlineExceeded   the caller's context ended
//
// # What is logged
//
// HTTP.Logger gets one debug record a try: operation, method, path, status,
// attempt, duration. Tuning.Logger gets one record an [Event]. Neither ever
// holds a token, a credential, a query or a body.
//
// # Documented and assumed
//
//	documented  form fields and answer of the client credentials grant (RFC 6749; the Nafath provider's page)
//	documented  login form, bearer answer without lifetime, 400 LOGIN_… codes (the login provider's page)
//	documented  iss, exp and personId of a Smart Auth token, HS256 (Caf's page)
//	assumed     FastAPI-Users behind the login: 422 bodies, JWT claims, identical tokens within a second
//	assumed     the Smart Auth secret is used as its raw bytes
//	assumed     a lifetime that is zero, negative or no number counts as absent
//	assumed     exp and iat of an unverified JWT are hints, by the clock in the answer's Date header
package auth
