package format

import (
	"bytes"
	"errors"
)

// ErrPointer says that a file holds a few lines of git-lfs in place of what it is named for: a repository cloned without git-lfs.
var ErrPointer = errors.New("a pointer of git-lfs, not the file that it stands for; git lfs pull fetches that, or lian models pull the whole model")

// IsPointer says whether a file begins as one of git-lfs that only names the real one.
func IsPointer(file []byte) bool {
	return bytes.HasPrefix(file, []byte("version https://git-lfs.github.com/spec/"))
}
