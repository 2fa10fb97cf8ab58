//go:build !linux && !darwin && !windows

package cli

// systemMemory is not known here.
func systemMemory() (total, available int64) { return 0, 0 }
