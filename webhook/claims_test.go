package webhook

import (
	"context"
	"crypto/sha256"
	"math"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
)

func TestMemoryClaims(t *testing.T) {
	ctx, now := context.Background(), time.Unix(0, 0)
	m := NewMemoryClaims(MemoryClaimsConfig{Now: func() time.Time { return now }})
	c, err := m.Claim(ctx, "a", time.Minute)
	require.NoError(t, err)
	_, err = m.Claim(ctx, "a", time.Minute)
	require.ErrorIs(t, err, ErrInProgress)
	require.NoError(t, c.Release(ctx))
	c, err = m.Claim(ctx, "a", time.Minute)
	require.NoError(t, err)
	require.NoError(t, c.Commit(ctx, time.Hour))
	_, err = m.Claim(ctx, "a", time.Minute)
	require.ErrorIs(t, err, ErrDuplicate)
	require.NoError(t, c.Release(ctx), "too late to give it back")
	_, err = m.Claim(ctx, "a", time.Minute)
	require.ErrorIs(t, err, ErrDuplicate)
	now = now.Add(time.Hour)
	_, err = m.Claim(ctx, "a", time.Minute)
	require.NoError(t, err)
}

// TestMemoryClaimsForever: a time to keep that reaches beyond the count of
// nanoseconds since 1970 must not end in the past.
func TestMemoryClaimsForever(t *testing.T) {
	ctx := context.Background()
	for _, forever := range []time.Duration{math.MaxInt64, 250 * 365 * 24 * time.Hour} {
		m := NewMemoryClaims(MemoryClaimsConfig{})
		c, err := m.Claim(ctx, "a", forever)
		require.NoError(t, err)
		_, err = m.Claim(ctx, "a", forever)
		require.ErrorIs(t, err, ErrInProgress)
		require.NoError(t, c.Commit(ctx, forever))
		_, err = m.Claim(ctx, "a", forever)
		require.ErrorIs(t, err, ErrDuplicate)
	}
}

func TestMemoryClaimsLease(t *testing.T) {
	ctx, now := context.Background(), time.Unix(0, 0)
	m := NewMemoryClaims(MemoryClaimsConfig{Now: func() time.Time { return now }})
	slow, err := m.Claim(ctx, "a", time.Minute)
	require.NoError(t, err)
	now = now.Add(time.Minute)
	other, err := m.Claim(ctx, "a", time.Minute)
	require.NoError(t, err)
	require.NoError(t, slow.Release(ctx), "somebody else holds it now")
	require.ErrorIs(t, slow.Commit(ctx, time.Hour), ErrInProgress)
	_, err = m.Claim(ctx, "a", time.Minute)
	require.ErrorIs(t, err, ErrInProgress)
	require.NoError(t, other.Commit(ctx, time.Hour))
	require.ErrorIs(t, slow.Commit(ctx, time.Hour), ErrDuplicate)

	slow, err = m.Claim(ctx, "b", time.Minute)
	require.NoError(t, err)
	now = now.Add(2 * time.Minute)
	_, _ = m.Claim(ctx, "c", time.Minute) // forgets what is over
	require.NoError(t, slow.Commit(ctx, time.Hour), "nobody else came")
	_, err = m.Claim(ctx, "b", time.Minute)
	require.ErrorIs(t, err, ErrDuplicate)
}

// claimsStore returns a store with a clock that the test sets.
func claimsStore(max int, now *time.Time) (m *memoryClaims, events *[]ClaimsEvent) {
	events = new([]ClaimsEvent)
	cfg := MemoryClaimsConfig{MaxEntries: max, Now: func() time.Time { return *now }, OnEvent: func(e ClaimsEvent) { *events = append(*events, e) }}
	return NewMemoryClaims(cfg).(*memoryClaims), events
}

// handled claims and commits a key as a handler does with a delivery.
func handled(m *memoryClaims, key string, keep time.Duration) error {
	c, err := m.Claim(context.Background(), key, time.Minute)
	if err != nil {
		return err
	}
	return c.(*memoryClaim).commit(keep, true)
}

// Its place may belong to another delivery by the time it is recorded.
func TestACommitAfterTheLeaseWhosePlaceIsTaken(t *testing.T) {
	now := time.Unix(0, 0)
	m, _ := claimsStore(1, &now)
	late, err := m.Claim(t.Context(), "late", time.Minute)
	require.NoError(t, err)
	now = now.Add(time.Minute)
	require.NoError(t, handled(m, "another", time.Minute))
	require.ErrorIs(t, handled(m, "another", time.Minute), ErrDuplicate)
	now = now.Add(time.Minute)
	require.NoError(t, late.Commit(t.Context(), time.Hour), "nobody else came for it")
	require.ErrorIs(t, handled(m, "late", time.Minute), ErrDuplicate)
}

func TestMemoryClaimsAreBounded(t *testing.T) {
	ctx, now := context.Background(), time.Unix(0, 0)
	m, events := claimsStore(10, &now)
	for i := range 100 {
		now = now.Add(time.Second)
		require.NoError(t, handled(m, strconv.Itoa(i), time.Hour))
		require.LessOrEqual(t, m.used, 10)
		require.LessOrEqual(t, len(m.entries), 11)
	}
	require.Equal(t, slices.Repeat([]ClaimsEvent{ClaimsForgotten}, 90), *events, "each is told")
	for i := range 10 {
		require.ErrorIs(t, handled(m, strconv.Itoa(90+i), time.Hour), ErrDuplicate, "the one that was handled first goes first")
	}
	*events = nil
	for i := range 10 {
		_, err := m.Claim(ctx, "p"+strconv.Itoa(i), time.Hour)
		require.NoError(t, err)
	}
	require.Len(t, *events, 10)
	_, err := m.Claim(ctx, "one more", time.Hour)
	require.ErrorIs(t, err, kyckit.ErrUnavailable)
	require.Equal(t, ClaimsFull, (*events)[10])
	_, err = m.Claim(ctx, "p0", time.Hour)
	require.ErrorIs(t, err, ErrInProgress, "a delivery in progress is never forgotten")

	*events = nil
	now = now.Add(2 * time.Hour)
	for i := range 10 {
		_, err = m.Claim(ctx, "n"+strconv.Itoa(i), time.Hour)
		require.NoError(t, err)
	}
	require.Empty(t, *events, "to forget what is over is no event")
	require.Equal(t, 10, m.used)

	// Deliveries that end leave nothing behind them that grows.
	for i := range 1000 {
		now = now.Add(time.Hour)
		require.NoError(t, handled(m, strconv.Itoa(i%3), time.Minute))
		require.LessOrEqual(t, m.used, 10)
		require.LessOrEqual(t, len(m.entries), 11)
	}
	require.Empty(t, *events)
}

// TestUsedStaysUsed: what somebody else than a handler has committed, such as
// an attestation that let a person in, is not pushed out by deliveries.
func TestUsedStaysUsed(t *testing.T) {
	ctx, now := context.Background(), time.Unix(0, 0)
	m, events := claimsStore(10, &now)
	use := func(key string) error {
		c, err := m.Claim(ctx, key, 5*time.Minute)
		if err != nil {
			return err
		}
		return c.Commit(ctx, 5*time.Minute)
	}
	require.NoError(t, use("attempt"))
	h := newHandler(t, HandlerConfig{Claims: m})
	for i := range 1000 {
		require.Equal(t, 200, post(h, `{"n":`+strconv.Itoa(i)+`}`).Code)
		require.ErrorIs(t, use("attempt"), ErrDuplicate)
	}
	require.Len(t, *events, 991)
	for i := range 9 {
		require.NoError(t, use("attempt "+strconv.Itoa(i)), "a delivery makes room")
	}
	// With nothing but used ones, everything new is refused, and that is told.
	*events = nil
	require.ErrorIs(t, use("one more"), kyckit.ErrUnavailable)
	w := post(h, `{"n":"new"}`)
	require.Equal(t, 503, w.Code)
	require.NotEmpty(t, w.Header().Get("Retry-After"))
	require.Equal(t, []ClaimsEvent{ClaimsFull, ClaimsFull}, *events)
	require.ErrorIs(t, use("attempt"), ErrDuplicate)
	now = now.Add(5 * time.Minute)
	require.NoError(t, use("one more"))
	require.NoError(t, use("attempt"), "its time is over")
}

// TestAClockThatJumps: a clock that is set ahead and back must not make anybody
// forget what was handled.
func TestAClockThatJumps(t *testing.T) {
	ctx, now := context.Background(), time.Unix(0, 0)
	for _, full := range []bool{false, true} {
		m, _ := claimsStore(10, &now)
		for i := range 9 {
			require.NoError(t, handled(m, strconv.Itoa(i), time.Hour))
		}
		if full {
			require.NoError(t, handled(m, "9", time.Hour))
		}
		now = now.Add(1000 * time.Hour)
		require.NoError(t, handled(m, "meanwhile", time.Hour))
		now = now.Add(-1000 * time.Hour)
		forgotten := -1
		for i := range 9 {
			sum := sha256.Sum256([]byte(strconv.Itoa(i)))
			if place, _ := m.find((*claimKey)(sum[:16])); place == 0 {
				require.Equal(t, -1, forgotten, "at most the one that had to make room is forgotten")
				forgotten = i
				continue
			}
			_, err := m.Claim(ctx, strconv.Itoa(i), time.Minute)
			require.ErrorIs(t, err, ErrDuplicate)
		}
		require.True(t, full || forgotten < 0)
	}
	// With the clock of the system the monotonic part counts.
	synctest.Test(t, func(t *testing.T) {
		m := NewMemoryClaims(MemoryClaimsConfig{}).(*memoryClaims)
		require.NoError(t, handled(m, "a", time.Hour))
		time.Sleep(time.Hour - 1)
		require.ErrorIs(t, handled(m, "a", time.Hour), ErrDuplicate)
		time.Sleep(time.Nanosecond)
		require.NoError(t, handled(m, "a", time.Hour))
	})
}

// TestClaimsEventsMayPanicOrAsk: the hook runs without the store's lock.
func TestClaimsEventsMayPanicOrAsk(t *testing.T) {
	ctx := context.Background()
	var m Claims
	asked := 0
	m = NewMemoryClaims(MemoryClaimsConfig{MaxEntries: 1, OnEvent: func(ClaimsEvent) {
		asked++
		_, err := m.Claim(ctx, "a", time.Minute)
		assert.ErrorIs(t, err, ErrInProgress)
		panic("hook")
	}})
	_, err := m.Claim(ctx, "a", time.Minute)
	require.NoError(t, err)
	_, err = m.Claim(ctx, "b", time.Minute)
	require.ErrorIs(t, err, kyckit.ErrUnavailable)
	require.Equal(t, 1, asked)
}

// TestMemoryClaimsSize holds what the comment of MaxEntries says.
func TestMemoryClaimsSize(t *testing.T) {
	m := NewMemoryClaims(MemoryClaimsConfig{}).(*memoryClaims)
	size := func() uint64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	before := size()
	for i := range defaultMaxEntries {
		require.NoError(t, handled(m, strconv.Itoa(i), time.Hour))
	}
	got := float64(size()-before) / 1e6
	t.Logf("%.1f MB", got)
	assert.Less(t, got, 5.5)
	runtime.KeepAlive(m)
}
