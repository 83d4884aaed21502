package main

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/kyckit/kyckit/nafath"
)

const (
	sampleEvery = 2 * time.Second
	samplesKept = 150 // five minutes
)

// operator is the page of whoever runs the service: numbers about nobody.
type operator struct {
	poller *nafath.Poller
	mu     sync.Mutex
	past   []nafath.Stats
}

// watch takes samples for the chart until ctx ends.
func (o *operator) watch(ctx context.Context) {
	for {
		o.mu.Lock()
		o.past = append(o.past, o.poller.Stats())
		o.past = o.past[max(0, len(o.past)-samplesKept):]
		o.mu.Unlock()
		select {
		case <-time.After(sampleEvery):
		case <-ctx.Done():
			return
		}
	}
}

// chart returns the points of a line for an SVG of 300 × 60.
func chart(past []nafath.Stats, of func(nafath.Stats) float64) (points string, most float64) {
	for _, s := range past {
		most = max(most, of(s))
	}
	var b strings.Builder
	for i, s := range past {
		y := 58.0
		if most > 0 {
			y -= 56 * of(s) / most
		}
		fmt.Fprintf(&b, "%.1f,%.1f ", 300*float64(i)/samplesKept, y)
	}
	return b.String(), most
}

func (o *operator) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	o.mu.Lock()
	past := append([]nafath.Stats(nil), o.past...)
	o.mu.Unlock()
	type line struct {
		Name, Points string
		Most         float64
	}
	data := struct {
		Now   nafath.Stats
		Lines []line
	}{Now: o.poller.Stats()}
	for _, l := range []struct {
		name string
		of   func(nafath.Stats) float64
	}{
		{"Open verifications", func(s nafath.Stats) float64 { return float64(s.Pending) }},
		{"In the queue", func(s nafath.Stats) float64 { return float64(s.Queued) }},
		{"Detection delay in seconds", func(s nafath.Stats) float64 { return s.Delay.Seconds() }},
	} {
		points, most := chart(past, l.of)
		data.Lines = append(data.Lines, line{l.name, points, most})
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = operatorPage.Execute(w, data)
}

var operatorPage = template.Must(template.New("operator").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="2">
<title>Operator – DEMO</title>
<link rel="stylesheet" href="/static/style.css">
</head>
<body>
<main>
<h1>Operator</h1>
<table>
<tr><th scope="row">Checks a minute permitted now</th><td>{{printf "%.1f" .Now.Rate}}</td></tr>
<tr><th scope="row">New verifications a minute permitted now</th><td>{{printf "%.1f" .Now.RequestRate}}</td></tr>
<tr><th scope="row">Open verifications</th><td>{{.Now.Pending}}</td></tr>
<tr><th scope="row">In the queue</th><td>{{.Now.Queued}}</td></tr>
<tr><th scope="row">Finished since the start</th><td>{{.Now.Finished}}</td></tr>
<tr><th scope="row">Checks since the start</th><td>{{.Now.Checks}}</td></tr>
<tr><th scope="row">Answers 429 since the start</th><td>{{.Now.RateLimited}}</td></tr>
<tr><th scope="row">Hints by webhooks since the start</th><td>{{.Now.Hints}}</td></tr>
<tr><th scope="row">Detection delay</th><td>{{printf "%.1f s" .Now.Delay.Seconds}}</td></tr>
<tr><th scope="row">Webhooks are reliable</th><td>{{if .Now.Saving}}yes{{else}}not known{{end}}</td></tr>
</table>
{{range .Lines}}<h2>{{.Name}}, the last five minutes (at most {{printf "%.1f" .Most}})</h2>
<svg viewBox="0 0 300 60" role="img" aria-label="{{.Name}}"><polyline points="{{.Points}}" fill="none" stroke="currentColor" stroke-width="1.5"/></svg>
{{end}}</main>
</body>
</html>
`))
