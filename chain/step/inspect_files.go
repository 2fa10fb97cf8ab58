package step

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"lian/event"
	"lian/hub"
)

// FileFacts are a file's checksum and what it was compared with.
type FileFacts struct {
	Path     string `json:"path"` // in the folder
	Bytes    int64  `json:"bytes"`
	SHA256   string `json:"sha256"`
	Expected string `json:"expected,omitempty"` // where a mark or a cache tells it
}

// checksums reads every file and compares it with what is known of it: the mark of a pull, the name of a blob in a cache.
func (i *inspector) checksums(path string) error {
	files := []string{path}
	dir := filepath.Dir(path)
	if info, err := os.Stat(path); err != nil {
		return err
	} else if info.IsDir() {
		files, dir = nil, path
		if err := filepath.WalkDir(path, func(at string, d fs.DirEntry, err error) error {
			if info, statErr := os.Stat(at); err == nil && statErr == nil && info.Mode().IsRegular() && !strings.HasPrefix(d.Name(), ".") {
				files = append(files, at)
			}
			return err
		}); err != nil {
			return err
		}
	}
	mark, err := hub.ReadMark(dir, hub.PulledFile)
	if err != nil {
		return err
	}
	var total, done int64
	for _, at := range files {
		if info, err := os.Stat(at); err == nil {
			total += info.Size()
		}
	}
	wrong := 0
	for _, at := range files {
		rest, err := filepath.Rel(dir, at)
		if err != nil {
			return err
		}
		f := FileFacts{Path: filepath.ToSlash(rest), Expected: hub.Expected(at, filepath.ToSlash(rest), mark)}
		if f.SHA256, f.Bytes, err = i.sum(at, &done, total); err != nil {
			return err
		}
		if f.Expected != "" && f.Expected != f.SHA256 {
			wrong++
			i.problem("file %s: SHA-256 %s, expected %s", f.Path, f.SHA256, f.Expected)
		}
		i.Files = append(i.Files, f)
	}
	if wrong > 0 {
		return fmt.Errorf("%s: %w: %d of %d files are not what was downloaded", i.Path, ErrUnsound, wrong, len(files))
	}
	return nil
}

func (i *inspector) sum(path string, done *int64, total int64) (string, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h, size := sha256.New(), int64(0)
	buffer := make([]byte, 1<<20)
	for {
		n, err := f.Read(buffer)
		h.Write(buffer[:n])
		size += int64(n)
		*done += int64(n)
		if n > 0 {
			i.sink.Emit(event.KindProgress, event.Progress{Stage: "checksum", Done: *done, Total: total, Unit: "bytes"})
		}
		if errors.Is(err, io.EOF) {
			return hex.EncodeToString(h.Sum(nil)), size, nil
		}
		if err == nil {
			err = i.ctx.Err()
		}
		if err != nil {
			return "", size, err
		}
	}
}
