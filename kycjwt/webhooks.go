package kycjwt

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/lenient"
	"github.com/kyckit/kyckit/webhook"
)

// WebhookParams describes a registration.
type WebhookParams struct {
	kyckit.Redacted
	// URL is where events are to be delivered. Required; https.
	URL string
	// EventTypes are the events wanted. None means all of them.
	EventTypes []EventType
}

// Webhook is a registration. Its fields are documented for the answer to
// RegisterWebhook; lists may leave some out. A field that comes in another form
// is left empty, and Raw has it.
type Webhook struct {
	kyckit.Redacted
	ID               string      `json:"id"`
	KeyID            string      `json:"key_id"`
	URL              string      `json:"url"`
	EventTypes       []EventType `json:"event_types"`
	IncludeAllEvents bool        `json:"include_all_events"`
	// PublicKey checks the signatures of this registration's deliveries: pass
	// it to NewAuthenticator. Store it at once: no call is documented that
	// reads it again.
	PublicKey string `json:"public_key"`
	CreatedAt string `json:"created_at"`
	// Raw is the whole answer as it came.
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps the answer as it is beside its fields.
func (w *Webhook) UnmarshalJSON(b []byte) error {
	type plain Webhook
	*w = Webhook{}
	err := lenient.Object(b, (*plain)(w))
	w.Raw = clone(b)
	return err
}

// RegisterWebhook asks for events to be delivered. The answer must hold a
// usable public key: without one no delivery could ever be believed.
//
// The call is never repeated: see CreatePerson. After kyckit.ErrOutcomeUnknown
// look into Webhooks; a registration whose key was lost is of no use and is
// best deleted.
func (c *Client) RegisterWebhook(ctx context.Context, params WebhookParams) (_ *Webhook, err error) {
	const op = "register webhook"
	u, err := url.Parse(params.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" {
		return nil, invalid(op, "URL must be an absolute https address")
	}
	ctx, end := c.scope(ctx)
	defer end(&err)
	body := struct {
		URL              string      `json:"url"`
		IncludeAllEvents bool        `json:"include_all_events"`
		EventTypes       []EventType `json:"event_types,omitempty"`
	}{params.URL, len(params.EventTypes) == 0, params.EventTypes}
	resp, err := c.call(ctx, Request{Method: http.MethodPost, Path: "/webhooks", Body: body, op: op})
	if err != nil {
		return nil, err
	}
	w := &Webhook{}
	if err := decode(resp, w); err != nil {
		return nil, err
	}
	if _, err := webhook.ParseEd25519PublicKey(w.PublicKey); err != nil {
		return nil, unreadable(resp, "the answer holds no usable public key")
	}
	return w, nil
}

// Webhooks lists the registrations. Errors are those of List.
func (c *Client) Webhooks(ctx context.Context) iter.Seq2[Webhook, error] {
	return list[Webhook](ctx, c, Request{Method: http.MethodGet, Path: "/webhooks", op: "webhooks"})
}

// DeleteWebhook removes a registration. It is not repeated, because a second
// try could not be told from a wrong id.
func (c *Client) DeleteWebhook(ctx context.Context, id string) (err error) {
	const op = "delete webhook"
	if id == "" {
		return invalid(op, "the id is required")
	}
	ctx, end := c.scope(ctx)
	defer end(&err)
	_, err = c.call(ctx, Request{
		Method: http.MethodDelete, Path: "/webhooks", Query: url.Values{"webhook_id": {id}}, op: op,
	})
	return err
}
