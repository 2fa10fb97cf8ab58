package internevo

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"lian/format/safetensors"
)

func TestRanksAndStagesMakeTheWholeModel(t *testing.T) {
	for _, c := range []struct {
		dir           string
		ranks, stages int
		weight        bool
	}{{"internlm2-tp2-pp2", 2, 2, false}, {"internlm2-wp2-pp1", 2, 1, true}, {"internlm-tp2-pp1", 2, 1, false}} {
		f, err := Open(filepath.Join("testdata", c.dir))
		if err != nil {
			t.Error(err)
			continue
		}
		defer f.Close()
		if f.Ranks != c.ranks || f.Stages != c.stages || f.Weight != c.weight {
			t.Errorf("%s: %d ranks, %d stages, weight-parallel %v", c.dir, f.Ranks, f.Stages, f.Weight)
		}
		if f.Config["hidden_size"] != int64(8) || f.Config["layer_norm_epsilon"] != 1e-5 {
			t.Errorf("%s: settings %v", c.dir, f.Config)
		}
		whole, err := safetensors.Open(filepath.Join("testdata", c.dir))
		if err != nil {
			t.Fatal(err)
		}
		defer whole.Close()
		if got, want := slices.Sorted(slices.Values(f.Names())), slices.Sorted(slices.Values(whole.Names())); !slices.Equal(got, want) {
			t.Errorf("%s: tensors %q, want %q", c.dir, got, want)
		}
		for _, name := range whole.Names() {
			got, _ := f.Info(name)
			want, _ := whole.Info(name)
			data, err := f.Data(name)
			expected, _ := whole.Data(name)
			if err != nil || !reflect.DeepEqual(got, want) || !bytes.Equal(data, expected) {
				t.Errorf("%s: %v, want %v, or its values differ (%v)", c.dir, got, want, err)
			}
		}
	}
}

// folder copies a sample, so that it can be broken.
func folder(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", name))); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestWhatIsNotWholeIsRefused(t *testing.T) {
	for _, c := range []struct {
		why, sample string
		do          func(dir string) error
		says        string
	}{
		{"a missing rank", "internlm2-tp2-pp2", func(d string) error { return os.Remove(d + "/model_tp1_pp0.pt") }, "rank 1 of stage 0 is missing"},
		{"ranks of two kinds", "internlm2-tp2-pp2", func(d string) error { return os.Rename(d+"/model_tp1_pp0.pt", d+"/model_wp1_pp0.pt") }, "two checkpoints"},
		{"experts", "internlm2-wp2-pp1", func(d string) error { return os.WriteFile(d+"/model_moe_layer0_expert0_wp0.pt", nil, 0o600) }, "expert"},
		{"FSDP", "internlm2-tp2-pp2", func(d string) error { return os.Rename(d+"/model_tp1_pp0.pt", d+"/model_tp1_pp0_dp0.pt") }, "FSDP"},
		{"a rank of another stage", "internlm2-tp2-pp2", func(d string) error { return os.Rename(d+"/model_tp1_pp1.pt", d+"/model_tp1_pp0.pt") }, "rank 1 of stage 1 is missing"},
		{"another model's rank", "internlm-tp2-pp1", func(d string) error {
			return os.Link("testdata/internlm2-wp2-pp1/model_wp1_pp0.pt", d+"/model_tp2_pp0.pt")
		}, "and not in that of rank"},
		{"nothing", "internlm-tp2-pp1", func(d string) error {
			return os.RemoveAll(d + "/model_tp0_pp0.pt")
		}, "rank 0 of stage 0 is missing"},
	} {
		dir := folder(t, c.sample)
		if err := c.do(dir); err != nil {
			t.Skip(err)
		}
		f, err := Open(dir)
		if err == nil {
			f.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.why, err, c.says)
		}
	}
	if _, err := Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "not a checkpoint of InternEvo") {
		t.Errorf("an empty folder: %v", err)
	}
}

func TestWhatRanksShareMustBeEqual(t *testing.T) {
	dir := folder(t, "internlm-tp2-pp1")
	path := filepath.Join(dir, "model_tp1_pp0.pt")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	norm, err := f.Data("norm.weight")
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.LastIndex(raw, norm)
	if at < 0 {
		t.Fatal("rank 1 has no norm")
	}
	norm = bytes.Clone(norm)
	f.Close()
	raw[at] ^= 1
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err = Open(dir); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Data("norm.weight"); err == nil || !strings.Contains(err.Error(), "rank 1 has other values") {
		t.Errorf("norms that differ: %v", err)
	}
}
