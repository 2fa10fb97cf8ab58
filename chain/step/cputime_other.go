//go:build !unix

package step

import "time"

// cpuTime is the time that has passed.
func cpuTime() time.Duration { return time.Since(processBegun) }
