package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// spans is an exporter that keeps what it gets.
type spans struct {
	mu  sync.Mutex
	all []sdktrace.ReadOnlySpan
}

// ExportSpans implements sdktrace.SpanExporter.
func (s *spans) ExportSpans(_ context.Context, ended []sdktrace.ReadOnlySpan) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, ended...)
	return nil
}

// Shutdown implements sdktrace.SpanExporter.
func (*spans) Shutdown(context.Context) error { return nil }

// print writes the spans as trees, in the order in which they began.
func (s *spans) print(out io.Writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.SortFunc(s.all, func(a, b sdktrace.ReadOnlySpan) int { return a.StartTime().Compare(b.StartTime()) })
	names := map[trace.SpanID]string{}
	below := map[trace.SpanID][]sdktrace.ReadOnlySpan{}
	for _, span := range s.all {
		names[span.SpanContext().SpanID()] = span.Name()
		below[span.Parent().SpanID()] = append(below[span.Parent().SpanID()], span)
	}
	var tree func(parent trace.SpanID, indent string)
	tree = func(parent trace.SpanID, indent string) {
		for _, span := range below[parent] {
			fmt.Fprintf(out, "%s%s  %s", indent, span.Name(), span.EndTime().Sub(span.StartTime()).Round(time.Millisecond))
			for _, e := range span.Events() {
				fmt.Fprintf(out, "  %s", e.Name)
			}
			for _, l := range span.Links() {
				fmt.Fprintf(out, "  for %q", names[l.SpanContext.SpanID()])
			}
			for _, kv := range span.Attributes() {
				fmt.Fprintf(out, "\n%s    %s=%s", indent, kv.Key, kv.Value.String())
			}
			fmt.Fprintln(out)
			tree(span.SpanContext().SpanID(), indent+"  ")
		}
	}
	tree(trace.SpanID{}, "  ")
}

// print writes the metrics as they are now.
func print(ctx context.Context, reader metric.Reader, out io.Writer) error {
	var all metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &all); err != nil {
		return err
	}
	var lines []string
	add := func(m metricdata.Metrics, set attribute.Set, value string) {
		lines = append(lines, fmt.Sprintf("  %-34s %-14s %s", m.Name, value, set.Encoded(attribute.DefaultEncoder())))
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					add(m, p.Attributes, fmt.Sprintf("%d × %.3f s", p.Count, p.Sum/float64(p.Count)))
				}
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					add(m, p.Attributes, fmt.Sprint(p.Value))
				}
			case metricdata.Gauge[float64]:
				for _, p := range data.DataPoints {
					add(m, p.Attributes, fmt.Sprintf("%.4g", p.Value))
				}
			}
		}
	}
	slices.Sort(lines)
	_, err := fmt.Fprintln(out, strings.Join(lines, "\n"))
	return err
}
