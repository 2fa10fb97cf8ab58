//go:build !unix

package cpu

import "time"

var began = time.Now()

func cpuTime() time.Duration { return time.Since(began) }
