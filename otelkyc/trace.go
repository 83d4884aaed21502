package otelkyc

import (
	"context"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
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
	attrs := []attribute.KeyValue{keyProvider.String(info.Provider), keyOp.String(info.Op)}
	caller, ofPoller := nafath.Origin(ctx)
	var span trace.Span
	if ofPoller && info.Op == "status" && !t.checks {
		ctx = context.WithValue(ctx, silentKey{}, true)
	} else {
		options := []trace.SpanStartOption{trace.WithAttributes(attrs...)}
		if caller != nil {
			if link := trace.LinkFromContext(caller); link.SpanContext.IsValid() {
				options = append(options, trace.WithLinks(link))
			}
		}
		ctx, span = t.tracer.Start(ctx, info.Provider+" "+info.Op, options...)
	}
	return ctx, func(end kyckit.CallEnd) {
		if end.Err != nil {
			attrs = append(attrs, errorType(end.Err))
		}
		t.calls.Record(ctx, end.Duration.Seconds(), metric.WithAttributes(attrs...))
		if span == nil {
			return
		}
		if end.Err != nil {
			span.SetAttributes(attrs[len(attrs)-1])
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

func (t *Telemetry) try(ctx context.Context, info kyckit.CallInfo, try kyckit.TryInfo) (context.Context, func(kyckit.TryEnd)) {
	attrs := []attribute.KeyValue{
		method(info.Method), semconv.ServerAddress(info.Server), semconv.ServerPort(info.Port), semconv.URLTemplate(info.Path),
	}
	var span trace.Span
	if ctx.Value(silentKey{}) == nil {
		ctx, span = t.tracer.Start(ctx, info.Method+" "+info.Path,
			trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attrs...), trace.WithAttributes(semconv.URLFull(redacted(info.URL))))
		if try.Resend > 0 {
			span.SetAttributes(semconv.HTTPRequestResendCount(try.Resend))
		}
	}
	if t.propagator != nil {
		t.propagator.Inject(ctx, propagation.HeaderCarrier(try.Header))
	}
	return ctx, func(end kyckit.TryEnd) {
		more := make([]attribute.KeyValue, 0, 3)
		if end.StatusCode != 0 {
			more = append(more, semconv.HTTPResponseStatusCode(end.StatusCode))
		}
		if end.Protocol != "" {
			more = append(more, semconv.NetworkProtocolVersion(end.Protocol))
		}
		switch {
		case end.Err != nil:
			more = append(more, errorType(end.Err))
		case end.StatusCode >= 400:
			more = append(more, semconv.ErrorTypeKey.String(strconv.Itoa(end.StatusCode)))
		}
		t.requests.Record(ctx, end.Duration.Seconds(), metric.WithAttributes(attrs...), metric.WithAttributes(more...))
		if span == nil {
			return
		}
		span.SetAttributes(more...)
		if end.Err != nil || end.StatusCode >= 400 {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// method is the attribute of a known method; the SDK sends no others.
func method(name string) attribute.KeyValue {
	switch name {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE":
		return semconv.HTTPRequestMethodKey.String(name)
	}
	return semconv.HTTPRequestMethodOther
}

// redacted puts REDACTED in the {…} places of a template.
func redacted(template string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(template, "{")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		b.WriteString("REDACTED")
		_, template, _ = strings.Cut(rest, "}")
	}
}
