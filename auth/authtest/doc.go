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
// missing field is an error, so that a wrong client fails its tests. It is no
// provider in particular; the fakes of the providers have token calls of their
// own. With Options.InMemory it works inside a testing/synctest bubble.
//
// # What is documented and what is chosen
//
// The token call follows RFC 6749, and takes credentials in the form or as
// Basic; a missing grant_type is unsupported_grant_type, credentials in the query
// are invalid_request. The JSON call answers 422 for a missing field, 400 for a
// body that is no JSON or is labelled otherwise, 401 for wrong credentials. The
// login differs from FastAPI-Users in one point: it takes no multipart form.
package authtest
