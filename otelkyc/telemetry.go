package otelkyc

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	nometric "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	notrace "go.opentelemetry.io/otel/trace/noop"

	"github.com/kyckit/kyckit"
)

const scope = "github.com/kyckit/kyckit/otelkyc"

// Config says where telemetry goes. The zero value sends it nowhere.
type Config struct {
	// TracerProvider makes the spans. Nil means none.
	TracerProvider trace.TracerProvider
	// MeterProvider makes the instruments. Nil means none.
	MeterProvider metric.MeterProvider
	// Propagator injects the context into the headers of requests, so that the
	// provider sees it. Nil means nothing is injected. What the SDK itself sends
	// is never overwritten.
	Propagator propagation.TextMapPropagator
	// Checks makes spans for the status checks of a nafath.Poller, too. By
	// default they are in the metrics alone.
	Checks bool
}

// Telemetry has the hooks to put into the configurations of kyckit. It is safe
// for concurrent use, and one serves any number of clients.
type Telemetry struct {
	tracer     trace.Tracer
	meter      metric.Meter
	propagator propagation.TextMapPropagator
	checks     bool

	requests, calls, gaps, answers metric.Float64Histogram

	exchanges, verifications, deliveries, handshakes metric.Int64Counter

	sites cache[kyckit.CallInfo, *site]

	mu     sync.Mutex
	expiry map[string]time.Time // of tokens, by name
}

// The buckets that the conventions give for http.client.request.duration, and
// some for waits of people.
var (
	seconds = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}
	waits   = []float64{0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 60, 120, 300}
)

// New makes the instruments. The error is a *kyckit.Error of kind
// kyckit.ErrInvalid for a typed nil, or that of the MeterProvider.
func New(cfg Config) (*Telemetry, error) {
	for name, v := range map[string]any{"TracerProvider": cfg.TracerProvider, "MeterProvider": cfg.MeterProvider, "Propagator": cfg.Propagator} {
		if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer && r.IsNil() {
			return nil, invalid(name + " must not be a nil pointer")
		}
	}
	if cfg.TracerProvider == nil {
		cfg.TracerProvider = notrace.NewTracerProvider()
	}
	if cfg.MeterProvider == nil {
		cfg.MeterProvider = nometric.NewMeterProvider()
	}
	t := &Telemetry{
		tracer:     cfg.TracerProvider.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL)),
		meter:      cfg.MeterProvider.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL)),
		propagator: cfg.Propagator,
		checks:     cfg.Checks,
		expiry:     make(map[string]time.Time),
	}
	var errs []error
	histogram := func(name, what string, buckets []float64) metric.Float64Histogram {
		h, err := t.meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(what), metric.WithExplicitBucketBoundaries(buckets...))
		errs = append(errs, err)
		return h
	}
	counter := func(name, unit, what string) metric.Int64Counter {
		c, err := t.meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(what))
		errs = append(errs, err)
		return c
	}
	t.requests = histogram("http.client.request.duration", "Duration of HTTP client requests.", seconds)
	t.calls = histogram("kyckit.call.duration", "Duration of logical calls, retries included.", seconds)
	t.gaps = histogram("kyckit.nafath.detection.gap", "How old a final status was at most when it was noticed.", waits)
	t.answers = histogram("kyckit.webhook.duration", "Time to the answer to a webhook delivery.", seconds)
	t.exchanges = counter("kyckit.auth.token.exchanges", "{exchange}", "Exchanges of credentials for a token.")
	t.verifications = counter("kyckit.nafath.verifications", "{verification}", "Nafath verifications that ended.")
	t.deliveries = counter("kyckit.webhook.deliveries", "{delivery}", "Webhook deliveries that were answered.")
	t.handshakes = counter("kyckit.webhook.handshakes.refused", "{handshake}", "TLS handshakes of webhook senders that were refused.")
	left, err := t.meter.Float64ObservableGauge("kyckit.auth.token.time_to_expiry", metric.WithUnit("s"), metric.WithDescription("Time until the token in use dies."))
	errs = append(errs, err)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	_, err = t.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		t.mu.Lock()
		defer t.mu.Unlock()
		for name, at := range t.expiry {
			o.ObserveFloat64(left, time.Until(at).Seconds(), metric.WithAttributes(keyToken.String(name)))
		}
		return nil
	}, left)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// The attributes that are not of the conventions.
const (
	keyProvider  = attribute.Key("kyckit.provider")
	keyOp        = attribute.Key("kyckit.op")
	keyToken     = attribute.Key("kyckit.auth.token.name")
	keyResult    = attribute.Key("kyckit.auth.token.result")
	keyMinter    = attribute.Key("kyckit.auth.minter.name")
	keyStatus    = attribute.Key("kyckit.nafath.status")
	keyPoller    = attribute.Key("kyckit.nafath.poller.name")
	keyOperation = attribute.Key("kyckit.nafath.operation")
	keyCheck     = attribute.Key("kyckit.nafath.check.reason")
	keyKnown     = attribute.Key("kyckit.nafath.hint.known")
	keyWebhook   = attribute.Key("kyckit.webhook.name")
	keyOutcome   = attribute.Key("kyckit.webhook.outcome")
	keyLayer     = attribute.Key("kyckit.webhook.layer")
	keyReason    = attribute.Key("kyckit.webhook.reason")
)

// errorType is the attribute of a failure.
func errorType(err error) attribute.KeyValue { return semconv.ErrorTypeKey.String(failure(err)) }

// failure is the error.type of an error.
func failure(err error) string {
	var e *kyckit.Error
	switch {
	case errors.As(err, &e):
		return e.ErrorType()
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	return semconv.ErrorTypeOther.Value.AsString()
}

func invalid(reason string) error {
	return &kyckit.Error{Provider: "otelkyc", Op: "config", Kind: kyckit.ErrInvalid, Reason: reason}
}
