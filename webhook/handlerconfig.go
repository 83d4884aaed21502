package webhook

import (
	"context"
	"log/slog"
	"time"

	"github.com/kyckit/kyckit"
)

// HandlerConfig configures NewHandler.
type HandlerConfig struct {
	// Authenticate decides what is believed. Required.
	Authenticate Authenticator
	// Handle does the work of one believed delivery. Required. It is called at
	// most once for each key, unless it fails. A nil error means handled, and so
	// does an error that is ErrDuplicate. An error that is ErrMalformed tells the
	// sender not to try again; any other error, and a panic, tells the sender to.
	// The context of Handle ends after HandleTimeout, and not when the sender
	// hangs up, since then the work would be lost half done. A Handle that does
	// not heed its context keeps the sender waiting, and after Lease a copy may be
	// handled beside it.
	Handle func(context.Context, *Delivery) error
	// Claims remembers what was handled. Nil means NewMemoryClaims with its
	// defaults, which is right for one process. Handlers that share a store
	// share its keys: where they serve different senders, give each a Key
	// function that puts the sender's name in front.
	Claims Claims
	// EveryCopy turns deduplication off: Handle is called for every delivery
	// that is believed, copies and replays included, and must be idempotent. It
	// excludes Claims and Key.
	EveryCopy bool
	// Key names a delivery: two deliveries with the same key are the same, and
	// the second is answered without handling it. Build it only from what is
	// authenticated. Nil or an empty result means the delivery's signed ID, with
	// the position of the layer that accepted it under Any, or, without an ID,
	// BodyKey. See also FieldKey. A sender that repeats the same body for a later
	// change, as FACEKI does when a decision goes back and forth, needs a key of
	// its own, or EveryCopy: see the package's table.
	Key func(*Delivery) string
	// OrderKey, if set, names what a delivery is about, such as a transaction:
	// deliveries with the same non-empty order key are handled one after the
	// other in the order in which this process claimed them.
	OrderKey func(*Delivery) string
	// MaxBody is the longest body in bytes. Zero means 1 MiB.
	MaxBody int64
	// AnyBody turns off the check that the body is one JSON value as
	// DecodeStrict wants it, for forms and other formats.
	AnyBody bool
	// Methods are the accepted methods. Empty means POST.
	Methods []string
	// HandleTimeout limits one call of Handle. Zero means 20 s: providers wait
	// about 30 s for the answer.
	HandleTimeout time.Duration
	// Keep is how long a handled delivery is remembered. Zero means 72 h, the
	// longest that common senders go on retrying. Where nothing but the body
	// is signed it is also how long a replay is noticed; where a timestamp is
	// signed too, it should be longer than twice the tolerance.
	Keep time.Duration
	// Lease is how long a delivery in progress is held for this process. Zero
	// means twice HandleTimeout and 20 s more, or 15 minutes with a Queue.
	Lease time.Duration
	// RetryAfter is what a 503 tells the sender to wait. Zero means 10 s. It is
	// rounded up to whole seconds.
	RetryAfter time.Duration
	// Queue, if set, takes the deliveries over: the sender is answered as soon
	// as the queue has one, and Handle runs later. See Queue.
	Queue *Queue
	// Logger receives one record a delivery: outcome, status, size, duration,
	// the layers' results and the error; no header, body, key or address. Nil
	// means no logging.
	Logger *slog.Logger
	// OnResult, if set, is called once for each request after it was answered,
	// for metrics, and once more, without Status, for a queued delivery that is
	// given up or whose handling could not be recorded. It must be safe for
	// concurrent use.
	OnResult func(context.Context, Result)
}

// Outcome is what became of a request.
type Outcome string

// The outcomes.
const (
	// Handled: 200, Handle returned without error.
	Handled Outcome = "handled"
	// Queued: 200, the queue has it.
	Queued Outcome = "queued"
	// Duplicate: 200, it was handled before.
	Duplicate Outcome = "duplicate"
	// Refused: 401, not authenticated.
	Refused Outcome = "refused"
	// Malformed: 400, not the JSON it should be, or the body broke off.
	Malformed Outcome = "malformed"
	// BadMethod: 405, not one of HandlerConfig.Methods.
	BadMethod Outcome = "bad method"
	// TooLarge: 413, longer than HandlerConfig.MaxBody.
	TooLarge Outcome = "too large"
	// InProgress: 503, the same delivery is being handled.
	InProgress Outcome = "in progress"
	// Failed: 503, the store, the queue or Handle failed.
	Failed Outcome = "failed"
)

// Result tells about one request. Of what a sender wrote it holds only what was
// signed: the id and the time.
type Result struct {
	kyckit.Redacted

	// Outcome is what became of it, and Status the answer's HTTP status.
	Outcome Outcome
	Status  int
	// Err is why it was not handled, ErrDuplicate included. On a Handled
	// delivery it is why that could not be recorded in the Claims. It may come
	// from Handle, so it may hold whatever Handle puts into errors.
	Err error
	// Layers are the results of the authenticators.
	Layers []Layer
	// ID and Timestamp are the delivery's, where they are signed and the
	// delivery was believed.
	ID        string
	Timestamp time.Time
	// Bytes is the size of the body as far as it was read.
	Bytes int
	// Duration is how long it took to answer.
	Duration time.Duration
}

// PanicError is the error of a Handle function, key function or authenticator
// that panicked. It prints without the value, which may be personal.
type PanicError struct {
	value func() (any, []byte)
}

// Value returns what panic was called with.
func (e *PanicError) Value() any {
	if e == nil || e.value == nil {
		return nil
	}
	v, _ := e.value()
	return v
}

// Stack returns the stack of the goroutine that panicked.
func (e *PanicError) Stack() []byte {
	if e == nil || e.value == nil {
		return nil
	}
	_, stack := e.value()
	return stack
}

// Error says that there was a panic.
func (*PanicError) Error() string { return "webhook: panic" }
