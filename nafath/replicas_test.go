package nafath_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
)

// ledger is a store that grants what is wanted, once a second for each operation,
// and hangs or fails when told to.
type ledger struct {
	mu      sync.Mutex
	state   string // "", "hangs", "fails"
	bids    []nafath.Bid
	left    []string
	leases  map[string]string
	lasts   []time.Duration          // of the leases that were asked for
	peers   map[string]time.Duration // beside the replica itself, and how long ago each was heard of
	heard   []func([16]byte)
	learned nafath.Learned
}

func (l *ledger) set(state string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state = state
}

// ready waits as long as the store hangs, which no context ends.
func (l *ledger) ready() error {
	for {
		l.mu.Lock()
		state := l.state
		l.mu.Unlock()
		switch state {
		case "":
			return nil
		case "fails":
			return errors.New("no store")
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (l *ledger) Exchange(_ context.Context, bid nafath.Bid) (nafath.Grant, error) {
	if err := l.ready(); err != nil {
		return nafath.Grant{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bids = append(l.bids, bid)
	g := nafath.Grant{Mark: nafath.Mark{Epoch: "e", Count: uint64(len(l.bids))}, Pending: bid.Pending, Peers: map[string]time.Duration{bid.Replica: 0}}
	maps.Copy(g.Peers, l.peers)
	for op, w := range bid.Wants {
		g.Rate[op], g.Wait[op], g.Granted[op] = 60, time.Second, w.Score > 0
	}
	if bid.Learned.Text != "" && bid.Learned.Version == l.learned.Version {
		l.learned = nafath.Learned{Version: uint64(len(l.bids)), Text: bid.Learned.Text}
	}
	if g.Learned.Version = l.learned.Version; g.Learned.Version != bid.Learned.Version {
		g.Learned.Text = l.learned.Text
	}
	return g, nil
}

func (l *ledger) Leave(_ context.Context, replica string) error {
	if err := l.ready(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left = append(l.left, replica)
	return nil
}

func (l *ledger) Hold(_ context.Context, replica, id string, lease time.Duration, take bool) (bool, error) {
	if err := l.ready(); err != nil {
		return false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lasts = append(l.lasts, lease)
	if owner := l.leases[id]; owner != "" && owner != replica && !take {
		return false, nil
	}
	l.leases[id] = replica
	return true, nil
}

func (l *ledger) Free(_ context.Context, replica, id string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leases[id] == replica {
		delete(l.leases, id)
	}
	return nil
}

func (l *ledger) Digest(transID string) (d [16]byte) {
	copy(d[:], transID)
	return d
}

func (l *ledger) Publish(_ context.Context, digest [16]byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, hear := range l.heard {
		go hear(digest)
	}
	return nil
}

func (l *ledger) Subscribe(ctx context.Context, hear func([16]byte)) error {
	l.mu.Lock()
	l.heard = append(l.heard, hear)
	l.mu.Unlock()
	<-ctx.Done()
	return ctx.Err()
}

func (l *ledger) asked() []nafath.Bid {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.bids)
}

func (l *ledger) gone() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.left)
}

func (l *ledger) held() map[string]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.leases)
}

func (l *ledger) owner(id string) string { return l.held()[id] }

// shared runs f with a tenant whose poller is one of four replicas.
func shared(t *testing.T, f func(t *testing.T, tt tenant, l *ledger)) {
	t.Helper()
	l := &ledger{leases: map[string]string{}}
	change := func(cfg *nafath.PollerConfig) { cfg.Budget, cfg.Replicas, cfg.Signals = l, 4, l }
	inTenant(t, nafathtest.Config{}, change, func(t *testing.T, tt tenant) {
		f(t, tt, l)
	})
}

func TestReplicasSpendWhatIsGranted(t *testing.T) {
	shared(t, func(t *testing.T, tt tenant, l *ledger) {
		assert.Empty(t, l.asked(), "NewPoller asks nobody")
		d, err := tt.poller.Verify(t.Context(), citizen, func(tx nafath.Transaction) {
			time.AfterFunc(20*time.Second, func() { assert.NoError(t, tt.Approve(tx.TransID, tx.Random)) })
		})
		require.NoError(t, err)
		assert.Equal(t, citizen, d.IDNumber)
		time.Sleep(2 * time.Second)
		calls := map[nafath.Operation]int{}
		for _, bid := range l.asked() {
			for _, use := range bid.Uses {
				if use.Answered >= 0 && !use.Dropped {
					calls[use.Operation]++
				}
			}
		}
		assert.Equal(t, map[nafath.Operation]int{
			nafath.Requests: 1, nafath.StatusChecks: tt.Count("status"), nafath.DetailReads: 1,
		}, calls, "the others are told of each call")
		assert.Equal(t, 1, tt.poller.Stats().Replicas)
		assert.True(t, tt.poller.Stats().Shared)
		require.NoError(t, tt.poller.Close())
		assert.Equal(t, []string{l.asked()[0].Replica}, l.gone())
		assert.Empty(t, l.held())
	})
}

func TestReplicasLearnTogether(t *testing.T) {
	shared(t, func(t *testing.T, tt tenant, l *ledger) {
		other, err := nafath.NewPoller(nafath.PollerConfig{Client: tt.client, Budget: l, Replicas: 4})
		require.NoError(t, err)
		defer func() { assert.NoError(t, other.Close()) }()
		verify := func(p *nafath.Poller) (told []string) {
			from := len(l.asked())
			_, err := p.Verify(t.Context(), citizen, func(tx nafath.Transaction) {
				time.AfterFunc(20*time.Second, func() { assert.NoError(t, tt.Approve(tx.TransID, tx.Random)) })
			})
			require.NoError(t, err)
			time.Sleep(10 * time.Second)
			for _, bid := range l.asked()[from:] {
				if bid.Learned.Text != "" {
					told = append(told, bid.Learned.Text)
				}
			}
			return told
		}
		first := verify(tt.poller)
		require.Len(t, first, 1, "it is told once, and not by the one that heard it")
		second := verify(other)
		require.Len(t, second, 1)
		assert.NotEqual(t, first, second)
		bids := l.asked()
		assert.Equal(t, bids[len(bids)-1].Learned, bids[len(bids)-2].Learned, "both know the same")

		// What the store lost is told again.
		l.mu.Lock()
		l.learned = nafath.Learned{}
		l.mu.Unlock()
		time.Sleep(10 * time.Second)
		l.mu.Lock()
		assert.Equal(t, second[0], l.learned.Text)
		l.mu.Unlock()
	})
}

func TestAStoreThatHangsOrFailsHoldsNobody(t *testing.T) {
	for _, state := range []string{"hangs", "fails"} {
		var log bytes.Buffer
		l := &ledger{leases: map[string]string{}}
		synctest.Test(t, func(t *testing.T) {
			fake := nafathtest.NewServer(nafathtest.Config{Options: kyctest.Options{InMemory: true}})
			defer fake.Close()
			cfg := fake.ClientConfig()
			cfg.HTTP.Logger = slog.New(slog.NewTextHandler(&log, nil))
			client, err := nafath.New(cfg)
			require.NoError(t, err)
			poller, err := nafath.NewPoller(nafath.PollerConfig{Client: client, Budget: l, Replicas: 4})
			require.NoError(t, err)
			time.Sleep(5 * time.Second)
			require.False(t, poller.Stats().Fallback)
			l.set(state)
			lost := time.Now()
			for !poller.Stats().Fallback {
				time.Sleep(50 * time.Millisecond)
			}
			assert.LessOrEqual(t, time.Since(lost), 3500*time.Millisecond)
			begin := time.Now()
			tx, err := poller.Request(t.Context(), citizen)
			require.NoError(t, err)
			assert.Less(t, time.Since(begin), 35*time.Second, "10 a minute for 4 are 2 for each, from a step on")
			require.NoError(t, fake.Approve(tx.TransID, tx.Random))
			_, err = poller.Resume(t.Context(), tx)
			require.NoError(t, err)
			l.set("")
			time.Sleep(10 * time.Second)
			assert.False(t, poller.Stats().Fallback)
			l.set(state)
			begin = time.Now()
			require.NoError(t, poller.Close())
			assert.LessOrEqual(t, time.Since(begin), time.Second)
			l.set("")
			time.Sleep(time.Second) // for what still hangs
		})
		assert.Equal(t, 2, strings.Count(log.String(), "shared budget"), "one line for each change: %s", log.String())
	}
}

func TestAPersonHasOneOpenVerificationAtAllReplicas(t *testing.T) {
	shared(t, func(t *testing.T, tt tenant, l *ledger) {
		other, err := nafath.NewPoller(nafath.PollerConfig{Client: tt.client, Budget: l, Replicas: 4})
		require.NoError(t, err)
		defer func() { assert.NoError(t, other.Close()) }()
		tx, err := tt.poller.Request(t.Context(), citizen)
		require.NoError(t, err)
		_, err = other.Request(t.Context(), citizen)
		require.ErrorIs(t, err, kyckit.ErrConflict)
		assert.Equal(t, 1, tt.Count("request"))
		v, err := other.Begin(citizen)
		require.NoError(t, err)
		_, err = v.Wait(t.Context())
		require.ErrorIs(t, err, kyckit.ErrConflict)

		// Who continues it has it from then on.
		first := l.owner(citizen)
		_, err = other.Continue(tx)
		require.NoError(t, err)
		time.Sleep(time.Second)
		assert.NotEqual(t, first, l.owner(citizen))
		require.NoError(t, tt.Approve(tx.TransID, tx.Random))
		_, err = other.Resume(t.Context(), tx)
		require.NoError(t, err)
		time.Sleep(time.Second)
		assert.Empty(t, l.held())
	})
}

func TestAWebhookWakesTheReplicaThatWaits(t *testing.T) {
	shared(t, func(t *testing.T, tt tenant, l *ledger) {
		other, err := nafath.NewPoller(nafath.PollerConfig{Client: tt.client, Budget: l, Replicas: 4, Signals: l})
		require.NoError(t, err)
		defer func() { assert.NoError(t, other.Close()) }()
		tx, err := tt.poller.Request(t.Context(), citizen)
		require.NoError(t, err)
		time.Sleep(time.Second)
		other.Notify(strings.ToUpper(tx.TransID))
		time.Sleep(time.Second)
		assert.EqualValues(t, 1, tt.poller.Stats().Hints)
	})
}

func TestReplicasMustBeSaid(t *testing.T) {
	for _, n := range []int{-1, 0, 1001} {
		fake := nafathtest.NewServer(nafathtest.Config{})
		c, err := nafath.New(fake.ClientConfig())
		require.NoError(t, err)
		_, err = nafath.NewPoller(nafath.PollerConfig{Client: c, Budget: &ledger{}, Replicas: n})
		require.ErrorIs(t, err, kyckit.ErrInvalid)
		require.ErrorContains(t, err, "Replicas")
		fake.Close()
	}
}
