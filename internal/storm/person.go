package storm

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/kyckit/kyckit/nafath"
)

// patience is how long a person looks at a page.
const patience = 14 * time.Minute

// ring is the phone: the provider calls it for each prompt.
func (w *world) ring(tx nafath.Transaction) {
	w.mu.Lock()
	w.phones[tx.NationalID] = append(w.phones[tx.NationalID], tx)
	w.mu.Unlock()
	w.note(tx.NationalID, "the phone rings")
}

// prompt returns the prompt with the number that the page shows.
func (w *world) prompt(nationalID, code string) (nafath.Transaction, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, tx := range w.phones[nationalID] {
		if tx.Random == code {
			return tx, true
		}
	}
	return nafath.Transaction{}, false
}

// person lives one person's story.
func (w *world) person(i int, id string) {
	r := rand.New(rand.NewPCG(w.plan.seed, 1000+uint64(i)))
	chance := func(p float64) bool { return r.Float64() < p }
	if !w.sleep(time.Duration(r.Float64() * float64(w.plan.arriving))) {
		return
	}
	if chance(w.plan.stranger) {
		w.note(id, "the provider takes this person for another")
		w.mu.Lock()
		w.strangers[id] = true
		w.mu.Unlock()
		w.stranger(id, nationalIDs(1000)[999])
	}
	if chance(w.plan.victim) {
		// Somebody else enters this id. Nobody reads that page; the prompt is ignored.
		_ = w.enter(fmt.Sprintf("attacker-%d", i), id)
		w.note(id, "somebody else began with this id")
		if !w.sleep(time.Duration(r.Float64() * float64(20*time.Second))) {
			return
		}
	}
	for visit := range 3 {
		session := fmt.Sprintf("session-%d-%d", i, visit)
		clicks := 1
		if chance(w.plan.doubleClick) {
			clicks = 3
		}
		if !w.click(session, id, clicks) {
			w.sleep(20 * time.Second)
			continue
		}
		outcome := w.watch(r, session, id)
		w.note(id, "the page ends with %q", outcome)
		if !chance(w.plan.comeBack) || !w.sleep(10*time.Second) {
			return
		}
	}
}

// click sends the form, some people more than once, and reports whether one was
// accepted.
func (w *world) click(session, id string, times int) bool {
	errs := make(chan error, times)
	for range times {
		w.people.Go(func() { errs <- w.enter(session, id) })
	}
	accepted := 0
	for range times {
		err := <-errs
		w.saw(err)
		if err == nil {
			accepted++
		}
	}
	w.note(id, "clicked %d times, %d accepted", times, accepted)
	if accepted > 1 && !w.creationsFail() { // one that fails at once makes room for the next
		w.breach(id, "%d clicks at once were accepted", accepted)
	}
	return accepted > 0
}

// enter sends the form to some living process.
func (w *world) enter(session, id string) error {
	replica := w.any()
	if replica == nil {
		return errDead
	}
	return replica.begin(session, id)
}

// watch is the person in front of the page, with the phone.
func (w *world) watch(r *rand.Rand, session, id string) (outcome string) {
	answered, until := false, time.Now().Add(patience)
	for time.Now().Before(until) {
		page, ok := w.store.page(session)
		switch {
		case !ok:
			return "gone"
		case page.state == done:
			return page.outcome
		case page.state == opened && !answered:
			tx, ok := w.prompt(id, page.code)
			if !ok {
				w.breach(id, "the page shows a number that is on no phone")
				return "wrong number"
			}
			answered = true
			what, think := verified, thinks(r, w.plan.think)
			if r.Float64() < w.plan.reject {
				what = rejected
			}
			if r.Float64() >= w.plan.ignore {
				w.people.Go(func() { w.answer(tx, what, think) })
			}
		}
		if !w.sleep(time.Second) {
			return "the world ended"
		}
	}
	return "lost patience"
}

// answer thinks, and approves or rejects.
func (w *world) answer(tx nafath.Transaction, what string, think time.Duration) {
	if !w.sleep(think) {
		return
	}
	w.acted(tx, what) // the record first: the answer may be noticed at the same instant
	var err error
	if what == rejected {
		err = w.fake.Reject(tx.TransID)
	} else {
		err = w.fake.Approve(tx.TransID, tx.Random)
	}
	if err != nil { // too late
		w.acted(tx, "")
	}
}

// acted records what a person did on the phone. It is what the checks believe.
func (w *world) acted(tx nafath.Transaction, what string) {
	w.mu.Lock()
	if what == "" {
		delete(w.acts, tx.TransID)
	} else {
		w.acts[tx.TransID] = act{what, time.Now(), tx.NationalID}
	}
	w.mu.Unlock()
	if what != "" {
		w.note(tx.NationalID, "on the phone: %s", what)
	}
}

type act struct {
	what   string
	at     time.Time
	person string
}
