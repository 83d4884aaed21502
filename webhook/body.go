package webhook

import (
	"errors"
	"io"
	"math"
	"net/http"
)

// firstRead is how much memory a request gets on its word alone: no more than
// net/http spends on its connection anyway.
const firstRead = 4 << 10

// errBodyTooLong is what readBody says of a body that is longer than its limit.
var errBodyTooLong = errors.New("body too long")

// readBody reads a body of the announced length, -1 when unknown, and of at
// most limit bytes. Memory follows what has come, whatever was announced: three
// times as much, or all that was announced where that is at most four times.
func readBody(r io.Reader, announced, limit int64) ([]byte, error) {
	limit = min(limit, math.MaxInt64-1)
	announced = min(announced, limit)
	if announced == 0 {
		announced = -1 // also what a hand-made request without length says
	}
	size := int64(512)
	if announced > 0 {
		size = min(announced+1, firstRead)
	}
	buf := make([]byte, 0, size)
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if int64(len(buf)) > limit {
			return buf[:limit], errBodyTooLong
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			return buf, nil
		case errors.As(err, new(*http.MaxBytesError)): // a middleware has a limit of its own
			return buf, errBodyTooLong
		default:
			return buf, err
		}
		if len(buf) < cap(buf) {
			continue
		}
		next := 3 * int64(len(buf))
		if came := int64(len(buf)); announced > came && announced <= 4*came {
			next = announced + 1 // one more, so that the end is seen without growing
		}
		next = max(min(next, limit+1), int64(len(buf))+1)
		grown := make([]byte, len(buf), next)
		copy(grown, buf)
		buf = grown
	}
}
