//go:build !linux && !darwin

package step

import "os"

// processorName is what the processor calls itself, empty when it does not say.
func processorName() string { return os.Getenv("PROCESSOR_IDENTIFIER") }

// machineMemory is the installed memory in bytes; here it is not known.
func machineMemory() int64 { return 0 }
