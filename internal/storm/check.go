package storm

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
)

// bound is how long after an approval, and after the last thing that went wrong,
// a person is verified at the latest.
const bound = 4 * time.Minute

// settled reports whether everything has ended.
func (w *world) settled() bool {
	for _, n := range w.store.all() {
		if n.state != done {
			return false
		}
	}
	return true
}

// check holds the product to its promises, by what the provider and the people
// recorded.
func (w *world) check() {
	rows := w.store.all()
	w.mu.Lock()
	disturbed, acts, handled, begins := w.disturbed, maps.Clone(w.acts), maps.Clone(w.handled), maps.Clone(w.begins)
	strangers := maps.Clone(w.strangers)
	w.mu.Unlock()

	prompts := map[string]int{}
	known := map[string]string{} // transaction to person, by the provider
	for _, tx := range w.fake.Transactions() {
		prompts[tx.NationalID]++
		known[tx.TransID] = tx.NationalID
	}
	for person, n := range prompts {
		if n > begins[person] {
			w.breach(person, "%d prompts for %d beginnings", n, begins[person])
		}
	}
	sent := map[string]int{} // rows of which the product does not say that nothing was sent
	for _, n := range rows {
		if n.outcome != unsent {
			sent[n.person]++
		}
	}
	for person, n := range prompts {
		if n > sent[person] {
			w.breach(person, "%d prompts, but the product says that it sent %d at most", n, sent[person])
		}
	}

	for _, n := range rows {
		a, acted := acts[n.transID]
		latest := a.at
		if disturbed.After(latest) {
			latest = disturbed
		}
		switch {
		case n.state != done:
			w.breach(n.person, "%s never ended: %s, followed by %s", n.id, n.state, n.owner)
			for _, r := range w.replicas {
				if r != nil && r.name == n.owner {
					w.note(n.person, "%s: %+v", r.name, r.poller.Stats())
				}
			}
		case n.outcome == verified && (!acted || a.what != verified || a.person != n.person || known[n.transID] != n.person):
			w.breach(n.person, "verified without an approval")
		case n.outcome == verified && (strangers[n.person] || n.shownAs != n.person):
			w.breach(n.person, "verified with the details of somebody else")
		case acted && a.what == verified && !strangers[n.person] && n.outcome != verified:
			w.breach(n.person, "approved after %s, but the product says %q", a.at.Sub(w.began).Round(time.Second), n.outcome)
		case acted && a.what == verified && n.doneAt.Sub(latest) > bound:
			w.breach(n.person, "approved, and verified only %s after the last disturbance", n.doneAt.Sub(latest).Round(time.Second))
		case acted && a.what == rejected && n.outcome != rejected:
			w.breach(n.person, "rejected, but the product says %q", n.outcome)
		case n.outcome == unsent && !errors.Is(n.err, nafath.ErrClosed) && !w.creationsFail() && !w.leaseOfTheDead(n.err):
			w.breach(n.person, "%s was given up unsent for no reason: %v", n.id, n.err)
		}
	}
	for id, n := range handled {
		if n > 1 && len(w.plan.stores) == 0 { // a store that lost its keys cannot tell
			w.breach("", "delivery %s was handled %d times", id, n)
		}
	}
	w.checkCalls()
	w.checkMemory()
	for _, op := range []string{nafathtest.OpRequest, nafathtest.OpStatus, nafathtest.OpDetails} {
		if n, most := w.fake.Limited(op), w.mayBeLimited(op); n > most {
			w.breach("", "%d calls of %s were over the limit, where %d may be", n, op, most)
		}
	}
}

// checkCalls looks at what the provider was asked, where nothing went wrong that
// would explain more.
func (w *world) checkCalls() {
	p := w.plan
	restarts := len(p.crashes) + len(p.deploys)
	denied := 0 // faults that cost tokens
	vain := 0   // requests of a process without a token while the endpoint fails: it asks more than once a second
	for _, f := range p.faults {
		of, _, _ := strings.Cut(f.kind, "-")
		if f.kind == "revoke" || strings.Contains(f.kind, "401") || of == "token" {
			denied++
		}
		if of == "token" {
			vain += int(f.length / (675 * time.Millisecond))
		}
	}
	// A token serves a process for its life; each that is refused costs another.
	lives := int(time.Since(w.began)/p.token) + 2
	most := (p.replicas+restarts)*2*lives + (12*denied+vain)*p.replicas
	if n := w.fake.Count(nafathtest.OpToken); n > most {
		w.breach("", "%d tokens were fetched, where %d suffice", n, most)
	}
	if denied > 0 {
		return
	}
	// What is held back on its way, or waits for a store, may outlive its token.
	held := len(p.stores) > 0 || slices.ContainsFunc(p.faults, func(f planned) bool { return strings.HasSuffix(f.kind, "-slow") })
	if n := w.denied.Load(); n > 0 && !held {
		w.breach("", "%d requests had a token that was dead", n)
	}
	w.checkFloor()
	if len(p.faults)+restarts > 0 || p.foreign {
		return
	}
	completed := 0
	for _, a := range w.acts {
		if a.what == verified {
			completed++
		}
	}
	if n := w.fake.Count(nafathtest.OpDetails); n > completed {
		w.breach("", "%d calls for details of %d approved verifications", n, completed)
	}
}

// checkFloor looks for two checks of one transaction that came too fast.
func (w *world) checkFloor() {
	const floor = 2*time.Second - 10*time.Millisecond
	last := map[string]time.Time{}
	for _, r := range w.fake.Requests(nafathtest.OpStatus) {
		var body struct{ TransID string }
		if json.Unmarshal(r.Body, &body) != nil || body.TransID == "" {
			continue
		}
		if at, ok := last[body.TransID]; ok && r.Time.Sub(at) < floor {
			w.breach("", "a transaction was checked again after %s", r.Time.Sub(at))
			return
		}
		last[body.TransID] = r.Time
	}
}

// creationsFail reports whether something in the plan makes a creation fail before
// the provider accepts it. A 429 does not: the product waits and asks again. Nor does
// a token that is revoked, but for two of them: a call is sent again once. There are
// two after a second revocation, and where the shared store lost one.
func (w *world) creationsFail() bool {
	revoked := 0
	for _, f := range w.plan.faults {
		of, _, _ := strings.Cut(f.kind, "-")
		if f.kind == "revoke" {
			revoked++
		}
		if revoked > 1 || revoked > 0 && len(w.plan.stores) > 0 || of == "token" || of == "all" || of == "request" && f.kind != "request-429" {
			return true
		}
	}
	return false
}

// leaseOfTheDead reports whether a person is said to have a verification elsewhere,
// and that may be because a process ended without giving its lease back.
func (w *world) leaseOfTheDead(err error) bool {
	return w.plan.budget && errors.Is(err, kyckit.ErrConflict) && len(w.plan.crashes)+len(w.plan.stores) > 0
}

// mayBeLimited is how many calls may come over the limit: any, where somebody else
// uses the tenant; a few creations after a restart, since a process cannot know what
// the last one used, where nothing is shared.
func (w *world) mayBeLimited(op string) int {
	for _, f := range w.plan.faults {
		if f.kind == "request-429" {
			return math.MaxInt
		}
	}
	switch {
	case w.plan.foreign:
		return math.MaxInt
	case op == nafathtest.OpRequest && !w.plan.budget:
		return 4 * (len(w.plan.crashes) + len(w.plan.deploys))
	default:
		return 0
	}
}

// checkLeaks looks for what must be in no log, error, trace or shared store.
func (w *world) checkLeaks() {
	text := w.records.text()
	w.mu.Lock()
	text += strings.Join(w.errors, "\n")
	w.mu.Unlock()
	if w.shared != nil {
		text += w.shared.redis.Dump()
	}
	planted := []string{plantedName, nafathtest.ClientSecret, w.hookSecret, "fake-token-"}
	for person := range w.begins {
		planted = append(planted, person)
	}
	for _, tx := range w.fake.Transactions() {
		planted = append(planted, tx.TransID)
	}
	for _, p := range planted {
		if i := strings.Index(text, p); i >= 0 {
			w.breach("", "a log, an error, a trace or the store shows %q: …%s…", p, text[max(0, i-80):min(len(text), i+len(p)+20)])
		}
	}
}

// checkMemory looks for what pollers still hold when everything has ended.
func (w *world) checkMemory() {
	if !w.settled() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.replicas {
		if r == nil {
			continue
		}
		if s := r.poller.Stats(); s.Pending+s.InFlight+s.Queued+s.Details > 0 {
			w.breaches = append(w.breaches, breach{"", fmt.Sprintf("%s holds what has ended: %+v", r.name, s)})
		}
	}
}

// checkRest looks for what stays in the shared store for ever.
func (w *world) checkRest() {
	if w.shared == nil {
		return
	}
	longest := time.Duration(0)
	for _, key := range w.shared.redis.Keys() {
		left := w.shared.redis.TTL(key)
		if left == 0 {
			w.breach("", "a key of the store never expires: %q", key)
		}
		longest = max(longest, left)
	}
	time.Sleep(longest + time.Second)
	if keys := w.shared.redis.Keys(); len(keys) > 0 {
		w.breach("", "the store still holds %d keys", len(keys))
	}
}
