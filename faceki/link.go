package faceki

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/lenient"
	"github.com/kyckit/kyckit/internal/transport"
)

// LinkParams describes a KYC link.
type LinkParams struct {
	kyckit.Redacted
	// WorkflowID is the workflow of the portal. Required.
	WorkflowID string
	// Expiry is how long the link lives, in whole minutes. Zero leaves it to
	// FACEKI.
	Expiry time.Duration
	// ApplicationID is the caller's unique id. It probably becomes the
	// record_identifier of the record; FACEKI does not say. Optional.
	ApplicationID string
	// RedirectURL is where the person goes afterwards. Optional.
	RedirectURL string
	// Extra holds further fields as they are sent, such as document_optional
	// and require_additional_doc of the older API. It cannot replace the
	// fields above. Optional.
	Extra map[string]any
}

// Link is a KYC link. Whoever has it can verify in the person's place, so it
// prints redacted.
type Link struct {
	kyckit.Redacted
	// ID is the link's UUID. FACEKI's own SDKs want this, never the URL.
	ID string `json:"id"`
	// URL is the address as FACEKI gave it; it may be empty. Its host has
	// changed over time: do not build it.
	URL string `json:"url"`
	// Raw is the whole answer as it came.
	Raw json.RawMessage `json:"-"`
}

// CreateLink makes a KYC link for one person. It is never repeated by the SDK:
// an error of kind ErrOutcomeUnknown means that a link may exist that nobody
// knows, which is harmless but for a limit on links. Other errors mean that
// none was made; [ErrLink] and [ErrConfiguration] say more.
func (c *Client) CreateLink(ctx context.Context, params LinkParams) (_ *Link, err error) {
	const op = "create link"
	if err := c.made(op); err != nil {
		return nil, err
	}
	ctx, end := c.http.Scope(ctx)
	defer end(&err)
	fields, err := params.fields(op)
	if err != nil {
		return nil, err
	}
	body, err := transport.JSONBody(fields)
	if err != nil {
		return nil, transport.InputError(provider, op, "Extra cannot be encoded as JSON")
	}
	a, err := c.do(ctx, &transport.Call{Op: op, Method: http.MethodPost, Path: c.paths.Link, Body: body})
	if err != nil {
		return nil, err
	}
	var id string
	if json.Unmarshal(a.envelope.payload, &id) != nil || id == "" {
		return nil, a.fail("data is not the id of a link")
	}
	return &Link{ID: id, URL: lenient.String(a.envelope.url), Raw: bytes.Clone(a.Body)}, nil
}

func (p LinkParams) fields(op string) (map[string]any, error) {
	switch {
	case p.WorkflowID == "":
		return nil, transport.InputError(provider, op, "WorkflowID is required")
	case p.Expiry < 0 || p.Expiry%time.Minute != 0:
		return nil, transport.InputError(provider, op, "Expiry must be whole minutes")
	}
	if p.RedirectURL != "" {
		if u, err := url.Parse(p.RedirectURL); err != nil || !u.IsAbs() {
			return nil, transport.InputError(provider, op, "RedirectURL must be an absolute URL")
		}
	}
	fields := map[string]any{"workflowId": p.WorkflowID}
	if p.Expiry > 0 {
		fields["expiryTime"] = int64(p.Expiry / time.Minute)
	}
	if p.ApplicationID != "" {
		fields["applicationId"] = p.ApplicationID
	}
	if p.RedirectURL != "" {
		fields["redirect_url"] = p.RedirectURL
	}
	for k, v := range p.Extra {
		switch k {
		case "workflowId", "expiryTime", "applicationId", "redirect_url":
			return nil, transport.InputError(provider, op, "Extra must not hold a field that LinkParams has")
		}
		fields[k] = v
	}
	return fields, nil
}
