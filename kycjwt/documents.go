package kycjwt

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"net/url"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/lenient"
	"github.com/kyckit/kyckit/internal/transport"
)

// Orientation is the side of a document that an image shows.
type Orientation string

// The documented orientations. The empty one is not sent; the provider's
// pages differ on whether it may be left out.
const (
	OrientationFront        Orientation = "front"
	OrientationBack         Orientation = "back"
	OrientationUndetermined Orientation = "undetermined"
)

// DocumentParams describes a document to be uploaded.
type DocumentParams struct {
	kyckit.Redacted
	// Category is the provider's word, for example "poa" (newer page) or
	// "proofOfAddress" (older page). There is no documented list. Required.
	Category string
	// Orientation is sent when it is set.
	Orientation Orientation
	// Name, ContentType, Reader and Size are as in File.
	Name        string
	ContentType string
	Reader      io.Reader
	Size        int64
}

// Document is what the provider says about a document. It prints redacted.
type Document struct {
	kyckit.Redacted
	// ID is the document's id, a number as it is written.
	ID string
	// OwnerID is the customer's id: "owner_id" as on the newer page, else
	// "owner_type_id" as on the older one.
	OwnerID string
	// Raw is the whole answer as it came. Its further members are not
	// documented alike.
	Raw json.RawMessage
}

// UnmarshalJSON reads both documented spellings and keeps the answer as it is.
func (d *Document) UnmarshalJSON(b []byte) error {
	var in struct {
		ID      json.RawMessage `json:"id"`
		OwnerID json.RawMessage `json:"owner_id"`
		Older   json.RawMessage `json:"owner_type_id"`
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	*d = Document{ID: lenient.Text(in.ID), OwnerID: cmp.Or(lenient.Text(in.OwnerID), lenient.Text(in.Older)), Raw: clone(b)}
	return nil
}

// MarshalJSON returns the answer as it came, so that a Document can be stored.
func (d Document) MarshalJSON() ([]byte, error) {
	if len(d.Raw) > 0 {
		return d.Raw, nil
	}
	return json.Marshal(struct {
		ID      string `json:"id"`
		OwnerID string `json:"owner_id"`
	}{d.ID, d.OwnerID})
}

// DownloadLink is a temporary signed address of a document. Whoever has it can
// read the document until it expires, so it prints redacted.
type DownloadLink struct {
	kyckit.Redacted
	// URL is the address. The answer's form is not documented: it is taken
	// from a bare JSON string, or from the only member of an object that is an
	// absolute https address. Empty means look into Raw.
	URL kyckit.Secret
	// Raw is the whole answer as it came. Its JSON is left out on purpose.
	Raw json.RawMessage `json:"-"`
}

// UploadDocument uploads a document of a customer, streaming it. The form is
// documented, the answer is not.
//
// The call is never repeated: see CreatePerson. A Reader that fails breaks the
// upload off with kyckit.ErrInvalid, before the form is complete; the reader's
// error is found by errors.Is.
func (c *Client) UploadDocument(ctx context.Context, owner Owner, params DocumentParams) (*Created, error) {
	const op = "upload document"
	path, err := documentsPath(op, owner)
	if err != nil {
		return nil, err
	}
	if params.Category == "" {
		return nil, invalid(op, "Category is required")
	}
	file := &File{
		Name: params.Name, ContentType: params.ContentType, Reader: params.Reader, Size: params.Size,
		Fields: []Field{{Name: "category", Value: params.Category}},
	}
	if params.Orientation != "" {
		file.Fields = append(file.Fields, Field{Name: "orientation", Value: string(params.Orientation)})
	}
	return c.create(ctx, Request{Path: path, Args: []string{owner.ID}, Body: file, op: op})
}

// Documents lists the documents of a customer. Errors are those of List. The
// OwnerID of an item is as it came: the lists' members are not documented, so
// they are not compared with owner.
func (c *Client) Documents(ctx context.Context, owner Owner) iter.Seq2[Document, error] {
	const op = "documents"
	path, err := documentsPath(op, owner)
	if err != nil {
		return refuse[Document](err)
	}
	return list[Document](ctx, c, Request{Method: http.MethodGet, Path: path, Args: []string{owner.ID}, op: op})
}

// Document reads what the provider says about one document. An answer with the
// id of another document or owner is kyckit.ErrDecode.
func (c *Client) Document(ctx context.Context, owner Owner, documentID string) (*Document, error) {
	const op = "document"
	path, err := documentsPath(op, owner)
	if err != nil {
		return nil, err
	}
	return fetch(ctx, c, Request{Path: path + "/{document}", Args: []string{owner.ID, documentID}, op: op}, func(d *Document) bool {
		return (d.ID == "" || d.ID == documentID) && (d.OwnerID == "" || d.OwnerID == owner.ID)
	})
}

// DocumentLink asks for a temporary address of a document's content.
func (c *Client) DocumentLink(ctx context.Context, owner Owner, documentID string) (*DownloadLink, error) {
	const op = "document link"
	path, err := documentsPath(op, owner)
	if err != nil {
		return nil, err
	}
	raw, err := fetch(ctx, c, Request{
		Path: path + "/{document}/download_link", Args: []string{owner.ID, documentID}, op: op,
	}, func(*json.RawMessage) bool { return true }) // nothing in it can be compared
	if err != nil {
		return nil, err
	}
	return &DownloadLink{URL: kyckit.NewSecret(linkIn(*raw)), Raw: *raw}, nil
}

func documentsPath(op string, owner Owner) (string, error) {
	if owner.Type.path() == "" {
		return "", invalid(op, "the owner type is not known")
	}
	return owner.Type.path() + "/{id}/documents", nil
}

// linkIn finds the one address in an answer; "" when there is none or several.
func linkIn(raw json.RawMessage) string {
	if s := lenient.String(raw); s != "" {
		return address(s)
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return ""
	}
	found := ""
	for _, member := range members {
		s := address(lenient.String(member))
		if s != "" && found != "" {
			return ""
		}
		if s != "" {
			found = s
		}
	}
	return found
}

func address(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || !transport.SecureURL(u) {
		return ""
	}
	return s
}
