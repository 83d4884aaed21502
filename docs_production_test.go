package kyckit_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
	"github.com/kyckit/kyckit/webhook"
)

// What docs/production.md shows.
func shutDown(ctx context.Context, patience time.Duration, poller *nafath.Poller, server *http.Server, queue *webhook.Queue) error {
	draining, cancel := context.WithTimeout(ctx, patience) // less than the orchestrator allows
	defer cancel()
	err := poller.Drain(draining)
	if errors.Is(err, context.DeadlineExceeded) {
		err = nil // some are open: they are stored, and the next process continues them
	}
	return errors.Join(err, server.Shutdown(ctx), queue.Shutdown(ctx))
}

// One person answers while the process drains, another one later, to the next
// process.
func TestTheProductionGuideShutsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := nafathtest.NewServer(nafathtest.Config{Options: kyctest.Options{InMemory: true}})
		defer fake.Close()
		client, err := nafath.New(fake.ClientConfig())
		require.NoError(t, err)
		start := func() *nafath.Poller {
			poller, err := nafath.NewPoller(nafath.PollerConfig{Client: client})
			require.NoError(t, err)
			return poller
		}
		old := start()
		queue, err := webhook.NewQueue(webhook.QueueConfig{})
		require.NoError(t, err)
		soon, err := old.Request(t.Context(), "1000000008")
		require.NoError(t, err)
		late, err := old.Request(t.Context(), "2000000006")
		require.NoError(t, err)
		handle, err := old.Continue(soon)
		require.NoError(t, err)
		time.AfterFunc(20*time.Second, func() { assert.NoError(t, fake.Approve(soon.TransID, soon.Random)) })

		began := time.Now()
		require.NoError(t, shutDown(t.Context(), time.Minute, old, &http.Server{ReadHeaderTimeout: time.Second}, queue))
		assert.InDelta(t, time.Minute, time.Since(began), float64(time.Second))
		_, err = handle.Wait(t.Context())
		require.NoError(t, err)
		_, err = old.Begin("1000000008")
		require.ErrorIs(t, err, nafath.ErrClosed)

		next := start()
		defer func() { require.NoError(t, next.Close()) }()
		require.NoError(t, fake.Approve(late.TransID, late.Random))
		details, err := next.Resume(t.Context(), late)
		require.NoError(t, err)
		assert.Equal(t, "2000000006", details.IDNumber)
	})
}
