package otelkyc_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"

	"github.com/kyckit/kyckit/otelkyc"
)

// program finds a program of Debian's, or skips the test.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(name + " is not installed")
		}
		t.Skip(name + " is not installed")
	}
	return path
}

// A real Prometheus scrapes the metrics and answers the queries of the dashboard
// and the alert rules.
func TestPrometheusScrapesTheMetrics(t *testing.T) {
	server := program(t, "prometheus")
	registry := prometheus.NewRegistry()
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry))
	require.NoError(t, err)
	l := newLab(t, otelkyc.Config{}, exporter)
	_, err = l.poller.Request(t.Context(), "1000000008")
	require.NoError(t, err)
	target := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	defer target.Close()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	dir := t.TempDir()
	conf := filepath.Join(dir, "prometheus.yml")
	rules, err := filepath.Abs("../docs/telemetry/alerts.yml")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(conf, fmt.Appendf(nil, `
global: {scrape_interval: 200ms, evaluation_interval: 1s}
rule_files: [%q]
scrape_configs: [{job_name: kyckit, static_configs: [{targets: [%q]}]}]
`, rules, strings.TrimPrefix(target.URL, "http://")), 0o600))
	var said bytes.Buffer
	cmd := exec.CommandContext(t.Context(), server, "--config.file="+conf, "--storage.tsdb.path="+dir, "--web.listen-address="+address)
	cmd.Stdout, cmd.Stderr = &said, &said
	require.NoError(t, cmd.Start())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })

	query := func(q string) (series int) {
		resp, err := http.Get("http://" + address + "/api/v1/query?query=" + url.QueryEscape(q))
		if err != nil {
			return -1
		}
		defer func() { _ = resp.Body.Close() }()
		var answer struct {
			Status string
			Data   struct{ Result []json.RawMessage }
		}
		if json.NewDecoder(resp.Body).Decode(&answer) != nil || answer.Status != "success" {
			return -1
		}
		return len(answer.Data.Result)
	}
	require.Eventually(t, func() bool { return query("kyckit_nafath_pending") > 0 }, time.Minute, 100*time.Millisecond, "nothing was scraped: %s", &said)
	queries := dashboardQueries(t)
	require.Greater(t, len(queries), 8)
	for _, q := range queries {
		assert.GreaterOrEqual(t, query(q), 0, "not a query: %s", q)
	}
	for _, metric := range []string{
		`http_client_request_duration_seconds_count{http_request_method="POST",http_response_status_code="200"}`,
		`kyckit_call_duration_seconds_bucket{kyckit_op="request"}`, `kyckit_auth_token_exchanges_total`, `kyckit_nafath_budget_limit`,
	} {
		assert.Positive(t, query(metric), metric)
	}
}

// dashboardQueries are the queries of the dashboard, for any interval.
func dashboardQueries(t *testing.T) (queries []string) {
	t.Helper()
	raw, err := os.ReadFile("../docs/telemetry/dashboard.json")
	require.NoError(t, err)
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	require.NoError(t, json.Unmarshal(raw, &dashboard))
	for _, p := range dashboard.Panels {
		require.NotEmpty(t, p.Title)
		for _, target := range p.Targets {
			queries = append(queries, strings.ReplaceAll(target.Expr, "$__rate_interval", "5m"))
		}
	}
	return queries
}

// What the dashboard and the rules ask for exists.
func TestTheDocumentsNameMetricsThatExist(t *testing.T) {
	registry := prometheus.NewRegistry()
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry))
	require.NoError(t, err)
	l := newLab(t, otelkyc.Config{}, exporter)
	everything(t, l)
	families, err := registry.Gather()
	require.NoError(t, err)
	known := map[string]bool{}
	for _, f := range families {
		for _, suffix := range []string{"", "_bucket", "_count", "_sum"} {
			known[f.GetName()+suffix] = true
		}
	}
	rules, err := os.ReadFile("../docs/telemetry/alerts.yml")
	require.NoError(t, err)
	named := 0
	for _, word := range strings.FieldsFunc(string(rules)+strings.Join(dashboardQueries(t), " "), func(r rune) bool {
		return r != '_' && r != ':' && (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}) {
		if strings.HasPrefix(word, "kyckit_") && !strings.HasPrefix(word, "kyckit_op") && !isLabel(word) || strings.HasPrefix(word, "http_client_") {
			named++
			assert.True(t, known[word], "there is no metric %s", word)
		}
	}
	assert.Greater(t, named, 10)
}

func TestEveryAlertHasItsPlaceInTheRunbook(t *testing.T) {
	rules, err := os.ReadFile("../docs/telemetry/alerts.yml")
	require.NoError(t, err)
	book, err := os.ReadFile("../docs/telemetry/runbook.md")
	require.NoError(t, err)
	var alerts, links, places []string
	for _, m := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(string(rules), -1) {
		alerts, links = append(alerts, m[1]), append(links, strings.ToLower(m[1]))
	}
	for _, m := range regexp.MustCompile(`(?m)^## (Kyckit\w+)$`).FindAllStringSubmatch(string(book), -1) {
		places = append(places, m[1])
	}
	require.NotEmpty(t, alerts)
	assert.Equal(t, alerts, places)
	for i, m := range regexp.MustCompile(`runbook_url: "\S+/docs/telemetry/runbook\.md#(\w+)"`).FindAllStringSubmatch(string(rules), -1) {
		assert.Equal(t, links[i], m[1])
		links[i] = ""
	}
	assert.Empty(t, strings.Join(links, ""), "alerts without a link")
}

func isLabel(word string) bool {
	switch word {
	case "kyckit_provider", "kyckit_auth_token_name", "kyckit_auth_token_result", "kyckit_nafath_status", "kyckit_nafath_poller_name",
		"kyckit_nafath_operation", "kyckit_nafath_check_reason", "kyckit_webhook_name", "kyckit_webhook_outcome", "kyckit_webhook_layer",
		"kyckit_webhook_reason":
		return true
	}
	return false
}

func TestPromtoolAcceptsTheRules(t *testing.T) {
	said, err := exec.CommandContext(t.Context(), program(t, "promtool"), "check", "rules", "--lint-fatal", "../docs/telemetry/alerts.yml").CombinedOutput()
	require.NoError(t, err, "%s", said)
}
