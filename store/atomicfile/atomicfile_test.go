package atomicfile

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func onlyFile(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != filepath.Base(path) {
		t.Errorf("folder holds %v, want only %s", entries, filepath.Base(path))
	}
}

func TestNothingIsSeenBeforeCommit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "文件.json")
	if err := WriteFile(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("___ and new")); err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); got != "old" {
		t.Errorf("before commit the file is %q", got)
	}
	if _, err := f.WriteAt([]byte("new"), 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); got != "new and new" {
		t.Errorf("after commit the file is %q", got)
	}
	onlyFile(t, path)
	if f.Commit() == nil {
		t.Error("a second commit passed")
	}
	if _, err := f.Write([]byte("x")); err == nil {
		t.Error("a write after commit passed")
	}
}

func TestAbortLeavesWhatWasThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := WriteFile(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	f.Write([]byte("half"))
	if err := f.Abort(); err != nil {
		t.Fatal(err)
	}
	if err := f.Abort(); err != nil {
		t.Errorf("a second abort: %v", err)
	}
	if got := read(t, path); got != "old" {
		t.Errorf("after abort the file is %q", got)
	}
	onlyFile(t, path)
}

func TestFailedWriteIsNotCommitted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	f.temp.Close() // the disk goes away
	if _, err := f.Write([]byte("x")); err == nil {
		t.Fatal("a write to a closed file passed")
	}
	if err := f.Commit(); err == nil {
		t.Error("commit after a failed write passed")
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the file exists after a failed write")
	}
}

func TestRefusesWhatIsNotAFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := Create(dir); err == nil {
		t.Error("a folder was opened for writing")
	}
	if _, err := Create(filepath.Join(dir, "none", "a")); err == nil {
		t.Error("a missing folder was accepted")
	}
}

func TestModeIsKept(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("windows has no file modes")
	}
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, []byte("x")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %v, %v; want 0600 as before", info.Mode(), err)
	}
}
