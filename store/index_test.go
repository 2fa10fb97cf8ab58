package store

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func indexAt(t *testing.T, home string) *Index {
	t.Helper()
	x, err := OpenIndex(home)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

func names(t *testing.T, x *Index, f Filter) string {
	t.Helper()
	entries, err := x.List(context.Background(), f)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name)
	}
	return strings.Join(out, " ")
}

func TestTheIndexIsRebuiltFromFolders(t *testing.T) {
	home, runs := filepath.Join(t.TempDir(), "家 50%?"), filepath.Join(t.TempDir(), "runs")
	for _, name := range []string{"a", "b", "诗"} {
		r := begun(t, runs, name, &settings{Rate: 1})
		if name != "b" {
			if err := r.Done(map[string]string{"text": "静夜思"}); err != nil {
				t.Fatal(err)
			}
		}
		closed(t, r)
	}
	if err := os.Mkdir(filepath.Join(runs, "notes"), 0o777); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	x := indexAt(t, home)
	if n, err := x.Rebuild(ctx, runs, filepath.Join(runs, "nowhere")); n != 3 || err != nil {
		t.Fatalf("Rebuild = %d, %v", n, err)
	}
	if got := names(t, x, Filter{}); !strings.Contains(got, "诗") || len(strings.Fields(got)) != 3 {
		t.Errorf("all: %s", got)
	}
	if got := names(t, x, Filter{Status: StatusStopped, Kind: "pretrain"}); got != "b" {
		t.Errorf("stopped: %s", got)
	}
	entries, err := x.List(ctx, Filter{Name: "诗"})
	if err != nil || len(entries) != 1 || !strings.Contains(string(entries[0].Summary), "静夜思") {
		t.Errorf("诗 = %+v, %v", entries, err)
	}
	direct, err := ReadEntry(filepath.Join(runs, "诗"))
	if err != nil || !direct.Created.Equal(entries[0].Created) || !direct.Finished.Equal(entries[0].Finished) || direct.Config != entries[0].Config {
		t.Errorf("the index says %+v, the folder %+v, %v", entries[0], direct, err)
	}
	if err := os.RemoveAll(filepath.Join(runs, "a")); err != nil {
		t.Fatal(err)
	}
	if n, err := x.Rebuild(ctx, runs); n != 2 || err != nil {
		t.Errorf("Rebuild after a removal = %d, %v", n, err)
	}
	if got := names(t, x, Filter{Name: "a"}); got != "" {
		t.Errorf("a removed run is listed: %s", got)
	}
}

func TestRebuildKeepsRunsElsewhere(t *testing.T) {
	dir := t.TempDir()
	here, there := filepath.Join(dir, "runs"), filepath.Join(dir, "runs2")
	x := indexAt(t, filepath.Join(dir, "home"))
	for _, at := range []string{here, there} {
		r := begun(t, at, filepath.Base(at)+"-a", nil)
		if err := x.Put(context.Background(), r.Dir); err != nil {
			t.Fatal(err)
		}
		closed(t, r)
	}
	if err := os.RemoveAll(here); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Rebuild(context.Background(), here); err != nil {
		t.Fatal(err)
	}
	if got := names(t, x, Filter{}); got != "runs2-a" {
		t.Errorf("left: %s, want runs2-a", got)
	}
}

func TestADamagedRunIsNamedAndTheOthersCount(t *testing.T) {
	dir := t.TempDir()
	runs := filepath.Join(dir, "runs")
	closed(t, begun(t, runs, "good", nil))
	closed(t, begun(t, runs, "bad", nil))
	if err := os.WriteFile(filepath.Join(runs, "bad", InfoFile), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	x := indexAt(t, filepath.Join(dir, "home"))
	n, err := x.Rebuild(context.Background(), runs)
	if n != 1 || err == nil || !strings.Contains(err.Error(), filepath.Join("bad", InfoFile)) {
		t.Errorf("Rebuild = %d, %v", n, err)
	}
}

func TestADamagedIndexIsSetAside(t *testing.T) {
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, IndexFile), []byte(strings.Repeat("not a database ", 500)), 0o644); err != nil {
		t.Fatal(err)
	}
	x := indexAt(t, home)
	if !strings.Contains(x.Replaced, IndexFile) {
		t.Errorf("Replaced = %q", x.Replaced)
	}
	if got := names(t, x, Filter{}); got != "" {
		t.Errorf("listed: %s", got)
	}
	x.Close()
	if again := indexAt(t, home); again.Replaced != "" {
		t.Errorf("replaced a good index: %s", again.Replaced)
	}
}

func TestAnIndexOfAnotherVersionIsSetAside(t *testing.T) {
	home := t.TempDir()
	x := indexAt(t, home)
	if _, err := x.db.Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	x.Close()
	if x = indexAt(t, home); !strings.Contains(x.Replaced, "version 99") {
		t.Errorf("Replaced = %q", x.Replaced)
	}
}

func TestSeveralOpenTheIndexAtOnce(t *testing.T) {
	dir := t.TempDir()
	r := begun(t, filepath.Join(dir, "runs"), "a", nil)
	defer r.Close()
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			x, err := OpenIndex(filepath.Join(dir, "home"))
			if err != nil {
				t.Error(err)
				return
			}
			defer x.Close()
			for range 5 {
				if err := x.Put(context.Background(), r.Dir); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}
