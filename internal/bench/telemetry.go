package main

import (
	"context"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/metric"
	nometric "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	notrace "go.opentelemetry.io/otel/trace/noop"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/otelkyc"
)

// telemetry measures what hooks and OpenTelemetry add to the call of the group
// call.
func telemetry() ([]group, error) {
	ctx := context.Background()
	variants := []variant{}
	for _, v := range []struct {
		name  string
		trace *kyckit.Trace
	}{
		{"kyckit nafath.Status, Trace nil", nil},
		{"Trace without hooks", &kyckit.Trace{}},
		{"Trace with hooks that do nothing", &kyckit.Trace{
			Call: func(ctx context.Context, _ kyckit.CallInfo) (context.Context, func(kyckit.CallEnd)) {
				return ctx, func(kyckit.CallEnd) {}
			},
			Try: func(ctx context.Context, _ kyckit.CallInfo, _ kyckit.TryInfo) (context.Context, func(kyckit.TryEnd)) {
				return ctx, func(kyckit.TryEnd) {}
			},
		}},
	} {
		status, err := kyckitCall(v.name, waiting(), v.trace)
		if err != nil {
			return nil, err
		}
		variants = append(variants, status)
	}
	groups := []group{{name: "telemetry/hooks", title: "one call with and without kyckit.HTTP.Trace", variants: variants}}
	for _, p := range []struct {
		name, title string
		traces      trace.TracerProvider
		metrics     metric.MeterProvider
	}{
		{"noop", "providers that do nothing", notrace.NewTracerProvider(), nometric.NewMeterProvider()},
		{
			"sdk", "the SDK's providers, spans recorded and dropped", sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(dropped{})),
			sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())),
		},
	} {
		g, err := instrumented(ctx, p.traces, p.metrics)
		if err != nil {
			return nil, err
		}
		g.name, g.title = "telemetry/"+p.name, "what telemetry adds to one call: "+p.title
		groups = append(groups, g)
	}
	return groups, nil
}

// dropped is a span processor that forgets.
type dropped struct{ sdktrace.SpanProcessor }

func (dropped) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (dropped) OnEnd(sdktrace.ReadOnlySpan)                     {}

// instrumented compares otelkyc on a client of this module, which tells of the
// call and of its request, with otelhttp on a http.Client, which tells of the
// request.
func instrumented(ctx context.Context, traces trace.TracerProvider, metrics metric.MeterProvider) (group, error) {
	propagator := propagation.TraceContext{}
	all, err := otelkyc.New(otelkyc.Config{TracerProvider: traces, MeterProvider: metrics, Propagator: propagator})
	if err != nil {
		return group{}, err
	}
	plain, err := kyckitCall("kyckit nafath.Status", waiting(), nil)
	if err != nil {
		return group{}, err
	}
	traced, err := kyckitCall("kyckit nafath.Status with otelkyc", waiting(), all.Trace())
	if err != nil {
		return group{}, err
	}
	over := bareCall(ctx, otelhttp.NewTransport(waiting(),
		otelhttp.WithTracerProvider(traces), otelhttp.WithMeterProvider(metrics), otelhttp.WithPropagators(propagator)))
	over.name += " with otelhttp"
	return group{variants: []variant{bareCall(ctx, waiting()), over, plain, traced}}, nil
}
