package nafath

import (
	"context"

	"github.com/kyckit/kyckit/webhook"
)

// HandleWebhook is a webhook.HandlerConfig.Handle: it takes an authenticated
// delivery as a hint for Notify and returns at once. Types other than
// EventVerificationCompleted are accepted and ignored. A body that is no event
// is refused with webhook.ErrMalformed, which the handler answers with 400, so
// that the sender does not try again for nothing.
//
// A Poller knows its own verifications alone: where several processes share a
// tenant, have each of them hear of the event.
func (p *Poller) HandleWebhook(_ context.Context, d *webhook.Delivery) error {
	event, err := ParseEvent(d.Body)
	if err != nil {
		return err
	}
	if event.Type == EventVerificationCompleted {
		p.Notify(event.TransID)
	}
	return nil
}
