package webhook_test

import (
	"io"
	"log"
	"testing"

	"go.uber.org/goleak"
)

// TestMain looks for goroutines that outlive the tests; idle connections of
// HTTP clients are none of ours.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreAnyFunction("net/http.(*http2ClientConn).readLoop"))
}

// quiet keeps the handshake errors of refused senders out of the test output.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
