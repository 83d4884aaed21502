package main

import (
	"fmt"
	"io"
	"testing"

	"github.com/kyckit/kyckit/internal/bench/pollsim"
	"github.com/kyckit/kyckit/nafath"
)

// polling measures the Nafath Poller: how soon it notices an approval, and what
// a check costs.
func polling() ([]group, error) {
	return []group{
		{
			name:   "nafath/delay",
			title:  "from a person's approval to its notice, in seconds of virtual time (seed 1, 100 ms a call)",
			report: virtual("nafath/delay"),
		},
		{
			name:   "nafath/trouble",
			title:  "the same beside sick providers: others that fail, one long Retry-After, webhooks before the status",
			report: virtual("nafath/trouble"),
		},
		{
			name:   "nafath/replicas",
			title:  "several processes of one tenant, S1 at 10 a minute, 60 checks a minute, people in turn",
			report: virtual("nafath/replicas"),
		},
		{
			name:   "nafath/cost",
			title:  "1,000 open verifications at 6,000 checks a minute, provider stubbed",
			report: virtual("nafath/cost"),
		},
	}, nil
}

// policies are what is compared. The bad ones get fewer people: they do not
// become better with more.
var policies = []struct {
	name   string
	people int
	build  func(*nafath.Client, pollsim.Scenario) (pollsim.Policy, error)
}{
	{"loop each, 2 s", 600, pollsim.Naive},
	{"backoff each", 600, pollsim.Backoff},
	{"round robin, paced", 3000, pollsim.RoundRobin},
	{"nafath.Poller", 3000, pollsim.Shipped},
}

func reportDelay(t *testing.T, out io.Writer) error {
	rows := [][]string{{
		"population, verifications and checks a minute", "policy", "mean", "p50", "p95", "p99", "/ bound",
		"checks each", "429s", "longest gap", "/ max(6 s, 3 turns)",
	}}
	for _, s := range []pollsim.Scenario{
		pollsim.S1(2), pollsim.S1(5), pollsim.S1(10),
		pollsim.Slow(2), pollsim.Slow(5), pollsim.Slow(10),
		pollsim.Fast(10),
		pollsim.S1(10).Times(10), pollsim.Slow(10).Times(10),
	} {
		bound := pollsim.Bound(s)
		scale := max(1, s.Scale)
		about := fmt.Sprintf("%s, %.0f, %d", s.Name, s.PerMinute*float64(scale), s.Limit*scale)
		for _, p := range policies {
			s := s
			s.People = p.people * min(scale, 2)
			r, err := inBubble(t, func(t *testing.T) (pollsim.Result, error) { return pollsim.Run(t.Context(), s, p.build) })
			if err != nil {
				return err
			}
			rows = append(rows, []string{
				about, p.name, secs(r.Mean()), secs(r.Quantile(0.5)), secs(r.Quantile(0.95)), secs(r.Quantile(0.99)),
				fmt.Sprintf("%.2f", r.Mean()/bound), fmt.Sprintf("%.1f", r.Checks), fmt.Sprint(r.Limited),
				fmt.Sprintf("%.0f s", r.Gap.Seconds()), fmt.Sprintf("%.2f", r.GapRate),
			})
		}
		rows = append(rows, []string{
			about, "causal bound", secs(bound), "", "", "", "1.00", fmt.Sprintf("%.1f", float64(s.Limit)/s.PerMinute), "", "", "",
		})
	}
	if err := table(out, rows); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out); err != nil {
		return err
	}
	return reportHints(t, out)
}

// reportHints shows what webhooks, true and forged, do to the Poller.
func reportHints(t *testing.T, out io.Writer) error {
	rows := [][]string{{"S1, 10, 60, nafath.Poller", "mean", "p95", "checks a minute", "429s"}}
	for _, c := range []struct {
		name   string
		change func(*pollsim.Scenario)
	}{
		{"no hints", func(*pollsim.Scenario) {}},
		{"20 forged hints a second", func(s *pollsim.Scenario) { s.Forged = 20 }},
		{"webhooks, up to 2 s late", func(s *pollsim.Scenario) { s.Webhooks = true }},
	} {
		s := pollsim.S1(10)
		s.People = 3000
		c.change(&s)
		r, err := inBubble(t, func(t *testing.T) (pollsim.Result, error) { return pollsim.Run(t.Context(), s, pollsim.Shipped) })
		if err != nil {
			return err
		}
		rows = append(rows, []string{c.name, secs(r.Mean()), secs(r.Quantile(0.95)), fmt.Sprintf("%.1f", r.PerMin), fmt.Sprint(r.Limited)})
	}
	return table(out, rows)
}

func secs(s float64) string { return fmt.Sprintf("%.2f s", s) }
