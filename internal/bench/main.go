// Command bench measures this module side by side with other libraries and
// with the physical limit, and prints a table for each group.
//
//	go run . [-group mint] [-rounds 200] [-slice 4ms]
//
// README.md explains the method and holds the tables of a reference run.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// groups lists what there is to measure, one function a file.
func groups() []func() ([]group, error) {
	return []func() ([]group, error){
		mint,
		attestation,
		token,
		call,
		telemetry,
		upload,
		webhooks,
		polling,
	}
}

func main() {
	runBubble()
	var o options
	only := flag.String("group", "", "run only groups whose name begins with `prefix`; several separated by commas")
	flag.IntVar(&o.rounds, "rounds", 200, "how often each variant runs")
	flag.DurationVar(&o.slice, "slice", 4*time.Millisecond, "how long each run takes")
	flag.Parse()
	if err := run(os.Stdout, o, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, o options, only string) error {
	found := false
	for _, build := range groups() {
		all, err := build()
		if err != nil {
			return err
		}
		for _, g := range all {
			if wanted(g.name, only) {
				found = true
				if err := g.print(w, o); err != nil {
					return fmt.Errorf("%s: %w", g.name, err)
				}
			}
			if g.close != nil {
				g.close()
			}
		}
	}
	if !found {
		return fmt.Errorf("no group begins with %q", only)
	}
	return nil
}

func wanted(name, only string) bool {
	for prefix := range strings.SplitSeq(only, ",") {
		if strings.HasPrefix(name, strings.TrimSpace(prefix)) {
			return true
		}
	}
	return false
}
