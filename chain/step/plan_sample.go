package step

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"lian/data"
	"lian/data/read"
)

// rawText is text in files that are not tokens yet.
type rawText struct {
	path    string
	cleaned bool // a folder that lian data run wrote
	files   []read.File
	bytes   int64
}

// findText lists the files of an input.
func findText(ctx context.Context, input string) (t rawText, err error) {
	t.path = input
	if _, err := os.Stat(input); errors.Is(err, os.ErrNotExist) {
		return t, fmt.Errorf("%s: there is no such file or folder", input)
	}
	if t.cleaned = IsDocuments(input); t.cleaned {
		for _, name := range []string{data.TrainFile, data.HeldOutFile} {
			path := filepath.Join(input, name)
			info, err := os.Stat(path)
			if err != nil {
				return t, err
			}
			t.files, t.bytes = append(t.files, read.File{Path: path, Name: name, Size: info.Size()}), t.bytes+info.Size()
		}
		return t, nil
	}
	t.files, _, err = read.Walk(ctx, []string{input})
	for _, f := range t.files {
		t.bytes += f.Size
	}
	return t, err
}

// placeBytes is about how much of a large file is taken at one place.
const placeBytes = 256 << 10

// sample is about so large a share of a text, taken evenly from all over it, in dir; all of it where the share is 1. Files that are lines are taken in
// pieces of whole lines, others whole.
func (t rawText) sample(ctx context.Context, share float64, dir string) (rawText, error) {
	if share >= 1 {
		return t, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return t, err
	}
	out := rawText{path: dir, cleaned: t.cleaned}
	next, at := 0.0, 0.0 // both in bytes of all files, one after the other
	for i, f := range t.files {
		begin, end := at, at+float64(f.Size)
		at = end
		if next >= end && !t.cleaned || f.Size == 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return out, err
		}
		name := f.Name
		if !t.cleaned {
			name = fmt.Sprintf("%d-%s", i, filepath.Base(f.Name))
		}
		file, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			return out, err
		}
		taken, err := int64(0), error(nil)
		if lines(f.Name) {
			piece := min(placeBytes, max(4096, int64(share*float64(t.bytes)/4)))
			for next = max(next, begin); next < end && err == nil; {
				var n int64
				n, err = copyLines(file, f.Path, int64(next-begin), piece)
				taken += n
				next += float64(max(n, 1)) / share
			}
		} else {
			taken, err = copyAll(file, f.Path)
			next = max(next, begin) + float64(max(taken, 1))/share
		}
		if err := errors.Join(err, file.Close()); err != nil {
			return out, err
		}
		out.files, out.bytes = append(out.files, read.File{Path: file.Name(), Name: name, Size: taken}), out.bytes+taken
	}
	return out, nil
}

// lines says whether any lines of a file are a file of the same kind.
func lines(name string) bool {
	switch read.FormatOf(name) {
	case "text", "markdown", "jsonl", "source":
		return true
	}
	return false
}

// copyLines copies whole lines, about so many bytes, from the first line on that begins at or after a place.
func copyLines(to io.Writer, path string, from, bytes int64) (n int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if _, err := f.Seek(max(from-1, 0), io.SeekStart); err != nil {
		return 0, err
	}
	r := bufio.NewReaderSize(f, 64<<10)
	if from > 0 { // the line that has been begun
		if err := skipLine(r); err != nil {
			return 0, notEnd(err)
		}
	}
	for n < bytes {
		line, err := r.ReadBytes('\n')
		if _, e := to.Write(line); e != nil {
			return n, e
		}
		if n += int64(len(line)); err != nil {
			return n, notEnd(err)
		}
	}
	return n, nil
}

func skipLine(r *bufio.Reader) error {
	for {
		if _, err := r.ReadSlice('\n'); !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

func notEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func copyAll(to io.Writer, path string) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return io.Copy(to, f)
}
