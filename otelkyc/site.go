package otelkyc

import (
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/kyckit/kyckit"
)

// site is what telemetry says of all calls with one CallInfo and of their
// requests. There are few different ones, so it is made once: to put the names,
// options and attribute sets together for every call takes as long as the spans.
type site struct {
	call, try step
}

func newSite(info kyckit.CallInfo) *site {
	call := []attribute.KeyValue{keyProvider.String(info.Provider), keyOp.String(info.Op)}
	try := []attribute.KeyValue{
		method(info.Method), semconv.ServerAddress(info.Server), semconv.ServerPort(info.Port), semconv.URLTemplate(info.Path),
	}
	full := append(slices.Clip(try), semconv.URLFull(redacted(info.URL)))
	return &site{
		call: step{
			name: info.Provider + " " + info.Op, attributes: call,
			options: []trace.SpanStartOption{trace.WithAttributes(call...)},
		},
		try: step{
			name: info.Method + " " + info.Path, attributes: try,
			options: []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(full...)},
		},
	}
}

// step is a call or a request: its span and the attributes of its measurement.
type step struct {
	name       string
	options    []trace.SpanStartOption
	attributes []attribute.KeyValue
	outcomes   cache[result, *outcome]
}

// result is what tells one outcome of a step from another.
type result struct {
	status   int    // 0 for none
	protocol string // "" for none
	failure  string // error.type, "" on success
}

// outcome is what an outcome adds to a span, and all that is measured by.
type outcome struct {
	attributes []attribute.KeyValue
	options    []metric.RecordOption
}

func (s *step) outcome(r result) *outcome {
	return s.outcomes.get(r, func() *outcome {
		var more []attribute.KeyValue
		if r.status != 0 {
			more = append(more, semconv.HTTPResponseStatusCode(r.status))
		}
		if r.protocol != "" {
			more = append(more, semconv.NetworkProtocolVersion(r.protocol))
		}
		if r.failure != "" {
			more = append(more, semconv.ErrorTypeKey.String(r.failure))
		}
		set := attribute.NewSet(append(slices.Clip(more), s.attributes...)...)
		return &outcome{more, []metric.RecordOption{metric.WithAttributeSet(set)}}
	})
}

func resultOfCall(end kyckit.CallEnd) result {
	if end.Err == nil {
		return result{}
	}
	return result{failure: failure(end.Err)}
}

func resultOfTry(end kyckit.TryEnd) result {
	r := result{status: end.StatusCode, protocol: end.Protocol}
	switch {
	case end.Err != nil:
		r.failure = failure(end.Err)
	case end.StatusCode >= 400:
		r.failure = strconv.Itoa(end.StatusCode)
	}
	return r
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
