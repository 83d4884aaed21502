package webhook

import (
	"container/heap"
	"context"
	"crypto/sha256"
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
	return &memoryClaims{max: cfg.MaxEntries, now: cfg.Now, entries: map[claimKey]*memoryClaim{}}
}

// claimKey has a fixed size, so that long keys cannot fill the memory, and
// holds no personal data that a key may contain.
type claimKey [sha256.Size]byte

type memoryClaims struct {
	mu       sync.Mutex
	max      int
	now      func() time.Time
	entries  map[claimKey]*memoryClaim
	handled  claimHeap
	progress claimHeap
}

// memoryClaim is one entry, and the Claim of who made it.
type memoryClaim struct {
	owner     *memoryClaims
	key       claimKey
	until     time.Time
	committed bool
	index     int // in its heap, -1 when it is in none
}

// Claim implements Claims.
func (m *memoryClaims) Claim(ctx context.Context, key string, lease time.Duration) (Claim, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	k := claimKey(sha256.Sum256([]byte(key)))
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.expire(now)
	if c := m.entries[k]; c != nil {
		if c.committed {
			return nil, ErrDuplicate
		}
		return nil, ErrInProgress
	}
	if !m.room() {
		return nil, &kyckit.Error{Provider: provider, Op: "claim", Kind: kyckit.ErrUnavailable, Reason: "too many deliveries in progress"}
	}
	c := &memoryClaim{owner: m, key: k, until: now.Add(lease)}
	m.entries[k] = c
	heap.Push(&m.progress, c)
	return c, nil
}

// room makes room for one entry.
func (m *memoryClaims) room() bool {
	if len(m.entries) < m.max {
		return true
	}
	if len(m.handled) == 0 {
		return false
	}
	m.remove(m.handled[0])
	return true
}

// expire forgets what is over. Every entry is forgotten once, so its cost is
// paid by the call that made it.
func (m *memoryClaims) expire(now time.Time) {
	for _, h := range []*claimHeap{&m.handled, &m.progress} {
		for len(*h) > 0 && !now.Before((*h)[0].until) {
			m.remove((*h)[0])
		}
	}
}

func (m *memoryClaims) remove(c *memoryClaim) {
	if c.index >= 0 {
		heap.Remove(m.heapOf(c), c.index)
	}
	delete(m.entries, c.key)
}

func (m *memoryClaims) heapOf(c *memoryClaim) *claimHeap {
	if c.committed {
		return &m.handled
	}
	return &m.progress
}

// Commit implements Claim. It fails as ErrInProgress or ErrDuplicate when the
// lease has run out and another caller has taken the delivery meanwhile.
func (c *memoryClaim) Commit(_ context.Context, keep time.Duration) error {
	m := c.owner
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	switch held := m.entries[c.key]; {
	case held == c && !c.committed:
		heap.Remove(&m.progress, c.index)
	case held == c:
		return ErrDuplicate
	case held != nil && held.committed:
		return ErrDuplicate
	case held != nil:
		return ErrInProgress
	default: // the lease ran out, and nobody else came
		if !m.room() {
			return &kyckit.Error{Provider: provider, Op: "claim", Kind: kyckit.ErrUnavailable, Reason: "too many deliveries in progress"}
		}
		m.entries[c.key] = c
	}
	c.committed, c.until = true, now.Add(keep)
	heap.Push(&m.handled, c)
	return nil
}

// Release implements Claim. It does nothing when the lease has run out.
func (c *memoryClaim) Release(context.Context) error {
	m := c.owner
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries[c.key] == c && !c.committed {
		m.remove(c)
	}
	return nil
}

// claimHeap orders entries by when they end.
type claimHeap []*memoryClaim

func (h claimHeap) Len() int           { return len(h) }
func (h claimHeap) Less(i, j int) bool { return h[i].until.Before(h[j].until) }
func (h claimHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *claimHeap) Push(x any) {
	c := x.(*memoryClaim)
	c.index = len(*h)
	*h = append(*h, c)
}

func (h *claimHeap) Pop() any {
	old := *h
	c := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	c.index = -1
	return c
}
