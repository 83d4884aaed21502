// Telemetry runs three Nafath verifications against a fake provider in this
// process, one approved, one declined, one that nobody answers, and writes the
// spans and the metrics that package otelkyc made of them:
//
//	go run ./examples/telemetry
//	go run ./examples/telemetry -checks    with spans for the status checks
//
// A program of yours gives otelkyc the providers of its own set-up, with the
// exporters it has, in the place of those made here.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
	"github.com/kyckit/kyckit/otelkyc"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "telemetry:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("telemetry", flag.ContinueOnError)
	flags.SetOutput(out)
	checks := flags.Bool("checks", false, "spans for status checks, too")
	after := flags.Duration("after", 3*time.Second, "how long the fake people take")
	if err := flags.Parse(args); err != nil {
		return err
	}

	// What every program has: providers, with exporters of its choice.
	spans := &spans{}
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	reader := metric.NewManualReader()
	meters := metric.NewMeterProvider(metric.WithReader(reader))
	telemetry, err := otelkyc.New(otelkyc.Config{
		TracerProvider: tracers, MeterProvider: meters, Propagator: propagation.TraceContext{}, Checks: *checks,
	})
	if err != nil {
		return err
	}

	// Where the hooks go.
	fake := nafathtest.NewServer(nafathtest.Config{})
	defer fake.Close()
	tokens := fake.TokenConfig()
	tokens.HTTP.Trace = telemetry.Trace()
	tokens.Tuning.OnEvent = telemetry.OnToken("nafath")
	source, err := auth.NewClientCredentials(tokens)
	if err != nil {
		return err
	}
	client, err := nafath.New(nafath.Config{
		BaseURL: fake.URL, Auth: source, HTTP: kyckit.HTTP{Client: fake.Client(), Trace: telemetry.Trace()},
	})
	if err != nil {
		return err
	}
	poller, err := nafath.NewPoller(nafath.PollerConfig{Client: client, OnNotice: telemetry.OnNotice, Fresh: true})
	if err != nil {
		return err
	}
	defer poller.Close()
	stop, err := telemetry.ObservePoller(poller, "demo")
	if err != nil {
		return err
	}
	defer stop()

	var people sync.WaitGroup
	for i, answers := range []func(nafath.Transaction) error{
		func(tx nafath.Transaction) error { return fake.Approve(tx.TransID, tx.Random) },
		func(tx nafath.Transaction) error { return fake.Reject(tx.TransID) },
		func(tx nafath.Transaction) error { return fake.Expire(tx.TransID) },
	} {
		people.Go(func() {
			verify(ctx, tracers.Tracer("demo"), poller, fmt.Sprintf("10000000%02d", 8+8*i), func(tx nafath.Transaction) {
				time.AfterFunc(*after, func() { _ = answers(tx) }) // an error means that it ended first
			})
		})
	}
	people.Wait()

	fmt.Fprintln(out, "Spans")
	spans.print(out)
	fmt.Fprintln(out, "\nMetrics")
	return print(ctx, reader, out)
}

// verify is what a handler of the program's own does, within its own span.
func verify(ctx context.Context, tracer trace.Tracer, poller *nafath.Poller, nationalID string, phone func(nafath.Transaction)) {
	ctx, span := tracer.Start(ctx, "POST /verifications", trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	_, err := poller.Verify(ctx, nationalID, phone)
	switch {
	case err == nil:
		span.AddEvent("verified")
	case errors.Is(err, nafath.ErrRejected):
		span.AddEvent("declined")
	default:
		span.AddEvent("not verified")
	}
}
