package host

import (
	"syscall"
	"unsafe"
)

// hugeFrom is the size from which memory is asked to lie in pages of 2 MiB.
const hugeFrom = 4 << 20

// Huge asks Linux for pages of 2 MiB under memory that was not touched yet: panels of a matrix touch many rows at once, and with pages of
// 4 KiB each row's address has to be looked up, in a virtual machine twice. It is a wish: where it is not granted nothing changes.
func Huge(b []byte) {
	const page = 2 << 20
	if len(b) < hugeFrom {
		return
	}
	skip := int(-uintptr(unsafe.Pointer(&b[0])) % page)
	if n := (len(b) - skip) / page * page; n > 0 {
		_ = syscall.Madvise(b[skip:skip+n], 14) // MADV_HUGEPAGE
	}
}
