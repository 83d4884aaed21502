package otelkyc

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/kyckit/kyckit/nafath"
)

// ObservePoller reads the Poller's Stats whenever metrics are collected, until
// stop is called: call it with or after Close. The name stands in the metrics:
// that of the tenant. Observe a Poller once. The error is a *kyckit.Error of kind
// kyckit.ErrInvalid for a nil Poller, or that of the MeterProvider.
func (t *Telemetry) ObservePoller(p *nafath.Poller, name string) (stop func(), err error) {
	if p == nil {
		return nil, invalid("the Poller is nil")
	}
	var errs []error
	var all []metric.Observable
	gauge := func(name, unit, what string) metric.Float64Observable {
		g, err := t.meter.Float64ObservableGauge("kyckit.nafath."+name, metric.WithUnit(unit), metric.WithDescription(what))
		errs, all = append(errs, err), append(all, g)
		return g
	}
	counter := func(name, unit, what string) metric.Int64Observable {
		c, err := t.meter.Int64ObservableCounter("kyckit.nafath."+name, metric.WithUnit(unit), metric.WithDescription(what))
		errs, all = append(errs, err), append(all, c)
		return c
	}
	pending := gauge("pending", "{verification}", "Open verifications.")
	queue := gauge("queue", "{verification}", "Creations and details calls that wait for their turn.")
	oldest := gauge("oldest.age", "s", "How long the oldest open verification has been watched.")
	limit := gauge("budget.limit", "{call}", "The tenant's limit, in calls a minute.")
	rate := gauge("budget.rate", "{call}", "Calls a minute that are permitted now.")
	fallback := gauge("fallback", "{fallback}", "1 while the shared store does not answer and the static share is used.")
	replicas := gauge("replicas", "{replica}", "Replicas that share the budget.")
	checks := counter("checks", "{check}", "Status checks sent.")
	hints := counter("hints", "{hint}", "Hints of webhooks, for verifications that are known here and for others.")
	limited := counter("rate_limited", "{answer}", "Answers 429 of all operations.")
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	self := keyPoller.String(name)
	with := func(attrs ...attribute.KeyValue) metric.MeasurementOption {
		return metric.WithAttributes(append(attrs, self)...)
	}
	registration, err := t.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := p.Stats()
		number := func(g metric.Float64Observable, v float64, attrs ...attribute.KeyValue) {
			o.ObserveFloat64(g, v, with(attrs...))
		}
		count := func(c metric.Int64Observable, v uint64, attrs ...attribute.KeyValue) {
			o.ObserveInt64(c, int64(v), with(attrs...)) //nolint:gosec // not in the life of a process
		}
		requests, status, details := keyOperation.String("request"), keyOperation.String("status"), keyOperation.String("details")
		number(pending, float64(s.Pending))
		number(queue, float64(s.Queued), requests)
		number(queue, float64(s.Details), details)
		number(oldest, s.Oldest.Seconds())
		number(limit, float64(s.Limits.Requests), requests)
		number(limit, float64(s.Limits.StatusChecks), status)
		number(limit, float64(s.Limits.Details), details)
		number(rate, s.RequestRate, requests)
		number(rate, s.Rate, status)
		number(fallback, one(s.Fallback))
		number(replicas, float64(max(s.Replicas, 1)))
		count(checks, s.Checks-s.Hinted, keyCheck.String("turn"))
		count(checks, s.Hinted, keyCheck.String("hint"))
		count(hints, s.Hints, keyKnown.Bool(true))
		count(hints, s.Strays, keyKnown.Bool(false))
		count(limited, s.RateLimited)
		return nil
	}, all...)
	if err != nil {
		return nil, err
	}
	return func() { _ = registration.Unregister() }, nil
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// ObserveMints reads how many tokens were minted, such as auth.Minter's Minted,
// whenever metrics are collected, until stop is called. The name stands in the
// metrics.
func (t *Telemetry) ObserveMints(minted func() uint64, name string) (stop func(), err error) {
	if minted == nil {
		return nil, invalid("the function that counts is nil")
	}
	c, err := t.meter.Int64ObservableCounter("kyckit.auth.mints", metric.WithUnit("{token}"), metric.WithDescription("Tokens minted."))
	if err != nil {
		return nil, err
	}
	registration, err := t.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(c, int64(minted()), metric.WithAttributes(keyMinter.String(name))) //nolint:gosec // not in the life of a process
		return nil
	}, c)
	if err != nil {
		return nil, err
	}
	return func() { _ = registration.Unregister() }, nil
}
