package auth

import (
	"context"
	"log/slog"
	"time"
)

// EventKind says what happened to a cached token.
type EventKind string

// The kinds of events.
const (
	// EventFetched: a token was obtained while there was none.
	EventFetched EventKind = "fetched"
	// EventRefreshed: a token was replaced before it died.
	EventRefreshed EventKind = "refreshed"
	// EventFailed: an exchange failed.
	EventFailed EventKind = "failed"
	// EventInvalidated: the token was refused, and another one takes its place
	// or is fetched to be tried.
	EventInvalidated EventKind = "invalidated"
)

// Event is something that happened in a [Cache]. It never holds a token.
type Event struct {
	// Name is the source's, of [Tuning].
	Name string
	Kind EventKind
	// Expiry is the token's; zero when unknown and for EventFailed.
	Expiry time.Time
	// Took is how long the exchange took; zero for EventInvalidated.
	Took time.Duration
	// Err is the error of EventFailed.
	Err error
	// RetryAfter is the wait until the next exchange after EventFailed.
	RetryAfter time.Duration
}

// emit tells the logger and OnEvent.
func (c *Cache) emit(ctx context.Context, e Event) {
	e.Name = c.name
	if c.logger != nil {
		guard(func() { c.log(ctx, e) })
	}
	if c.onEvent != nil && guard(func() { c.onEvent(e) }) && c.logger != nil {
		guard(func() { c.logger.LogAttrs(ctx, slog.LevelError, "kyckit token: OnEvent panicked") })
	}
}

func (c *Cache) log(ctx context.Context, e Event) {
	level := slog.LevelDebug
	attrs := make([]slog.Attr, 0, 6)
	if e.Name != "" {
		attrs = append(attrs, slog.String("name", e.Name))
	}
	attrs = append(attrs, slog.String("event", string(e.Kind)))
	if e.Took > 0 {
		attrs = append(attrs, slog.Duration("took", e.Took))
	}
	if !e.Expiry.IsZero() {
		attrs = append(attrs, slog.Time("expiry", e.Expiry))
	}
	if e.Err != nil {
		level = slog.LevelWarn
		attrs = append(attrs, slog.Any("error", e.Err), slog.Duration("next", e.RetryAfter))
	}
	c.logger.LogAttrs(ctx, level, "kyckit token", attrs...)
}

// guard runs user code, whose panic must not end what goes on beside it, and
// reports whether it panicked. The value is dropped: nobody knows what it holds.
func guard(f func()) (panicked bool) {
	defer func() { panicked = recover() != nil }()
	f()
	return false
}
