package webhook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"reflect"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/strictjson"
)

const (
	defaultMaxBody       = 1 << 20
	defaultHandleTimeout = 20 * time.Second
	defaultKeep          = 72 * time.Hour
	defaultRetryAfter    = 10 * time.Second
	defaultQueueLease    = 15 * time.Minute
	storeTimeout         = 5 * time.Second
	leaseMargin          = 2*storeTimeout + 10*time.Second
)

// NewHandler returns an http.Handler that believes only what Authenticate
// accepts and hands each delivery on once. It works in this order: limits,
// whatever can be checked before the body (certificate, presence of a
// signature), body, Authenticate, strict JSON, claim, Handle, commit.
//
// It answers 200 for what was handled, now or before; 401 when not
// authenticated; 400 for a malformed body; 405 and 413; and 503 with
// Retry-After when the store or Handle failed or the same delivery is in
// progress. Each status has one plain body, so that a sender learns nothing
// about the reason.
//
// The server around it should have ReadTimeout and MaxHeaderBytes set: how long
// a body may take and how large headers may be is decided there.
//
// A wrong configuration is an error of the kind kyckit.ErrInvalid.
func NewHandler(cfg HandlerConfig) (http.Handler, error) {
	const op = "handler"
	switch {
	case missing(cfg.Authenticate):
		return nil, invalid(op, "Authenticate is required")
	case cfg.Handle == nil:
		return nil, invalid(op, "Handle is required")
	case cfg.Claims != nil && missing(cfg.Claims):
		return nil, invalid(op, "Claims is a nil pointer")
	case cfg.EveryCopy && (cfg.Claims != nil || cfg.Key != nil):
		return nil, invalid(op, "EveryCopy excludes Claims and Key")
	case cfg.Queue != nil && cfg.Queue.empty == nil:
		return nil, invalid(op, "Queue was not made by NewQueue")
	case cfg.MaxBody < 0:
		return nil, invalid(op, "MaxBody is negative")
	case cfg.HandleTimeout < 0, cfg.Keep < 0, cfg.Lease < 0, cfg.RetryAfter < 0:
		return nil, invalid(op, "HandleTimeout, Keep, Lease and RetryAfter may not be negative")
	}
	switch {
	case cfg.EveryCopy:
		cfg.Claims = everyCopy{}
	case cfg.Claims == nil:
		cfg.Claims = NewMemoryClaims(MemoryClaimsConfig{})
	}
	cfg.MaxBody = cmp.Or(cfg.MaxBody, defaultMaxBody)
	cfg.Methods = slices.Clone(cfg.Methods)
	if len(cfg.Methods) == 0 {
		cfg.Methods = []string{http.MethodPost}
	}
	if slices.ContainsFunc(cfg.Methods, func(m string) bool { return !validHeaderName(m) }) {
		return nil, invalid(op, "Methods holds something that is no method")
	}
	cfg.HandleTimeout = cmp.Or(cfg.HandleTimeout, defaultHandleTimeout)
	cfg.Keep = cmp.Or(cfg.Keep, defaultKeep)
	cfg.RetryAfter = cmp.Or(cfg.RetryAfter, defaultRetryAfter)
	lease := time.Duration(math.MaxInt64)
	switch {
	case cfg.Queue != nil:
		lease = defaultQueueLease
	case cfg.HandleTimeout <= (lease-leaseMargin)/2:
		lease = 2*cfg.HandleTimeout + leaseMargin
	}
	cfg.Lease = cmp.Or(cfg.Lease, lease)
	retryAfter := cfg.RetryAfter / time.Second
	if cfg.RetryAfter%time.Second > 0 {
		retryAfter++
	}
	_, local := cfg.Claims.(*memoryClaims)
	return &handler{
		work: work{HandlerConfig: cfg, local: local || cfg.EveryCopy}, retryAfter: strconv.FormatInt(int64(retryAfter), 10),
	}, nil
}

// missing reports whether an interface holds nothing that can be asked: nil, a
// nil pointer, as a constructor returns it beside its error, or a nil function.
func missing(v any) bool {
	r := reflect.ValueOf(v)
	switch r.Kind() { // others are never nil, or can be used all the same
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Func:
		return r.IsNil()
	}
	return false
}

type handler struct {
	work
	retryAfter string
	order      orderLocks
}

// Format keeps the order keys of what is being handled out of fmt.
func (*handler) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "webhook handler") }

// request is one piece of memory for what a request needs.
type request struct {
	delivery  Delivery
	job       job
	handling  handleContext
	concealed concealed
	layer     [1]Layer // enough for an authenticator that is no policy
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	watched := h.Logger != nil || h.OnResult != nil
	var start time.Time
	if watched {
		start = time.Now()
	}
	x := &request{delivery: Delivery{Method: r.Method, URL: r.URL, Header: r.Header, TLS: r.TLS, RemoteAddr: r.RemoteAddr}}
	d := &x.delivery
	d.concealed, d.Layers = &x.concealed, x.layer[:0]
	d.LocalAddr, _ = r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	outcome, err := h.serve(r, x)
	status := h.answer(w, outcome)
	if !watched {
		return
	}
	res := resultOf(d, outcome, err)
	res.Status, res.Duration = status, time.Since(start)
	if outcome == Refused { // by a later layer, or after a part of a policy had said yes
		res.ID, res.Timestamp = "", time.Time{}
	}
	h.report(r.Context(), res)
}

// serve decides what becomes of a request.
func (h *handler) serve(r *http.Request, x *request) (Outcome, error) {
	d := &x.delivery
	if !slices.Contains(h.Methods, r.Method) {
		return BadMethod, newError("handler", kyckit.ErrInvalid, errBadMethod, "")
	}
	if r.ContentLength > h.MaxBody {
		return TooLarge, h.tooLarge()
	}
	if err := h.authenticate(d, askHead, false); err != nil {
		return refusalOf(err), err
	}
	if r.Body == nil { // only a request made by hand
		r.Body = http.NoBody
	}
	var err error
	d.Body, err = readBody(r.Body, r.ContentLength, h.MaxBody)
	switch {
	case errors.Is(err, errBodyTooLong):
		return TooLarge, h.tooLarge()
	case err != nil:
		return Malformed, malformed("the body broke off")
	}
	d.ReceivedAt = time.Now()
	short := r.ContentLength > int64(len(d.Body))
	if err := h.authenticate(d, ask, true); err != nil {
		return refusalOf(err), readBefore(err, short)
	}
	d.removeConcealed()
	if !h.AnyBody {
		reason, plain := strictjson.Check(d.Body, nil)
		if reason != "" {
			return Malformed, readBefore(malformed(reason), short)
		}
		if plain {
			d.checked = d.Body
		}
	}
	return h.once(context.WithoutCancel(r.Context()), x)
}

// readBefore adds to a refusal that the body was shorter than announced. The
// server of net/http delivers all or an error, so somebody else has read it.
func readBefore(err error, short bool) error {
	if !short {
		return err
	}
	kind := kyckit.ErrUnauthorized
	if errors.Is(err, kyckit.ErrInvalid) {
		kind = kyckit.ErrInvalid
	}
	return &kyckit.Error{
		Provider: provider, Op: "handler", Kind: kind, Err: err,
		Reason: "something read the body before, such as a middleware: it is shorter than Content-Length; and so: " + safeError(err),
	}
}

var errBadMethod = errors.New("method not allowed")

func (h *handler) tooLarge() error {
	return newError("handler", kyckit.ErrInvalid, ErrTooLarge, "")
}

// authenticate runs one round of the policy.
func (h *handler) authenticate(d *Delivery, ask func(Authenticator, *Delivery) error, final bool) (err error) {
	defer recovered(&err) // a Name method may panic too
	asked, before := len(d.Layers), d.proof()
	err = safely(ask, h.Authenticate, d)
	if !final {
		d.restore(before)
	}
	d.note(h.Authenticate, err, asked, final)
	return err
}

func refusalOf(err error) Outcome {
	if errors.Is(err, kyckit.ErrUnavailable) {
		return Failed
	}
	return Refused
}

// once claims the delivery and hands it on. ctx outlives the request.
func (h *handler) once(ctx context.Context, x *request) (Outcome, error) {
	d, j := &x.delivery, &x.job
	key, order, err := h.keys(d)
	if err != nil {
		return Failed, err
	}
	claim, err := h.claim(ctx, key)
	switch {
	case errors.Is(err, ErrDuplicate):
		return Duplicate, err
	case errors.Is(err, ErrInProgress):
		return InProgress, err
	case err != nil:
		return Failed, err
	}
	j.work, j.ctx, j.claim, j.delivery, j.order = &h.work, ctx, claim, d, order
	if h.Queue != nil {
		if err := h.Queue.submit(j); err != nil { //nolint:contextcheck // the job carries it
			j.release(ctx)
			return Failed, err
		}
		return Queued, nil
	}
	unlock, err := h.order.lock(ctx, order, h.HandleTimeout)
	if err != nil {
		j.release(ctx)
		return Failed, err
	}
	defer unlock()
	start := d.ReceivedAt
	if !h.local || order != "" { // time has passed since
		start = time.Now()
	}
	x.handling.begin(ctx, start, h.HandleTimeout)
	err = j.handle(&x.handling) //nolint:contextcheck // that is the context
	switch {
	case err == nil, errors.Is(err, ErrDuplicate):
		return Handled, j.commit(ctx)
	case errors.Is(err, ErrMalformed):
		j.release(ctx)
		return Malformed, err
	}
	j.release(ctx)
	return Failed, err
}

func (h *handler) keys(d *Delivery) (key, order string, err error) {
	defer recovered(&err)
	if h.Key != nil {
		key = h.Key(d)
	}
	if key == "" && !h.EveryCopy {
		key = defaultKey(d)
	}
	if h.OrderKey != nil {
		order = h.OrderKey(d)
	}
	return key, order, nil
}

func (h *handler) claim(ctx context.Context, key string) (c Claim, err error) {
	defer recovered(&err)
	ctx, cancel := h.storeContext(ctx)
	defer cancel()
	c, err = h.Claims.Claim(ctx, key, h.Lease)
	if err == nil && c == nil {
		err = &kyckit.Error{Provider: provider, Op: "claim", Kind: kyckit.ErrUnavailable, Reason: "Claims returned neither a claim nor an error"}
	}
	return c, err
}

// recovered turns a panic into an error that makes the sender try again.
func recovered(err *error) {
	if v := recover(); v != nil {
		stack := debug.Stack()
		*err = &kyckit.Error{
			Provider: provider, Op: "handler", Kind: kyckit.ErrUnavailable, Reason: "panic",
			Err: &PanicError{value: func() (any, []byte) { return v, stack }},
		}
	}
}

// answer writes the one plain answer of an outcome.
func (h *handler) answer(w http.ResponseWriter, o Outcome) (status int) {
	header := w.Header()
	text := ""
	switch o {
	case Handled, Queued, Duplicate:
		// Exactly 200: some senders take any other success for a failure.
		w.WriteHeader(http.StatusOK)
		return http.StatusOK
	case Refused:
		status, text = http.StatusUnauthorized, "unauthorized\n"
	case Malformed:
		status, text = http.StatusBadRequest, "bad request\n"
	case BadMethod:
		header.Set("Allow", strings.Join(h.Methods, ", "))
		status, text = http.StatusMethodNotAllowed, "method not allowed\n"
	case TooLarge:
		header.Set("Connection", "close")
		status, text = http.StatusRequestEntityTooLarge, "too large\n"
	default:
		header.Set("Retry-After", h.retryAfter)
		status, text = http.StatusServiceUnavailable, "try again later\n"
	}
	header.Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
	return status
}
