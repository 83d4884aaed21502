package nafath_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
)

func TestPollerConfigIsChecked(t *testing.T) {
	fake := nafathtest.NewServer(nafathtest.Config{})
	defer fake.Close()
	client, err := nafath.New(fake.ClientConfig())
	require.NoError(t, err)
	for field, cfg := range map[string]nafath.PollerConfig{
		"Client":              {},
		"Limits.Requests":     {Client: client, Limits: nafath.Limits{Requests: -1}},
		"Limits.StatusChecks": {Client: client, Limits: nafath.Limits{StatusChecks: 1_000_000}},
		"Limits.Details":      {Client: client, Limits: nafath.Limits{Details: -5}},
		"Remember":            {Client: client, Remember: -1},
		"Timeout":             {Client: client, Timeout: -time.Second},
		"Client is":           {Client: &nafath.Client{}},
		"MinInterval":         {Client: client, MinInterval: -1},
	} {
		_, err := nafath.NewPoller(cfg)
		require.ErrorIs(t, err, kyckit.ErrInvalid)
		assert.True(t, strings.Contains(err.Error(), field+" "), err)
	}
	_, err = nafath.NewPoller(nafath.PollerConfig{Client: client, Timeout: time.Second, MinInterval: 2 * time.Second})
	require.ErrorContains(t, err, "MinInterval")
	poller, err := nafath.NewPoller(nafath.PollerConfig{Client: client, Timeout: time.Second})
	require.NoError(t, err, "a default gives way to what was asked for")
	require.NoError(t, poller.Close())
}
