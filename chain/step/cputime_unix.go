//go:build unix

package step

import (
	"syscall"
	"time"
)

// cpuTime is the processor time this process has used: what to measure by when the machine is not quiet.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return time.Since(processBegun)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
