package webhook

import (
	"context"
	"crypto/sha256"
	"math"
	"sync"
	"time"

	"github.com/kyckit/kyckit"
)

// defaultMaxEntries bounds the in-memory claims to some 6 MB.
const (
	defaultMaxEntries = 65536
	maxMaxEntries     = 1 << 28
)

// MemoryClaimsConfig configures NewMemoryClaims. The zero value is a good
// default.
type MemoryClaimsConfig struct {
	// MaxEntries is how many deliveries are remembered, at most 268 million.
	// Zero or less means 65,536, which takes about 6 MB. When it is full the
	// handled delivery that would be forgotten first is forgotten early; a
	// delivery in progress never is. With nothing but deliveries in progress, a
	// new one is refused as kyckit.ErrUnavailable, so that its sender tries
	// again.
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
	cfg.MaxEntries = min(cfg.MaxEntries, maxMaxEntries)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &memoryClaims{max: cfg.MaxEntries, now: cfg.Now, entries: map[claimKey]int32{}, slots: make([]claimSlot, 1)}
}

// claimKey is the start of a key's SHA-256: of one size, so that long keys
// cannot fill the memory, and without the personal data a key may hold.
type claimKey [16]byte

// memoryClaims keeps its entries in one slice without pointers, which the
// garbage collector need not look through: with tens of thousands of entries
// that would cost more than all the rest of handling a delivery.
type memoryClaims struct {
	mu      sync.Mutex
	max     int
	now     func() time.Time
	entries map[claimKey]int32 // index into slots
	slots   []claimSlot        // the first one is not used: index 0 means none
	free    int32              // the first of the free slots, linked by next
	lines   []claimLine
}

// claimSlot is the place of one entry.
type claimSlot struct {
	key        claimKey
	line       int32  // index into lines
	until      int64  // Unix nanoseconds
	turn       uint32 // counts the entries that had this place
	prev, next int32
}

// claimLine is a doubly linked list of entries that end in the order in which
// they came, because all last equally long. A handler makes two: one for its
// lease, one for what it keeps.
type claimLine struct {
	lasts       time.Duration
	committed   bool
	first, last int32
}

// line returns the index of the line for entries that last so long. A line that
// is empty serves for any.
func (m *memoryClaims) line(lasts time.Duration, committed bool) int32 {
	empty := -1
	for i := range m.lines {
		switch l := &m.lines[i]; {
		case l.lasts == lasts && l.committed == committed:
			return int32(i)
		case l.first == 0:
			empty = i
		}
	}
	if empty < 0 {
		empty = len(m.lines)
		m.lines = append(m.lines, claimLine{})
	}
	m.lines[empty] = claimLine{lasts: lasts, committed: committed}
	return int32(empty)
}

func (m *memoryClaims) committed(i int32) bool { return m.lines[m.slots[i].line].committed }

// memoryClaim is one entry taken. It is good as long as its place has not
// changed hands.
type memoryClaim struct {
	owner *memoryClaims
	key   claimKey
	slot  int32
	turn  uint32
}

// Claim implements Claims.
func (m *memoryClaims) Claim(ctx context.Context, key string, lease time.Duration) (Claim, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(key))
	c := &memoryClaim{owner: m, key: claimKey(sum[:16])}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.expire(now)
	if i, ok := m.entries[c.key]; ok {
		if m.committed(i) {
			return nil, ErrDuplicate
		}
		return nil, ErrInProgress
	}
	if !m.room() {
		return nil, errClaimsFull()
	}
	m.add(c, m.line(lease, false), now)
	return c, nil
}

func errClaimsFull() error {
	return &kyckit.Error{Provider: provider, Op: "claim", Kind: kyckit.ErrUnavailable, Reason: "too many deliveries in progress"}
}

// room makes room for one entry.
func (m *memoryClaims) room() bool {
	if len(m.entries) < m.max {
		return true
	}
	var oldest int32
	for _, line := range m.lines {
		if line.first != 0 && line.committed && (oldest == 0 || m.slots[line.first].until < m.slots[oldest].until) {
			oldest = line.first
		}
	}
	if oldest == 0 {
		return false
	}
	m.remove(oldest)
	return true
}

// expire forgets what is over. Every entry is forgotten once, so its cost is
// paid by the call that made it.
func (m *memoryClaims) expire(now time.Time) {
	at := now.UnixNano()
	for i := range m.lines {
		for line := &m.lines[i]; line.first != 0 && m.slots[line.first].until <= at; {
			m.remove(line.first)
		}
	}
}

// add gives a new entry a place at the end of a line.
func (m *memoryClaims) add(c *memoryClaim, in int32, now time.Time) {
	i := m.free
	if i == 0 {
		i = int32(len(m.slots)) //nolint:gosec // NewMemoryClaims caps the number
		m.slots = append(m.slots, claimSlot{})
	}
	slot := &m.slots[i]
	m.free = slot.next
	slot.key = c.key
	slot.turn++
	c.slot, c.turn = i, slot.turn
	m.entries[c.key] = i
	m.link(i, in, now)
}

// remove forgets an entry.
func (m *memoryClaims) remove(i int32) {
	m.unlink(i)
	slot := &m.slots[i]
	delete(m.entries, slot.key)
	slot.turn++ // whoever held it holds it no more
	slot.next = m.free
	m.free = i
}

// link puts an entry at the end of a line.
func (m *memoryClaims) link(i, in int32, now time.Time) {
	line := &m.lines[in]
	slot := &m.slots[i]
	slot.line, slot.until = in, now.UnixNano()+int64(line.lasts)
	if line.lasts > 0 && slot.until < now.UnixNano() { // longer than the count of nanoseconds goes
		slot.until = math.MaxInt64
	}
	slot.prev, slot.next = line.last, 0
	if line.last == 0 {
		line.first = i
	} else {
		m.slots[line.last].next = i
	}
	line.last = i
}

// unlink takes an entry out of its line.
func (m *memoryClaims) unlink(i int32) {
	slot := &m.slots[i]
	line := &m.lines[slot.line]
	if slot.prev == 0 {
		line.first = slot.next
	} else {
		m.slots[slot.prev].next = slot.next
	}
	if slot.next == 0 {
		line.last = slot.prev
	} else {
		m.slots[slot.next].prev = slot.prev
	}
}

// held reports whether the claim's entry is still its own.
func (c *memoryClaim) held() bool { return c.owner.slots[c.slot].turn == c.turn }

// Commit implements Claim. It fails as ErrInProgress or ErrDuplicate when the
// lease has run out and another caller has taken the delivery meanwhile.
func (c *memoryClaim) Commit(_ context.Context, keep time.Duration) error {
	m := c.owner
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if i, ok := m.entries[c.key]; ok {
		switch {
		case m.committed(i):
			return ErrDuplicate
		case !c.held():
			return ErrInProgress
		}
		m.unlink(i)
		m.link(i, m.line(keep, true), now)
		return nil
	}
	if !m.room() { // the lease ran out, and nobody else came
		return errClaimsFull()
	}
	m.add(c, m.line(keep, true), now)
	return nil
}

// Release implements Claim. It does nothing when the lease has run out.
func (c *memoryClaim) Release(context.Context) error {
	m := c.owner
	m.mu.Lock()
	defer m.mu.Unlock()
	if c.held() && !m.committed(c.slot) {
		m.remove(c.slot)
	}
	return nil
}
