package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/kyckit/kyckit"
)

// retrier hands a request to go-retryablehttp. The decision whether to try
// again and after how long is this package's: the library cannot see the
// method on a transport error, so the call's mark travels in the context.
type retrier struct {
	http *http.Client
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
	var wait time.Duration
	rc := retryablehttp.Client{
		HTTPClient: r.http,
		RetryMax:   st.client.retry.MaxAttempts - 1,
		CheckRetry: func(ctx context.Context, resp *http.Response, err error) (again bool, _ error) {
			tries := int(st.tries.Add(1))
			if worthwhile(resp, err) {
				wait, again = st.allowed(ctx, resp, tries)
			}
			return again, nil
		},
		Backoff:      func(_, _ time.Duration, _ int, _ *http.Response) time.Duration { return wait },
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	rr := &retryablehttp.Request{Request: req}
	if open, length := req.GetBody, req.ContentLength; st.call.Repeatable && open != nil {
		if err := rr.SetBody(retryablehttp.ReaderFunc(func() (io.Reader, error) { return open() })); err != nil {
			return nil, &NotSentError{err}
		}
		req.GetBody, req.ContentLength = open, length // as the library cannot know them
	}
	resp, err := rc.Do(rr)
	// The bearer was set on header maps that a middleware can still see: its own
	// request's, and those of the requests that followed redirects.
	delete(req.Header, "Authorization")
	for hop := resp; hop != nil && hop.Request != nil; hop = hop.Request.Response {
		delete(hop.Request.Header, "Authorization")
	}
	return resp, err
}

// allowed reports whether the call may be tried again, and after what wait: no
// try begins after the caller's deadline.
func (st *state) allowed(ctx context.Context, resp *http.Response, tries int) (wait time.Duration, ok bool) {
	retry := st.client.retry
	if !st.call.Repeatable || st.call.Once || tries >= retry.MaxAttempts || ctx.Err() != nil {
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
	return !errors.As(err, &notSent) && !errors.As(err, &untrusted) && !errors.Is(err, errTooLarge)
}

// maxRetryAfter bounds what is believed of a Retry-After.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads the header in both of its forms; 0 when it is absent, in
// the past or nonsense.
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
	if t, err := http.ParseTime(v); err == nil {
		return min(max(t.Sub(now), 0), maxRetryAfter)
	}
	return 0
}

// checkRedirect follows a redirect only where it is the same call, safe to
// make again: marked repeatable and not to be counted, same method, scheme and
// host. Anything else is returned as the answer it is.
func checkRedirect(req *http.Request, via []*http.Request) error {
	first, st := via[0], stateOf(req.Context())
	same := req.Method == first.Method && req.URL.Scheme == first.URL.Scheme && req.URL.Host == first.URL.Host
	if len(via) > 5 || !same || st == nil || !st.call.Repeatable || st.call.Once {
		return http.ErrUseLastResponse
	}
	return nil
}
