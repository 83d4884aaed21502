package storm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// plan is what a seed decides before a world begins.
type plan struct {
	seed     uint64
	replicas int // of the product
	people   int
	arriving time.Duration // within which people come
	lifetime time.Duration // of a verification at the provider
	token    time.Duration // life of a token
	latency  time.Duration // the longest that a request is on its way to the provider
	http2    bool
	shared   bool // the replicas share claims, tokens and wake-ups
	budget   bool // and the budget; else each has its part
	foreign  bool // somebody else uses the tenant's limits
	trusting bool // the product leaves it to the Poller that a person has one open verification

	// Populations, as probabilities: reject, ignore, doubleClick, comeBack, victim
	// (somebody else begins with the id of a person), stranger (the details are
	// another person's).
	reject, ignore, doubleClick, comeBack, victim, stranger float64
	think                                                   time.Duration // median until the answer

	faults  []planned
	crashes []planned
	deploys []planned
	stores  []planned // what happens to the shared store
	hooks   hooks
}

// planned is something that begins at a time and lasts.
type planned struct {
	kind   string
	at     time.Duration
	length time.Duration
	target int
}

func (p planned) String() string {
	return fmt.Sprintf("%s at %s for %s (%d)", p.kind, p.at.Round(time.Second), p.length.Round(time.Second), p.target)
}

// hooks is what happens to webhooks.
type hooks struct {
	lost, doubled, late float64
	forged              int // a second
	off                 bool
	// Signed events that are not true, and deliveries that are sent again later.
	untrue, replayed bool
}

// The faults of the provider, each a row of provider.fault.
var faultKinds = []string{
	"status-500", "status-lost", "status-slow", "status-hangup", "status-401-once", "status-envelope-401", "status-503-long",
	"request-500", "request-lost", "request-slow", "request-hangup", "request-429", "request-early",
	"details-500", "details-lost", "details-slow", "details-garbage", "token-503", "token-slow", "revoke", "all-500", "all-early",
}

var storeKinds = []string{"pause", "flush", "lose-key", "cut-off", "restart"}

// newPlan draws a world. Most worlds are mild, some have everything at once.
func newPlan(seed uint64) plan {
	r := rand.New(rand.NewPCG(seed, 1))
	chance := func(p float64) bool { return r.Float64() < p }
	between := func(a, b time.Duration) time.Duration { return a + time.Duration(r.Float64()*float64(b-a)) }
	upTo := func(most float64) float64 { return most * r.Float64() * r.Float64() }

	p := plan{
		seed: seed, replicas: 1, people: 3 + r.IntN(16), arriving: between(20*time.Second, 3*time.Minute),
		lifetime: between(60*time.Second, 180*time.Second), token: between(40*time.Second, time.Hour),
		http2: chance(0.3), foreign: chance(0.1),
		reject: upTo(0.5), ignore: upTo(0.4), doubleClick: upTo(0.5), comeBack: upTo(0.6), victim: upTo(0.4), stranger: upTo(0.4),
		think: between(3*time.Second, 40*time.Second),
		hooks: hooks{lost: upTo(1), doubled: upTo(0.8), late: upTo(0.8), off: chance(0.2), untrue: chance(0.2), replayed: chance(0.3)},
	}
	if chance(0.5) {
		p.replicas = 2 + r.IntN(5)
		p.shared = chance(0.7)
	}
	if chance(0.15) {
		p.hooks.forged = 20
	}
	draw := func(most int, kinds []string, length time.Duration) (all []planned) {
		for range int(math.Floor(float64(most+1) * r.Float64() * r.Float64())) {
			all = append(all, planned{
				kind: kinds[r.IntN(len(kinds))], at: between(0, p.arriving+2*time.Minute), length: between(time.Second, length), target: r.IntN(p.replicas),
			})
		}
		return all
	}
	if chance(0.1) { // a rush
		p.people, p.arriving = 20+r.IntN(30), between(5*time.Second, 20*time.Second)
	}
	p.latency = time.Duration(upTo(float64(2 * time.Second)))
	p.faults = draw(6, faultKinds, 50*time.Second)
	p.crashes = draw(4, []string{"crash"}, 20*time.Second)
	p.deploys = draw(2, []string{"deploy"}, 40*time.Second)
	// A process that dies takes with it what it knows of open verifications.
	p.trusting = p.replicas == 1 && len(p.crashes)+len(p.deploys) == 0
	if p.shared {
		p.stores = draw(4, storeKinds, 40*time.Second)
	}
	p.budget = p.shared && chance(0.15)
	return p
}

// thinks draws how long a person takes to answer: lognormal, as people do.
func thinks(r *rand.Rand, median time.Duration) time.Duration {
	return time.Duration(float64(median) * math.Exp(0.75*r.NormFloat64()))
}

// nationalIDs are made-up ids that pass the check digit.
func nationalIDs(n int) []string {
	ids := make([]string, 0, n)
	for base := 100000001; len(ids) < n; base++ {
		for check := range 10 {
			if id := fmt.Sprintf("%d%d", base, check); luhn(id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

func luhn(digits string) bool {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}
