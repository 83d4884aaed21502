package nafathtest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
)

// A person may answer before the caller knows of the verification, and is
// prompted even if the caller never learns of it.
func TestOnPrompt(t *testing.T) {
	var fake *nafathtest.Server
	var prompted []nafath.Transaction
	fake = nafathtest.NewServer(nafathtest.Config{
		ClientID: "another", ClientSecret: "another secret",
		OnPrompt: func(tx nafath.Transaction) {
			prompted = append(prompted, tx)
			assert.NoError(t, fake.Approve(tx.TransID, tx.Random))
		},
	})
	defer fake.Close()
	assert.Equal(t, "another", fake.TokenConfig().ClientID)
	c := client(t, fake)
	tx, err := c.Request(t.Context(), citizen)
	require.NoError(t, err)
	status, err := c.Status(t.Context(), tx)
	require.NoError(t, err)
	assert.Equal(t, nafath.StatusCompleted, status)
	fake.Fail(nafathtest.OpRequest, 1, kyctest.Fault{LoseAnswer: true})
	_, err = c.Request(t.Context(), citizen)
	require.ErrorIs(t, err, kyckit.ErrOutcomeUnknown)
	assert.Equal(t, fake.Transactions(), prompted)
	assert.Len(t, prompted, 2)
}
