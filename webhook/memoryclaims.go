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
	// less means 65,536, which takes about 8 MB.
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
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &memoryClaims{
		cfg: cfg, max: min(cfg.MaxEntries, maxMaxEntries), start: cfg.Now(), entries: map[claimKey]claimEntry{}, soonest: math.MaxInt64,
	}
}

// claimKey is the start of a key's SHA-256: of one size, so that long keys
// cannot fill the memory, and without the personal data a key may hold.
type claimKey [16]byte

// claimEntry is what is remembered of a key. It holds no pointer, so the
// garbage collector does not look through the entries.
type claimEntry struct {
	until     int64  // nanoseconds after the start
	turn      uint64 // counts claims, to tell them apart
	committed bool
}

// memoryClaims forgets nothing just because its time is over, but when it needs
// the room or the key is claimed again: a clock that jumps ahead and back
// empties nothing.
type memoryClaims struct {
	cfg   MemoryClaimsConfig
	max   int
	start time.Time

	mu      sync.Mutex
	entries map[claimKey]claimEntry
	turn    uint64
	soonest int64          // no entry ends before
	handled []handledEntry // deliveries, in the order in which they were handled
}

// handledEntry is a delivery that may be forgotten early. It is stale when its
// key was claimed again since.
type handledEntry struct {
	key  claimKey
	turn uint64
}

// memoryClaim is one key taken. It is good as long as the entry has its turn.
type memoryClaim struct {
	owner *memoryClaims
	key   claimKey
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
	if e, ok := m.entries[c.key]; ok && e.until > now {
		if e.committed {
			return "", ErrDuplicate
		}
		return "", ErrInProgress
	}
	return m.add(c, lease, now, false)
}

func (m *memoryClaims) now() int64 { return int64(m.cfg.Now().Sub(m.start)) }

// add gives a claim an entry, in the place of one of the same key that is over.
func (m *memoryClaims) add(c *memoryClaim, lasts time.Duration, now int64, committed bool) (event ClaimsEvent, err error) {
	if _, ok := m.entries[c.key]; !ok && len(m.entries) >= m.max && !m.forgetOver(now) {
		if event = m.forgetHandled(now); event == ClaimsFull {
			return event, &kyckit.Error{Provider: provider, Op: "claim", Kind: kyckit.ErrUnavailable, Reason: "no room for another key"}
		}
	}
	m.turn++
	c.turn = m.turn
	m.put(c, lasts, now, committed)
	return event, nil
}

func (m *memoryClaims) put(c *memoryClaim, lasts time.Duration, now int64, committed bool) {
	until := now + int64(lasts)
	if lasts > 0 && until < now { // longer than the count of nanoseconds goes
		until = math.MaxInt64
	}
	m.soonest = min(m.soonest, until)
	m.entries[c.key] = claimEntry{until: until, turn: c.turn, committed: committed}
}

// forgetHandled forgets the delivery that was handled first and tells what that
// means.
func (m *memoryClaims) forgetHandled(now int64) ClaimsEvent {
	for len(m.handled) > 0 {
		first := m.handled[0]
		m.handled = m.handled[1:]
		switch e, ok := m.entries[first.key]; {
		case !ok || e.turn != first.turn:
		case e.until <= now:
			delete(m.entries, first.key)
			return ""
		default:
			delete(m.entries, first.key)
			return ClaimsForgotten
		}
	}
	return ClaimsFull
}

// forgetOver forgets one entry that is over. It looks for one only when there
// can be one, so that a full store does not look through all its entries at
// each claim.
func (m *memoryClaims) forgetOver(now int64) bool {
	if now < m.soonest {
		return false
	}
	soonest := int64(math.MaxInt64)
	for key, e := range m.entries {
		if e.until <= now {
			delete(m.entries, key)
			return true
		}
		soonest = min(soonest, e.until)
	}
	m.soonest = soonest
	return false
}

// tell calls the hook, whose panic must not decide about a delivery.
func (m *memoryClaims) tell(e ClaimsEvent) {
	if e == "" || m.cfg.OnEvent == nil {
		return
	}
	defer func() { _ = recover() }()
	m.cfg.OnEvent(e)
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
	switch e, ok := m.entries[c.key]; {
	case ok && e.turn == c.turn && e.committed: // again, for the answer was lost
		return "", nil
	case ok && e.turn == c.turn:
		m.put(c, keep, now, true)
	case ok && e.until > now && e.committed:
		return "", ErrDuplicate
	case ok && e.until > now:
		return "", ErrInProgress
	default: // the lease ran out, and nobody else came
		if event, err = m.add(c, keep, now, true); err != nil {
			return event, err
		}
	}
	if mayForget {
		m.noteHandled(c)
	}
	return event, nil
}

// noteHandled puts a delivery behind those that were handled before.
func (m *memoryClaims) noteHandled(c *memoryClaim) {
	if len(m.handled) >= 2*m.max { // at least half are stale
		fresh := make([]handledEntry, 0, 2*m.max)
		for _, h := range m.handled {
			if m.entries[h.key].turn == h.turn {
				fresh = append(fresh, h)
			}
		}
		m.handled = fresh
	}
	m.handled = append(m.handled, handledEntry{c.key, c.turn})
}

// Release implements Claim. It does nothing when the key is somebody else's by
// now, or committed.
func (c *memoryClaim) Release(context.Context) error {
	m := c.owner
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.entries[c.key]; e.turn == c.turn && !e.committed {
		delete(m.entries, c.key)
	}
	return nil
}
