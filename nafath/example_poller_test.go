package nafath_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
)

// newExample returns a fake provider and a poller in a hurry, so that the
// examples do not take seconds.
func newExample() (*nafathtest.Server, *nafath.Poller, error) {
	fake := nafathtest.NewServer(nafathtest.Config{Limits: nafath.Limits{StatusChecks: -1}})
	client, err := nafath.New(fake.ClientConfig())
	if err != nil {
		return nil, nil, err
	}
	poller, err := nafath.NewPoller(nafath.PollerConfig{
		Client:      client,
		Limits:      nafath.Limits{StatusChecks: 6000},
		MinInterval: 10 * time.Millisecond,
	})
	return fake, poller, err
}

func ExamplePoller_Verify() {
	fake, poller, err := newExample()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer fake.Close()
	defer func() { _ = poller.Close() }()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	details, err := poller.Verify(ctx, "1000000008", func(tx nafath.Transaction) {
		// Show tx.Random to this person alone. Here the phone is a fake.
		_ = fake.Approve(tx.TransID, tx.Random)
	})
	switch {
	case errors.Is(err, nafath.ErrRejected), errors.Is(err, nafath.ErrExpired):
		fmt.Println("offer to try again")
	case err != nil:
		fmt.Println(err)
	default:
		fmt.Println("verified:", details) // prints nothing personal
	}
	// Output: verified: [redacted]
}

// A page follows a verification that belongs to none of its requests: it may be
// closed and come back.
func ExamplePoller_Begin() {
	fake, poller, err := newExample()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer fake.Close()
	defer func() { _ = poller.Close() }()

	v, err := poller.Begin("1000000008") // keep v under the session
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second) // of the request that follows
	defer cancel()
	var shown string
	for u := range v.Updates(ctx) {
		switch u.Stage {
		case nafath.StageQueued: // show u.Place and u.ETA
		case nafath.StageOpen: // store u.Transaction, then show its Random to this person alone
			if shown == "" {
				shown = u.Transaction.Random
				_ = fake.Approve(u.Transaction.TransID, shown) // the phone is a fake
			}
		case nafath.StageDone:
			fmt.Println("verified:", u.Err == nil && u.Details.IDNumber == "1000000008")
		}
	}
	// Output: verified: true
}
