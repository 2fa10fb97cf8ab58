package step

import "golang.org/x/sys/unix"

// processorName is what the processor calls itself, empty when it does not say.
func processorName() string {
	name, err := unix.Sysctl("machdep.cpu.brand_string")
	if err != nil {
		return ""
	}
	return name
}

// machineMemory is the installed memory in bytes, 0 when it is not known.
func machineMemory() int64 {
	n, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return 0
	}
	return int64(n)
}
