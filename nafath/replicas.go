package nafath

import (
	"context"
	"crypto/rand"
	"log/slog"
	"time"

	"github.com/kyckit/kyckit/internal/poll"
)

const (
	// heartbeat is how often a replica is heard of at least.
	heartbeat = time.Second

	// abandonAfter is how long an Exchange is waited for. What comes later is not used.
	abandonAfter = 500 * time.Millisecond

	// mostExchanges bounds the calls of a store that hangs.
	mostExchanges = 4

	// aloneFrom is the time without an answer after which a replica spends its
	// static share. Others must take a replica for silent before: see
	// PollerConfig.Budget.
	aloneFrom = 3 * time.Second

	// leastWait is how long to wait at least for another try where nothing was
	// granted.
	leastWait = 10 * time.Millisecond

	// firstBid keeps NewPoller from contacting the store.
	firstBid = 20 * time.Millisecond
)

// replicas is a Poller's part in a Budget that several processes share.
type replicas struct {
	p     *state
	name  string
	kicks chan struct{}
	heard chan heard

	// Of the goroutine that runs run alone.
	number   uint64
	awaited  uint64        // the Exchange whose answer counts; 0 for none
	asked    time.Duration // when it was asked
	wants    [Operations]Want
	flying   int // calls of Exchange that have not returned
	mark     Mark
	learned  uint64                   // Version of what the replicas learned, as heard last
	peers    map[string]time.Duration // when each was heard of
	owed     time.Duration            // until when calls count that nobody can tell of again
	resend   bool
	offline  bool
	answered time.Duration // when the last answer came
	next     [Operations]time.Duration

	// Under state.mu.
	fallback bool
	live     int
	hinted   bool
}

// heard is what an Exchange came to.
type heard struct {
	number uint64
	grant  Grant
	err    error
}

func newReplicas(p *state) *replicas {
	r := &replicas{p: p, name: rand.Text(), kicks: make(chan struct{}, 1), heard: make(chan heard, mostExchanges), resend: true}
	p.requests.Share(p.cfg.Replicas)
	p.details.Share(p.cfg.Replicas)
	p.sched.Share(0, p.cfg.Replicas)
	return r
}

// kick makes the replica bid soon.
func (r *replicas) kick() {
	if r != nil {
		select {
		case r.kicks <- struct{}{}:
		default:
		}
	}
}

// run bids until the Poller stops. It never waits for the store.
func (r *replicas) run() {
	timer := time.NewTimer(firstBid)
	defer timer.Stop()
	stop, ready := r.p.stop, false
	for {
		select {
		case <-timer.C:
			ready = true
		case <-r.kicks:
		case h := <-r.heard:
			r.take(h)
		case <-stop:
			r.leave()
			return
		}
		now := r.p.now()
		if r.awaited != 0 && now-r.asked >= abandonAfter {
			r.abandon(now)
		}
		if !r.offline && now-r.answered >= aloneFrom {
			r.alone(now)
		}
		wait := firstBid
		if ready {
			wait = r.bid(now)
		}
		if !r.offline {
			wait = min(wait, r.answered+aloneFrom-now)
		}
		timer.Reset(max(wait, time.Millisecond))
	}
}

// bid asks the store if it is time to, and returns how long it is not.
func (r *replicas) bid(now time.Duration) time.Duration {
	switch {
	case r.awaited != 0:
		return min(r.asked+abandonAfter-now, time.Second)
	case r.flying >= mostExchanges:
		return heartbeat
	}
	bid, due := r.compose(now)
	if due > now {
		return due - now
	}
	r.number++
	r.awaited, r.asked = r.number, now
	bid.Number, r.wants = r.number, bid.Wants
	r.report(now, &bid)
	r.tell(now, &bid)
	r.flying++
	go func() { // not among those that Close waits for: the store may hang
		grant, err := r.p.cfg.Budget.Exchange(r.p.life, bid)
		r.heard <- heard{bid.Number, grant, err}
	}()
	return abandonAfter
}

// compose makes a bid and says when it is due.
func (r *replicas) compose(now time.Duration) (bid Bid, due time.Duration) {
	bid = Bid{Replica: r.name, Replicas: r.p.cfg.Replicas, Known: r.mark, Full: r.resend, Peers: map[string]time.Duration{}}
	due = r.asked + heartbeat
	if r.resend && r.asked == 0 {
		due = now
	}
	if r.resend && r.answered >= r.asked { // an answer asks for it
		due = now
	}
	for name, at := range r.peers {
		bid.Peers[name] = now - at
	}
	bid.Owed = max(0, r.owed-now)
	for op, gate := range map[Operation]*poll.Gate{Requests: r.p.requests, DetailReads: r.p.details} {
		gate.Shared(func(_ *poll.Window, waited time.Duration) {
			if waited >= 0 {
				score := waited.Seconds() + 1
				bid.Wants[op] = Want{Score: score, Soon: score + 1, Rest: score}
				due = min(due, r.next[op])
			}
		})
	}
	r.p.mu.Lock()
	defer r.p.mu.Unlock()
	w := r.p.sched.Want(now)
	bid.Wants[StatusChecks] = Want{Score: w.Score, Soon: w.Soon, Rest: w.Rest}
	switch {
	case w.Score > 0:
		due = min(due, r.next[StatusChecks])
	case w.Due > now:
		due = min(due, max(w.Due, r.next[StatusChecks]))
	}
	bid.Pending, bid.Limits = len(r.p.open), r.p.limits
	bid.Hinted, r.hinted = r.hinted, false
	return bid, due
}

// report adds what the others do not know.
func (r *replicas) report(now time.Duration, bid *Bid) {
	add := func(op Operation, w *poll.Window) {
		for _, u := range w.Report(now, bid.Number, bid.Full) {
			use := Use{Operation: op, ID: u.ID, Sent: now - u.Sent, Answered: -1, Dropped: u.Dropped, Limited: u.Limited, Pause: u.Pause}
			if u.Answered >= 0 {
				use.Answered = now - u.Answered
			}
			bid.Uses = append(bid.Uses, use)
		}
	}
	r.windows(add)
}

// tell adds what was learned here.
func (r *replicas) tell(now time.Duration, bid *Bid) {
	r.p.mu.Lock()
	defer r.p.mu.Unlock()
	bid.Learned.Version = r.learned
	bid.Learned.Text, _ = r.p.sched.Tell(now, r.learned == 0)
}

// windows calls f with each shared window.
func (r *replicas) windows(f func(Operation, *poll.Window)) {
	r.p.requests.Shared(func(w *poll.Window, _ time.Duration) { f(Requests, w) })
	r.p.details.Shared(func(w *poll.Window, _ time.Duration) { f(DetailReads, w) })
	r.p.mu.Lock()
	defer r.p.mu.Unlock()
	f(StatusChecks, r.p.sched.Shared())
}

// take files an answer.
func (r *replicas) take(h heard) {
	r.flying--
	now := r.p.now()
	if h.number != r.awaited {
		return // abandoned
	}
	r.awaited = 0
	if h.err != nil {
		r.revoke(now, h.number)
		return
	}
	g := h.grant
	r.answered, r.mark, r.resend, r.offline = now, g.Mark, g.Resend, false
	r.owed = now + g.Owed
	r.peers = map[string]time.Duration{}
	for name, ago := range g.Peers {
		r.peers[name] = now - ago
	}
	r.windows(func(op Operation, w *poll.Window) {
		w.Reported(h.number)
		w.Online(now, true)
		w.Grant(now, h.number, g.Granted[op], g.Rate[op], g.Wait[op])
		r.next[op] = now + g.Wait[op]
		if !g.Granted[op] {
			r.next[op] = max(r.next[op], now+leastWait)
		}
	})
	r.p.mu.Lock()
	r.p.sched.Others(g.Pending)
	if r.learned = g.Learned.Version; g.Learned.Text != "" {
		r.p.sched.Hear(g.Learned.Text)
	}
	r.live = len(g.Peers)
	r.changed(false)
	r.p.mu.Unlock()
	r.p.kick()
}

// abandon gives up an Exchange whose answer takes too long.
func (r *replicas) abandon(now time.Duration) {
	r.revoke(now, r.awaited)
	r.awaited = 0
}

// revoke says that what an Exchange may have granted is not used.
func (r *replicas) revoke(now time.Duration, number uint64) {
	r.windows(func(op Operation, w *poll.Window) {
		if r.wants[op].Score > 0 {
			w.Revoke(now, number)
		}
		r.next[op] = now + abandonAfter
	})
}

// alone goes on with the static share.
func (r *replicas) alone(now time.Duration) {
	r.resend, r.offline = true, true
	r.windows(func(_ Operation, w *poll.Window) { w.Online(now, false) })
	r.p.mu.Lock()
	r.p.sched.Others(0)
	r.changed(true)
	r.p.mu.Unlock()
	r.p.kick()
}

// changed logs when the store is lost and found.
func (r *replicas) changed(fallback bool) {
	if r.fallback == fallback {
		return
	}
	r.fallback = fallback
	log := r.p.cfg.Client.log
	if fallback {
		log.LogAttrs(context.Background(), slog.LevelWarn, "kyckit: the shared budget does not answer: going on with the static share", slog.String("provider", provider), slog.Int("replicas", r.p.cfg.Replicas)) //nolint:forbidigo // nobody's request
	} else {
		log.LogAttrs(context.Background(), slog.LevelInfo, "kyckit: the shared budget answers again", slog.String("provider", provider), slog.Int("replicas", r.live)) //nolint:forbidigo // nobody's request
	}
}

// leave tells the others that this replica ends, without waiting for the store.
func (r *replicas) leave() {
	left := make(chan struct{})
	go func() {
		_ = r.p.cfg.Budget.Leave(context.WithoutCancel(r.p.life), r.name)
		close(left)
	}()
	select {
	case <-left:
	case <-time.After(abandonAfter):
	}
}
