package shared

import (
	"fmt"
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

// skipper is a test that notes that it was skipped.
type skipper struct {
	testing.TB
	said string
}

func (s *skipper) Helper() {}

func (s *skipper) Skipf(format string, args ...any) {
	s.said = fmt.Sprintf(format, args...)
	panic(s)
}

func TestMissingDataSkips(t *testing.T) {
	t.Setenv(Environment, t.TempDir())
	s := &skipper{TB: t}
	defer func() {
		if recover() != any(s) || s.said != "needs shared test data: nothing/here (set "+Environment+")" {
			t.Errorf("Path said %q", s.said)
		}
	}()
	Path(s, "nothing", "here")
	t.Error("Path returned although the file does not exist")
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
