package pollsim

import "math"

// step is the resolution of the bound, in seconds.
const step = 0.25

// Bound returns the least mean delay, in seconds, that any policy can reach
// which spends as many checks a verification as the limit pays for and does not
// know the future. It is the optimal inspection of one verification: by dynamic
// programming over the time of the last look, with a price for each check that
// makes their expected number come out right. It has no floor between checks, no
// latency and no queues, and knows the population and the lifetime, so that no
// policy reaches it.
func Bound(s Scenario) float64 {
	checks := float64(s.Limit) / s.PerMinute
	low, high := 0.0, 1000.0
	for range 32 {
		price := (low + high) / 2
		if spent, _ := inspect(s, price); spent > checks {
			low = price
		} else {
			high = price
		}
	}
	// Between two plans that cost the same, the best is a mixture of both.
	more, delayMore := inspect(s, low)
	fewer, delayFewer := inspect(s, high)
	if more <= checks || more <= fewer {
		return delayMore
	}
	part := min(1, (checks-fewer)/(more-fewer))
	return delayFewer + part*(delayMore-delayFewer)
}

// inspect returns the expected number of checks and the mean delay of an
// approval under the best plan at a price a check.
func inspect(s Scenario, price float64) (checks, delay float64) {
	n := int(s.Lifetime.Seconds() / step)
	open := make([]float64, n+1)  // share still open at a look at time i
	acted := make([]float64, n+1) // integral of the approved share
	for i := range n + 1 {
		open[i] = 1 - s.approved(float64(i)*step)
		if i > 0 {
			acted[i] = acted[i-1] + step*(2-open[i]-open[i-1])/2
		}
	}
	// late is the expected delay, over all verifications, of approvals between
	// looks at i and j: the area under the newly approved share.
	late := func(i, j int) float64 {
		return acted[j] - acted[i] - float64(j-i)*step*(1-open[i])
	}
	cost := make([]float64, n+1) // of the best plan from a look at i on
	next := make([]int, n+1)
	for i := n - 1; i >= 0; i-- {
		cost[i], next[i] = late(i, n)+price*open[i], n // the look that finds the expiry
		for j := i + 1; j < n; j++ {
			least := late(i, j) + price*open[i] // and it only grows with j
			if least >= cost[i] {
				break
			}
			if c := least + cost[j]; c < cost[i] {
				cost[i], next[i] = c, j
			}
		}
	}
	total := 0.0
	for i := 0; i < n; i = next[i] {
		total += late(i, next[i])
		checks += open[i]
	}
	return checks, total / math.Max(s.approved(s.Lifetime.Seconds()), 1e-9)
}
