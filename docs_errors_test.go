package kyckit_test

import (
	"errors"
	"fmt"
	"math"
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

// What docs/errors.md shows.

var _ = guidedErrors

func guidedErrors(err error) {
	switch {
	case errors.Is(err, kyckit.ErrOutcomeUnknown): // may have happened: read if you can, do not repeat
	case errors.Is(err, kyckit.ErrRateLimited): // Error.RetryAfter says how long
	case errors.Is(err, kyckit.ErrUnauthorized): // wrong credentials
	case errors.Is(err, kyckit.ErrUnavailable): // nothing happened; later
	}
}

func sayTo(err error) string {
	switch wait := retryAfter(err); {
	case errors.Is(err, kyckit.ErrOutcomeUnknown):
		return "There may be a request on your phone. Dismiss it, or let it expire, before you try again."
	case errors.Is(err, nafath.ErrRejected):
		return "The request was declined on the phone."
	case errors.Is(err, nafath.ErrExpired), errors.Is(err, nafath.ErrTimeout):
		return "Nobody answered in time."
	case errors.Is(err, kyckit.ErrConflict):
		return "A request for this person is open already."
	case errors.Is(err, kyckit.ErrRateLimited) && wait > 0:
		return fmt.Sprintf("Please try again in %d seconds.", int(math.Ceil(wait.Seconds())))
	case errors.Is(err, kyckit.ErrInvalid):
		return "Please check the number."
	default:
		return "This does not work at the moment. Please try again later."
	}
}

func retryAfter(err error) time.Duration {
	if failed, ok := errors.AsType[*kyckit.Error](err); ok {
		return failed.RetryAfter
	}
	return 0
}

// Every sentence is said to somebody to whom it happens.
func TestTheErrorGuideIsRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := nafathtest.NewServer(nafathtest.Config{Options: kyctest.Options{InMemory: true}, MagicIDs: true})
		defer fake.Close()
		client, err := nafath.New(fake.ClientConfig())
		require.NoError(t, err)
		poller, err := nafath.NewPoller(nafath.PollerConfig{Client: client, Limits: nafath.Limits{Requests: 60}})
		require.NoError(t, err)
		defer func() { require.NoError(t, poller.Close()) }()
		verify := func(id string) error {
			_, err := poller.Verify(t.Context(), id, nil)
			return err
		}

		const rejects, expires = "1090000025", "1090000033"
		assert.Contains(t, sayTo(verify(rejects)), "declined")
		assert.Contains(t, sayTo(verify(rejects)), "declined")
		assert.Contains(t, sayTo(verify(rejects)), "again in 60 seconds", "twice in a row")
		assert.Contains(t, sayTo(verify(expires)), "in time")
		assert.Contains(t, sayTo(verify("12")), "check the number")

		_, err = poller.Begin("1000000008")
		require.NoError(t, err)
		assert.Contains(t, sayTo(verify("1000000008")), "open already")

		fake.Fail(nafathtest.OpRequest, 0, kyctest.Fault{LoseAnswer: true})
		assert.Contains(t, sayTo(verify("2000000006")), "may be a request on your phone")
		fake.Heal()
		fake.RevokeTokens()
		fake.Fail(nafathtest.OpToken, 0, kyctest.Fault{Status: 503})
		assert.Contains(t, sayTo(verify("2000000014")), "at the moment")
	})
}
