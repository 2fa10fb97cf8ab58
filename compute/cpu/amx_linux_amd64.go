package cpu

import "syscall"

// mayUseTiles asks Linux, once for the process, to keep the state of tile registers when it switches threads.
// Source: Documentation/arch/x86/xstate.rst.
func mayUseTiles() bool {
	const requestPermission, tileData = 0x1023, 18
	_, _, err := syscall.RawSyscall(syscall.SYS_ARCH_PRCTL, requestPermission, tileData, 0)
	return err == 0
}
