package webhook

import (
	"context"
	"crypto/sha256"
	"math"
	"sync"
	"time"

	"github.com/kyckit/kyckit"
)

const (
	defaultMaxEntries = 65536
	maxMaxEntries     = 1 << 28
)

// MemoryClaimsConfig configures NewMemoryClaims. The zero value is a good
// default.
type MemoryClaimsConfig struct {
	// MaxEntries is how many keys are remembered, at most 268 million. Zero or
	// less means 65,536, which takes about 5 MB.
	MaxEntries int
	// OnEvent, if set, hears of every claim for which there was no room. It must
	// be safe for concurrent use and must not block; a metric and an alarm belong
	// here, since either MaxEntries is too small or somebody sends too much.
	OnEvent func(ClaimsEvent)
	// Now is the clock. Nil means time.Now, of which the monotonic part counts,
	// so that a clock which is set changes nothing.
	Now func() time.Time
}

// ClaimsEvent is what happened for want of room.
type ClaimsEvent string

// The events.
const (
	// ClaimsForgotten: a delivery that was handled was forgotten before its time.
	// A copy of it would be handled again.
	ClaimsForgotten ClaimsEvent = "a handled delivery was forgotten early"
	// ClaimsFull: a claim was refused as kyckit.ErrUnavailable, so that a sender
	// tries again.
	ClaimsFull ClaimsEvent = "a claim was refused"
)

// NewMemoryClaims returns Claims that live in this process: they end with it
// and other replicas do not see them. They own no goroutine and are safe for
// concurrent use.
//
// When there is no room for a key, the delivery that a Handler had handled
// first is forgotten. Nothing else is before its time, be it a delivery in
// progress or what somebody else has committed, such as an attestation that was
// used: with nothing but those, new claims are refused. Behind a wrapper of your
// own a handled delivery cannot be told from those either, so give the store
// room for all that come within HandlerConfig.Keep.
func NewMemoryClaims(cfg MemoryClaimsConfig) Claims {
	if cfg.MaxEntries <= 0 {
		cfg.MaxEntries = defaultMaxEntries
	}
	m := &memoryClaims{
		claimTable: newClaimTable(), max: min(cfg.MaxEntries, maxMaxEntries), onEvent: cfg.OnEvent, soonest: math.MaxInt64,
	}
	if cfg.Now == nil {
		start := time.Now()
		m.now = func() int64 { return int64(time.Since(start)) } // reads one clock where time.Now reads two
	} else {
		start := cfg.Now()
		m.now = func() int64 { return int64(cfg.Now().Sub(start)) }
	}
	return m
}

// memoryClaims forgets nothing just because its time is over, but when it needs
// the room or the key is claimed again: a clock that jumps ahead and back
// empties nothing.
type memoryClaims struct {
	max     int
	onEvent func(ClaimsEvent)
	now     func() int64 // nanoseconds after the start

	mu sync.Mutex
	claimTable
	turn    uint64
	soonest int64 // no entry ends before
	looked  int   // up to here forgetOver has looked
}

// memoryClaim is one key taken. It is good as long as the entry has its turn.
type memoryClaim struct {
	owner *memoryClaims
	key   claimKey
	place int32
	turn  uint64
}

// Claim implements Claims.
func (m *memoryClaims) Claim(ctx context.Context, key string, lease time.Duration) (Claim, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(key))
	c := &memoryClaim{owner: m, key: claimKey(sum[:16])}
	event, err := c.claim(lease)
	m.tell(event)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (c *memoryClaim) claim(lease time.Duration) (ClaimsEvent, error) {
	m := c.owner
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	place, _ := m.find(&c.key)
	if e := &m.entries[place]; e.until > now {
		if e.committed {
			return "", ErrDuplicate
		}
		return "", ErrInProgress
	}
	return m.take(c, place, lease, now, false)
}

// take gives a claim an entry: the one of the same key, which is over, or a new
// one, when there is none and place is zero.
func (m *memoryClaims) take(c *memoryClaim, place int32, lasts time.Duration, now int64, committed bool) (event ClaimsEvent, err error) {
	switch {
	case place != 0:
		m.leave(place)
	case m.used >= m.max && !m.forgetOver(now):
		if event = m.forgetHandled(now); event == ClaimsFull {
			return event, &kyckit.Error{Provider: provider, Op: "claim", Kind: kyckit.ErrUnavailable, Reason: "no room for another key"}
		}
		fallthrough
	default:
		place = m.add(&c.key)
	}
	m.turn++
	c.place, c.turn = place, m.turn
	m.put(c, lasts, now, committed)
	return event, nil
}

func (m *memoryClaims) put(c *memoryClaim, lasts time.Duration, now int64, committed bool) {
	until := now + int64(lasts)
	if lasts > 0 && until < now { // longer than the count of nanoseconds goes
		until = math.MaxInt64
	}
	m.soonest = min(m.soonest, until)
	e := &m.entries[c.place]
	e.until, e.turn, e.committed = until, c.turn, committed
}

// forgetHandled forgets the delivery that was handled first and tells what that
// means.
func (m *memoryClaims) forgetHandled(now int64) ClaimsEvent {
	first := m.entries[0].next
	if first == 0 {
		return ClaimsFull
	}
	over := m.entries[first].until <= now
	m.remove(first)
	if over {
		return ""
	}
	return ClaimsForgotten
}

// forgetOver forgets one entry that is over. It looks for one only when there
// can be one, and goes on from where it was, so that a full store does not look
// through all its entries at each claim.
func (m *memoryClaims) forgetOver(now int64) bool {
	if now < m.soonest {
		return false
	}
	soonest := int64(math.MaxInt64)
	for range m.entries {
		m.looked = (m.looked + 1) % len(m.entries)
		switch e := &m.entries[m.looked]; {
		case e.turn == 0:
		case e.until <= now:
			m.remove(int32(m.looked)) //nolint:gosec // at most maxMaxEntries
			return true
		default:
			soonest = min(soonest, e.until)
		}
	}
	m.soonest = soonest
	return false
}

// tell calls the hook, whose panic must not decide about a delivery.
func (m *memoryClaims) tell(e ClaimsEvent) {
	if e != "" && m.onEvent != nil {
		defer func() { _ = recover() }()
		m.onEvent(e)
	}
}

// Commit implements Claim. It fails as ErrInProgress or ErrDuplicate when the
// lease has run out and another caller has taken the key meanwhile.
func (c *memoryClaim) Commit(_ context.Context, keep time.Duration) error {
	return c.commit(keep, false)
}

// commit is Commit; mayForget says that it is a delivery.
func (c *memoryClaim) commit(keep time.Duration, mayForget bool) error {
	event, err := c.record(keep, mayForget)
	c.owner.tell(event)
	return err
}

func (c *memoryClaim) record(keep time.Duration, mayForget bool) (event ClaimsEvent, err error) {
	m := c.owner
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	place := c.place
	if m.entries[place].turn != c.turn {
		place, _ = m.find(&c.key)
	}
	switch e := &m.entries[place]; {
	case e.turn == c.turn && e.committed: // again, for the answer was lost
		return "", nil
	case e.turn == c.turn:
		m.put(c, keep, now, true)
	case e.until > now && e.committed:
		return "", ErrDuplicate
	case e.until > now:
		return "", ErrInProgress
	default: // the lease ran out, and nobody else came
		if event, err = m.take(c, place, keep, now, true); err != nil {
			return event, err
		}
	}
	if mayForget {
		m.enqueue(c.place)
	}
	return event, nil
}

// Release implements Claim. It does nothing when the key is somebody else's by
// now, or committed.
func (c *memoryClaim) Release(context.Context) error {
	m := c.owner
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := &m.entries[c.place]; e.turn == c.turn && !e.committed {
		m.remove(c.place)
	}
	return nil
}
