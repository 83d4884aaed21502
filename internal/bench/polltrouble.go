package main

import (
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/kyckit/kyckit/internal/bench/pollsim"
)

// simulated runs a scenario in virtual time.
func simulated(t *testing.T, s pollsim.Scenario, build pollsim.Builder) (pollsim.Result, error) {
	return inBubble(t, func(t *testing.T) (pollsim.Result, error) { return pollsim.Run(t.Context(), s, build) })
}

// reportTrouble shows what a sick provider does to healthy people.
func reportTrouble(t *testing.T, out io.Writer) error {
	rows := [][]string{{"scenario, nafath.Poller, 60 checks a minute", "p50", "mean", "p95", "never noticed", "429s"}}
	add := func(name string, s pollsim.Scenario) error {
		r, err := simulated(t, s, pollsim.Shipped)
		if err == nil {
			rows = append(rows, []string{
				name, secs(r.Quantile(0.5)), secs(r.Mean()), secs(r.Quantile(0.95)), fmt.Sprint(r.Lost), fmt.Sprint(r.Limited),
			})
		}
		return err
	}
	for _, others := range []int{10, 30, 50} {
		for _, c := range []struct {
			answer pollsim.Answer
			name   string
		}{{pollsim.Waiting, "are open"}, {pollsim.Failing, "get 500"}, {pollsim.Unknown, "get 404"}, {pollsim.Hanging, "hang"}} {
			s := pollsim.S1(2)
			s.People, s.Others, s.Answer = 300, others, c.answer
			if err := add(fmt.Sprintf("2 a minute beside %d that %s", others, c.name), s); err != nil {
				return err
			}
		}
	}
	for _, c := range []struct {
		name   string
		change func(*pollsim.Scenario)
	}{
		{"10 a minute", func(*pollsim.Scenario) {}},
		{"one 429 with Retry-After 3600", func(s *pollsim.Scenario) { s.Refusal, s.RetryAfter = 429, time.Hour }},
		{"one 503 with Retry-After 600", func(s *pollsim.Scenario) { s.Refusal, s.RetryAfter = 503, 10*time.Minute }},
		{"status 0.5 s late, no webhooks", func(s *pollsim.Scenario) { s.Early = 500 * time.Millisecond }},
		{"status 0.5 s behind its webhook", func(s *pollsim.Scenario) { s.Webhooks, s.Early = true, 500*time.Millisecond }},
		{"status 1.5 s behind its webhook", func(s *pollsim.Scenario) { s.Webhooks, s.Early = true, 1500*time.Millisecond }},
	} {
		s := pollsim.S1(10)
		s.People = 1500
		if s.Refusal != 0 {
			s.People = 300
		}
		c.change(&s)
		if err := add(c.name, s); err != nil {
			return err
		}
	}
	return table(out, rows)
}

// reportReplicas compares ways to share a budget between processes.
func reportReplicas(t *testing.T, out io.Writer) error {
	rows := [][]string{{"processes", "budget", "mean", "p95", "/ one queue", "checks a minute", "429s", "scripts a second and process"}}
	s := pollsim.S1(10)
	s.People = 1000
	one, err := simulated(t, s, pollsim.Shipped)
	if err != nil {
		return err
	}
	for _, n := range []int{2, 4, 8, 16} {
		rows = append(rows, []string{fmt.Sprint(n), "one global queue", secs(one.Mean()), secs(one.Quantile(0.95)), "1.00", fmt.Sprintf("%.1f", one.PerMin), fmt.Sprint(one.Limited), ""})
		for _, c := range []struct {
			name  string
			build pollsim.Builder
		}{
			{"redisstore, bids", pollsim.Shared(n)},
			{"racing for a shared token", pollsim.Race(n)},
			{"redis_rate's token bucket", pollsim.Bucket(n)},
			{"static split", pollsim.Split(n)},
		} {
			begin := pollsim.Scripts.Load()
			r, err := simulated(t, s, c.build)
			if err != nil {
				return err
			}
			scripts := ""
			if begin != pollsim.Scripts.Load() || c.name == "redisstore, bids" {
				scripts = fmt.Sprintf("%.2f", float64(pollsim.Scripts.Load())/r.Took.Seconds()/float64(n))
			}
			rows = append(rows, []string{
				fmt.Sprint(n), c.name, secs(r.Mean()), secs(r.Quantile(0.95)), fmt.Sprintf("%.2f", r.Mean()/one.Mean()), fmt.Sprintf("%.1f", r.PerMin), fmt.Sprint(r.Limited), scripts,
			})
		}
	}
	return table(out, rows)
}
