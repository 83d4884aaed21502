package nafath

import (
	"log/slog"
	"time"

	"github.com/kyckit/kyckit"
)

// Notice is what metrics may know of one verification that left the Poller. It
// names nobody.
type Notice struct {
	// Status is the final one, or "" when the verification ended without: at its
	// timeout, by Forget, or by Close.
	Status Status
	// Gap is the time between the last two checks, or between the beginning of
	// the watch and the only check: the person acted no longer than that before
	// the last check.
	Gap time.Duration
	// Age is the time since the transaction's CreatedAt.
	Age time.Duration
	// Checks is how many checks were made.
	Checks int
	// Hinted says that a hint came after the last check that found it open.
	Hinted bool
}

// tellTime is how long a wait that is over lets the callbacks be told first.
const tellTime = 100 * time.Millisecond

// told waits until the callbacks know that e ended, for tellTime at most.
func told(e *entry) {
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

// news queues the calls of callbacks.
type news struct {
	queue   []func()
	telling bool
}

// maxNews bounds the calls for a status that is not final. Others, of which there
// are a few for each verification, are always kept.
const maxNews = 4096

// change files a status that was seen.
func (p *state) change(e *entry, status Status) {
	if e.status == status {
		return
	}
	e.status = status
	if !status.Terminal() { // a final one is published when it is filed
		p.publish(e)
	}
	if p.cfg.OnStatus != nil && (status.Terminal() || len(p.news.queue) < maxNews) {
		tx := e.tx
		p.announce(func() { p.cfg.OnStatus(tx, status) })
	}
}

// announceEnd queues the last calls of an entry that was settled.
func (p *state) announceEnd(e *entry) {
	if p.cfg.OnStatus == nil && p.cfg.OnEnd == nil && p.cfg.OnNotice == nil {
		return
	}
	tx, status, err := e.tx, e.status, e.err
	if p.cfg.OnEnd != nil {
		p.announce(func() { p.cfg.OnEnd(tx, status, err) })
	}
	if p.cfg.OnNotice != nil {
		n := Notice{Status: status, Gap: e.gap, Age: p.now() - e.born, Checks: e.checks, Hinted: e.item.Announced()}
		if !status.Terminal() {
			n.Status = ""
		}
		p.announce(func() { p.cfg.OnNotice(n) })
	}
	e.told = make(chan struct{})
	told := e.told
	p.announce(func() { close(told) })
}

// announce queues a call and sees to it that somebody makes it. The goroutine
// that does lasts as long as there are calls.
func (p *state) announce(call func()) {
	p.news.queue = append(p.news.queue, call)
	if !p.news.telling {
		p.news.telling = true
		p.working.Go(p.deliver)
	}
}

// deliver makes the queued calls. A callback that panics or ends its goroutine,
// as a failed check of a test does, stops none of the others.
func (p *state) deliver() {
	all := false
	defer func() {
		if all {
			return
		}
		if recover() != nil {
			p.cfg.Client.log.Error("kyckit: a callback panicked", slog.String("provider", provider))
		}
		p.working.Go(p.deliver)
	}()
	for {
		p.mu.Lock()
		if len(p.news.queue) == 0 {
			p.news.queue, p.news.telling = nil, false
			p.mu.Unlock()
			all = true
			return
		}
		call := p.news.queue[0]
		p.news.queue = p.news.queue[1:]
		p.mu.Unlock()
		call()
	}
}

// shed returns an error without what the provider sent, for keeping: bodies of
// failed checks add up.
func shed(err error) error {
	e, ok := err.(*kyckit.Error) //nolint:errorlint // an error around it is kept as it is
	if !ok {
		return err
	}
	c := e.WithText("", nil)
	c.Err = shed(c.Err)
	return c
}
