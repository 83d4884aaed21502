package storm

import (
	"encoding/json"
	"maps"
	"strings"
	"time"

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
		}
	}
	for id, n := range handled {
		if n > 1 && len(w.plan.stores) == 0 { // a store that lost its keys cannot tell
			w.breach("", "delivery %s was handled %d times", id, n)
		}
	}
	w.checkCalls()
	for _, op := range []string{nafathtest.OpRequest, nafathtest.OpStatus, nafathtest.OpDetails} {
		if n := w.fake.Limited(op); n > 0 && !w.othersUse() {
			w.breach("", "%d calls of %s were over the limit", n, op)
		}
	}
}

// checkCalls looks at what the provider was asked, where nothing went wrong that
// would explain more.
func (w *world) checkCalls() {
	p := w.plan
	restarts := len(p.crashes) + len(p.deploys)
	denied := 0 // faults that cost tokens
	for _, f := range p.faults {
		if f.kind == "revoke" || strings.Contains(f.kind, "401") || strings.HasPrefix(f.kind, "token") {
			denied++
		}
	}
	// A token serves a process for its life; each that is refused costs another.
	lives := int(time.Since(w.began)/p.token) + 2
	most := (p.replicas+restarts)*2*lives + 12*denied*p.replicas
	if n := w.fake.Count(nafathtest.OpToken); n > most {
		w.breach("", "%d tokens were fetched, where %d suffice", n, most)
	}
	if denied > 0 {
		return
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

// othersUse reports whether calls over the limit may come: somebody else uses the
// tenant, or a process was started again and cannot know what the last one used,
// because nothing is shared.
func (w *world) othersUse() bool {
	restarted := len(w.plan.crashes)+len(w.plan.deploys) > 0
	for _, f := range w.plan.faults {
		if f.kind == "request-429" {
			return true
		}
	}
	return w.plan.foreign || restarted && !w.plan.budget
}

// checkLeaks looks for what must be in no log and no error.
func (w *world) checkLeaks() {
	text := w.records.text()
	w.mu.Lock()
	text += strings.Join(w.errors, "\n")
	w.mu.Unlock()
	planted := []string{plantedName, nafathtest.ClientSecret, w.hookSecret, "fake-token-"}
	for person := range w.begins {
		planted = append(planted, person)
	}
	for _, tx := range w.fake.Transactions() {
		planted = append(planted, tx.TransID)
	}
	for _, p := range planted {
		if i := strings.Index(text, p); i >= 0 {
			w.breach("", "a log or an error shows %q: …%s…", p, text[max(0, i-80):min(len(text), i+len(p)+20)])
		}
	}
}
