package mapped

import (
	"os"
	"path/filepath"
	"testing"
)

func TestBytesAreTheFile(t *testing.T) {
	for _, content := range []string{"", "x", "一些字节"} {
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(f.Bytes()); got != content {
			t.Errorf("mapped %q, the file is %q", got, content)
		}
		for range 2 {
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestRefusesWhatIsNotAFile(t *testing.T) {
	if _, err := Open(t.TempDir()); err == nil {
		t.Error("a folder was mapped")
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a missing file was mapped")
	}
}
