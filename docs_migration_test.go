package kyckit_test

import (
	"log"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
)

// What docs/migration.md shows.

type oldRow struct {
	transID, code, nationalID string
	startedAt                 time.Time
}

func takeOver(poller *nafath.Poller, rows []oldRow) {
	var open []nafath.Transaction
	for _, row := range rows {
		open = append(open, nafath.Transaction{
			TransID: row.transID, Random: row.code, NationalID: row.nationalID, CreatedAt: row.startedAt,
		})
	}
	if err := poller.Add(open...); err != nil {
		log.Print(err) // names those that were refused; the others are watched
	}
}

func TestTheMigrationGuideTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := nafathtest.NewServer(nafathtest.Config{Options: kyctest.Options{InMemory: true}})
		defer fake.Close()
		client, err := nafath.New(fake.ClientConfig())
		require.NoError(t, err)
		var rows []oldRow
		for _, id := range []string{"1000000008", "2000000006"} {
			tx, err := client.Request(t.Context(), id) // the old code
			require.NoError(t, err)
			rows = append(rows, oldRow{tx.TransID, tx.Random, tx.NationalID, tx.CreatedAt})
		}

		ends := make(chan nafath.Status, len(rows))
		poller, err := nafath.NewPoller(nafath.PollerConfig{
			Client: client, OnEnd: func(_ nafath.Transaction, s nafath.Status, _ error) { ends <- s },
		})
		require.NoError(t, err)
		defer func() { require.NoError(t, poller.Close()) }()
		takeOver(poller, rows)
		for _, row := range rows {
			require.NoError(t, fake.Approve(row.transID, row.code))
			assert.Equal(t, nafath.StatusCompleted, <-ends)
		}
		assert.Equal(t, len(rows), fake.Count(nafathtest.OpRequest), "no phone rang again")
	})
}
