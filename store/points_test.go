package store

import (
	"context"
	"path/filepath"
	"testing"
)

func TestFiguresOfRunsAreRankedWithoutReadingThem(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	x, err := OpenIndex(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	run := func(name string, best float64) *Run {
		r, err := NewRun(dir, name, "pretrain", nil)
		if err != nil {
			t.Fatal(err)
		}
		for step := 1; step <= 20; step++ {
			r.Events.Emit("train.step", map[string]any{"step": step, "loss": 9.0 / float64(step), "domains": []any{map[string]any{"name": "中文", "loss": 1}}})
		}
		r.Events.Emit("train.heldout", map[string]any{"step": 20, "bits_per_byte": best})
		return r
	}
	a, b := run("a", 2.5), run("乙", 1.5)
	defer a.Close()
	defer b.Close()
	if _, err := x.Rebuild(ctx, dir); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Run{a, b} {
		if n, err := x.Follow(ctx, r.Dir); n != 20*2+1 || err != nil {
			t.Errorf("%s: %d numbers, %v", r.Info.Name, n, err)
		}
	}
	best, err := x.Best(ctx, "train.heldout", "bits_per_byte", 10)
	if err != nil || len(best) != 2 || best[0].Name != "乙" || best[0].Value != 1.5 || best[0].Step != 20 {
		t.Errorf("%+v, %v", best, err)
	}
	a.Events.Emit("train.step", map[string]any{"step": 11, "loss": 0.25}) // it went back to step 10
	a.Events.Emit("train.heldout", map[string]any{"step": 20, "bits_per_byte": 1})
	if n, err := x.Follow(ctx, a.Dir); n != 2 || err != nil {
		t.Errorf("what is new: %d numbers, %v", n, err)
	}
	var last, domains int
	x.db.QueryRow("SELECT max(step) FROM points WHERE path = ? AND kind = 'train.step'", filepath.Join(dir, "a")).Scan(&last)
	x.db.QueryRow("SELECT count(*) FROM points WHERE name = 'domains.中文.loss'").Scan(&domains)
	if last != 11 || domains != 30 {
		t.Errorf("the last step is %d, %d points of the domain", last, domains)
	}
	if best, _ := x.Best(ctx, "train.heldout", "bits_per_byte", 1); len(best) != 1 || best[0].Name != "a" {
		t.Errorf("%+v", best)
	}
	if _, err := x.Follow(ctx, t.TempDir()); err == nil {
		t.Error("a folder that is no run was followed")
	}
}
