package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/otelkyc"
)

// metrics are numbers about nobody, for Prometheus.
type metrics struct {
	*otelkyc.Telemetry
	http.Handler
	provider *metric.MeterProvider
	stops    []func()
}

func newMetrics() (*metrics, error) {
	registry := prometheus.NewRegistry()
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry))
	if err != nil {
		return nil, err
	}
	m := &metrics{Handler: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), provider: metric.NewMeterProvider(metric.WithReader(exporter))}
	m.Telemetry, err = otelkyc.New(otelkyc.Config{MeterProvider: m.provider})
	return m, err
}

// observe reads the Poller's numbers at each scrape.
func (m *metrics) observe(p *nafath.Poller) error {
	stop, err := m.ObservePoller(p, "tenant")
	if err == nil {
		m.stops = append(m.stops, stop)
	}
	return err
}

func (m *metrics) close(ctx context.Context, log *slog.Logger) {
	for _, stop := range m.stops {
		stop()
	}
	if err := m.provider.Shutdown(ctx); err != nil && !errors.Is(err, metric.ErrReaderShutdown) {
		log.Error("ending the metrics failed", slog.String("err", typeOf(err)))
	}
}
