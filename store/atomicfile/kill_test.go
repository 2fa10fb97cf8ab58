package atomicfile

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writerEnvironment names the file that the test program, started again, writes
// over and over until it is killed.
const writerEnvironment = "ATOMICFILE_TEST_WRITE"

func TestMain(m *testing.M) {
	path := os.Getenv(writerEnvironment)
	if path == "" {
		os.Exit(m.Run())
	}
	for i := 0; ; i++ {
		f, err := Create(path)
		if err != nil {
			panic(err)
		}
		for range 8 { // in pieces, so that a kill can fall between them
			if _, err := f.Write(content(i)[:kilobyte]); err != nil {
				panic(err)
			}
		}
		if err := f.Commit(); err != nil {
			panic(err)
		}
	}
}

const kilobyte = 1 << 10

// content is 8 KiB of one letter: a torn file would show two, or another length.
func content(i int) []byte { return bytes.Repeat([]byte{'a' + byte(i%26)}, 8*kilobyte) }

// TestKilledWriterLeavesAWholeFile kills a program while it writes, at many
// moments, and expects one of the whole contents under the name each time.
func TestKilledWriterLeavesAWholeFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "权重.bin")
	if err := WriteFile(path, content(0)); err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		writer := exec.Command(os.Args[0])
		writer.Env = append(os.Environ(), writerEnvironment+"="+path)
		if err := writer.Start(); err != nil {
			t.Skipf("cannot start the test program again: %v", err)
		}
		time.Sleep(time.Duration(10+7*i) * time.Millisecond)
		if err := writer.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		writer.Wait()
		got, err := os.ReadFile(path)
		if err != nil || len(got) != 8*kilobyte || !bytes.Equal(got, bytes.Repeat(got[:1], len(got))) {
			t.Fatalf("after kill %d the file has %d bytes, %v", i, len(got), err)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := e.Name(); name != filepath.Base(path) && !strings.HasPrefix(name, ".权重.bin.tmp-") {
			t.Errorf("left behind under an unexpected name: %s", name)
		}
	}
}
