// Package authtest is a scripted token server for tests of code that obtains
// tokens through package auth.
//
// One [Server] speaks three ways to obtain a token and offers a resource that
// demands it:
//
//	TokenURL     OAuth 2.0 client credentials: a form, RFC 6749 answers and errors
//	JSONURL      a JSON object (or, as a legacy, a GET with a query), answered in an envelope
//	LoginURL     a password login as FastAPI-Users answers it: no lifetime, 400 LOGIN_…, 422
//	ResourceURL  echoes the request's body; 401 without a living token
//
// Tokens are opaque or JWTs, of any lifetime, by a clock that may be wrong.
// Failures and delays come from [kyctest.Server.Fail] with the operations
// [OpToken], [OpJSON], [OpLogin] and [OpResource].
//
//	server := authtest.NewServer(authtest.Config{Lifetime: time.Minute})
//	defer server.Close()
//	source, err := server.ClientCredentials(auth.Tuning{})
//
// The server is strict: a wrong content type, credentials sent twice or a
// missing field is an error, so that a wrong client fails its tests.
package authtest
