package shared

import (
	"os"
	"path/filepath"
	"testing"
)

func TestDataIsFoundBelowTheNamedFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "数据.txt"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv(Environment, dir)
	if got, want := Path(t, "数据.txt"), filepath.Join(dir, "数据.txt"); got != want {
		t.Errorf("Path = %s, want %s", got, want)
	}
}

func TestMissingDataSkips(t *testing.T) {
	t.Setenv(Environment, t.TempDir())
	var skipped bool
	t.Run("inner", func(t *testing.T) {
		defer func() { skipped = t.Skipped() }()
		Path(t, "nothing", "here")
		t.Error("Path returned although the file does not exist")
	})
	if !skipped {
		t.Error("the test was not skipped")
	}
}

func TestDefaultIsBesideTheRepository(t *testing.T) {
	t.Setenv(Environment, "")
	root := Root()
	if filepath.Base(root) != "shared" {
		t.Fatalf("Root = %s, want a folder called shared", root)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	above := filepath.Dir(filepath.Dir(filepath.Dir(here))) // verify/shared → repository → beside it
	if filepath.Dir(root) != above {
		t.Errorf("Root = %s, want a folder in %s", root, above)
	}
}
