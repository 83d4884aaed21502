package cafsmartauth

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/webhook"
)

// store is a webhook.Claims of the test's own that keeps the rules of its
// documentation.
type store struct {
	mu        sync.Mutex
	held      map[string]time.Time // until when
	done      map[string]time.Time
	claimErr  error
	commitErr error
}

func newStore() *store { return &store{held: map[string]time.Time{}, done: map[string]time.Time{}} }

func (s *store) Claim(ctx context.Context, key string, lease time.Duration) (webhook.Claim, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case s.claimErr != nil:
		return nil, s.claimErr
	case s.done[key].After(now):
		return nil, webhook.ErrDuplicate
	case s.held[key].After(now):
		return nil, webhook.ErrInProgress
	}
	s.held[key] = now.Add(lease)
	return &held{s, key}, nil
}

type held struct {
	s   *store
	key string
}

func (h *held) Commit(_ context.Context, keep time.Duration) error {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	if h.s.commitErr != nil {
		return h.s.commitErr
	}
	h.s.done[h.key] = time.Now().Add(keep)
	return nil
}

func (h *held) Release(context.Context) error {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	delete(h.s.held, h.key)
	return nil
}

func TestUseOnceRefusesTheSecondUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, s := range []webhook.Claims{newStore(), webhook.NewMemoryClaims(webhook.MemoryClaimsConfig{})} {
			testSecondUse(t, s)
		}
	})
}

func testSecondUse(t *testing.T, s webhook.Claims) {
	c := newClient(t, func(cfg *Config) { cfg.Leeway = time.Minute })
	token := attestation(good())
	a, err := c.VerifyAttestation(token, want)
	require.NoError(t, err)
	require.NoError(t, UseOnce(t.Context(), s, a))

	// As long as it verifies, it is refused.
	for {
		again, err := c.VerifyAttestation(token, want)
		if err != nil {
			require.ErrorIs(t, err, ErrExpired)
			break
		}
		err = UseOnce(t.Context(), s, again)
		require.ErrorIs(t, err, ErrReplayed)
		require.ErrorIs(t, err, kyckit.ErrConflict)
		time.Sleep(500 * time.Millisecond)
	}
	other := *a
	other.AttemptID = "fa01e0000000000000000002"
	require.NoError(t, UseOnce(t.Context(), s, &other))
}

// TestDeliveriesPushNoAttemptOut: one store in memory may serve the webhooks and
// the attempts, however many deliveries come.
func TestDeliveriesPushNoAttemptOut(t *testing.T) {
	s := webhook.NewMemoryClaims(webhook.MemoryClaimsConfig{MaxEntries: 8})
	a := &Attestation{AttemptID: "fa01e0000000000000000001", ExpiresAt: time.Now().Add(time.Hour)}
	require.NoError(t, UseOnce(t.Context(), s, a))
	h, err := webhook.NewHandler(webhook.HandlerConfig{
		Authenticate: webhook.AuthenticatorFunc(func(*webhook.Delivery) error { return nil }),
		Claims:       s, Handle: func(context.Context, *webhook.Delivery) error { return nil },
	})
	require.NoError(t, err)
	for i := range 100 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(strconv.Itoa(i))))
		require.Equal(t, http.StatusOK, w.Code)
		require.ErrorIs(t, UseOnce(t.Context(), s, a), ErrReplayed)
	}
	for i := range 7 {
		other := *a
		other.AttemptID = strconv.Itoa(i)
		require.NoError(t, UseOnce(t.Context(), s, &other))
	}
	full := *a
	full.AttemptID = "one more"
	require.ErrorIs(t, UseOnce(t.Context(), s, &full), kyckit.ErrUnavailable)
	require.ErrorIs(t, UseOnce(t.Context(), s, a), ErrReplayed)
}

func TestUseOnceLetsOneOfManyIn(t *testing.T) {
	s := newStore()
	a := &Attestation{AttemptID: "x", ExpiresAt: time.Now().Add(time.Minute)}
	var mu sync.Mutex
	var wg sync.WaitGroup
	in := 0
	for range 64 {
		wg.Go(func() {
			if UseOnce(t.Context(), s, a) == nil {
				mu.Lock()
				in++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	assert.Equal(t, 1, in)
}

func TestUseOnceLetsNobodyInWhenTheStoreFails(t *testing.T) {
	a := &Attestation{AttemptID: "x", ExpiresAt: time.Now().Add(time.Minute)}
	s := newStore()
	s.claimErr = errors.New("dial store.internal: key x")
	err := UseOnce(t.Context(), s, a)
	require.ErrorIs(t, err, kyckit.ErrUnavailable)
	assert.NotContains(t, err.Error(), "store.internal")

	// A lost commit leaves it unknown whether the attempt was used: it stays
	// taken.
	s = newStore()
	s.commitErr = errors.New("lost")
	require.ErrorIs(t, UseOnce(t.Context(), s, a), kyckit.ErrUnavailable)
	s.commitErr = nil
	require.ErrorIs(t, UseOnce(t.Context(), s, a), ErrReplayed)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, UseOnce(ctx, newStore(), a), context.Canceled)
	require.ErrorIs(t, UseOnce(t.Context(), nil, a), kyckit.ErrInvalid)
	require.ErrorIs(t, UseOnce(t.Context(), (*silentStore)(nil), a), kyckit.ErrInvalid)
	require.ErrorIs(t, UseOnce(t.Context(), &silentStore{}, a), kyckit.ErrUnavailable)
	require.ErrorIs(t, UseOnce(t.Context(), newStore(), nil), kyckit.ErrInvalid)
	require.ErrorIs(t, UseOnce(t.Context(), newStore(), &Attestation{}), kyckit.ErrInvalid)
}

// silentStore answers with neither a claim nor an error.
type silentStore struct{ failed webhook.Claim }

func (s *silentStore) Claim(context.Context, string, time.Duration) (webhook.Claim, error) {
	return s.failed, nil
}

func TestUseOnceRemembersAnAttestationThatLivesForCenturies(t *testing.T) {
	c := newClient(t)
	for _, s := range []webhook.Claims{newStore(), webhook.NewMemoryClaims(webhook.MemoryClaimsConfig{})} {
		for i, exp := range []int64{4102444800, 9999999999, maxSeconds - 1} {
			claims := with("exp", exp)
			claims["attemptId"] = "attempt-" + strconv.Itoa(i)
			a, err := c.VerifyAttestation(attestation(claims), want)
			require.NoError(t, err)
			require.NoError(t, UseOnce(t.Context(), s, a))
			require.ErrorIs(t, UseOnce(t.Context(), s, a), ErrReplayed, exp)
		}
	}
}

// The store in memory looks through one list for each length of time it is
// asked for; a length of its own for each attempt would make it slow.
func TestUseOnceAsksForFewLengthsOfTime(t *testing.T) {
	seen := map[time.Duration]bool{}
	for life := -time.Minute; life < 3*time.Minute; life += 123456789 {
		keep := keepFor(life)
		seen[keep] = true
		assert.Greater(t, keep, max(life, 0)+maxLeeway)
		assert.LessOrEqual(t, keep, max(life, 0)+maxLeeway+time.Minute)
	}
	assert.LessOrEqual(t, len(seen), 4)
	assert.LessOrEqual(t, keepFor(math.MaxInt64), maxKeep)
	assert.Positive(t, keepFor(math.MinInt64))
}
