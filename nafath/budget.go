package nafath

import (
	"context"
	"time"
)

// Budget shares the tenant's limits between the Pollers of several processes, its
// replicas; see PollerConfig.Budget. Module redisstore has one on Redis. No
// method gets personal data but Hold and Free, which must keep no more of a person
// than a keyed digest.
//
// A Poller never waits for a Budget: while it is slow, down, or has forgotten what it
// knew, the Poller goes on with its static share, the limit over
// PollerConfig.Replicas. All methods must be safe for concurrent use.
type Budget interface {
	// Exchange tells what a replica did and would like to do, and learns what it
	// may do now. A Bid with a Number that was answered before gets the same answer
	// and changes nothing; one with a lower Number gets no grant and changes
	// nothing.
	Exchange(ctx context.Context, bid Bid) (Grant, error)
	// Leave says that a replica ends: nothing of the budget is kept for it.
	Leave(ctx context.Context, replica string) error
	// Hold takes the lease on a person, so that nobody is prompted by two replicas
	// at once, and reports whether the replica has it now. With take, it takes the
	// lease away from whoever has it.
	Hold(ctx context.Context, replica, nationalID string, lease time.Duration, take bool) (bool, error)
	// Free gives the lease on a person back, if the replica has it.
	Free(ctx context.Context, replica, nationalID string) error
}

// Operation is one of the three operations that have limits of their own.
type Operation int

// The operations.
const (
	Requests     Operation = iota // creations
	StatusChecks                  // status checks
	DetailReads                   // details

	// Operations is how many there are.
	Operations = 3
)

// Bid is what a replica tells a Budget.
type Bid struct {
	// Replica is a random name, of this Poller alone.
	Replica string
	// Number rises with each Exchange of the replica.
	Number uint64
	// Replicas is the most there can be, and Limits are the tenant's.
	Replicas int
	Limits   Limits
	// Known is the Mark of the last Grant, zero before the first.
	Known Mark
	// Peers are those of the last Grant, and how long ago each was heard of. They
	// count only where the Budget lost what it knew.
	Peers map[string]time.Duration
	// Pending is how many verifications are open here.
	Pending int
	// Hinted says that a webhook came while the provider refuses all checks.
	Hinted bool
	// Wants is what the replica would do, by Operation.
	Wants [Operations]Want
	// Uses are the replica's calls of which the Budget was not told yet, or not
	// of the answer. With Full they are all of the last minute and a half.
	Uses []Use
	Full bool
	// Owed is the Owed of the last Grant, less the time since.
	Owed time.Duration
	// Learned is what the replicas know of when people act.
	Learned Learned
}

// Want is what one more call of an operation is worth to a replica.
type Want struct {
	// Score is what a call is worth now; zero means that there is nothing to do.
	Score float64
	// Soon is what it will be worth in the next slot if this one goes elsewhere, and
	// Rest if it comes here.
	Soon, Rest float64
}

// Use is one call of a replica.
type Use struct {
	Operation Operation
	// ID is unique among the replica's calls of the operation. For a call that was
	// granted it is the Number of the Bid.
	ID uint64
	// Sent and Answered are how long ago the call was sent and answered;
	// Answered is negative while there is no answer.
	Sent, Answered time.Duration
	// Dropped says that the call was not made after all.
	Dropped bool
	// Limited says that the answer was a 429, with Pause for Retry-After.
	Limited bool
	Pause   time.Duration
}

// Mark tells whether a Budget still knows what it knew: Epoch changes when it does
// not, and Count rises within an epoch.
type Mark struct {
	Epoch string
	Count uint64
}

// Grant is the answer of a Budget.
type Grant struct {
	Mark Mark
	// Granted says for each Operation whether a call may be made now, and Wait how
	// long to wait before the next Bid for it makes sense.
	Granted [Operations]bool
	Wait    [Operations]time.Duration
	// Rate is how many calls a minute are permitted to all replicas together now.
	Rate [Operations]float64
	// Resend asks for a Bid with all calls of the last minute and a half at once.
	Resend bool
	// Pending is how many verifications are open at all replicas.
	Pending int
	// Peers are the replicas that the Budget knows, this one included, and how long
	// ago each was heard of.
	Peers map[string]time.Duration
	// Owed is how long calls still count of which no replica could tell again, should the
	// Budget lose what it knows: those of replicas that left. Zero means that there are none.
	Owed time.Duration
	// Learned has the Budget's Version, and its Text unless the Bid had that Version.
	Learned Learned
}

// Learned is what replicas learned together of how long people take to act: counts
// by age, nothing of anybody. A Budget keeps the Text of a Bid, if it has one and its
// Version is that of the Text kept so far, zero for none, and gives it a new Version. A
// Budget that always answers zero leaves each replica with what it learned itself.
type Learned struct {
	Version uint64
	Text    string // some 250 bytes
}

// Signals wakes the replica that waits for a transaction when its webhook lands
// on another one. A lost signal costs no more than a polling delay, so no method
// need insist. See PollerConfig.Signals; module redisstore has one on Redis.
type Signals interface {
	// Digest stands for a transaction: a keyed digest that tells nobody else which.
	Digest(transID string) [16]byte
	// Publish tells all replicas that the transaction may have changed.
	Publish(ctx context.Context, digest [16]byte) error
	// Subscribe calls hear, from one goroutine, with each digest that is published
	// until ctx ends, through failures of the store. Only then it returns.
	Subscribe(ctx context.Context, hear func(digest [16]byte)) error
}
