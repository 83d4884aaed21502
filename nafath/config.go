package nafath

import (
	"cmp"
	"fmt"
	"time"

	"github.com/kyckit/kyckit/internal/transport"
)

const (
	defaultTimeout        = 5 * time.Minute
	defaultMinInterval    = 2 * time.Second
	defaultRemember       = 10_000
	defaultAfterRejection = time.Minute

	// resumeGrace is how much older than Timeout a transaction may be that is
	// continued: a process may be down for that long, and a stored time may be
	// that wrong.
	resumeGrace = 24 * time.Hour

	maxLimit    = 100_000
	maxReplicas = 1000

	// The queue of creations holds what the limit serves in an hour: nobody waits
	// longer for a code.
	queueMinutes = 60
	mostQueue    = 1000

	// maxSpan bounds times given by callers, far above any that means something,
	// so that no sum of times overflows.
	maxSpan = 100 * 365 * 24 * time.Hour

	// Checks in flight: half of the limit a minute, which are those of 30 s, so
	// that checks which hang until they time out leave room for others.
	leastFlight = 32
	mostFlight  = 256
)

// The documented limits a minute.
const (
	documentedRequests     = 10
	documentedStatusChecks = 60
	documentedDetails      = 30
)

// Limits are the calls per minute that a tenant may make. A zero field means
// the documented limit.
type Limits struct {
	Requests     int // verifications started; documented: 10
	StatusChecks int // status checks; documented: 60
	Details      int // details read; documented: 30
}

func (l Limits) validate() (Limits, error) {
	for _, f := range []struct {
		name  string
		value *int
		def   int
	}{
		{"Limits.Requests", &l.Requests, documentedRequests},
		{"Limits.StatusChecks", &l.StatusChecks, documentedStatusChecks},
		{"Limits.Details", &l.Details, documentedDetails},
	} {
		*f.value = cmp.Or(*f.value, f.def)
		if *f.value < 0 || *f.value > maxLimit {
			return l, transport.ConfigError(provider, f.name, fmt.Sprintf("must be between 1 and %d", maxLimit))
		}
	}
	return l, nil
}

// flight is how many checks may be in flight at once.
func (l Limits) flight() int { return min(mostFlight, max(leastFlight, l.StatusChecks/2)) }

// PollerConfig says how a Poller works. Client is required.
type PollerConfig struct {
	// Client makes the calls. Its retry policy is not used: every request
	// counts against the limits, so the Poller decides about each one.
	Client *Client
	// Limits are the tenant's calls a minute; zero fields mean the documented
	// 10, 60 and 30. When several processes share a tenant without a Budget, give each its
	// part; with a Budget these stay the tenant's.
	Limits Limits
	// Budget shares Limits with other processes: a call goes to the replica to which it
	// is worth most. Nil means that this Poller has Limits to itself. While the Budget
	// does not answer, the Poller goes on with Limits over Replicas, rounded down, from
	// three seconds on; a limit that is lower than Replicas then permits nothing. A person
	// with an open verification at one replica gets ErrConflict at the others.
	Budget Budget
	// Replicas is the most processes that there can be at once, those that a deployment
	// replaces included. It is required with Budget.
	Replicas int
	// Signals passes webhooks on to the replica that waits for them; nil means that
	// they help only where they land.
	Signals Signals
	// Fresh says that nobody used the tenant's limits within the last minute: the
	// first start ever, or one that is known to come later than that. The first
	// people then get their codes at once. Otherwise a Poller spends its limits
	// evenly in its first minute, since a process that crashed just before may
	// have used them up.
	Fresh bool
	// Timeout is how long a verification may stay open, from its CreatedAt on.
	// Zero means 5 minutes, the longest that the provider advises.
	Timeout time.Duration
	// ResumeWithin is how old a transaction may be that Continue and Resume take,
	// by its CreatedAt. An old approval is no proof that the person is here now.
	// Zero means Timeout and a day.
	ResumeWithin time.Duration
	// MinInterval is the least time between two checks of one verification, by
	// the provider's clock. A restored verification may just have been checked
	// before the restart, so its first check waits as long. Zero means 2 s, the
	// shortest that the provider advises, or Timeout if that is shorter.
	MinInterval time.Duration
	// MaxQueue is how many creations may wait for a slot. Beyond it Begin and
	// Request answer ErrRateLimited at once. Zero means what Limits.Requests
	// serves in an hour, at most 1,000.
	MaxQueue int
	// AfterRejection is how long a person who declined twice in a row, or more
	// often, is not prompted again: Begin and Request answer ErrRateLimited with
	// RetryAfter, and nothing is sent. An approval or an hour forgets. Zero means
	// a minute, a negative time no pause.
	AfterRejection time.Duration
	// Remember is how many finished verifications are kept to answer a late
	// Wait. Zero means 10,000.
	Remember int
	// OnStatus is told the first status of every verification and each change,
	// in order, from a goroutine of its own, and a final status before Wait
	// returns if that takes no longer than 100 ms. It delays no check. While
	// OnStatus is very slow, changes that are not final may be skipped. It must
	// not call Close. A panic in a callback is logged and ends nothing.
	OnStatus func(Transaction, Status)
	// OnEnd is told of every verification that leaves the Poller, after
	// OnStatus and from the same goroutine: with the final status and nil, or
	// with the last status seen and an error that is ErrTimeout or ErrClosed. It
	// is for those who Add transactions without waiting for them.
	OnEnd func(Transaction, Status, error)
	// OnNotice is told the figures of every verification that leaves the Poller,
	// for metrics, after OnEnd and like it.
	OnNotice func(Notice)
}

func (cfg PollerConfig) validate() (PollerConfig, error) {
	if cfg.Client == nil || cfg.Client.http == nil {
		return cfg, transport.ConfigError(provider, "Client", "is required and must come from New")
	}
	switch {
	case cfg.Budget != nil && (cfg.Replicas < 1 || cfg.Replicas > maxReplicas):
		return cfg, transport.ConfigError(provider, "Replicas", fmt.Sprintf("must be between 1 and %d with Budget", maxReplicas))
	case cfg.Budget == nil && cfg.Replicas < 0:
		return cfg, transport.ConfigError(provider, "Replicas", "must not be negative")
	}
	var err error
	if cfg.Limits, err = cfg.Limits.validate(); err != nil {
		return cfg, err
	}
	for _, f := range []struct {
		name  string
		value time.Duration
	}{
		{"Remember", time.Duration(cfg.Remember)},
		{"MaxQueue", time.Duration(cfg.MaxQueue)},
		{"Timeout", cfg.Timeout},
		{"ResumeWithin", cfg.ResumeWithin},
		{"MinInterval", cfg.MinInterval},
	} {
		if f.value < 0 {
			return cfg, transport.ConfigError(provider, f.name, "must not be negative")
		}
	}
	cfg.Remember = cmp.Or(cfg.Remember, defaultRemember)
	cfg.Timeout = min(cmp.Or(cfg.Timeout, defaultTimeout), maxSpan)
	cfg.ResumeWithin = min(cmp.Or(cfg.ResumeWithin, cfg.Timeout+resumeGrace), maxSpan)
	cfg.AfterRejection = min(cmp.Or(cfg.AfterRejection, defaultAfterRejection), forgetRejections)
	cfg.MinInterval = min(cmp.Or(cfg.MinInterval, min(defaultMinInterval, cfg.Timeout)), maxSpan)
	if cfg.MinInterval > cfg.Timeout {
		return cfg, transport.ConfigError(provider, "MinInterval", "must not exceed Timeout")
	}
	return cfg, nil
}

// queueFor is how many creations may wait under a limit a minute.
func (cfg PollerConfig) queueFor(limit int) int {
	return cmp.Or(cfg.MaxQueue, min(mostQueue, queueMinutes*limit))
}
