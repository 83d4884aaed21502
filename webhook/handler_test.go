package webhook

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
)

func accept() Authenticator { return AuthenticatorFunc(func(*Delivery) error { return nil }) }

func deny() Authenticator {
	return AuthenticatorFunc(func(*Delivery) error { return refuse("test", ErrBadSignature, "") })
}

// newHandler makes a handler of cfg, which believes everything and handles nothing
// unless cfg says otherwise.
func newHandler(t testing.TB, cfg HandlerConfig) http.Handler {
	t.Helper()
	if cfg.Authenticate == nil {
		cfg.Authenticate = accept()
	}
	if cfg.Handle == nil {
		cfg.Handle = func(context.Context, *Delivery) error { return nil }
	}
	h, err := NewHandler(cfg)
	require.NoError(t, err)
	return h
}

func post(h http.Handler, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/hook", strings.NewReader(body)))
	return w
}

func TestHandlerConfigIsChecked(t *testing.T) {
	handle := func(context.Context, *Delivery) error { return nil }
	for name, cfg := range map[string]HandlerConfig{
		"nothing": {}, "no handle": {Authenticate: accept()}, "no authenticator": {Handle: handle},
		"nil certificate":  {Authenticate: (*ClientCert)(nil), Handle: handle},
		"nil function":     {Authenticate: AuthenticatorFunc(nil), Handle: handle},
		"nil claims":       {Authenticate: accept(), Handle: handle, Claims: (*memoryClaims)(nil)},
		"queue of nobody":  {Authenticate: accept(), Handle: handle, Queue: &Queue{}},
		"negative body":    {Authenticate: accept(), Handle: handle, MaxBody: -1},
		"negative timeout": {Authenticate: accept(), Handle: handle, HandleTimeout: -1},
		"bad method":       {Authenticate: accept(), Handle: handle, Methods: []string{"PO ST"}},
	} {
		_, err := NewHandler(cfg)
		assert.ErrorIs(t, err, kyckit.ErrInvalid, name)
	}
	require.NoError(t, new(Queue).Shutdown(t.Context()))
}

func TestAnswers(t *testing.T) {
	boom := errors.New("database password is hunter2")
	for name, c := range map[string]struct {
		cfg    HandlerConfig
		method string
		body   string
		status int
		out    Outcome
		err    error
	}{
		"handled":            {body: `{}`, status: 200, out: Handled},
		"refused":            {cfg: HandlerConfig{Authenticate: deny()}, body: `{}`, status: 401, out: Refused, err: ErrBadSignature},
		"empty all":          {cfg: HandlerConfig{Authenticate: All()}, body: `{}`, status: 401, out: Refused, err: ErrNoSignature},
		"empty any":          {cfg: HandlerConfig{Authenticate: Any()}, body: `{}`, status: 401, out: Refused, err: ErrNoSignature},
		"cannot tell":        {cfg: HandlerConfig{Authenticate: AuthenticatorFunc(func(*Delivery) error { return kyckit.ErrUnavailable })}, body: `{}`, status: 503, out: Failed},
		"auth panics":        {cfg: HandlerConfig{Authenticate: AuthenticatorFunc(func(*Delivery) error { panic("x") })}, body: `{}`, status: 503, out: Failed},
		"malformed":          {body: `{`, status: 400, out: Malformed, err: ErrMalformed},
		"empty":              {body: ``, status: 400, out: Malformed, err: ErrMalformed},
		"twice":              {body: `{"a":1,"A":2}`, status: 400, out: Malformed, err: ErrMalformed},
		"malformed event":    {cfg: HandlerConfig{Handle: func(context.Context, *Delivery) error { return malformed("no id") }}, body: `{}`, status: 400, out: Malformed, err: ErrMalformed},
		"any body":           {cfg: HandlerConfig{AnyBody: true}, body: `a=b`, status: 200, out: Handled},
		"GET":                {method: "GET", status: 405, out: BadMethod},
		"PUT allowed":        {cfg: HandlerConfig{Methods: []string{"POST", "PUT"}}, method: "PUT", body: `{}`, status: 200, out: Handled},
		"too large":          {cfg: HandlerConfig{MaxBody: 8}, body: `{"a":"bcd"}`, status: 413, out: TooLarge, err: ErrTooLarge},
		"just fits":          {cfg: HandlerConfig{MaxBody: 8}, body: `{"a":12}`, status: 200, out: Handled},
		"handler fails":      {cfg: HandlerConfig{Handle: func(context.Context, *Delivery) error { return boom }}, body: `{}`, status: 503, out: Failed, err: boom},
		"handler panics":     {cfg: HandlerConfig{Handle: func(context.Context, *Delivery) error { panic(boom) }}, body: `{}`, status: 503, out: Failed, err: kyckit.ErrUnavailable},
		"key panics":         {cfg: HandlerConfig{Key: func(*Delivery) string { panic(boom) }}, body: `{}`, status: 503, out: Failed},
		"store down":         {cfg: HandlerConfig{Claims: &fakeClaims{claimErr: boom}}, body: `{}`, status: 503, out: Failed, err: boom},
		"store says nothing": {cfg: HandlerConfig{Claims: &fakeClaims{nothing: true}}, body: `{}`, status: 503, out: Failed},
		"in progress":        {cfg: HandlerConfig{Claims: &fakeClaims{claimErr: ErrInProgress}}, body: `{}`, status: 503, out: InProgress, err: ErrInProgress},
		"duplicate":          {cfg: HandlerConfig{Claims: &fakeClaims{claimErr: ErrDuplicate}}, body: `{}`, status: 200, out: Duplicate, err: ErrDuplicate},
		"commit fails":       {cfg: HandlerConfig{Claims: &fakeClaims{commitErr: boom}}, body: `{}`, status: 200, out: Handled, err: boom},
		"known to the user":  {cfg: HandlerConfig{Handle: func(context.Context, *Delivery) error { return ErrDuplicate }}, body: `{}`, status: 200, out: Handled},
	} {
		t.Run(name, func(t *testing.T) {
			var res Result
			var log bytes.Buffer
			c.cfg.OnResult = func(_ context.Context, r Result) { res = r }
			c.cfg.Logger = slog.New(slog.NewJSONHandler(&log, nil))
			w := httptest.NewRecorder()
			method := c.method
			if method == "" {
				method = "POST"
			}
			newHandler(t, c.cfg).ServeHTTP(w, httptest.NewRequest(method, "/", strings.NewReader(c.body)))
			assert.Equal(t, c.status, w.Code)
			assert.Equal(t, c.status, res.Status)
			assert.Equal(t, c.out, res.Outcome)
			if c.err != nil {
				assert.ErrorIs(t, res.Err, c.err)
			}
			assert.Equal(t, c.status == 503, w.Header().Get("Retry-After") == "10")
			assert.Equal(t, c.status == 405, w.Header().Get("Allow") == "POST")
			assert.NotContains(t, w.Body.String()+log.String(), "hunter2")
			assert.Contains(t, log.String(), string(c.out))
		})
	}
}

func TestHandledOnceThenAnsweredAsDuplicate(t *testing.T) {
	var calls, results atomic.Int32
	fail := true
	h := newHandler(t, HandlerConfig{
		Handle: func(context.Context, *Delivery) error {
			calls.Add(1)
			if fail {
				return errors.New("not now")
			}
			return nil
		},
		OnResult: func(_ context.Context, r Result) {
			if r.Outcome == Duplicate {
				results.Add(1)
			}
		},
	})
	assert.Equal(t, 503, post(h, `{"n":1}`).Code)
	fail = false
	assert.Equal(t, 200, post(h, `{"n":1}`).Code)
	assert.Equal(t, 200, post(h, `{"n":1}`).Code)
	assert.Equal(t, 200, post(h, `{"n":2}`).Code)
	assert.EqualValues(t, 3, calls.Load())
	assert.EqualValues(t, 1, results.Load())
}

func TestUnsignedHeadersCannotEvadeTheClaims(t *testing.T) {
	v := vectors()[0]
	var calls int
	h := newHandler(t, HandlerConfig{Authenticate: v.auth(t), AnyBody: true, Handle: func(context.Context, *Delivery) error { calls++; return nil }})
	for _, id := range []string{"1", "2"} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(v.body))
		r.Header.Set("X-Hub-Signature-256", v.header["X-Hub-Signature-256"])
		r.Header.Set("X-GitHub-Delivery", id)
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	assert.Equal(t, 1, calls)
}

// TestEarlyRefusalNamesWhoRefused: a layer that had no chance to verify
// anything is not reported as having accepted.
func TestEarlyRefusalNamesWhoRefused(t *testing.T) {
	v := vectors()[0]
	cert, err := NewClientCert(ClientCertConfig{CA: []byte(seedCA)})
	require.NoError(t, err)
	var res Result
	h := newHandler(t, HandlerConfig{Authenticate: All(v.auth(t), cert), OnResult: func(_ context.Context, r Result) { res = r }})
	r := httptest.NewRequest("POST", "/", strings.NewReader("{}"))
	r.Header.Set("X-Hub-Signature-256", "sha256=00")
	h.ServeHTTP(httptest.NewRecorder(), r)
	require.Len(t, res.Layers, 1)
	assert.Equal(t, "client certificate", res.Layers[0].Name)
	require.ErrorIs(t, res.Err, ErrCertificate)
}

// TestForeverIsLong: the longest duration, written for "no limit", must not run
// over into the past.
func TestForeverIsLong(t *testing.T) {
	const forever = time.Duration(math.MaxInt64)
	var lease time.Duration
	h, err := NewHandler(HandlerConfig{
		Authenticate: accept(), HandleTimeout: forever, RetryAfter: forever, Keep: forever, MaxBody: math.MaxInt64,
		Handle: func(context.Context, *Delivery) error { return nil },
		Claims: claimsFunc(func(_ string, l time.Duration) (Claim, error) { lease = l; return nil, errors.New("down") }),
	})
	require.NoError(t, err)
	w := post(h, `{}`)
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Equal(t, "9223372037", w.Header().Get("Retry-After"))
	require.Equal(t, forever, lease)
}

type claimsFunc func(key string, lease time.Duration) (Claim, error)

func (f claimsFunc) Claim(_ context.Context, key string, lease time.Duration) (Claim, error) {
	return f(key, lease)
}
