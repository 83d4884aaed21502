package faceki

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/transport"
)

// RecordFilter says which records are meant. At least one field must be set;
// what FACEKI does with several is not documented.
type RecordFilter struct {
	kyckit.Redacted
	// RequestID is FACEKI's id of a verification.
	RequestID string
	// FaceID is the id of a face.
	FaceID string
	// Link is the id of a KYC link.
	Link string
	// RecordIdentifier is the caller's id.
	RecordIdentifier string
}

func (f RecordFilter) query() url.Values {
	q := url.Values{}
	for key, value := range map[string]string{
		"requestId": f.RequestID, "face_id": f.FaceID, "link": f.Link, "record_identifier": f.RecordIdentifier,
	} {
		if value != "" {
			q.Set(key, value)
		}
	}
	return q
}

// foreign reports whether a record differs from the filter in a field and agrees
// with it in none. A field that either leaves empty does not count.
func (f RecordFilter) foreign(r *Record) bool {
	other := false
	for _, c := range []struct{ asked, named string }{
		{f.RequestID, r.RequestID}, {f.FaceID, r.FaceID}, {f.Link, r.Link}, {f.RecordIdentifier, r.RecordIdentifier},
	} {
		switch {
		case c.asked == "" || c.named == "":
		case c.asked == c.named:
			return false
		default:
			other = true
		}
	}
	return other
}

// Records returns the verifications that match the filter, in FACEKI's order.
// No match is an error of kind kyckit.ErrNotFound, whether FACEKI says so by
// its code 8013 or by an empty list. A record that names another verification,
// face, link or identifier than the one asked for is an error of kind
// kyckit.ErrDecode: somebody else's record is never handed out. It is retried on
// transient failures. No paging is documented.
func (c *Client) Records(ctx context.Context, filter RecordFilter) (_ []Record, err error) {
	const op = "records"
	if err := c.made(op); err != nil {
		return nil, err
	}
	ctx, end := c.http.Scope(ctx)
	defer end(&err)
	q := filter.query()
	if len(q) == 0 {
		return nil, transport.InputError(provider, op, "the filter is empty")
	}
	a, err := c.do(ctx, &transport.Call{
		Op: op, Method: http.MethodGet, Path: c.paths.Records, Query: q, Repeatable: true,
	})
	if err != nil {
		return nil, err
	}
	records, ok := a.envelope.records()
	switch {
	case !ok:
		return nil, a.fail("result is not a list of records")
	case len(records) == 0:
		return nil, a.Fail(kyckit.ErrNotFound, "no record matches", transport.Explanation{})
	}
	for i := range records {
		if filter.foreign(&records[i]) {
			return nil, a.fail(notAskedReason)
		}
	}
	return records, nil
}

// record returns the newest record that really matches the filter. A server
// that ignores the filter must not make one person's record another's.
func (c *Client) record(ctx context.Context, filter RecordFilter) (*Record, error) {
	records, err := c.Records(ctx, filter)
	if err != nil {
		return nil, err
	}
	var newest *Record
	for i := range records {
		r := &records[i]
		if filter.RequestID != "" && r.RequestID != filter.RequestID ||
			filter.RecordIdentifier != "" && r.RecordIdentifier != filter.RecordIdentifier {
			continue
		}
		if newest == nil || r.UpdatedAt.After(newest.UpdatedAt) {
			newest = r
		}
	}
	if newest == nil {
		return nil, notAsked()
	}
	return newest, nil
}

const notAskedReason = "the records are not those that were asked for"

func notAsked() error {
	return &kyckit.Error{Provider: provider, Op: "records", Kind: kyckit.ErrDecode, StatusCode: http.StatusOK, Reason: notAskedReason}
}

// SearchByFace returns the verifications of the person on the selfie, which may
// be none. Nothing in an answer could be compared with the picture. The call is
// a paid add-on and so is never repeated, but for once after a refused token;
// an error of kind ErrOutcomeUnknown means that it may have been charged. The
// image is streamed as in [Client.Verify].
func (c *Client) SearchByFace(ctx context.Context, selfie Image) (_ []Record, err error) {
	const op = "search by face"
	if err := c.made(op); err != nil {
		return nil, err
	}
	ctx, end := c.http.Scope(ctx)
	defer end(&err)
	if err := ctx.Err(); err != nil {
		return nil, contextError(op, err)
	}
	form, err := c.form(ctx, op, nil, []part{{"selfie", selfie}})
	if err != nil {
		return nil, err
	}
	a, err := c.upload(ctx, op, c.paths.SearchByFace, form)
	if errors.Is(err, kyckit.ErrNotFound) && isCode(err, "8013") {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	records, ok := a.envelope.records()
	if !ok {
		return nil, a.fail("result is not a list of records")
	}
	return records, nil
}

func isCode(err error, code string) bool {
	var e *kyckit.Error
	return errors.As(err, &e) && e.Code == code
}

// contextError is the error of a call whose context had ended before it began.
func contextError(op string, cause error) error {
	return &kyckit.Error{Provider: provider, Op: op, Kind: cause}
}
