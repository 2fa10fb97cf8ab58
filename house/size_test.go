package house

import (
	"bytes"
	"go/format"
	"os"
	"path/filepath"
	"testing"
)

const (
	mostLines = 800      // of a Go file written by hand
	mostBytes = 40 << 20 // of a checkout
)

func TestFilesAreSmallRooms(t *testing.T) {
	for _, f := range allGoFiles(t) {
		if lines := bytes.Count(f.text, []byte("\n")); lines >= mostLines && !f.generated() {
			t.Errorf("%s has %d lines; a file holds one idea, in fewer than %d", f.path, lines, mostLines)
		}
	}
}

func TestFilesAreFormatted(t *testing.T) {
	for _, f := range allGoFiles(t) {
		formatted, err := format.Source(f.text)
		if err != nil {
			t.Errorf("%s: %v", f.path, err)
		} else if !bytes.Equal(formatted, f.text) {
			t.Errorf("%s is not formatted; run gofmt -w %s", f.path, f.path)
		}
	}
}

func TestACheckoutIsSmall(t *testing.T) {
	var total int64
	for _, name := range tracked(t) {
		info, err := os.Lstat(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
		if info.Size() > 4<<20 {
			t.Errorf("%s has %d MiB; keep what is large out of the repository", name, info.Size()>>20)
		}
	}
	if total > mostBytes {
		t.Errorf("the checkout has %d MiB, more than %d", total>>20, mostBytes>>20)
	}
}
