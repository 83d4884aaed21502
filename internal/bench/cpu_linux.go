package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// cpu is the processor time this process has used.
func cpu() time.Duration {
	var ts unix.Timespec
	must(unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts))
	return time.Duration(ts.Nano())
}
