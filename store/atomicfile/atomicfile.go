// Package atomicfile writes files that appear whole or not at all.
//
// It is for every package that writes a file somebody will read: weights,
// tokenizers, reports. It guarantees that under the final name there is either
// what was there before or everything that was written, also after a crash or a
// power cut: bytes go to a temporary name in the same folder (".NAME.tmp-*"),
// are synced, and only then renamed. What a killed program leaves behind are
// files of that pattern, which are safe to delete. It refuses to commit after a
// failed write.
package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// File is a file being written. It is not safe for concurrent use.
type File struct {
	path string   // the final name
	temp *os.File // nil once committed or aborted
	err  error    // first failed write
}

var (
	_ io.Writer   = (*File)(nil)
	_ io.WriterAt = (*File)(nil)
)

// Create starts writing what will be path. The folder must exist.
func Create(path string) (*File, error) {
	info, err := os.Stat(path)
	mode := fs.FileMode(0o666) // less the umask, as os.Create
	switch {
	case err == nil && !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: is not a regular file; it would be replaced by one", path)
	case err == nil:
		mode = info.Mode().Perm()
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	temp, err := createTemp(path, mode)
	if err != nil {
		return nil, err
	}
	return &File{path: path, temp: temp}, nil
}

// Name returns the final name.
func (f *File) Name() string { return f.path }

// Write appends p.
func (f *File) Write(p []byte) (int, error) {
	if f.temp == nil {
		return 0, fmt.Errorf("%s: write after commit or abort", f.path)
	}
	n, err := f.temp.Write(p)
	return n, f.keep(err)
}

// WriteAt writes p at an offset, to fill in what is known only at the end. It
// does not move the position of Write.
func (f *File) WriteAt(p []byte, offset int64) (int, error) {
	if f.temp == nil {
		return 0, fmt.Errorf("%s: write after commit or abort", f.path)
	}
	n, err := f.temp.WriteAt(p, offset)
	return n, f.keep(err)
}

// keep remembers the first error, so that Commit cannot publish a torn file.
func (f *File) keep(err error) error {
	if err != nil && f.err == nil {
		f.err = err
	}
	return err
}

// Commit syncs the bytes, gives the file its final name and syncs the folder.
// Where anything fails before the renaming, the file of that name is as it was
// and the temporary one is gone; where only syncing the folder fails, the file is
// there, but a power cut might undo it.
func (f *File) Commit() error {
	if f.temp == nil {
		return fmt.Errorf("%s: commit after commit or abort", f.path)
	}
	if f.err != nil {
		err := f.err
		f.Abort()
		return fmt.Errorf("%s: not committed after a failed write: %w", f.path, err)
	}
	temp := f.temp
	f.temp = nil
	if err := temp.Sync(); err != nil {
		return errors.Join(err, temp.Close(), os.Remove(temp.Name()))
	}
	if err := temp.Close(); err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	if err := os.Rename(temp.Name(), f.path); err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return syncFolder(filepath.Dir(f.path))
}

// Abort drops what was written. After Commit or Abort it does nothing, so it can
// be deferred.
func (f *File) Abort() error {
	if f.temp == nil {
		return nil
	}
	temp := f.temp
	f.temp = nil
	return errors.Join(temp.Close(), os.Remove(temp.Name()))
}

// WriteFile writes data as path, whole or not at all.
func WriteFile(path string, data []byte) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Commit()
}

// Adopt makes a file that was written under another name in the same folder path, as Commit does with its own: synced, renamed, the
// folder synced. Nobody may have it open for writing.
func Adopt(temp, path string) error {
	f, err := os.OpenFile(temp, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}
