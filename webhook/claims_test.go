package webhook

import (
	"context"
	"math"
	"strconv"
	"testing"
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

func TestMemoryClaimsAreBounded(t *testing.T) {
	ctx, now := context.Background(), time.Unix(0, 0)
	m := NewMemoryClaims(MemoryClaimsConfig{MaxEntries: 10, Now: func() time.Time { return now }}).(*memoryClaims)
	for i := range 100 {
		now = now.Add(time.Second)
		c, err := m.Claim(ctx, strconv.Itoa(i), time.Hour)
		require.NoError(t, err)
		require.NoError(t, c.Commit(ctx, time.Hour))
		require.LessOrEqual(t, len(m.entries), 10)
	}
	_, err := m.Claim(ctx, "99", time.Hour)
	require.ErrorIs(t, err, ErrDuplicate)
	for i := range 10 {
		_, err := m.Claim(ctx, "p"+strconv.Itoa(i), time.Hour)
		require.NoError(t, err)
	}
	_, err = m.Claim(ctx, "one more", time.Hour)
	require.ErrorIs(t, err, kyckit.ErrUnavailable)
	_, err = m.Claim(ctx, "p0", time.Hour)
	require.ErrorIs(t, err, ErrInProgress, "a delivery in progress is never forgotten")
	now = now.Add(2 * time.Hour)
	_, err = m.Claim(ctx, "one more", time.Hour)
	require.NoError(t, err)
	assert.Len(t, m.entries, 1)
	assert.LessOrEqual(t, len(m.slots), 11, "places are used again")
	for i := range 100 {
		_, err := m.Claim(ctx, "l"+strconv.Itoa(i), time.Duration(i))
		require.NoError(t, err)
		now = now.Add(time.Hour)
	}
	assert.LessOrEqual(t, len(m.lines), 3, "and lines")
}
