package webhook_test

import (
	"io"
	"log"
)

// quiet keeps the handshake errors of refused senders out of the test output.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
