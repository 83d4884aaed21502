package nafath

import "time"

// Stats is a snapshot of a Poller for dashboards.
type Stats struct {
	Pending  int    // open verifications
	InFlight int    // checks in flight
	Queued   int    // creations waiting for a slot
	Details  int    // details calls waiting for a slot
	Checks   uint64 // checks sent so far
	Hinted   uint64 // those of Checks that a hint brought about
	Finished uint64 // verifications that left the Poller so far
	Hints    uint64 // hints for open verifications so far
	Strays   uint64 // hints for transactions that are not known here so far

	// Shared says that a Budget shares the limits with other processes, Fallback that it
	// does not answer and the static share is spent, and Replicas how many there are: 1
	// when that is unknown, 0 without a Budget.
	Shared, Fallback bool
	Replicas         int

	// Oldest is how long the oldest open verification has been watched, and
	// LongestQueued how long the next creation's caller has waited.
	Oldest, LongestQueued time.Duration

	// Limits are the tenant's, as NewPoller or SetLimits was given them.
	Limits Limits
	// Rate is how many checks a minute are permitted now: the limit, less
	// after a 429, and a third while webhooks are reliable.
	Rate float64
	// RequestRate is the same for new verifications.
	RequestRate float64
	// Saving says that webhooks are reliable, so that fewer checks are spent.
	Saving bool
	// RateLimited counts the 429s of all operations so far. Zero is normal: more
	// means that somebody else uses the tenant's limits.
	RateLimited uint64
	// Delay estimates how long ago people had answered when their answer was
	// noticed: the mean of the first 32, then a moving average; zero before the
	// first.
	Delay time.Duration
}

// Stats returns a snapshot.
func (p *Poller) Stats() Stats {
	st, err := p.inside("stats")
	if err != nil {
		return Stats{}
	}
	queued, rate, limited := st.requests.Stats()
	details, _, limitedDetails := st.details.Stats()
	st.mu.Lock()
	defer st.mu.Unlock()
	now := st.now()
	s := st.sched.Stats(now)
	stats := Stats{
		Pending:     s.Pending,
		InFlight:    s.InFlight,
		Queued:      queued,
		Details:     details,
		Checks:      s.Checks,
		Hinted:      s.HintChecks,
		Limits:      st.limits,
		Finished:    st.finished,
		Hints:       s.Hints,
		Strays:      st.strays,
		Rate:        s.Rate,
		RequestRate: rate,
		Saving:      s.Saving,
		RateLimited: s.RateLimited + limited + limitedDetails,
		Delay:       s.Delay,
	}
	if r := st.replicas; r != nil {
		stats.Shared, stats.Fallback, stats.Replicas = true, r.fallback, 1
		if !r.fallback {
			stats.Replicas = max(1, r.live)
		}
	}
	for _, e := range st.open {
		stats.Oldest = max(stats.Oldest, now-e.since)
	}
	for _, e := range st.queued {
		stats.LongestQueued = max(stats.LongestQueued, now-e.since)
	}
	return stats
}
