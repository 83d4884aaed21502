package faceki

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/transport"
)

// VerifyParams is what a verification is made from.
type VerifyParams struct {
	kyckit.Redacted
	// WorkflowID is the workflow of the portal. Required.
	WorkflowID string
	// Selfie is the person's face. Required.
	Selfie Image
	// Documents are one to three documents, as many as the workflow asks for.
	// FACEKI recognises their types by itself.
	Documents []Document
	// RecordIdentifier is the caller's id of the verification, by which
	// [Client.Records] finds it, and the only way to learn the outcome of a
	// call that was cut off. Empty means a random one; to survive a crash of
	// your own process as well, make one with crypto/rand.Text and store it
	// before the call. Up to 256 bytes without control characters. Use each for
	// one verification only.
	RecordIdentifier string
}

// maxDocuments is how many the endpoint has fields for.
const maxDocuments = 3

// Verify sends a selfie and documents and returns the verdict. The record that
// comes back is usually partial: RecordIdentifier is always set, RequestID and
// Decision if FACEKI sent them. Look at Decision.Accepted before anything else;
// DECLINED and REVIEW are results, not errors. [Client.VerifyAndFetch] reads
// the full record too.
//
// The images are streamed; memory does not grow with their size. See [Image]
// for what is read when.
//
// Verify costs credit and is never repeated, but for once after a refused
// token, when nothing was verified. An error of kind ErrOutcomeUnknown means
// that the verification may have run: look it up by the RecordIdentifier of the
// [*VerifyError] in the chain of every error. So does an answer that is the
// record of another identifier. ErrNotFound then may mean that it is still
// running, or that the workflow stores no data: look again for some minutes
// before you verify anew. [ErrRetakeSelfie], [ErrDocument],
// [ErrVerificationFailed], [ErrBilling] and [ErrConfiguration] are FACEKI's
// refusals, [ErrImage] and [ErrImageTooLarge] are about an image; with these
// nothing is left open.
func (c *Client) Verify(ctx context.Context, params VerifyParams) (_ *Record, err error) {
	if c != nil {
		var end func(*error)
		ctx, end = c.http.Scope(ctx)
		defer end(&err)
	}
	id := params.RecordIdentifier
	if id == "" {
		id = rand.Text()
	}
	record, err := c.verify(ctx, params, id)
	if err != nil {
		return nil, verifyError(err, id)
	}
	record.RecordIdentifier = id
	return record, nil
}

func (c *Client) verify(ctx context.Context, params VerifyParams, id string) (*Record, error) {
	const op = "verify"
	if err := c.made(op); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, contextError(op, err)
	}
	switch {
	case params.WorkflowID == "":
		return nil, transport.InputError(provider, op, "WorkflowID is required")
	case !sendableField(params.WorkflowID):
		return nil, transport.InputError(provider, op, "WorkflowID must be up to 256 bytes without control characters")
	case !sendableField(id):
		return nil, transport.InputError(provider, op, "RecordIdentifier must be up to 256 bytes without control characters")
	case len(params.Documents) == 0 || len(params.Documents) > maxDocuments:
		return nil, transport.InputError(provider, op, "Documents must be one to three")
	}
	form, err := c.form(ctx, op, [][2]string{{"workflowId", params.WorkflowID}, {"record_identifier", id}}, params.images())
	if err != nil {
		return nil, err
	}
	a, err := c.upload(ctx, op, c.paths.Verify, form)
	if err != nil {
		return nil, err
	}
	// What result holds is not documented. Something that is no record means
	// that nothing was told, which is not a yes.
	records, _ := a.envelope.records()
	record, reason := own(records, id)
	if reason != "" {
		return nil, a.fail(reason)
	}
	return &record, nil
}

// own picks the record of a verification out of an answer, and says why it
// cannot. A record without an identifier is believed when it is the only one;
// one with another identifier is somebody else's.
func own(records []Record, id string) (_ Record, reason string) {
	for _, r := range records {
		if r.RecordIdentifier == id {
			return r, ""
		}
	}
	switch {
	case len(records) == 0:
		return Record{}, ""
	case len(records) > 1:
		return Record{}, "the answer holds several records and none is this one"
	case records[0].RecordIdentifier != "":
		return Record{}, "the answer is the record of another verification"
	default:
		return records[0], ""
	}
}

// images lists what is to be sent under the names of the form.
func (p VerifyParams) images() []part {
	list := []part{{"selfie", p.Selfie}}
	for i, d := range p.Documents {
		list = append(list, part{fmt.Sprintf("document_%d_front", i+1), d.Front})
		if d.Back.Reader != nil {
			list = append(list, part{fmt.Sprintf("document_%d_back", i+1), d.Back})
		}
	}
	return list
}

// sendableField reports whether s can be a text part.
func sendableField(s string) bool {
	return len(s) <= 256 && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\ufffd' })
}

// VerifyAndFetch verifies and then reads the full record. When the verification
// went through but the record cannot be read, which is so for good in workflows
// that store no data, it returns what the verification gave together with the
// error; the record is nil only if the verification itself failed.
func (c *Client) VerifyAndFetch(ctx context.Context, params VerifyParams) (*Record, error) {
	partial, err := c.Verify(ctx, params)
	if err != nil {
		return nil, err
	}
	filter := RecordFilter{RequestID: partial.RequestID}
	if partial.RequestID == "" {
		filter = RecordFilter{RecordIdentifier: partial.RecordIdentifier}
	}
	full, err := c.record(ctx, filter)
	if err == nil && full.RecordIdentifier != "" && full.RecordIdentifier != partial.RecordIdentifier {
		err = notAsked()
	}
	if err != nil {
		return partial, verifyError(err, partial.RecordIdentifier)
	}
	full.RecordIdentifier = partial.RecordIdentifier
	return full, nil
}
