package otelkyc_test

import (
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/otelkyc"
)

func Example() {
	telemetry, err := otelkyc.New(otelkyc.Config{
		TracerProvider: otel.GetTracerProvider(),
		MeterProvider:  otel.GetMeterProvider(),
		Propagator:     propagation.TraceContext{},
	})
	if err != nil {
		panic(err)
	}
	// In the configuration of every client and token source:
	_ = kyckit.HTTP{Trace: telemetry.Trace()}
	// Output:
}
