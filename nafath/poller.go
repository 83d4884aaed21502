package nafath

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/poll"
	"github.com/kyckit/kyckit/internal/transport"
)

// ErrClosed is what a Poller answers after Close, and what its Close ends open
// waits with.
var ErrClosed = errors.New("poller closed")

const (
	// drainTime is how long Close lets calls in flight finish, and closeTime how
	// long it waits at all: a callback may block for ever.
	drainTime = 5 * time.Second
	closeTime = 8 * time.Second
)

// Poller serves all verifications of a tenant within the tenant's limits. Use
// one per tenant and process. All methods are safe for concurrent use.
//
// At rest it owns no goroutine, except one each for PollerConfig.Budget and
// Signals. While verifications are open, one goroutine with one timer serves
// them all; each call in flight has a goroutine, and so has each verification
// that waits in the queue of Begin.
type Poller struct {
	kyckit.Redacted
	s *state // a pointer, so that printing a Poller by value shows nothing
}

// state is a Poller's inside.
type state struct {
	cfg      PollerConfig
	epoch    time.Time // the zero of all times; carries the monotonic clock
	seed     maphash.Seed
	requests *poll.Gate
	details  *poll.Gate

	life    context.Context // of calls that serve every caller who waits, and so hang on nobody's context
	kill    context.CancelFunc
	wake    chan struct{} // something may be due earlier than the loop thinks
	stop    chan struct{} // closed by Close
	closed  chan struct{} // closed when Close is done
	idle    chan struct{} // closed when Drain finds nothing left
	working sync.WaitGroup

	replicas *replicas // these three nil for a Poller that shares nothing
	leases   *leases
	signals  *signals

	mu       sync.Mutex
	stopped  bool
	draining bool
	looping  bool
	busy     int // verifications that have not ended, in whatever stage
	limits   Limits
	sched    *poll.Scheduler[*entry]
	queued   map[*poll.Ticket]*entry // creations that are not answered
	open     map[string]*entry       // by folded TransID
	kept     map[string]*entry       // the same; their details are on the way, or came a short while ago
	memory   memory
	people   people
	news     news
	early    earlyHints
	finished uint64
	strays   uint64
}

// NewPoller validates cfg and returns a Poller. The error is a *kyckit.Error
// of kind ErrInvalid that names the field. Close it when done.
func NewPoller(cfg PollerConfig) (*Poller, error) {
	cfg, err := cfg.validate()
	if err != nil {
		return nil, err
	}
	s := &state{
		cfg:    cfg,
		epoch:  time.Now(),
		seed:   maphash.MakeSeed(),
		wake:   make(chan struct{}, 1),
		stop:   make(chan struct{}),
		closed: make(chan struct{}),
		idle:   make(chan struct{}),
		queued: map[*poll.Ticket]*entry{},
		open:   map[string]*entry{},
		kept:   map[string]*entry{},
		memory: newMemory(cfg.Remember),
		people: newPeople(),
	}
	s.life, s.kill = context.WithCancel(context.Background()) //nolint:forbidigo // see life
	requests := poll.NewWindow(cfg.Limits.Requests, poll.Eager, 0)
	requests.Believe = 10 * time.Minute // nobody's approval is waiting to be noticed
	details := poll.NewWindow(cfg.Limits.Details, poll.Eager, 0)
	if cfg.Fresh {
		requests.Unused()
		details.Unused()
	}
	s.requests = poll.NewGate(requests, poll.GateConfig{Now: s.now, MaxQueue: cfg.queueFor(cfg.Limits.Requests), Moved: s.moved})
	s.details = poll.NewGate(details, poll.GateConfig{Now: s.now})
	s.sched = poll.NewScheduler[*entry](poll.Config{
		Limit:     cfg.Limits.StatusChecks,
		Floor:     cfg.MinInterval,
		MaxFlight: cfg.Limits.flight(),
	}, 0)
	s.limits = cfg.Limits
	if cfg.Budget != nil {
		s.replicas, s.leases = newReplicas(s), newLeases(s)
		s.working.Go(s.replicas.run)
	}
	if cfg.Signals != nil {
		s.signals = newSignals(s)
	}
	return &Poller{s: s}, nil
}

// inside returns a Poller's state, or an error for one that NewPoller did not
// make.
func (p *Poller) inside(op string) (*state, error) {
	if p == nil || p.s == nil {
		return nil, transport.InputError(provider, op, "the Poller was not made by NewPoller")
	}
	return p.s, nil
}

// now is the time since the Poller was made, by the monotonic clock.
func (p *state) now() time.Duration { return time.Since(p.epoch) }

// SetLimits changes the tenant's limits at run time, for example when the
// provider grants more. Calls of the last minute count against the new limits.
// Zero fields mean the documented limits. The error is of kind ErrInvalid.
func (p *Poller) SetLimits(l Limits) error {
	s, err := p.inside("set limits")
	if err != nil {
		return err
	}
	if l, err = l.validate(); err != nil {
		return err
	}
	s.requests.SetLimit(l.Requests, s.cfg.queueFor(l.Requests))
	s.details.SetLimit(l.Details, 0)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits = l
	s.sched.SetLimit(s.now(), l.StatusChecks, l.flight())
	s.kick()
	return nil
}

// Drain ends the Poller without losing what is open, for a shutdown: call it
// before your HTTP server's Shutdown, or beside it. From now on nobody is
// prompted: Begin and Request answer ErrClosed, and so end those that wait in the
// queue. Creations in flight and open verifications are served until they have
// ended or ctx ends, then Drain calls Close. The error is the context's when
// open verifications were left, which the next process continues.
func (p *Poller) Drain(ctx context.Context) error {
	s, err := p.inside("drain")
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.draining = true
	s.settled()
	s.mu.Unlock()
	s.requests.Close()
	left := error(nil)
	select {
	case <-s.idle:
	case <-s.stop:
	case <-ctx.Done():
		s.mu.Lock()
		if s.busy > 0 {
			left = &kyckit.Error{Provider: provider, Op: "drain", Kind: ctx.Err(), Reason: "some verifications are still open"}
		}
		s.mu.Unlock()
	}
	return errors.Join(left, p.Close()) //nolint:contextcheck // what is open is served on no caller's context
}

// settled tells Drain when nothing is left.
func (p *state) settled() {
	if p.draining && p.busy == 0 {
		select {
		case <-p.idle:
		default:
			close(p.idle)
		}
	}
}

// Close ends the Poller: no further check is made, open waits end with
// ErrClosed, and calls that are queued for a slot fail with it. Calls in
// flight may finish for up to 5 s, so that an answer on its way is not lost; a
// creation of Request is not broken off at all. Close returns when the Poller's
// goroutines have ended and the callbacks were told everything, or after 8 s
// when a callback blocks. A second Close waits for the first. The error is nil
// unless the Poller was not made by NewPoller.
func (p *Poller) Close() error {
	s, err := p.inside("close")
	if err != nil {
		return err
	}
	s.close()
	return nil
}

func (p *state) close() {
	p.mu.Lock()
	if p.stopped {
		p.mu.Unlock()
		<-p.closed
		return
	}
	p.stopped = true
	for _, e := range p.open {
		if !e.calling {
			p.settle(e, e.status, errClosed("wait"))
		}
	}
	p.mu.Unlock()
	close(p.stop)
	p.requests.Close()
	p.details.Close()
	p.signals.close()

	ended := make(chan struct{})
	go func() {
		p.working.Wait()
		close(ended)
	}()
	defer time.AfterFunc(drainTime, p.kill).Stop()
	late := time.NewTimer(closeTime)
	defer late.Stop()
	select {
	case <-ended:
	case <-late.C:
	}
	p.kill()
	p.mu.Lock()
	for _, e := range p.kept {
		p.drop(e)
	}
	p.mu.Unlock()
	close(p.closed)
}

func errClosed(op string) *kyckit.Error {
	return &kyckit.Error{Provider: provider, Op: op, Kind: ErrClosed}
}
