package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"testing/synctest"
)

// Virtual time needs a *testing.T, which only a process that runs tests has.
// So a report in virtual time starts this program again as one that runs a
// single test: the report.

// inProcess names the report that a child process runs.
const inProcess = "KYCKIT_BENCH_REPORT"

// bubbles are the reports that run in virtual time.
var bubbles = map[string]func(*testing.T, io.Writer) error{
	"nafath/delay": reportDelay,
	"nafath/cost":  reportCost,

	"nafath/trouble":  reportTrouble,
	"nafath/replicas": reportReplicas,
}

// virtual returns a group's report that runs bubbles[name] in a child process.
func virtual(name string) func(io.Writer) error {
	return func(w io.Writer) error {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		child := exec.CommandContext(context.Background(), self)
		child.Env = append(os.Environ(), inProcess+"="+name)
		child.Stdout, child.Stderr = w, os.Stderr
		return child.Run()
	}
}

// runBubble runs the report that this process is the child for, and exits. In
// any other process it does nothing.
func runBubble() {
	report := bubbles[os.Getenv(inProcess)]
	if report == nil {
		return
	}
	testing.Main(
		func(string, string) (bool, error) { return true, nil },
		[]testing.InternalTest{{Name: "report", F: func(t *testing.T) {
			if err := report(t, os.Stdout); err != nil {
				fmt.Fprintln(os.Stderr, "bench:", err)
				os.Exit(1)
			}
			os.Exit(0)
		}}}, nil, nil)
}

// inBubble runs f in virtual time.
func inBubble[R any](t *testing.T, f func(*testing.T) (R, error)) (result R, err error) {
	synctest.Test(t, func(t *testing.T) { result, err = f(t) })
	return result, err
}
