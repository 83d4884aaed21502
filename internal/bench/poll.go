package main

import (
	"fmt"
	"io"
	"testing"
	"text/tabwriter"

	"github.com/kyckit/kyckit/internal/pollsim"
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
			name:   "nafath/cost",
			title:  "10,000 open verifications at 6,000 checks a minute, provider stubbed",
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
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "population\tper minute\tlimit\tpolicy\tmean\tp50\tp95\tp99\t/ bound\tchecks each\tnever noticed\t429s\tlongest gap\t/ limit\t")
	for _, s := range []pollsim.Scenario{
		pollsim.S1(2), pollsim.S1(5), pollsim.S1(10),
		pollsim.Slow(2), pollsim.Slow(5), pollsim.Slow(10),
		pollsim.Fast(10),
		pollsim.S1(10).Times(10), pollsim.Slow(10).Times(10),
	} {
		bound := pollsim.Bound(s)
		scale := max(1, s.Scale)
		about := fmt.Sprintf("%s\t%.0f\t%d", s.Name, s.PerMinute*float64(scale), s.Limit*scale)
		for _, p := range policies {
			s := s
			s.People = p.people * min(scale, 2)
			r, err := inBubble(t, func(t *testing.T) (pollsim.Result, error) { return pollsim.Run(t.Context(), s, p.build) })
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "%s\t%s\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.1f\t%d\t%d\t%.0f s\t%.2f\t\n", about, p.name,
				r.Mean(), r.Quantile(0.5), r.Quantile(0.95), r.Quantile(0.99), r.Mean()/bound, r.Checks, r.Lost, r.Limited, r.Gap.Seconds(), r.GapRate)
		}
		fmt.Fprintf(w, "%s\tcausal bound\t%.2f\t\t\t\t1.00\t%.1f\t\t\t\t\t\n", about, bound, float64(s.Limit)/s.PerMinute)
	}
	if err := w.Flush(); err != nil {
		return err
	}

	fmt.Fprintln(out)
	w = tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "S1 at 10 a minute, limit 60, nafath.Poller\tmean\tp95\tchecks a minute\t429s\t")
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
		fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.1f\t%d\t\n", c.name, r.Mean(), r.Quantile(0.95), r.PerMin, r.Limited)
	}
	return w.Flush()
}
