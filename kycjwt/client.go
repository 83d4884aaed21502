package kycjwt

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"reflect"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/transport"
	"github.com/kyckit/kyckit/internal/upload"
)

// Request is a call of any resource, for Do.
type Request struct {
	kyckit.Redacted
	// Method is the HTTP method, in capitals. Required.
	Method string
	// Path is the resource below the API prefix, for example
	// "/persons/{id}/documents". It is unescaped, begins with a slash and ends
	// without one. Places in braces are filled from Args, which keeps ids that
	// hold a slash or a dot from changing the path.
	Path string
	// Args fill the places of Path in order. Each must be one path segment.
	Args []string
	// Query is the query string.
	Query url.Values
	// Body is encoded as JSON; nil sends none. A *File or File is sent as a
	// multipart form. Any other reader is refused; JSON that is ready to be sent
	// is a json.RawMessage.
	Body any
	// Repeatable says that the call may be sent again after it may have
	// reached the provider. GET and HEAD always are, an upload never is.
	Repeatable bool

	op string
}

// Get reads a resource and decodes its JSON into out; a nil out drops it, a
// *json.RawMessage keeps it as it is. The path is as Request.Path, without
// places. The call is retried as Config.HTTP says.
//
// Do not put an id that comes from outside into path: with a slash in it, it
// names another resource. Use Do, whose Request.Args refuses that.
//
// Errors are *kyckit.Error; refused fields are a *ValidationError inside.
func (c *Client) Get(ctx context.Context, path string, query url.Values, out any) error {
	return c.Do(ctx, Request{Method: http.MethodGet, Path: path, Query: query}, out)
}

// Post creates something: it sends in as JSON and decodes the answer into out,
// both as in Do. It is never sent twice once it may have reached the
// provider: where no usable answer comes back, the error is
// kyckit.ErrOutcomeUnknown.
func (c *Client) Post(ctx context.Context, path string, in, out any) error {
	return c.Do(ctx, Request{Method: http.MethodPost, Path: path, Body: in}, out)
}

// Do makes any call. The answer is decoded into out unless out is nil, the
// answer is 204 or the call a HEAD. A 401 costs one login and one replay, a 403
// neither. A web page in place of the answer is kyckit.ErrDecode even where out
// is nil.
//
// Errors are *kyckit.Error; refused fields are a *ValidationError inside.
func (c *Client) Do(ctx context.Context, r Request, out any) (err error) {
	if v := reflect.ValueOf(out); out != nil && (v.Kind() != reflect.Pointer || v.IsNil()) {
		// Found out after a creation, this would leave the caller empty-handed.
		return invalid(operation(r), "out must be nil or a non-nil pointer")
	}
	ctx, end := c.scope(ctx)
	defer end(&err)
	resp, err := c.call(ctx, r)
	if err != nil || out == nil || resp.StatusCode == http.StatusNoContent || r.Method == http.MethodHead {
		return err
	}
	return resp.Decode(out)
}

// scope is the transport's Scope.
func (c *Client) scope(ctx context.Context) (context.Context, func(*error)) {
	if c == nil {
		return ctx, func(*error) {}
	}
	return c.http.Scope(ctx)
}

func (c *Client) call(ctx context.Context, r Request) (*transport.Response, error) {
	if c == nil || c.http == nil {
		return nil, invalid(operation(r), "the Client was not made by New")
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		r.Repeatable = true
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return nil, invalid(operation(r), "the method is not one of this API")
	}
	path, args, err := resourcePath(operation(r), c.prefix, r.Path, r.Args)
	if err != nil {
		return nil, err
	}
	call := &transport.Call{
		Op:         operation(r),
		Method:     r.Method,
		Path:       path,
		Args:       args,
		Query:      r.Query,
		Repeatable: r.Repeatable,
	}
	if file, ok := r.Body.(File); ok {
		r.Body = &file
	}
	var form *upload.Form
	switch body := r.Body.(type) {
	case nil:
	case *File:
		if form, err = newForm(call.Op, body); err != nil {
			return nil, err
		}
		call.Body, call.Timeout, call.Repeatable = form.Body(), uploadTimeout, false
	case io.Reader:
		// As JSON it would be an empty object.
		return nil, invalid(call.Op, "the input is a reader, which is no JSON; use json.RawMessage or File")
	default:
		if call.Body, err = transport.JSONBody(r.Body); err != nil {
			return nil, invalid(call.Op, "the input cannot be encoded as JSON")
		}
	}
	resp, err := c.http.Do(ctx, call)
	if err != nil {
		err = withFields(err)
	}
	if form != nil {
		err = form.Verdict(ctx, readGrace, err, func(failed *upload.ReaderError) *kyckit.Error {
			return unreadableFile(call.Op, failed)
		})
	}
	if err == nil && bytes.HasPrefix(bytes.TrimSpace(resp.Body), []byte("<")) {
		// A portal or a proxy answered: nothing says that the API was reached.
		return nil, unreadable(resp, "the answer is a web page")
	}
	return resp, err
}

// operation names a call in errors and logs.
func operation(r Request) string {
	switch {
	case r.op != "":
		return r.op
	case r.Method == http.MethodGet:
		return "get"
	case r.Method == http.MethodPost:
		return "post"
	default:
		return "do"
	}
}

// invalid is the error of a typed call whose input is refused before anything
// is sent.
func invalid(op, reason string) *kyckit.Error { return transport.InputError(provider, op, reason) }
