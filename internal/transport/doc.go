// Package transport is the one path of every HTTP call of this module, and the
// only package that knows go-retryablehttp. From the outside in, a call passes:
//
//	caller's middleware    once a call
//	retry                  only calls marked repeatable
//	redirect guard         repeatable calls, same scheme, host and method only
//	authorisation          attaches the bearer, replays once after a 401
//	try                    timeout, size-limited body, one debug record
//	base transport         the caller's, or the module's own
//
// Whatever happens, the result is a [Response] with a 2xx status or a
// *kyckit.Error that says whether the provider may have acted.
package transport
