package kycjwt

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/redact"
	"github.com/kyckit/kyckit/internal/transport"
	"github.com/kyckit/kyckit/internal/upload"
)

// Request is a call of any resource, for Do.
type Request struct {
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
	// Body is encoded as JSON; nil sends none. A *File is sent as a multipart
	// form.
	Body any
	// Repeatable says that the call may be sent again after it may have
	// reached the provider. GET and HEAD always are, an upload never is.
	Repeatable bool

	op string
}

// Format implements fmt.Formatter and shows the type's name only.
func (Request) Format(f fmt.State, _ rune) { redact.Format(f, "kycjwt.Request") }

// LogValue implements slog.LogValuer.
func (Request) LogValue() slog.Value { return redact.Value("kycjwt.Request") }

// Get reads a resource and decodes its JSON into out; a nil out drops it, a
// *json.RawMessage keeps it as it is. The path is as Request.Path, without
// places. The call is retried as Config.HTTP says.
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

// Do makes any call. The answer is decoded into out unless out is nil or the
// answer is 204. A 401 costs one login and one replay, a 403 neither.
//
// Errors are *kyckit.Error; refused fields are a *ValidationError inside.
func (c *Client) Do(ctx context.Context, r Request, out any) error {
	if v := reflect.ValueOf(out); out != nil && (v.Kind() != reflect.Pointer || v.IsNil()) {
		// Found out after a creation, this would leave the caller empty-handed.
		return invalid(operation(r), "out must be nil or a non-nil pointer")
	}
	resp, err := c.call(ctx, r)
	if err != nil || out == nil || resp.StatusCode == http.StatusNoContent {
		return err
	}
	return resp.Decode(out)
}

func (c *Client) call(ctx context.Context, r Request) (*transport.Response, error) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		r.Repeatable = true
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return nil, transport.InputError(provider, operation(r), "the method is not one of this API")
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
	var form *upload.Form
	switch body := r.Body.(type) {
	case nil:
	case *File:
		if form, err = newForm(call.Op, body); err != nil {
			return nil, err
		}
		call.Body, call.Timeout, call.Repeatable = form.Body(), uploadTimeout, false
	default:
		if call.Body, err = transport.JSONBody(r.Body); err != nil {
			return nil, transport.InputError(provider, call.Op, "the input cannot be encoded as JSON")
		}
	}
	resp, err := c.http.Do(ctx, call)
	if err != nil {
		err = withFields(err)
	}
	if form != nil {
		err = finish(call.Op, form, err)
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
