// Package machine says what machine this is: the name of its processor and its
// memory.
//
// It guarantees an answer on every system, at once and without privileges; what a
// system does not tell is the empty string or 0. It measures nothing.
package machine

import (
	"os"
	"path/filepath"
	"runtime"
)

// Processor is the name that the processor's maker gave it, or else its
// architecture.
func Processor() string {
	if name := processor(); name != "" {
		return name
	}
	return runtime.GOARCH
}

// Memory is the memory that this process may use at most (the machine's, or that of
// the control group that limits it) and what of it is available now, in bytes; 0
// where it is not known.
func Memory() (total, available int64) { return memory() }

// Residence is the memory that this process has in the machine, in bytes; 0 where it is not known.
type Residence struct {
	Now, Peak int64
	Own       int64 // now, without the files that it maps
}

// Resident is the memory of this process.
func Resident() Residence { return resident() }

// FreeDisk is how many bytes this user can still write where dir is, or would be: its nearest folder above that exists is asked.
func FreeDisk(dir string) int64 {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return 0
	}
	for {
		if _, err := os.Stat(dir); err == nil || filepath.Dir(dir) == dir {
			return freeDisk(dir)
		}
		dir = filepath.Dir(dir)
	}
}
