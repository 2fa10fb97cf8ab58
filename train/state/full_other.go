//go:build !unix

package state

import (
	"errors"
	"syscall"
)

// isFull says whether a write failed for want of room: ERROR_DISK_FULL or ERROR_HANDLE_DISK_FULL.
func isFull(err error) bool {
	return errors.Is(err, syscall.Errno(112)) || errors.Is(err, syscall.Errno(39))
}
