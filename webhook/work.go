package webhook

import (
	"context"
	"log/slog"
	"time"
)

// work is what a handler's settings say about handling a delivery: what a job
// knows of its handler.
type work struct {
	HandlerConfig
	local bool // the claims are in memory
}

// storeContext limits a call of the store. One in memory answers at once.
func (w *work) storeContext(ctx context.Context) (context.Context, context.CancelFunc) {
	if w.local {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, storeTimeout)
}

// resultOf tells about a delivery.
func resultOf(d *Delivery, o Outcome, err error) Result {
	return Result{Outcome: o, Err: err, Layers: d.Layers, ID: d.ID, Timestamp: d.Timestamp, Bytes: len(d.Body)}
}

// report logs a result and calls the hook. Neither may undo the answer, or keep
// the other from it.
func (w *work) report(ctx context.Context, res Result) {
	w.log(ctx, res)
	if w.OnResult != nil {
		defer func() { _ = recover() }()
		w.OnResult(ctx, res)
	}
}

func (w *work) log(ctx context.Context, res Result) {
	if w.Logger == nil {
		return
	}
	defer func() { _ = recover() }()
	level := slog.LevelInfo
	switch res.Outcome {
	case Refused, Malformed, BadMethod, TooLarge:
		level = slog.LevelWarn
	case Failed:
		level = slog.LevelError
	}
	w.Logger.LogAttrs(ctx, level, "webhook",
		slog.String("outcome", string(res.Outcome)), slog.Int("status", res.Status), slog.Int("bytes", res.Bytes),
		slog.Duration("duration", res.Duration), slog.Any("layers", res.Layers), slog.String("error", safeError(res.Err)))
}

// everyCopy is the Claims of a handler that does not deduplicate.
type everyCopy struct{}

func (everyCopy) Claim(context.Context, string, time.Duration) (Claim, error) {
	return everyCopy{}, nil
}
func (everyCopy) Commit(context.Context, time.Duration) error { return nil }
func (everyCopy) Release(context.Context) error               { return nil }
