package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// createTemp opens a new file beside path. os.CreateTemp is not used because it
// makes files that only their owner can read, whatever the umask allows.
func createTemp(path string, mode fs.FileMode) (*os.File, error) {
	dir, name := filepath.Split(path)
	for range 100 {
		temp := fmt.Sprintf("%s.%s.tmp-%016x", dir, name, rand.Uint64())
		f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		return f, err
	}
	return nil, fmt.Errorf("%s: no free temporary name beside it", path)
}
