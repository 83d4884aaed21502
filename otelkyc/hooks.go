package otelkyc

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/webhook"
)

// nobody is the context of what happened on no caller's behalf.
var nobody = context.Background() //nolint:forbidigo // hooks without a context

// OnToken is for auth.Tuning.OnEvent of a token source. The name stands in the
// metrics: give each source one of its own, and no text that depends on people.
func (t *Telemetry) OnToken(name string) func(auth.Event) {
	return func(e auth.Event) {
		if e.Kind == auth.EventFailed || e.Kind == auth.EventFetched || e.Kind == auth.EventRefreshed {
			attrs := []attribute.KeyValue{keyToken.String(name), keyResult.String(string(e.Kind))}
			if e.Err != nil {
				attrs = append(attrs, errorType(e.Err))
			}
			t.exchanges.Add(nobody, 1, metric.WithAttributes(attrs...))
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		switch {
		case e.Kind == auth.EventInvalidated:
			delete(t.expiry, name)
		case e.Kind != auth.EventFailed && !e.Expiry.IsZero():
			t.expiry[name] = e.Expiry
		}
	}
}

// OnWebhook is for webhook.HandlerConfig.OnResult. The name stands in the
// metrics: that of the endpoint.
func (t *Telemetry) OnWebhook(name string) func(context.Context, webhook.Result) {
	return func(ctx context.Context, r webhook.Result) {
		outcome := []attribute.KeyValue{keyWebhook.String(name), keyOutcome.String(words(string(r.Outcome)))}
		t.answers.Record(ctx, r.Duration.Seconds(), metric.WithAttributes(outcome...))
		t.deliveries.Add(ctx, 1, metric.WithAttributes(append(outcome, keyLayer.String(deciding(r)))...))
	}
}

// deciding is the layer that refused a delivery or, where it was believed, the
// first that accepted it. Layers are named by the program.
func deciding(r webhook.Result) string {
	refused := r.Outcome == webhook.Refused
	for _, l := range r.Layers {
		if (l.Err != nil) == refused {
			return l.Name
		}
	}
	return "none"
}

// OnCertificate is for webhook.ClientCertConfig.OnEvent: it counts refused
// handshakes by reason. The name is that of the endpoint.
func (t *Telemetry) OnCertificate(name string) func(webhook.CertificateEvent) {
	return func(e webhook.CertificateEvent) {
		if e.Kind != webhook.EventRefused {
			return
		}
		t.handshakes.Add(nobody, int64(max(e.Count, 1)),
			metric.WithAttributes(keyWebhook.String(name), keyReason.String(words(e.Reason))))
	}
}

// OnNotice is for nafath.PollerConfig.OnNotice.
func (t *Telemetry) OnNotice(n nafath.Notice) {
	status := "none"
	switch n.Status {
	case nafath.StatusCompleted, nafath.StatusRejected, nafath.StatusExpired, nafath.StatusError:
		status = strings.ToLower(string(n.Status))
		t.gaps.Record(nobody, n.Gap.Seconds())
	case "":
	default:
		status = "other"
	}
	t.verifications.Add(nobody, 1, metric.WithAttributes(keyStatus.String(status)))
}

// words makes one word of the few words that name an outcome or a reason.
func words(s string) string { return strings.ReplaceAll(strings.ToLower(s), " ", "_") }
