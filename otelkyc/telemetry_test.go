package otelkyc_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
	"github.com/kyckit/kyckit/otelkyc"
	"github.com/kyckit/kyckit/webhook"
)

// lab is a tenant over a fake provider, with everything observed.
type lab struct {
	*nafathtest.Server
	*otelkyc.Telemetry

	spans  *tracetest.SpanRecorder
	reader *metric.ManualReader
	tracer trace.Tracer
	client *nafath.Client
	poller *nafath.Poller
	person *nafath.Details // who was verified last
}

func newLab(t *testing.T, cfg otelkyc.Config, readers ...metric.Reader) *lab {
	t.Helper()
	l := &lab{
		Server: nafathtest.NewServer(nafathtest.Config{
			Options: kyctest.Options{InMemory: true}, Limits: nafath.Limits{Requests: -1, StatusChecks: -1, Details: -1},
		}),
		spans: tracetest.NewSpanRecorder(), reader: metric.NewManualReader(),
	}
	t.Cleanup(l.Close)
	options := []metric.Option{metric.WithReader(l.reader)}
	for _, r := range readers {
		options = append(options, metric.WithReader(r))
	}
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(l.spans))
	l.tracer = tracers.Tracer("test")
	cfg.TracerProvider, cfg.MeterProvider = tracers, metric.NewMeterProvider(options...)
	if cfg.Propagator == nil {
		cfg.Propagator = propagation.TraceContext{}
	}
	var err error
	l.Telemetry, err = otelkyc.New(cfg)
	require.NoError(t, err)

	tokens := l.TokenConfig()
	tokens.HTTP.Trace = l.Trace()
	tokens.Tuning.OnEvent = l.OnToken("nafath")
	source, err := auth.NewClientCredentials(tokens)
	require.NoError(t, err)
	config := l.ClientConfig()
	config.Auth, config.HTTP.Trace = source, l.Trace()
	l.client, err = nafath.New(config)
	require.NoError(t, err)
	l.poller, err = nafath.NewPoller(nafath.PollerConfig{Client: l.client, OnNotice: l.OnNotice})
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.poller.Close() })
	stop, err := l.ObservePoller(l.poller, "tenant")
	require.NoError(t, err)
	t.Cleanup(stop)
	return l
}

// verify verifies one person within a span of the caller's.
func (l *lab) verify(t *testing.T, nationalID string, show func(nafath.Transaction)) (caller trace.SpanContext) {
	t.Helper()
	ctx, span := l.tracer.Start(t.Context(), "caller")
	defer span.End()
	details, err := l.poller.Verify(ctx, nationalID, func(tx nafath.Transaction) {
		time.AfterFunc(5*time.Second, func() { _ = l.Approve(tx.TransID, tx.Random) })
		if show != nil {
			show(tx)
		}
	})
	require.NoError(t, err)
	l.person = details
	return span.SpanContext()
}

func (l *lab) named(name string) (found []sdktrace.ReadOnlySpan) {
	for _, s := range l.spans.Ended() {
		if s.Name() == name {
			found = append(found, s)
		}
	}
	return found
}

// series returns every series as "name attributes" with its value.
func (l *lab) series(t *testing.T) map[string]float64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, l.reader.Collect(context.Background(), &all))
	found := map[string]float64{}
	add := func(name string, set attribute.Set, v float64) {
		found[strings.TrimSpace(name+" "+set.Encoded(attribute.DefaultEncoder()))] = v
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					add(m.Name, p.Attributes, float64(p.Count))
				}
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					add(m.Name, p.Attributes, float64(p.Value))
				}
			case metricdata.Gauge[float64]:
				for _, p := range data.DataPoints {
					add(m.Name, p.Attributes, p.Value)
				}
			default:
				require.Failf(t, "unknown data", "%s: %T", m.Name, m.Data)
			}
		}
	}
	return found
}

func value(s sdktrace.ReadOnlySpan, key attribute.Key) string {
	for _, kv := range s.Attributes() {
		if kv.Key == key {
			return kv.Value.String()
		}
	}
	return ""
}

func TestSpansOfAVerification(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, otelkyc.Config{})
		caller := l.verify(t, "1000000008", nil)

		creation := l.named("nafath request")
		require.Len(t, creation, 1)
		assert.Equal(t, caller.SpanID(), creation[0].Parent().SpanID())
		assert.Equal(t, trace.SpanKindInternal, creation[0].SpanKind())
		for _, kv := range creation[0].Attributes() {
			assert.True(t, strings.HasPrefix(string(kv.Key), "kyckit."), "no attribute of HTTP: %s", kv.Key)
		}
		details := l.named("nafath details")
		require.Len(t, details, 1)
		assert.False(t, details[0].Parent().IsValid(), "it hangs on nobody")
		require.Len(t, details[0].Links(), 1)
		assert.Equal(t, caller.SpanID(), details[0].Links()[0].SpanContext.SpanID())
		assert.Empty(t, l.named("nafath status"), "checks have no spans by default")
		assert.Empty(t, l.named("POST /ExtNafath/status"))

		var request sdktrace.ReadOnlySpan
		for _, s := range l.spans.Ended() {
			if s.Parent().SpanID() == details[0].SpanContext().SpanID() {
				request = s
			}
		}
		require.NotNil(t, request)
		assert.Equal(t, trace.SpanKindClient, request.SpanKind())
		assert.Equal(t, "GET "+value(request, "url.template"), request.Name())
		assert.Contains(t, request.Name(), "{")
		assert.True(t, strings.HasSuffix(value(request, "url.full"), "/REDACTED"), value(request, "url.full"))
		assert.True(t, strings.HasPrefix(value(request, "url.full"), l.URL), value(request, "url.full"))
		assert.Equal(t, "GET", value(request, "http.request.method"))
		assert.Equal(t, "200", value(request, "http.response.status_code"))
		assert.Equal(t, "1.1", value(request, "network.protocol.version"))
		assert.NotEmpty(t, value(request, "server.address"))
		assert.NotEmpty(t, value(request, "server.port"))
		assert.Empty(t, value(request, "error.type"))
		assert.Equal(t, codes.Unset, request.Status().Code)

		sent := l.Requests(nafathtest.OpDetails)[0].Header.Get("Traceparent")
		assert.Contains(t, sent, request.SpanContext().SpanID().String())
		require.Len(t, l.named("auth token"), 1)
		assert.False(t, l.named("auth token")[0].Parent().IsValid(), "it serves every caller")
	})
}

func TestSpansOfChecksWhenAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, otelkyc.Config{Checks: true})
		caller := l.verify(t, "1000000008", nil)
		checks := l.named("nafath status")
		assert.Len(t, checks, l.Count(nafathtest.OpStatus))
		assert.Equal(t, caller.SpanID(), checks[0].Links()[0].SpanContext.SpanID())
	})
}

func TestFailuresAndResends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, otelkyc.Config{})
		tx, err := l.client.Request(t.Context(), "1000000008")
		require.NoError(t, err)
		l.Fail(nafathtest.OpStatus, 1, kyctest.Fault{Status: 503})
		l.Fail(nafathtest.OpStatus, 2, kyctest.Fault{Hangup: true})
		l.RevokeTokens()
		_, err = l.client.Status(t.Context(), tx) // a caller's own check is a call like any other
		require.NoError(t, err)
		calls := l.named("nafath status")
		require.Len(t, calls, 1)
		var resends, failures []string
		for _, s := range l.spans.Ended() {
			if s.Parent().SpanID() == calls[0].SpanContext().SpanID() {
				resends = append(resends, value(s, "http.request.resend_count"))
				failures = append(failures, value(s, "error.type"))
				assert.Equal(t, value(s, "error.type") != "", s.Status().Code == codes.Error)
				assert.Empty(t, s.Status().Description)
			}
		}
		assert.Equal(t, []string{"", "1", "2", "3"}[:len(resends)], resends)
		assert.Contains(t, failures, "503")
		assert.Contains(t, failures, "unavailable")
		assert.Contains(t, failures, "401")

		_, err = l.client.Details(t.Context(), "gone")
		require.Error(t, err)
		failed := l.named("nafath details")[0]
		assert.Equal(t, codes.Error, failed.Status().Code)
		var e *kyckit.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, e.ErrorType(), value(failed, "error.type"))
	})
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, otelkyc.Config{})
		l.verify(t, "1000000008", nil)
		l.OnWebhook("nafath")(t.Context(), webhook.Result{Outcome: webhook.Refused, Duration: time.Millisecond, Layers: []webhook.Layer{
			{Name: "certificate"}, {Name: "hmac", Err: webhook.ErrBadSignature},
		}})
		l.OnWebhook("nafath")(t.Context(), webhook.Result{Outcome: webhook.InProgress, Layers: []webhook.Layer{{Name: "hmac"}}})
		l.OnCertificate("nafath")(webhook.CertificateEvent{Kind: webhook.EventRefused, Reason: "unknown CA", Count: 3})
		l.OnCertificate("nafath")(webhook.CertificateEvent{Kind: webhook.EventReloaded})
		l.OnToken("nafath")(auth.Event{Kind: auth.EventFailed, Err: &kyckit.Error{Kind: kyckit.ErrUnauthorized}})
		l.OnNotice(nafath.Notice{Status: "A STATUS OF TOMORROW 1000000008"})
		l.OnNotice(nafath.Notice{})
		stop, err := l.ObserveMints(func() uint64 { return 7 }, "apps")
		require.NoError(t, err)
		defer stop()
		got := l.series(t)
		for name, want := range map[string]float64{
			"kyckit.call.duration kyckit.op=request,kyckit.provider=nafath":                                                     1,
			"kyckit.call.duration kyckit.op=token,kyckit.provider=auth":                                                         1,
			"kyckit.call.duration kyckit.op=status,kyckit.provider=nafath":                                                      float64(l.Count(nafathtest.OpStatus)),
			"kyckit.auth.token.exchanges kyckit.auth.token.name=nafath,kyckit.auth.token.result=fetched":                        1,
			"kyckit.auth.token.exchanges error.type=unauthorized,kyckit.auth.token.name=nafath,kyckit.auth.token.result=failed": 1,
			"kyckit.auth.mints kyckit.auth.minter.name=apps":                                                                    7,
			"kyckit.nafath.verifications kyckit.nafath.status=completed":                                                        1,
			"kyckit.nafath.verifications kyckit.nafath.status=other":                                                            1,
			"kyckit.nafath.verifications kyckit.nafath.status=none":                                                             1,
			"kyckit.nafath.detection.gap":                                                                                       1,
			"kyckit.nafath.pending kyckit.nafath.poller.name=tenant":                                                            0,
			"kyckit.nafath.queue kyckit.nafath.operation=request,kyckit.nafath.poller.name=tenant":                              0,
			"kyckit.nafath.budget.limit kyckit.nafath.operation=status,kyckit.nafath.poller.name=tenant":                        60,
			"kyckit.nafath.budget.rate kyckit.nafath.operation=status,kyckit.nafath.poller.name=tenant":                         60,
			"kyckit.nafath.checks kyckit.nafath.check.reason=turn,kyckit.nafath.poller.name=tenant":                             float64(l.Count(nafathtest.OpStatus)),
			"kyckit.nafath.checks kyckit.nafath.check.reason=hint,kyckit.nafath.poller.name=tenant":                             0,
			"kyckit.nafath.rate_limited kyckit.nafath.poller.name=tenant":                                                       0,
			"kyckit.nafath.fallback kyckit.nafath.poller.name=tenant":                                                           0,
			"kyckit.webhook.deliveries kyckit.webhook.layer=hmac,kyckit.webhook.name=nafath,kyckit.webhook.outcome=refused":     1,
			"kyckit.webhook.deliveries kyckit.webhook.layer=hmac,kyckit.webhook.name=nafath,kyckit.webhook.outcome=in_progress": 1,
			"kyckit.webhook.duration kyckit.webhook.name=nafath,kyckit.webhook.outcome=refused":                                 1,
			"kyckit.webhook.handshakes.refused kyckit.webhook.name=nafath,kyckit.webhook.reason=unknown_ca":                     3,
		} {
			v, ok := got[name]
			assert.True(t, ok, "no series %s", name)
			assert.InDelta(t, want, v, 0.001, name)
		}
		assert.InDelta(t, 3600, got["kyckit.auth.token.time_to_expiry kyckit.auth.token.name=nafath"], 120)
		requests := 0.
		for name, n := range got {
			if strings.HasPrefix(name, "http.client.request.duration ") {
				assert.Contains(t, name, "http.request.method=")
				assert.Contains(t, name, "http.response.status_code=200")
				assert.Contains(t, name, "url.template=")
				requests += n
			}
		}
		assert.InDelta(t, float64(l.Count(nafathtest.OpStatus)+3), requests, 0, "request, details, token and the checks")
	})
}

// A thousand ids make no more series than one, and nothing planted is in
// anything that is exported.
func TestNothingPersonalIsExported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, otelkyc.Config{Checks: true})
		planted := []string{}
		once := func(i int) {
			id := fmt.Sprintf("1%09d", i)
			_, _ = l.client.Details(t.Context(), "trans-"+id)
			_, _ = l.client.Status(t.Context(), nafath.Transaction{TransID: "trans-" + id, Random: "07", NationalID: "1000000008"})
			planted = append(planted, id)
		}
		once(0)
		l.verify(t, "1000000008", func(tx nafath.Transaction) { planted = append(planted, tx.TransID) })
		before := len(l.series(t))
		for i := range 1000 {
			once(i + 1)
		}
		after := l.series(t)
		assert.Len(t, after, before)

		all := fmt.Sprintf("%v", after)
		for _, s := range l.spans.Ended() {
			all += fmt.Sprintf("\n%s %+v %+v %+v %+v", s.Name(), s.Attributes(), s.Events(), s.Status(), s.Resource())
		}
		planted = append(planted, "1000000008", l.person.EnglishFirstName, l.person.DateOfBirthG, nafathtest.ClientSecret, "Bearer")
		for _, r := range l.Requests(nafathtest.OpStatus)[:1] {
			planted = append(planted, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		}
		for _, secret := range planted {
			require.NotEmpty(t, secret)
			require.NotContains(t, all, secret)
		}
	})
}

func TestZeroConfigDoesNothing(t *testing.T) {
	telemetry, err := otelkyc.New(otelkyc.Config{})
	require.NoError(t, err)
	ctx, end := telemetry.Trace().Call(t.Context(), kyckit.CallInfo{Provider: "test"})
	ctx, done := telemetry.Trace().Try(ctx, kyckit.CallInfo{}, kyckit.TryInfo{})
	assert.False(t, trace.SpanContextFromContext(ctx).IsValid())
	done(kyckit.TryEnd{Err: errors.New("x")})
	end(kyckit.CallEnd{Err: context.Canceled})
	telemetry.OnNotice(nafath.Notice{})
}

func TestConfigurationIsRefused(t *testing.T) {
	_, err := otelkyc.New(otelkyc.Config{TracerProvider: (*sdktrace.TracerProvider)(nil)})
	require.ErrorIs(t, err, kyckit.ErrInvalid)
	assert.Contains(t, err.Error(), "TracerProvider")
	_, err = otelkyc.New(otelkyc.Config{MeterProvider: (*metric.MeterProvider)(nil)})
	require.ErrorIs(t, err, kyckit.ErrInvalid)
	telemetry, err := otelkyc.New(otelkyc.Config{})
	require.NoError(t, err)
	_, err = telemetry.ObservePoller(nil, "x")
	require.ErrorIs(t, err, kyckit.ErrInvalid)
	_, err = telemetry.ObserveMints(nil, "x")
	require.ErrorIs(t, err, kyckit.ErrInvalid)
}

// everything makes every instrument say something.
func everything(t *testing.T, l *lab) {
	t.Helper()
	_, err := l.client.Request(t.Context(), "1000000008")
	require.NoError(t, err)
	l.OnNotice(nafath.Notice{Status: nafath.StatusCompleted, Gap: time.Second})
	l.OnWebhook("x")(t.Context(), webhook.Result{Outcome: webhook.Handled})
	l.OnCertificate("x")(webhook.CertificateEvent{Kind: webhook.EventRefused, Reason: "expired"})
	_, err = l.ObserveMints(func() uint64 { return 1 }, "x")
	require.NoError(t, err)
}
