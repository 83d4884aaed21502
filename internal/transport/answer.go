package transport

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
)

var (
	errTooLarge   = errors.New("answer too large")
	errNoResponse = errors.New("neither an answer nor an error")
)

// complete fills in what callers' transports and middleware leave out of an
// answer, as net/http does for its own users.
func complete(resp *http.Response) error {
	if resp == nil {
		return errNoResponse
	}
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	return nil
}

// dropBadLocation takes a Location header that is no URL out of an answer:
// net/http would return an error in place of such an answer.
func dropBadLocation(resp *http.Response, base *url.URL) {
	if to := resp.Header.Get("Location"); to != "" {
		if _, err := base.Parse(to); err != nil {
			resp.Header.Del("Location")
		}
	}
}

// bodiless reports whether no body follows the header, whatever length that
// announces. What follows a 101 is another protocol and need not end.
func bodiless(resp *http.Response, method string) bool {
	return resp.Body == http.NoBody || method == http.MethodHead || resp.StatusCode < 200 ||
		resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotModified
}

// smallBody is the largest announced length that is believed before a byte of
// it arrived.
const smallBody = 64 << 10

// readBody reads a body to its end. The announced length is only a hint of how
// much memory it takes: answers that callers' transports make up leave it at
// zero, and those they change may be longer. Of an answer outside 2xx, whose
// status says enough, the rest above the limit is left out. When a body breaks
// off, the error comes with the part that arrived.
func readBody(resp *http.Response, method string, limit int64) ([]byte, error) {
	if b, ok := resp.Body.(*buffered); ok && int64(len(b.data)) <= limit {
		return b.data, nil
	}
	if bodiless(resp, method) {
		return nil, nil
	}
	refusal := resp.StatusCode < 200 || resp.StatusCode > 299
	n := resp.ContentLength
	if n > limit && !refusal {
		return nil, errTooLarge
	}
	var data []byte
	if n > 0 && n <= min(smallBody, limit) {
		data = make([]byte, n+1) // one more, to see the end
		m, err := io.ReadFull(resp.Body, data)
		data = data[:m]
		switch {
		case err == nil: // longer than announced
		case int64(m) == n:
			return data, nil
		default:
			return data, err
		}
	}
	rest, err := io.ReadAll(io.LimitReader(resp.Body, limit-int64(len(data))+1))
	if data == nil {
		data = rest
	} else {
		data = append(data, rest...)
	}
	if err == nil && int64(len(data)) > limit {
		if !refusal {
			return nil, errTooLarge
		}
		data = data[:limit]
	}
	return data, err
}

// withoutMark skips the byte order mark that some servers put in front of JSON.
// RFC 8259, section 8.1, lets readers do so.
func withoutMark(body []byte) []byte { return bytes.TrimPrefix(body, []byte("\uFEFF")) }
