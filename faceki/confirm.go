package faceki

import (
	"context"

	"github.com/kyckit/kyckit/internal/transport"
	"github.com/kyckit/kyckit/webhook"
)

// Confirm reads the record that an event is about and returns it. Its Decision
// is what counts, whatever the event said. Whether Decision follows a change
// made in the portal is not documented; where it differs from the event,
// UpdateBy and UpdatedAt tell which is newer.
//
// ErrNotFound means that FACEKI has no such record: the event was made up, the
// workflow stores no data, or the record cannot be read yet.
func (c *Client) Confirm(ctx context.Context, e Event) (*Record, error) {
	if e.RequestID == "" {
		return nil, transport.InputError(provider, "confirm", "the event has no RequestID")
	}
	return c.record(ctx, RecordFilter{RequestID: e.RequestID})
}

// OnEvent makes of a function on events one on deliveries, for
// webhook.HandlerConfig.Handle:
//
//	handler, err := webhook.NewHandler(webhook.HandlerConfig{
//		Authenticate: …, // a secret path or Basic: FACEKI signs nothing
//		Handle:       faceki.OnEvent(func(ctx context.Context, e faceki.Event) error { … }),
//	})
//
// A body that is no event is answered with 400. An error of handle makes the
// handler ask for another delivery; whether FACEKI sends one is not documented,
// so look at open verifications from time to time as well.
func OnEvent(handle func(context.Context, Event) error) func(context.Context, *webhook.Delivery) error {
	return func(ctx context.Context, d *webhook.Delivery) error {
		e, err := ParseEvent(d.Body)
		if err != nil {
			return err
		}
		return handle(ctx, e)
	}
}

// OnConfirmed is like [OnEvent], but reads the record first and hands that to
// handle, which must not take the event for more than a hint. When the record
// cannot be read, handle is not called and the delivery is asked for again.
func (c *Client) OnConfirmed(handle func(context.Context, Event, *Record) error) func(context.Context, *webhook.Delivery) error {
	return OnEvent(func(ctx context.Context, e Event) error {
		record, err := c.Confirm(ctx, e)
		if err != nil {
			return err
		}
		return handle(ctx, e, record)
	})
}
