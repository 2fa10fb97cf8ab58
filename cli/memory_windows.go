package cli

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// memoryStatus is MEMORYSTATUSEX of the Windows API.
type memoryStatus struct {
	length, load                                               uint32
	totalPhysical, availablePhysical, totalPage, availablePage uint64
	totalVirtual, availableVirtual, availableExtended          uint64
}

var globalMemoryStatus = windows.NewLazySystemDLL("kernel32.dll").NewProc("GlobalMemoryStatusEx")

// systemMemory is the memory of the machine and what of it is available, in bytes;
// 0 where it is not known.
func systemMemory() (total, available int64) {
	var status memoryStatus
	status.length = uint32(unsafe.Sizeof(status))
	if ok, _, _ := globalMemoryStatus.Call(uintptr(unsafe.Pointer(&status))); ok == 0 {
		return 0, 0
	}
	return int64(status.totalPhysical), int64(status.availablePhysical)
}
