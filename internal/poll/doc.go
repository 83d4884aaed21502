// Package poll decides when a request may be sent and what it should be spent
// on. It knows limits per minute, verifications that are pending, and the
// chance that one of them has finished; it knows no HTTP, no provider and
// nothing about a person.
//
// A [Window] is the budget of one operation. A [Gate] queues callers in front
// of a Window. A [Scheduler] spends the Window of the status checks on the
// pending items, helped by a [Curve] that learns when items finish.
//
// Time is a [time.Duration] since an instant that the caller chose, read from
// the monotonic clock, so that a jump of the wall clock changes nothing.
package poll
