// Command kyckit helps with what kyckit, the SDK, is used for: it runs fakes of
// the providers for programs in any language, says why a webhook is refused,
// checks a live configuration without starting a verification, and makes tokens
// and certificates to try things with.
//
//	go run github.com/kyckit/kyckit/cmd/kyckit@latest fake nafath
//	go install github.com/kyckit/kyckit/cmd/kyckit@latest
//
// Data goes to the standard output, everything else to the standard error; with
// -json the data are JSON lines. It exits with 0 when all is well, 1 on a
// negative finding, 2 when it was called wrongly, and 3 when something could not
// be reached. Secrets are given as @file, env:NAME or - for the standard input,
// never as arguments, which other users of the machine can see. Servers listen
// on loopback unless told otherwise.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) //nolint:forbidigo // nobody calls main
	code := run(ctx, os.Args[1:], &program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv})
	stop()
	os.Exit(code)
}
