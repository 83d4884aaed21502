package nafath_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
)

// A process dies while a person is about to answer; the next one goes on.
func ExamplePoller_Resume() {
	fake, before, err := newExample()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer fake.Close()
	key := make([]byte, 32) // in production from where you keep secrets
	_, _ = rand.Read(key)
	sealer, err := nafath.NewSealer(kyckit.NewSecret(string(key)))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	stored := map[string]string{} // your database: session to sealed transaction

	// Store the transaction before you show the code.
	tx, err := before.Request(ctx, "1000000008")
	if err != nil {
		fmt.Println(err)
		return
	}
	if stored["session-1"], err = sealer.Seal(tx, "session-1"); err != nil {
		fmt.Println(err)
		return
	}
	_ = before.Close()                      // the process dies
	_ = fake.Approve(tx.TransID, tx.Random) // the person answers meanwhile

	// The next process has its own Poller. With many transactions, resume each
	// in a goroutine of its own: the Poller keeps them within the limits.
	client, err := nafath.New(fake.ClientConfig())
	if err != nil {
		fmt.Println(err)
		return
	}
	poller, err := nafath.NewPoller(nafath.PollerConfig{Client: client, Limits: nafath.Limits{StatusChecks: 6000}, MinInterval: 10 * time.Millisecond})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = poller.Close() }()
	for session, sealed := range stored {
		tx, err := sealer.Open(sealed, session)
		if err != nil {
			fmt.Println(session, "cannot be read:", err)
			continue
		}
		details, err := poller.Resume(ctx, tx)
		if errors.Is(err, nafath.ErrClosed) || ctx.Err() != nil {
			continue // keep it for the next process
		}
		delete(stored, session)
		fmt.Println(session, details != nil, err)
	}
	// Output: session-1 true <nil>
}

// The answer to a request is lost. The SDK does not ask again, and neither
// should you: there may be a prompt on the phone.
func ExamplePoller_Request_outcomeUnknown() {
	fake, poller, err := newExample()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer fake.Close()
	defer func() { _ = poller.Close() }()
	fake.Fail("request", 1, kyctest.Fault{LoseAnswer: true})

	_, err = poller.Request(context.Background(), "1000000008")
	switch {
	case errors.Is(err, kyckit.ErrOutcomeUnknown):
		// No call finds that verification again, and nobody has its code. Let
		// the person dismiss the prompt, or let it expire, before a new one.
		fmt.Println("try again in", 5*time.Minute)
	case errors.Is(err, kyckit.ErrConflict):
		fmt.Println("finish or dismiss the prompt that is open in the app")
	case errors.Is(err, kyckit.ErrRateLimited), errors.Is(err, kyckit.ErrUnavailable):
		fmt.Println("nothing was started: try again soon")
	case err != nil:
		fmt.Println(err)
	}
	fmt.Println("sent", fake.Count("request"))
	// Output:
	// try again in 5m0s
	// sent 1
}
