package faceki

import (
	"context"
	"strconv"
	"time"

	"github.com/kyckit/kyckit/internal/transport"
	"github.com/kyckit/kyckit/webhook"
)

// Confirm reads the record that an event is about and returns it. Its Decision
// is what counts, whatever the event said. Whether Decision follows a change
// made in the portal is not documented; where it differs from the event,
// UpdateBy and UpdatedAt tell which is newer.
//
// ErrNotFound means that FACEKI has no such record: the event was made up, the
// workflow stores no data, or the record cannot be read yet. After 30 events
// without a record within a minute the rest are refused with
// kyckit.ErrRateLimited, unread, until the minute has passed: nothing tells a
// made-up event from a real one before the read. Use [Client.Records] for what
// no event caused.
func (c *Client) Confirm(ctx context.Context, e Event) (*Record, error) {
	if err := c.made(opConfirm); err != nil {
		return nil, err
	}
	if e.RequestID == "" || !sendableField(e.RequestID) {
		return nil, transport.InputError(provider, opConfirm, "the event's RequestID must be up to 256 bytes without control characters")
	}
	return c.confirms.read(ctx, func() (*Record, error) {
		return c.record(ctx, RecordFilter{RequestID: e.RequestID})
	})
}

const opConfirm = "confirm"

// EventKey is a webhook.HandlerConfig.Key for FACEKI's deliveries, which have
// neither an id nor a time: a copy of a body in the same minute is a duplicate,
// and the same body later is news, because a status that changes away and back
// sends it again. Two copies on either side of a full minute are both handled,
// which does no harm where Handle reads the record, as OnConfirmed does.
func EventKey(d *webhook.Delivery) string {
	at := d.ReceivedAt
	if at.IsZero() {
		at = time.Now()
	}
	return webhook.BodyKey(d) + "@" + strconv.FormatInt(at.Unix()/60, 10)
}

// OnEvent makes of a function on events one on deliveries, for
// webhook.HandlerConfig.Handle:
//
//	handler, err := webhook.NewHandler(webhook.HandlerConfig{
//		Authenticate: …, // a secret path or Basic: FACEKI signs nothing
//		Key:          faceki.EventKey,
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
