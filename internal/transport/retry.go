package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"maps"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/kyckit/kyckit"
)

// retrier hands a request to go-retryablehttp. The decision whether to try
// again and after how long is this package's: the library cannot see whether a
// call is repeatable, so the call's state travels in the context.
type retrier struct {
	http    *http.Client
	policy  kyckit.Retry
	library *retryablehttp.Client
	shared  bool // a middleware may use the requests that come in meanwhile
}

func newRetrier(c *http.Client, policy kyckit.Retry, middleware bool) *retrier {
	r := &retrier{http: c, policy: policy, shared: middleware}
	r.library = r.prepared(renew)
	return r
}

func (r *retrier) prepared(renew func(*http.Request) error) *retryablehttp.Client {
	return &retryablehttp.Client{
		HTTPClient:   r.http,
		RetryMax:     r.policy.MaxAttempts - 1,
		CheckRetry:   again,
		Backoff:      func(time.Duration, time.Duration, int, *http.Response) time.Duration { return 0 }, // again has waited
		PrepareRetry: renew,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
}

func (r *retrier) RoundTrip(req *http.Request) (*http.Response, error) {
	st := stateOf(req.Context())
	if st == nil {
		return nil, errors.New("a middleware replaced the request's context")
	}
	st.sent.Add(1) // before it is begun, for whoever sees that it is
	defer st.sent.Add(-1)
	if st.begun.Swap(true) && (!st.call.Repeatable || st.call.Once) {
		return nil, errors.New("a middleware tried to repeat a call that must not be repeated")
	}
	if r.shared {
		own := *req
		own.Header = maps.Clone(req.Header)
		req = &own
	}
	library := r.library
	if r.http.Jar != nil {
		library = r.prepared(renewWith(req.Header["Cookie"]))
	}
	resp, err := library.Do(&retryablehttp.Request{Request: req})
	if err != nil {
		return nil, err
	}
	if r.shared {
		hideToken(resp)
	}
	return resp, nil
}

// renew prepares the request for the next try. When an answer is complete,
// net/http may still be sending and read the header map, so the next try has a
// map of its own.
func renew(req *http.Request) error {
	req.Header = maps.Clone(req.Header)
	if req.GetBody == nil {
		return nil
	}
	body, err := req.GetBody()
	if err != nil {
		return &NotSentError{err}
	}
	req.Body = body
	return nil
}

// renewWith is renew for a client with a cookie jar, whose cookies net/http adds
// to those that are there.
func renewWith(cookies []string) func(*http.Request) error {
	return func(req *http.Request) error {
		err := renew(req)
		delete(req.Header, "Cookie")
		if cookies != nil {
			req.Header["Cookie"] = cookies
		}
		return err
	}
}

// hideToken puts copies without the bearer in the place of the requests that
// led to an answer, redirects included.
func hideToken(resp *http.Response) {
	for hop := resp; hop != nil && hop.Request != nil; hop = hop.Request.Response {
		clean := *hop.Request
		clean.Header = maps.Clone(clean.Header)
		delete(clean.Header, "Authorization")
		hop.Request = &clean
	}
}

// again reports whether the call is tried again, and has waited when it is.
func again(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if !worthwhile(resp, err) {
		return false, nil
	}
	wait, ok := stateOf(ctx).allowed(ctx, resp)
	if !ok {
		return false, nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// allowed reports whether the call may be tried again, and after what wait: no
// try begins after the caller's deadline.
func (st *state) allowed(ctx context.Context, resp *http.Response) (wait time.Duration, ok bool) {
	retry, tries := st.client.retry, st.attempts()
	if !st.call.Repeatable || st.call.Once || st.call.Body.OneShot || tries >= retry.MaxAttempts || ctx.Err() != nil {
		return 0, false
	}
	wait = jitter(retry, tries)
	if resp != nil {
		after := retryAfter(resp.Header, time.Now())
		if after > retry.MaxWait {
			return 0, false
		}
		wait = max(wait, after)
	}
	deadline, limited := ctx.Deadline()
	return wait, !limited || time.Until(deadline) > wait
}

// worthwhile reports whether the same request may fare better later.
func worthwhile(resp *http.Response, err error) bool {
	if err != nil {
		return transient(err)
	}
	return transientStatus(resp.StatusCode)
}

// jitter is full jitter: anything from nothing to the exponential bound.
func jitter(r kyckit.Retry, tries int) time.Duration {
	bound := r.MaxWait
	if shift := tries - 1; shift < 63 && r.MinWait < bound>>shift {
		bound = r.MinWait << shift
	}
	return time.Duration(rand.Uint64N(uint64(bound) + 1)) //nolint:gosec // jitter, not a secret, and never negative
}

func transientStatus(status int) bool {
	return status == http.StatusRequestTimeout || status == http.StatusTooEarly ||
		status == http.StatusTooManyRequests || status >= 500 && status != http.StatusNotImplemented
}

func transient(err error) bool {
	var notSent *NotSentError
	var untrusted *tls.CertificateVerificationError
	return !errors.As(err, &notSent) && !errors.As(err, &untrusted) && !errors.As(err, new(*tlsRefusal)) && !errors.Is(err, errTooLarge)
}

// maxRetryAfter stands for a longer Retry-After.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads the header in both of its forms; 0 when it is absent, in the
// past or nonsense. A date is compared with the answer's own Date header, or
// with now where there is none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0
	}
	if strings.Trim(v, "0123456789") == "" {
		n, err := strconv.ParseUint(v, 10, 63)
		if err != nil || n > uint64(maxRetryAfter/time.Second) {
			return maxRetryAfter
		}
		return time.Duration(n) * time.Second
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	if t, err := http.ParseTime(v); err == nil {
		return min(max(t.Sub(now), 0), maxRetryAfter)
	}
	return 0
}

// checkRedirect follows a redirect only to the same method, scheme and host,
// and only of a call that is repeatable and not limited to one request. Any
// other redirect is returned as the answer.
func checkRedirect(req *http.Request, via []*http.Request) error {
	first, st := via[0], stateOf(req.Context())
	same := req.Method == first.Method && req.URL.Scheme == first.URL.Scheme && req.URL.Host == first.URL.Host
	if len(via) > 5 || !same || st == nil || !st.call.Repeatable || st.call.Once {
		return http.ErrUseLastResponse
	}
	return nil
}
