//go:build !linux && !darwin && !freebsd && !netbsd && !openbsd

package lineedit

import (
	"errors"
	"os"
)

// canEdit is false where the system's own terminal edits lines: Windows.
const canEdit = false

type mode struct{}

func takeOver(*os.File) (*mode, error) { return nil, errors.ErrUnsupported }
func (*mode) again() error             { return nil }
func (*mode) restore() error           { return nil }

func watchSize() (<-chan bool, func()) { return nil, func() {} }
