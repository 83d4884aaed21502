//go:build !linux

package main

import "time"

// start is when the process began.
var start = time.Now()

// cpu is the time since the process began, for systems without a process clock
// of useful resolution: run on an idle machine there.
func cpu() time.Duration { return time.Since(start) }
