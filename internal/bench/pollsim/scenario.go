package pollsim

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Scenario is a population and a tenant.
type Scenario struct {
	Name      string
	PerMinute float64       // new verifications, a Poisson process
	Median    float64       // seconds to approve, lognormal
	Sigma     float64       // of the logarithm
	Never     float64       // share that never approves
	Lifetime  time.Duration // when the provider ends what nobody approved
	Limit     int           // status checks a minute
	Scale     int           // times everything: PerMinute and Limit; zero means 1
	People    int           // verifications to simulate
	Seed      uint64
	Latency   time.Duration // of every call
	Forged    float64       // forged hints a second for open verifications
	Webhooks  bool          // the provider sends webhooks, up to 2 s late
	// WebhooksFor is how many people's webhooks arrive; zero means everybody's.
	WebhooksFor int
	// Early is how long the status lags behind the webhook, which then is sent at the
	// moment of the approval.
	Early time.Duration
	// Act draws the seconds to approve instead of the lognormal.
	Act func(*rand.Rand) float64
	// Others is how many verifications that nobody approves are open beside those
	// measured, at all times, and Answer what their checks get.
	Others int
	Answer Answer
	// Refusal is a single answer to a status check in the sixth minute, with a
	// Retry-After of RetryAfter.
	Refusal    int
	RetryAfter time.Duration
}

// Answer is what the provider answers to checks of a Scenario's Others.
type Answer int

// The answers.
const (
	Waiting Answer = iota // they are open
	Failing               // with 500
	Unknown               // with 404
	Hanging               // not at all
)

// S1 is the population that the goals are stated for.
func S1(perMinute float64) Scenario {
	return Scenario{
		Name: "S1", PerMinute: perMinute, Median: 20, Sigma: 0.75, Never: 0.15,
		Lifetime: 180 * time.Second, Limit: 60, Seed: 1, Latency: 100 * time.Millisecond,
	}
}

// Slow is a population that takes its time.
func Slow(perMinute float64) Scenario {
	s := S1(perMinute)
	s.Name, s.Median, s.Never = "slow", 45, 0.30
	return s
}

// Fast is a population that has the phone at hand.
func Fast(perMinute float64) Scenario {
	s := S1(perMinute)
	s.Name, s.Median = "fast", 12
	return s
}

// Times returns the scenario with k times the budget and the load.
func (s Scenario) Times(k int) Scenario {
	s.Scale = k
	return s
}

func (s Scenario) scale() int { return max(1, s.Scale) }

// arrival is one person of a scenario.
type arrival struct {
	at  time.Duration
	act time.Duration // from at; beyond Lifetime for those who never approve
}

func (s Scenario) arrivals() []arrival {
	rng := rand.New(rand.NewPCG(s.Seed, 2))
	list := make([]arrival, s.People)
	at := 0.0
	for i := range list {
		at += rng.ExpFloat64() * 60 / (s.PerMinute * float64(s.scale()))
		list[i] = arrival{at: seconds(at), act: seconds(s.draw(rng))}
	}
	return list
}

// draw is after how many seconds somebody approves.
func (s Scenario) draw(rng *rand.Rand) float64 {
	act := s.Median * math.Exp(s.Sigma*rng.NormFloat64())
	if s.Act != nil {
		act = s.Act(rng)
	}
	if rng.Float64() < s.Never {
		act = math.Inf(1)
	}
	return min(act, 2*s.Lifetime.Seconds())
}

// approved is the share that approved by age seconds.
func (s Scenario) approved(age float64) float64 {
	if age <= 0 {
		return 0
	}
	return (1 - s.Never) * math.Erfc(-math.Log(age/s.Median)/s.Sigma/math.Sqrt2) / 2
}

// Result is what a policy achieved. The first tenth of the people, from whom
// it may learn, is left out of the delays and gaps.
type Result struct {
	Delays  []time.Duration // from approval to notice, sorted
	Checks  float64         // a verification
	PerMin  float64         // checks a minute
	Minutes []int           // checks of each minute
	Limited int             // 429s
	Took    time.Duration
	Lost    int           // approvals that were never noticed
	Gap     time.Duration // the longest between two checks of one verification
	GapRate float64       // the same, over max(6 s, 3 turns of a round robin)
}

// Mean returns the mean delay in seconds.
func (r Result) Mean() float64 {
	sum := 0.0
	for _, d := range r.Delays {
		sum += d.Seconds()
	}
	return sum / float64(len(r.Delays))
}

// Quantile returns a quantile of the delay in seconds.
func (r Result) Quantile(q float64) float64 {
	return r.Delays[int(q*float64(len(r.Delays)-1))].Seconds()
}

func (r *Result) sort() { slices.Sort(r.Delays) }

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
