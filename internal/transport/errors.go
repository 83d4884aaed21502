package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/kyckit/kyckit"
)

// statusError is the error of an answer outside 2xx.
func (r *Response) statusError() *kyckit.Error {
	var ex Explanation
	if r.client.explain != nil {
		ex = r.client.explain(r.StatusCode, r.Body)
	}
	kind, why := KindOf(r.StatusCode), ""
	switch r.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		why = "redirect refused"
	case http.StatusProxyAuthRequired:
		why = "the proxy asks for credentials"
	}
	if ex.Kind != nil {
		kind = ex.Kind
	}
	return r.Fail(kind, why, ex)
}

// Fail returns the error of an answer that is not a success. For a call that
// must not be repeated, a failing provider or an unreadable answer leaves the
// outcome unknown, and the error says so.
func (r *Response) Fail(kind error, reason string, ex Explanation) *kyckit.Error {
	e := &kyckit.Error{
		Provider:   r.client.provider,
		Op:         r.call.Op,
		Kind:       kind,
		StatusCode: r.StatusCode,
		Code:       Code(ex.Code),
		RequestID:  r.RequestID,
		RetryAfter: retryAfter(r.Header, time.Now()),
		Attempts:   r.Attempts,
		Reason:     reason,
	}
	if !r.call.Repeatable && (kind == kyckit.ErrUnavailable || kind == kyckit.ErrDecode) { //nolint:errorlint // kinds are compared as they are
		e.Kind, e.Err = kyckit.ErrOutcomeUnknown, kind
	}
	return e.WithText(ex.Message, r.Body)
}

// KindOf is the kind that an HTTP status outside 2xx implies.
func KindOf(status int) error {
	switch {
	case status == http.StatusUnauthorized:
		return kyckit.ErrUnauthorized
	case status == http.StatusForbidden:
		return kyckit.ErrForbidden
	case status == http.StatusNotFound, status == http.StatusGone:
		return kyckit.ErrNotFound
	case status == http.StatusConflict:
		return kyckit.ErrConflict
	case status == http.StatusTooManyRequests:
		return kyckit.ErrRateLimited
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status >= 500:
		return kyckit.ErrUnavailable
	case status >= 400:
		return kyckit.ErrInvalid
	default:
		return kyckit.ErrDecode
	}
}

// transportError is the error of a call that got no complete answer.
func (c *Client) transportError(ctx context.Context, st *state, err error) *kyckit.Error {
	e := &kyckit.Error{Provider: c.provider, Op: st.call.Op, Attempts: st.attempts(), Reason: reason(err), Err: safeCause(err)}
	// The error may be a middleware's, whatever it looks like.
	var unsent *NotSentError
	notSent := st.sent.Load() == 0 || errors.As(err, &unsent)
	if cause := ctx.Err(); cause != nil {
		return c.contextError(st, cause, !notSent)
	}
	if !notSent {
		e.Attempts = max(e.Attempts, 1) // the request may still be on its way
	}
	var inner *kyckit.Error
	switch {
	case notSent && errors.As(err, &inner):
		// The token call failed: its error, under this call's name.
		failed := *inner
		failed.Provider, failed.Op, failed.Reason, failed.Err = c.provider, st.call.Op, "no access token", inner
		return &failed
	case errors.Is(err, errTooLarge):
		e.Kind = kyckit.ErrDecode
		if !st.call.Repeatable {
			e.Kind, e.Err = kyckit.ErrOutcomeUnknown, kyckit.ErrDecode
		}
	case st.call.Repeatable || notSent:
		e.Kind = kyckit.ErrUnavailable
		switch {
		case notSent && errors.As(err, new(*tlsRefusal)):
			e.Reason += ", nothing was handled"
		case notSent:
			e.Reason += ", nothing was sent"
		}
	default:
		e.Kind = kyckit.ErrOutcomeUnknown
	}
	return e
}

// contextError is the error of a call whose caller gave up.
func (c *Client) contextError(st *state, cause error, maySent bool) *kyckit.Error {
	e := &kyckit.Error{Provider: c.provider, Op: st.call.Op, Kind: cause, Attempts: st.attempts()}
	if maySent && !st.call.Repeatable {
		e.Kind, e.Err, e.Reason = kyckit.ErrOutcomeUnknown, cause, cause.Error()
		e.Attempts = max(e.Attempts, 1) // the request may still be on its way
	}
	return e
}

// wasNotSent reports failures that happen before the first byte of a request:
// no token, no address, no connection, no trust.
func wasNotSent(err error) bool {
	var notSent *NotSentError
	var dns *net.DNSError
	var untrusted *tls.CertificateVerificationError
	var op *net.OpError
	return errors.As(err, &notSent) || errors.As(err, &dns) || errors.As(err, &untrusted) ||
		errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect")
}

// reason says in this module's own words why no answer came. Errors of
// net/http and of readers quote addresses, headers and bodies, so none of
// their text is used.
func reason(err error) string {
	var dns *net.DNSError
	var untrusted *tls.CertificateVerificationError
	var timeout interface{ Timeout() bool }
	var refused *tlsRefusal
	switch {
	case errors.Is(err, errTryTimeout):
		return errTryTimeout.Error()
	case errors.Is(err, errNotRepeated):
		return errNotRepeated.Error()
	case errors.As(err, new(*panicError)):
		return panicText
	case errors.Is(err, errTooLarge):
		return "the answer is larger than the limit"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "the caller gave up"
	case errors.As(err, &dns):
		return "the host name cannot be resolved"
	case errors.As(err, &untrusted):
		return "the server's certificate is not trusted"
	case errors.As(err, &refused) && aboutCertificate(refused.alert):
		return "the server refused the client certificate"
	case errors.As(err, &refused):
		return "the server refused the TLS handshake, perhaps for want of a client certificate"
	case proxyRefused(err):
		return "the proxy asks for credentials"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case wasNotSent(err):
		return "no connection"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the connection was lost before the answer was complete"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timed out"
	default:
		return "no answer"
	}
}

// proxyRefused reports that the proxy answered a CONNECT with 407. All that
// net/http keeps of that answer is the text of its status.
func proxyRefused(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if err.Error() == http.StatusText(http.StatusProxyAuthRequired) {
			return true
		}
	}
	return false
}

// safeCause keeps of an error what is useful to a program and cannot print
// anything from a request or an answer.
func safeCause(err error) error {
	var dns *net.DNSError
	var untrusted *tls.CertificateVerificationError
	var errno syscall.Errno
	var refused *tlsRefusal
	var panicked *panicError
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	case errors.As(err, &dns):
		return dns
	case errors.As(err, &untrusted):
		return untrusted
	case errors.As(err, &refused):
		return refused.alert
	case errors.As(err, &panicked):
		return panicked.err
	case errors.As(err, &errno):
		return errno
	case errors.Is(err, io.ErrUnexpectedEOF):
		return io.ErrUnexpectedEOF
	case errors.Is(err, io.EOF):
		return io.EOF
	default:
		return nil
	}
}

// maxCode bounds what may stand in an error as a provider's code.
const maxCode = 64

// maxDigits is the longest number in a code or an id that is not taken for a
// person's: birth dates have eight digits, telephone numbers and ids more.
const maxDigits = 7

// Code returns s if it looks like a machine-readable code, else "". Long runs
// of digits are refused: they could be a person's number.
func Code(s string) string { return token(s, maxCode, maxDigits, true) }

// maxRequestID bounds what may stand in a log as a request id.
const maxRequestID = 128

// RequestID returns s if it looks like the id of an exchange, else "". An id
// without a letter, or with a long number in it, is refused: it could be a
// person's number. In 32 hexadecimal digits, as in a UUID, a long number is
// chance.
func RequestID(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r|0x20 >= 'a' && r|0x20 <= 'z' }) {
		return ""
	}
	if hex128(s) {
		return token(s, maxRequestID, maxRequestID, true)
	}
	return token(s, maxRequestID, maxDigits, false)
}

// hex128 reports 32 hexadecimal digits, with or without dashes.
func hex128(s string) bool {
	n := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == '-':
		case c >= '0' && c <= '9', c|0x20 >= 'a' && c|0x20 <= 'f':
			n++
		default:
			return false
		}
	}
	return n == 32
}

func requestID(resp *http.Response, header string) string { return RequestID(resp.Header.Get(header)) }

// token returns s if it is short, made of letters, digits and a few marks, and
// has no number of more than so many digits. A number ends at a mark if parted.
func token(s string, length, digits int, parted bool) string {
	if len(s) > length {
		return ""
	}
	run := 0
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= '0' && c <= '9':
			if run++; run > digits {
				return ""
			}
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
			run = 0
		case c == '-', c == '_', c == '.', c == ':':
			if parted {
				run = 0
			}
		default:
			return ""
		}
	}
	return s
}
