package store

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Lock keeps other processes out of a folder that must exist, until the file is closed. The error wraps ErrLocked where another
// process is in it. The file is .lock in the folder.
func Lock(dir string) (*os.File, error) { return acquire(dir) }

// acquire locks a run's folder for this process. The system gives the lock back
// when the process ends, however it ends.
func acquire(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, fmt.Errorf("lock the folder: %w", err)
	}
	locked, err := tryLock(file)
	for range 10 { // whoever only asks whether the run is busy holds the lock for a moment
		if locked || err != nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
		locked, err = tryLock(file)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("lock the folder: %w", err)
	}
	if !locked {
		file.Close()
		return nil, fmt.Errorf("%s: %w; wait for it or stop it", dir, ErrLocked)
	}
	return file, nil
}

// busy says whether a process works in a run.
func busy(dir string) bool {
	file, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer file.Close()
	locked, err := tryLock(file)
	return err == nil && !locked
}
