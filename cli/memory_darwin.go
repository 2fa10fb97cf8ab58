package cli

import "golang.org/x/sys/unix"

// systemMemory is the memory of the machine in bytes; what is available is not
// known here.
func systemMemory() (total, available int64) {
	size, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return 0, 0
	}
	return int64(size), 0
}
