package otelkyc

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/nafath"
)

// Trace is for kyckit.HTTP.Trace of any client.
func (t *Telemetry) Trace() *kyckit.Trace {
	return &kyckit.Trace{Call: t.call, Try: t.try}
}

// silentKey marks the context of a call that has no spans.
type silentKey struct{}

func (t *Telemetry) call(ctx context.Context, info kyckit.CallInfo) (context.Context, func(kyckit.CallEnd)) {
	call := &t.site(info).call
	caller, ofPoller := nafath.Origin(ctx)
	var span trace.Span
	if ofPoller && info.Op == "status" && !t.checks {
		ctx = context.WithValue(ctx, silentKey{}, true)
	} else {
		options := call.options
		if caller != nil {
			if link := trace.LinkFromContext(caller); link.SpanContext.IsValid() {
				options = append(slices.Clip(options), trace.WithLinks(link))
			}
		}
		ctx, span = t.tracer.Start(ctx, call.name, options...)
	}
	return ctx, func(end kyckit.CallEnd) {
		outcome := call.outcome(resultOfCall(end))
		t.calls.Record(ctx, end.Duration.Seconds(), outcome.options...)
		finish(span, outcome, end.Err != nil)
	}
}

func (t *Telemetry) try(ctx context.Context, info kyckit.CallInfo, try kyckit.TryInfo) (context.Context, func(kyckit.TryEnd)) {
	request := &t.site(info).try
	var span trace.Span
	if ctx.Value(silentKey{}) == nil {
		ctx, span = t.tracer.Start(ctx, request.name, request.options...)
		if try.Resend > 0 {
			span.SetAttributes(semconv.HTTPRequestResendCount(try.Resend))
		}
	}
	if t.propagator != nil {
		t.propagator.Inject(ctx, propagation.HeaderCarrier(try.Header))
	}
	return ctx, func(end kyckit.TryEnd) {
		result := resultOfTry(end)
		outcome := request.outcome(result)
		t.requests.Record(ctx, end.Duration.Seconds(), outcome.options...)
		finish(span, outcome, result.failure != "")
	}
}

func (t *Telemetry) site(info kyckit.CallInfo) *site {
	return t.sites.get(info, func() *site { return newSite(info) })
}

// finish ends a span; nil is none.
func finish(span trace.Span, o *outcome, failed bool) {
	if span == nil {
		return
	}
	if len(o.attributes) > 0 {
		span.SetAttributes(o.attributes...)
	}
	if failed {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}
