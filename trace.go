package kyckit

import (
	"context"
	"net/http"
	"time"
)

// Trace is what telemetry hooks into: HTTP.Trace of any client. It sees each
// logical call and each request sent for it, by operation and path template,
// and never a filled path, a query, a body, a header or a token. Functions that
// are nil are skipped. Package otelkyc is an implementation with OpenTelemetry.
//
// The functions are called from the goroutine of the call and must be safe for
// concurrent use. Each function that they return is called exactly once,
// whatever happens; a nil one is skipped. A panic in any of them is discarded
// and reaches neither the call nor its caller.
//
// An exchange for a token is a call of its own, of provider "auth". Since it
// serves every caller that waits for the token, its context is not that of any
// of them.
type Trace struct {
	// Call begins one logical call. The context that it returns is that of the
	// call's requests: it is given to Try. A nil context means the one given.
	Call func(context.Context, CallInfo) (context.Context, func(CallEnd))
	// Try begins one request that is sent: the first one, each retry, and the
	// replay after a refused token. The context that it returns is the request's,
	// so net/http and a transport of the user's see it. A nil context means the
	// one given.
	Try func(context.Context, CallInfo, TryInfo) (context.Context, func(TryEnd))
}

// CallInfo names a call. None of its fields depends on the call's arguments, so
// the number of different values is small and each may be a telemetry
// attribute.
type CallInfo struct {
	// Provider is the package that makes the call, for example "nafath"; "auth"
	// for an exchange of credentials for a token.
	Provider string
	// Op is the operation, for example "status", as in Error.Op.
	Op string
	// Method is the HTTP method.
	Method string
	// Path is the template of the path below the base URL, as in logs: ids are
	// names in braces, such as "/details/{transId}".
	Path string
	// URL is the scheme, host, base path and the template, with nothing filled
	// in and without a query.
	URL string
	// Server is the host name or address that the URL names.
	Server string
	// Port is the port that the URL names, or that of its scheme.
	Port int
}

// CallEnd says how a call ended.
type CallEnd struct {
	// Err is what the caller gets, nil on success: a refusal inside a 200 and an
	// answer that cannot be decoded are errors too. Error.ErrorType gives a word
	// of it that may be a telemetry attribute.
	Err error
	// StatusCode is that of the last answer, 0 if there was none.
	StatusCode int
	// Tries is how many requests were sent, a replay after a refused token
	// included; 0 when nothing was sent.
	Tries int
	// Duration is the time from the call to its result, waits between tries
	// included.
	Duration time.Duration
}

// TryInfo describes one request before it is sent.
type TryInfo struct {
	// Resend is 0 for the first request of a call, 1 for the second, and so on.
	Resend int
	// Header is empty. What is put in, such as a traceparent, is sent, except
	// where the SDK sends a header of that name itself. Headers that the SDK
	// sends are not shown. The map belongs to this one try and must not be used
	// after Try returns.
	Header http.Header
}

// TryEnd says how a request ended.
type TryEnd struct {
	// Err is set if no answer came. It is one of the SDK's own errors, whose
	// text shows no URL.
	Err error
	// StatusCode is the answer's, 0 if none came.
	StatusCode int
	// Protocol is the version of HTTP that was spoken, such as "1.1" or "2";
	// empty if no answer came.
	Protocol string
	// Duration is the time from sending to the end of the answer's head.
	Duration time.Duration
}
