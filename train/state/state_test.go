package state

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func fill(text string) func(string) error {
	return func(dir string) error {
		if err := os.MkdirAll(filepath.Join(dir, "词表"), 0o755); err != nil {
			return err
		}
		return errors.Join(os.WriteFile(filepath.Join(dir, "a"), []byte(text), 0o644), os.WriteFile(filepath.Join(dir, "词表", "b"), []byte(text+text), 0o644))
	}
}

func TestTheNewestWholeStateIsTaken(t *testing.T) {
	damages := []struct {
		name, why string
		damage    func(dir string) error
	}{
		{"done mark", "is missing", func(dir string) error { return os.Remove(filepath.Join(dir, DoneFile)) }},
		{"byte", "SHA-256", func(dir string) error { return os.WriteFile(filepath.Join(dir, "a"), []byte("twO"), 0o644) }},
		{"length", "has 2 bytes, expected 3", func(dir string) error { return os.Truncate(filepath.Join(dir, "a"), 2) }},
		{"file", "no such file", func(dir string) error { return os.Remove(filepath.Join(dir, "词表", "b")) }},
		{"manifest", "not the expected JSON", func(dir string) error { return os.WriteFile(filepath.Join(dir, ManifestFile), []byte("{"), 0o644) }},
		{"other step", "in the folder", func(dir string) error { // a copy under another name
			return os.WriteFile(filepath.Join(dir, ManifestFile), []byte(`{"format":1,"step":7,"files":[]}`), 0o644)
		}},
		{"way out", "leads out", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, ManifestFile), []byte(`{"format":1,"step":20,"files":[{"name":"../../x"}]}`), 0o644)
		}},
		{"later format", "format is 9", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, ManifestFile), []byte(`{"format":9}`), 0o644)
		}},
	}
	for _, d := range damages {
		folder := filepath.Join(t.TempDir(), "state")
		for step, text := range map[int]string{10: "one", 20: "two"} {
			if err := Write(folder, step, 100, fill(text), nil); err != nil {
				t.Fatal(err)
			}
		}
		if path, passed, err := Newest(folder, 1000); path != Path(folder, 20) || passed != nil || err != nil {
			t.Fatalf("newest is %s, %v, %v", path, passed, err)
		}
		if path, _, _ := Newest(folder, 19); path != Path(folder, 10) {
			t.Fatalf("newest of at most 19 is %s", path)
		}
		if err := d.damage(Path(folder, 20)); err != nil {
			t.Fatal(err)
		}
		path, passed, err := Newest(folder, 1000)
		if err != nil || path != Path(folder, 10) || len(passed) != 1 || !strings.Contains(passed[0].Reason, d.why) {
			t.Errorf("%s: newest is %s, %v, %v; expected the one before, because %q", d.name, path, passed, err, d.why)
		}
	}
}

func TestAFailedWriteLeavesWhatWasThere(t *testing.T) {
	folder := t.TempDir()
	if err := Write(folder, 1, 1, fill("one"), nil); err != nil {
		t.Fatal(err)
	}
	bad := errors.New("不行")
	for _, f := range []func() error{
		func() error { return Write(folder, 1, 1, func(string) error { return bad }, nil) },
		func() error { return Write(folder, 2, 1, fill("x"), func(string) error { return bad }) },
	} {
		if err := f(); !errors.Is(err, bad) {
			t.Errorf("the error is %v", err)
		}
	}
	var full *NoSpace
	if err := Write(folder, 3, 1<<60, fill("x"), nil); !errors.As(err, &full) || full.Needed != 1<<60 || full.Free <= 0 || !strings.Contains(err.Error(), Path(folder, 3)) {
		t.Errorf("a state larger than the disk: %v", err)
	}
	if _, err := Verify(Path(folder, 1)); err != nil {
		t.Error(err)
	}
	entries, _ := os.ReadDir(folder)
	if len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	if err := os.Mkdir(filepath.Join(folder, ".00000009"+tempMark+"1"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Sweep(folder); err != nil {
		t.Fatal(err)
	}
	if entries, _ = os.ReadDir(folder); len(entries) != 1 {
		t.Errorf("not swept: %v", entries)
	}
}

func TestRetentionKeepsWhatIsAskedFor(t *testing.T) {
	for _, c := range []struct {
		why         string
		r           Retention
		steps, keep []int
		gone        []int
	}{
		{"the newest two", Retention{Last: 2}, []int{10, 20, 30, 40}, nil, []int{10, 20}},
		{"at least one", Retention{}, []int{10, 20}, nil, []int{10}},
		{"multiples stay", Retention{Last: 1, Every: 20}, []int{0, 10, 20, 30, 40, 50}, nil, []int{0, 10, 30}},
		{"the best stays", Retention{Last: 1}, []int{10, 20, 30}, []int{20}, []int{10}},
		{"one to go back to", Retention{Last: 1, Back: 15}, []int{10, 20, 30, 40}, nil, []int{10, 30}},
		{"nothing", Retention{Last: 3}, nil, nil, nil},
	} {
		if got := c.r.Superfluous(c.steps, c.keep...); !slices.Equal(got, c.gone) {
			t.Errorf("%s: %v would go, expected %v", c.why, got, c.gone)
		}
	}
}
