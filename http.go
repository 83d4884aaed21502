package kyckit

import (
	"log/slog"
	"net/http"
	"time"
)

// HTTP says how a client talks to its provider. Every provider's Config has
// one. The zero value is a good default. It is read once, by the constructor.
type HTTP struct {
	// Client supplies the transport, the cookie jar and the timeout, which becomes
	// that of one try. It is copied, not changed. A Client without a Transport
	// uses http.DefaultTransport, as in net/http, and with it the proxy settings
	// of the environment. A nil Client means one of the SDK's own, which reads
	// nothing from the environment and pings HTTP/2 connections that fall silent,
	// so that a dead connection is given up. A transport of yours does so with
	// SendPingTimeout and PingTimeout of http.HTTP2Config.
	//
	// Its CheckRedirect is replaced: credentials must not follow a redirect to
	// another host, and a call that must not be repeated follows none.
	//
	// Its transport must end with the request's context, and must send each
	// request once: no retries, no hedging, no second request to answer a 401 or
	// to fetch a token first, at least not with the context of the request. The
	// SDK stops whatever is sent with that context once the request itself is
	// written, net/http's own repetitions included, since the provider may have
	// acted. Calls that are safe to repeat are then repeated by Retry; any other
	// ends in ErrOutcomeUnknown, also where an HTTP/2 server said that it did
	// nothing (REFUSED_STREAM, GOAWAY), because some proxies say so untruly.
	//
	// A call for which the transport got no connection counts as not sent. A
	// transport that does not report its connections as net/http does
	// (net/http/httptrace) cannot be stopped and is judged by its errors alone; in
	// doubt the outcome is unknown.
	Client *http.Client
	// Logger receives one debug record a try: provider, operation, method,
	// path template, status, attempt, duration and request id, nothing else. Where no
	// answer came, a few words of the SDK's own stand for the status. Nil means
	// no logging.
	Logger *slog.Logger
	// Trace is told of every call and every request, for telemetry. Nil means
	// none.
	Trace *Trace
	// Retry is the policy for calls that are safe to repeat. Calls that start
	// a verification, cost money or prompt a phone are never repeated,
	// whatever it says.
	Retry Retry
	// UserAgent is put in front of the SDK's own, separated by a space.
	UserAgent string
	// MaxResponseBytes caps every response body, after decompression. A longer
	// body is an error of kind ErrDecode; outside 2xx, where the status says
	// enough, the rest of the body is left out. Zero means 4 MiB.
	MaxResponseBytes int64
	// Timeout limits one try, reading its answer included. Zero means the
	// Client's Timeout or, where that is zero too, the operation's own default:
	// 30 s, 120 s for uploads, 10 s for token calls.
	Timeout time.Duration
	// RequestIDHeader names the response header that carries the provider's id
	// of the exchange. Empty means the customary "X-Request-Id"; no provider
	// documents one.
	RequestIDHeader string
	// Middleware wraps every logical call, outermost first: it sees a call
	// once, not once a try, and never the bearer token. To see each try, wrap
	// Client.Transport instead.
	Middleware []func(http.RoundTripper) http.RoundTripper
}

// Retry is a policy for calls that are safe to repeat. Waits grow
// exponentially from MinWait to MaxWait with full jitter. A Retry-After from
// the provider is honoured up to MaxWait; above it the call stops and reports
// it. No wait is begun that outlasts the caller's deadline.
type Retry struct {
	// MaxAttempts is how many tries a call may take, the first one included.
	// Zero means 3; 1 means no retries.
	MaxAttempts int
	// MinWait is the first upper bound of the wait. Zero means 200 ms, or
	// MaxWait where that is less.
	MinWait time.Duration
	// MaxWait is the last upper bound of the wait. Zero means 5 s.
	MaxWait time.Duration
}
