package nafath

import (
	"cmp"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/poll"
	"github.com/kyckit/kyckit/internal/redact"
	"github.com/kyckit/kyckit/internal/transport"
)

// ErrClosed is what a Poller answers after Close, and what its Close ends open
// waits with.
var ErrClosed = errors.New("poller closed")

const (
	defaultTimeout     = 5 * time.Minute
	defaultMinInterval = 2 * time.Second
	defaultRemember    = 10_000

	maxLimit = 100_000

	// maxSpan bounds times given by callers, far above any that means something,
	// so that no sum of times overflows.
	maxSpan = 100 * 365 * 24 * time.Hour

	// Checks in flight: half of the limit a minute, which are those of 30 s, so
	// that checks which hang until they time out leave room for others.
	leastFlight = 32
	mostFlight  = 256

	// drainTime is how long Close lets checks in flight finish.
	drainTime = 5 * time.Second
)

// The documented limits a minute.
const (
	documentedRequests     = 10
	documentedStatusChecks = 60
	documentedDetails      = 30
)

// PollerConfig says how a Poller works. Client is required.
type PollerConfig struct {
	// Client makes the calls. Its retry policy is not used: every request
	// counts against the limits, so the Poller decides about each one.
	Client *Client
	// Limits are the tenant's calls a minute; zero fields mean the documented
	// 10, 60 and 30. When several processes share a tenant, give each its part.
	Limits Limits
	// Timeout is how long a verification may stay open, from its CreatedAt on.
	// Zero means 5 minutes, the longest that the provider advises.
	Timeout time.Duration
	// MinInterval is the least time between two checks of one verification, by
	// the provider's clock. One that was restored may just have been checked
	// before the restart, so its first check waits as long. Zero means 2 s, the
	// shortest that the provider advises, or Timeout if that is shorter.
	MinInterval time.Duration
	// Remember is how many finished verifications are kept to answer a late
	// Wait. Zero means 10,000.
	Remember int
	// OnStatus is told the first status of every verification and each change,
	// in order, from a goroutine of its own, and a final one before Wait
	// returns if it takes no longer than 100 ms. It delays no check. While it is
	// very slow, changes that are not final may be skipped. It must not call
	// Close.
	OnStatus func(Transaction, Status)
	// OnEnd is told of every verification that leaves the Poller, after
	// OnStatus and from the same goroutine: with the final status and nil, or
	// with the last one seen and an error that is ErrTimeout or ErrClosed. It
	// is for those who Add transactions without waiting for them.
	OnEnd func(Transaction, Status, error)
}

func (cfg PollerConfig) validate() (PollerConfig, error) {
	if cfg.Client == nil || cfg.Client.http == nil {
		return cfg, transport.ConfigError(provider, "Client", "is required and must come from New")
	}
	for _, f := range []struct {
		name  string
		value *int
		def   int
	}{
		{"Limits.Requests", &cfg.Limits.Requests, documentedRequests},
		{"Limits.StatusChecks", &cfg.Limits.StatusChecks, documentedStatusChecks},
		{"Limits.Details", &cfg.Limits.Details, documentedDetails},
	} {
		*f.value = cmp.Or(*f.value, f.def)
		if *f.value < 0 || *f.value > maxLimit {
			return cfg, transport.ConfigError(provider, f.name, fmt.Sprintf("must be between 1 and %d", maxLimit))
		}
	}
	switch {
	case cfg.Remember < 0:
		return cfg, transport.ConfigError(provider, "Remember", "must not be negative")
	case cfg.Timeout < 0:
		return cfg, transport.ConfigError(provider, "Timeout", "must not be negative")
	case cfg.MinInterval < 0:
		return cfg, transport.ConfigError(provider, "MinInterval", "must not be negative")
	}
	cfg.Remember = cmp.Or(cfg.Remember, defaultRemember)
	cfg.Timeout = min(cmp.Or(cfg.Timeout, defaultTimeout), maxSpan)
	cfg.MinInterval = min(cmp.Or(cfg.MinInterval, min(defaultMinInterval, cfg.Timeout)), maxSpan)
	if cfg.MinInterval > cfg.Timeout {
		return cfg, transport.ConfigError(provider, "MinInterval", "must not exceed Timeout")
	}
	return cfg, nil
}

// Poller serves all verifications of a tenant within the tenant's limits. Use
// one per tenant and process. All methods are safe for concurrent use.
//
// At rest it owns no goroutine. While verifications are open, one goroutine
// with one timer serves them all, and each check in flight has one.
type Poller struct {
	*state // a pointer, so that printing a Poller by value shows nothing
}

// state is a Poller's inside.
type state struct {
	cfg      PollerConfig
	epoch    time.Time // the zero of all times; carries the monotonic clock
	seed     maphash.Seed
	requests *poll.Gate
	details  *poll.Gate

	wake    chan struct{} // something may be due earlier than the loop thinks
	stop    chan struct{} // closed by Close
	closed  chan struct{} // closed when Close is done
	working sync.WaitGroup

	mu       sync.Mutex
	stopped  bool
	looping  bool
	sched    *poll.Scheduler[*entry]
	open     map[string]*entry
	memory   memory
	news     news
	finished uint64
}

// NewPoller validates cfg and returns a Poller. The error is a *kyckit.Error
// of kind ErrInvalid that names the field. Close it when done.
//
// A new Poller spends its limits evenly from its first second, since a
// predecessor that crashed may have used them up.
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
		open:   map[string]*entry{},
		memory: newMemory(cfg.Remember),
	}
	s.requests = poll.NewGate(poll.NewWindow(cfg.Limits.Requests, false, false, 0), s.now)
	s.details = poll.NewGate(poll.NewWindow(cfg.Limits.Details, false, false, 0), s.now)
	s.sched = poll.NewScheduler[*entry](poll.Config{
		Limit:     cfg.Limits.StatusChecks,
		Floor:     cfg.MinInterval,
		MaxFlight: min(mostFlight, max(leastFlight, cfg.Limits.StatusChecks/2)),
	}, 0)
	return &Poller{s}, nil
}

// now is the time since the Poller was made, by the monotonic clock.
func (p *state) now() time.Duration { return time.Since(p.epoch) }

// Close ends the Poller: no further check is made, open waits end with
// ErrClosed, and calls that are queued for a slot fail with it. Checks in
// flight may finish for up to 5 s, so that an answer on its way is not lost. A
// creation in flight is not broken off. Close returns when the Poller's
// goroutines have ended and OnStatus and OnEnd were told everything; a second
// Close waits for the first. The error is always nil.
func (p *Poller) Close() error {
	p.mu.Lock()
	if p.stopped {
		p.mu.Unlock()
		<-p.closed
		return nil
	}
	p.stopped = true
	for _, e := range p.open {
		if !e.checking {
			p.end(e, e.status, errClosed("wait"))
		}
	}
	p.mu.Unlock()
	close(p.stop)
	p.requests.Close()
	p.details.Close()

	p.working.Wait()
	close(p.closed)
	return nil
}

// Format implements fmt.Formatter: nothing of a Poller is printed.
func (Poller) Format(f fmt.State, _ rune) { redact.Format(f, "nafath.Poller") }

// LogValue implements slog.LogValuer: nothing of a Poller is logged.
func (Poller) LogValue() slog.Value { return redact.Value("nafath.Poller") }

func errClosed(op string) *kyckit.Error {
	return &kyckit.Error{Provider: provider, Op: op, Kind: ErrClosed}
}
