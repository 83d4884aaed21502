// Package otelkyc makes OpenTelemetry spans and metrics of what kyckit does. It
// needs the OpenTelemetry API alone; the program chooses the SDK and the exporters.
//
//	telemetry, err := otelkyc.New(otelkyc.Config{
//		TracerProvider: otel.GetTracerProvider(),
//		MeterProvider:  otel.GetMeterProvider(),
//		Propagator:     propagation.TraceContext{},
//	})
//	client, err := nafath.New(nafath.Config{HTTP: kyckit.HTTP{Trace: telemetry.Trace()} /* … */})
//	poller, err := nafath.NewPoller(nafath.PollerConfig{Client: client, OnNotice: telemetry.OnNotice /* … */})
//	stop, err := telemetry.ObservePoller(poller, "tenant")
//
// # Spans
//
// A logical call is an INTERNAL span such as "nafath details", with
// kyckit.provider and kyckit.op. Each request that is sent for it, a replay after
// a refused token included, is a CLIENT span below it, named and attributed as
// the semantic conventions for HTTP say (version 1.43): "GET /details/{transId}".
// url.full has REDACTED in place of each id. A span that failed has the status
// Error without a description, and error.type.
//
// Calls that the nafath.Poller makes for a verification hang on no caller's span:
// they are linked to the span of who waits for it. Its status checks, about one a
// second, have no spans unless Config.Checks says so. An exchange for a token is
// a trace of its own, since it serves every caller.
//
// # Metrics
//
//	http.client.request.duration       s         every request, by method, server, template, status, version and error.type
//	kyckit.call.duration               s         every logical call, by kyckit.provider, kyckit.op and error.type
//	kyckit.auth.token.exchanges        {exchange} by name, result and error.type
//	kyckit.auth.token.time_to_expiry   s         of the token in use, by name
//	kyckit.auth.mints                  {token}   tokens minted, by name: ObserveMints
//	kyckit.nafath.verifications        {verification} that ended, by status
//	kyckit.nafath.detection.gap        s         how old a final status was at most when it was noticed
//	kyckit.nafath.pending, .queue, .oldest.age, .hints, .checks, .rate_limited, .budget.limit, .budget.rate, .fallback   ObservePoller
//	kyckit.webhook.deliveries          {delivery} by name, outcome and the deciding layer
//	kyckit.webhook.duration            s         until the answer, by name and outcome
//	kyckit.webhook.handshakes.refused  {handshake} by name and reason
//
// No attribute depends on a person, an id, a path or a token: a thousand people
// make no more series than one. What an attribute can hold is bounded by the
// code and by the names that the program gives.
//
// # What leaves the process
//
// A Propagator sends what it injects to the provider, a third party: a traceparent
// says nothing of a person, but baggage is whatever the program put in. Give no
// propagation.Baggage unless that is meant.
//
// # Versions
//
// The module has a tag of its own (otelkyc/v1.2.3) and follows semantic versioning
// by itself: names of instruments and attributes change with a minor version
// while it is below 1, and with a major one after. It supports the two latest
// releases of Go and OpenTelemetry from the version in go.mod on.
package otelkyc
