package nafath

import (
	"context"
	"iter"
	"time"

	"github.com/kyckit/kyckit"
)

// Progress is what a user interface may show of an open verification.
type Progress struct {
	// Status is the last status seen; "" before the first answer.
	Status Status
	// Checks is how many checks were made.
	Checks int
	// LastCheck is when the last one was answered; zero before it.
	LastCheck time.Time
	// Failure is the last check's error, nil when it went well. A failed check
	// does not end a verification.
	Failure error
	// Done says that nothing follows: Status is final, or an error came along.
	Done bool
}

// Watch follows a verification: it yields the present state at once and a new
// one after each check, the last with Done set. Its error is nil until the
// verification ends without a final status, and then that of Wait. A slow
// reader misses states in between, never the last, and delays nobody.
func (p *Poller) Watch(ctx context.Context, tx Transaction) iter.Seq2[Progress, error] {
	return func(yield func(Progress, error) bool) {
		p.mu.Lock()
		e, status, err := p.track(tx)
		if e == nil {
			p.mu.Unlock()
			yield(Progress{Status: status, Done: true}, err)
			return
		}
		news := make(chan struct{}, 1)
		e.watchers = append(e.watchers, news)
		p.mu.Unlock()
		defer p.unwatch(e, news)
		for {
			now, err := p.progress(e)
			if !yield(now, err) || now.Done {
				return
			}
			select {
			case <-news:
			case <-ctx.Done():
				now, _ = p.progress(e)
				now.Done = true
				yield(now, &kyckit.Error{Provider: provider, Op: "wait", Kind: ctx.Err()})
				return
			}
		}
	}
}

func (p *state) progress(e *entry) (Progress, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := Progress{Status: e.status, Checks: e.checks, Failure: e.failure, Done: e.ended}
	if e.checks > 0 {
		now.LastCheck = p.epoch.Add(e.checked)
	}
	return now, e.err
}

func (p *state) unwatch(e *entry, news chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, w := range e.watchers {
		if w == news {
			e.watchers = append(e.watchers[:i], e.watchers[i+1:]...)
			return
		}
	}
}

// tell wakes those who watch the entry.
func (e *entry) tell() {
	for _, w := range e.watchers {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

// change files a status that was seen.
func (p *state) change(e *entry, status Status) {
	if e.status == status {
		return
	}
	e.status = status
	if p.cfg.OnStatus != nil {
		p.announce(note{tx: e.tx, status: status})
	}
}

// tellTime is how long a wait that is over lets the callbacks go first.
const tellTime = 100 * time.Millisecond

// told waits until the callbacks know that e ended, but not for slow ones.
func (p *state) told(e *entry) {
	if e.told == nil {
		return
	}
	timer := time.NewTimer(tellTime)
	defer timer.Stop()
	select {
	case <-e.told:
	case <-timer.C:
	}
}

// note is one call of OnStatus or, at the end, of OnEnd.
type note struct {
	tx     Transaction
	status Status
	err    error
	told   chan struct{} // closed when it was delivered; set on the last note
}

// news queues notes for the callbacks.
type news struct {
	queue   []note
	telling bool
}

// maxNews bounds the notes that are not final. Final ones, of which there is
// one a verification, are always kept.
const maxNews = 4096

// announce queues a note and sees to it that somebody delivers it. The
// goroutine that does lasts as long as there are notes.
func (p *state) announce(n note) {
	if n.told == nil && !n.status.Terminal() && len(p.news.queue) >= maxNews {
		return
	}
	p.news.queue = append(p.news.queue, n)
	if !p.news.telling {
		p.news.telling = true
		p.working.Go(p.deliver)
	}
}

func (p *state) deliver() {
	for {
		p.mu.Lock()
		batch := p.news.queue
		p.news.queue = nil
		if len(batch) == 0 {
			p.news.telling = false
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		for _, n := range batch {
			switch {
			case n.told == nil:
				p.cfg.OnStatus(n.tx, n.status)
			case p.cfg.OnEnd != nil:
				p.cfg.OnEnd(n.tx, n.status, n.err)
			}
			if n.told != nil {
				close(n.told)
			}
		}
	}
}

// Stats is a snapshot of a Poller for dashboards.
type Stats struct {
	Pending  int    // open verifications
	InFlight int    // checks in flight
	Queued   int    // requests waiting for a slot
	Checks   uint64 // checks sent so far
	Finished uint64 // verifications that left the Poller so far
	Hints    uint64 // hints for open verifications so far

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
	// Delay estimates how long ago people had answered when it was noticed, as
	// a moving average; zero before the first.
	Delay time.Duration
}

// Stats returns a snapshot.
func (p *Poller) Stats() Stats {
	queued, rate, limited := p.requests.Stats()
	_, _, limitedDetails := p.details.Stats()
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.sched.Stats(p.now())
	return Stats{
		Pending:     s.Pending,
		InFlight:    s.InFlight,
		Queued:      queued,
		Checks:      s.Checks,
		Finished:    p.finished,
		Hints:       s.Hints,
		Rate:        s.Rate,
		RequestRate: rate,
		Saving:      s.Saving,
		RateLimited: s.RateLimited + limited + limitedDetails,
		Delay:       s.Delay,
	}
}
