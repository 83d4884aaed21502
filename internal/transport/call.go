package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"time"

	"github.com/kyckit/kyckit"
)

// Call describes one logical call.
type Call struct {
	// Op names the operation in errors and logs.
	Op string
	// Method is the HTTP method.
	Method string
	// Path is a template such as "/details/{transId}", appended to the base
	// URL. It is what logs show.
	Path string
	// Args fill the {…} places of Path in order.
	Args []string
	// Query is the query string; never logged.
	Query url.Values
	// Header holds further request headers, Accept aside.
	Header http.Header
	// Body is the request body; the zero value is none.
	Body Body
	// Repeatable marks a call that may be tried again after it may have
	// reached the provider.
	Repeatable bool
	// Once forbids a second request of any kind, the replay after a 401, a
	// followed redirect and a middleware's repetition included: the caller
	// counts every request against a limit.
	Once bool
	// Timeout is the default for one try when the configuration has none.
	// Zero means 30 s.
	Timeout time.Duration
}

// Body is a request body. Either Bytes or Open is set.
type Body struct {
	ContentType string
	Bytes       []byte
	// Open starts the body anew; it is called once a send. Close, which comes
	// from another goroutine when the time for the send is over, must end a Read
	// in progress.
	Open func() (io.ReadCloser, error)
	// Length is the length of what Open reads, or -1 when unknown.
	Length int64
	// OneShot says that Open works once only, so that a 401 cannot be replayed.
	OneShot bool
}

// JSONBody encodes v, which must be encodable.
func JSONBody(v any) (Body, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return Body{}, err
	}
	return Body{ContentType: "application/json", Bytes: b}, nil
}

// FormBody encodes v as a form.
func FormBody(v url.Values) Body {
	return Body{ContentType: "application/x-www-form-urlencoded", Bytes: []byte(v.Encode())}
}

// Response is an answer with a 2xx status.
type Response struct {
	StatusCode int
	Header     http.Header
	Body       []byte
	RequestID  string
	Attempts   int

	client *Client
	call   *Call
}

// NotSentError says that an inner layer failed before anything was sent.
type NotSentError struct{ Err error }

// Error names the cause where its text is this module's own.
func (e *NotSentError) Error() string {
	if own, ok := errors.AsType[*kyckit.Error](e.Err); ok {
		return "request not sent: " + own.Error()
	}
	return "request not sent"
}

// Unwrap returns the cause.
func (e *NotSentError) Unwrap() error { return e.Err }

// Do makes the call. The error is a *kyckit.Error. A nil Client, which is in
// the zero value of a provider's, is refused.
func (c *Client) Do(ctx context.Context, call *Call) (*Response, error) {
	if c == nil {
		return nil, InputError("kyckit", call.Op, "the Client was not made by New")
	}
	if c.hooks != nil {
		return c.traced(ctx, call)
	}
	return c.do(&state{Context: ctx, client: c, call: call}) //nolint:contextcheck // the state is the context
}

func (c *Client) do(st *state) (*Response, error) {
	ctx, call := st.Context, st.call
	if err := ctx.Err(); err != nil {
		return nil, c.contextError(st, err, false)
	}
	req, err := c.request(st, call)
	if err != nil {
		return nil, err
	}
	resp, err := c.send(req)
	st.begun.Store(true) // a middleware that passes the call on from now on is too late
	if err == nil {
		err = complete(resp)
	}
	if err != nil {
		return nil, c.transportError(ctx, st, err)
	}
	if _, read := resp.Body.(*buffered); !read { // a middleware's, which may hang
		defer context.AfterFunc(ctx, func() { _ = resp.Body.Close() })()
	}
	st.status.Store(int32(resp.StatusCode)) //nolint:gosec // of three digits
	body, err := readBody(resp, call.Method, c.maxBytes)
	_ = resp.Body.Close()
	if err != nil {
		return nil, c.transportError(ctx, st, err)
	}
	r := &Response{
		StatusCode: resp.StatusCode,
		Header:     resp.Header,
		Body:       withoutMark(body),
		RequestID:  requestID(resp, c.requestIDHeader),
		Attempts:   st.attempts(),
		client:     c,
		call:       call,
	}
	if r.StatusCode < 200 || r.StatusCode > 299 {
		return nil, r.statusError()
	}
	return r, nil
}

// send hands the request to the layers. Some of them are user code, whose panic
// must not end what goes on beside this call.
func (c *Client) send(req *http.Request) (resp *http.Response, err error) {
	defer func() {
		if v := recover(); v != nil {
			resp, err = nil, &panicError{fmt.Errorf("panic: %v\n%s", v, debug.Stack())}
		}
	}()
	return c.chain.RoundTrip(req)
}

// panicError is the error of a layer that panicked. Only its cause holds the
// value of the panic, because nobody knows what the value tells.
type panicError struct{ err error }

const panicText = "a middleware or the transport panicked"

func (*panicError) Error() string { return panicText }

// Unwrap returns the value of the panic and the stack.
func (p *panicError) Unwrap() error { return p.err }

// request builds the request. It fails only on input, before anything is sent.
func (c *Client) request(ctx context.Context, call *Call) (*http.Request, error) {
	path, ok := expand(call.Path, call.Args)
	if !ok {
		return nil, InputError(c.provider, call.Op, "an id is empty or cannot be part of a path")
	}
	target := c.base + path
	if len(call.Query) > 0 {
		target += "?" + call.Query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, call.Method, target, nil)
	if err != nil {
		return nil, InputError(c.provider, call.Op, "the request cannot be built")
	}
	for k, v := range call.Header {
		req.Header[http.CanonicalHeaderKey(k)] = v
	}
	req.Header["Accept"] = asJSON
	req.Header["User-Agent"] = c.agent
	if err := call.Body.attach(req); err != nil {
		return nil, &kyckit.Error{Provider: c.provider, Op: call.Op, Kind: kyckit.ErrInvalid, Reason: "the body cannot be read", Err: safeCause(err)}
	}
	return req, nil
}

// asJSON is shared by every request and never written to, as a client's
// User-Agent is.
var asJSON = []string{"application/json"}

func (b Body) attach(req *http.Request) error {
	switch b.ContentType {
	case "":
	case asJSON[0]:
		req.Header["Content-Type"] = asJSON
	default:
		req.Header["Content-Type"] = []string{b.ContentType}
	}
	open, length := b.Open, b.Length
	if open == nil {
		data := b.Bytes
		if data == nil {
			return nil
		}
		length = int64(len(data))
		open = func() (io.ReadCloser, error) { return newOutgoing(data), nil }
	} else {
		open = stateOf(req.Context()).track(open)
	}
	body, err := open()
	if err != nil {
		return err
	}
	req.Body, req.ContentLength = body, length
	if !b.OneShot {
		req.GetBody = open
	}
	return nil
}

// Decode reads the body as JSON into v. Unknown fields are ignored. The error
// is a *kyckit.Error of kind ErrDecode that does not quote the body.
func (r *Response) Decode(v any) error {
	if len(bytes.TrimSpace(r.Body)) == 0 {
		return r.Fail(kyckit.ErrDecode, "the answer is empty", Explanation{})
	}
	if err := json.Unmarshal(r.Body, v); err != nil {
		return r.Fail(kyckit.ErrDecode, "the answer is not the documented JSON", Explanation{})
	}
	return nil
}
