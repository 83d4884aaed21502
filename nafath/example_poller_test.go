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

func ExamplePoller_Watch() {
	fake, poller, err := newExample()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer fake.Close()
	defer func() { _ = poller.Close() }()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	tx, err := poller.Request(ctx, "1000000008")
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = fake.Reject(tx.TransID)
	for state, err := range poller.Watch(ctx, tx) {
		switch {
		case err != nil:
			fmt.Println(err)
		case state.Done:
			fmt.Println("ended:", state.Status)
		}
	}
	// Output: ended: REJECTED
}
