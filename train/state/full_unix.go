//go:build unix

package state

import (
	"errors"
	"syscall"
)

// isFull says whether a write failed for want of room: the disk's, the user's share's or the largest file allowed.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
