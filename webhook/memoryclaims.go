package webhook

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"sync"
	"time"

	"github.com/kyckit/kyckit"
)

// defaultMaxEntries bounds the in-memory claims to some 10 MB.
const defaultMaxEntries = 65536

// MemoryClaimsConfig configures NewMemoryClaims. The zero value is a good
// default.
type MemoryClaimsConfig struct {
	// MaxEntries is how many deliveries are remembered. Zero or less means
	// 65,536, which takes about 10 MB. When it is full the handled delivery
	// that would be forgotten first is forgotten early; a delivery in progress
	// never is. With nothing but deliveries in progress, a new one is refused
	// as kyckit.ErrUnavailable, so that its sender tries again.
	MaxEntries int
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// NewMemoryClaims returns Claims that live in this process: they end with it
// and other replicas do not see them. They own no goroutine and are safe for
// concurrent use.
func NewMemoryClaims(cfg MemoryClaimsConfig) Claims {
	if cfg.MaxEntries <= 0 {
		cfg.MaxEntries = defaultMaxEntries
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &memoryClaims{max: cfg.MaxEntries, now: cfg.Now, entries: map[claimKey]*memoryClaim{}, lines: map[lineKey]*claimLine{}}
}

// claimKey is a key that cannot fill the memory: a long one becomes its hash.
type claimKey string

const maxKey = 80

func newClaimKey(key string) claimKey {
	if len(key) <= maxKey {
		return claimKey(key)
	}
	sum := sha256.Sum256([]byte(key))
	return claimKey("#" + hex.EncodeToString(sum[:]) + "#" + strconv.Itoa(len(key)))
}

type memoryClaims struct {
	mu      sync.Mutex
	max     int
	now     func() time.Time
	entries map[claimKey]*memoryClaim
	lines   map[lineKey]*claimLine
}

// lineKey names a line of entries that end in the order in which they came,
// because all last equally long. A handler makes two: one for its lease, one
// for what it keeps.
type lineKey struct {
	committed bool
	lasts     time.Duration
}

// claimLine is a doubly linked list with its own entry as both ends.
type claimLine struct{ ends memoryClaim }

// memoryClaim is one entry, and the Claim of who made it.
type memoryClaim struct {
	owner      *memoryClaims
	key        claimKey
	until      time.Time
	line       lineKey
	prev, next *memoryClaim
}

// Claim implements Claims.
func (m *memoryClaims) Claim(ctx context.Context, key string, lease time.Duration) (Claim, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	k := newClaimKey(key)
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.expire(now)
	if c := m.entries[k]; c != nil {
		if c.line.committed {
			return nil, ErrDuplicate
		}
		return nil, ErrInProgress
	}
	if !m.room() {
		return nil, &kyckit.Error{Provider: provider, Op: "claim", Kind: kyckit.ErrUnavailable, Reason: "too many deliveries in progress"}
	}
	c := &memoryClaim{owner: m, key: k}
	m.add(c, lineKey{false, lease}, now)
	return c, nil
}

// room makes room for one entry.
func (m *memoryClaims) room() bool {
	if len(m.entries) < m.max {
		return true
	}
	var first *memoryClaim
	for key, line := range m.lines {
		if c := line.ends.next; key.committed && (first == nil || c.until.Before(first.until)) {
			first = c
		}
	}
	if first == nil {
		return false
	}
	m.remove(first)
	return true
}

// expire forgets what is over. Every entry is forgotten once, so its cost is
// paid by the call that made it.
func (m *memoryClaims) expire(now time.Time) {
	for _, line := range m.lines {
		for c := line.ends.next; c != &line.ends && !now.Before(c.until); c = line.ends.next {
			m.remove(c)
		}
	}
}

// add puts an entry at the end of a line.
func (m *memoryClaims) add(c *memoryClaim, key lineKey, now time.Time) {
	line := m.lines[key]
	if line == nil {
		line = &claimLine{}
		line.ends.prev, line.ends.next = &line.ends, &line.ends
		m.lines[key] = line
	}
	c.line, c.until = key, now.Add(key.lasts)
	c.prev, c.next = line.ends.prev, &line.ends
	c.prev.next, c.next.prev = c, c
	m.entries[c.key] = c
}

// remove forgets an entry, and its line with the last one.
func (m *memoryClaims) remove(c *memoryClaim) {
	c.prev.next, c.next.prev = c.next, c.prev
	if line := m.lines[c.line]; line.ends.next == &line.ends {
		delete(m.lines, c.line)
	}
	c.prev, c.next = nil, nil
	delete(m.entries, c.key)
}

// Commit implements Claim. It fails as ErrInProgress or ErrDuplicate when the
// lease has run out and another caller has taken the delivery meanwhile.
func (c *memoryClaim) Commit(_ context.Context, keep time.Duration) error {
	m := c.owner
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	switch held := m.entries[c.key]; {
	case held == c && !c.line.committed:
		m.remove(c)
	case held == c:
		return ErrDuplicate
	case held != nil && held.line.committed:
		return ErrDuplicate
	case held != nil:
		return ErrInProgress
	default: // the lease ran out, and nobody else came
		if !m.room() {
			return &kyckit.Error{Provider: provider, Op: "claim", Kind: kyckit.ErrUnavailable, Reason: "too many deliveries in progress"}
		}
	}
	m.add(c, lineKey{true, keep}, now)
	return nil
}

// Release implements Claim. It does nothing when the lease has run out.
func (c *memoryClaim) Release(context.Context) error {
	m := c.owner
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries[c.key] == c && !c.line.committed {
		m.remove(c)
	}
	return nil
}
