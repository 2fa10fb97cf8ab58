package checkpoint

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"lian/compute/cpu"
	"lian/dtype"
	"lian/model"
	"lian/verify/shared"
)

// TestModelsSurviveTheirOwnFolder: each tiny model, written with a config.json made of its Spec alone, is the same model.
// LIAN_TINY names further folders of tiny models, LIAN_TINY_OUT one to write them into, for others to open.
func TestModelsSurviveTheirOwnFolder(t *testing.T) {
	roots := []string{shared.Path(t, "testdata", "golden", "infer", "hf")}
	if more := os.Getenv("LIAN_TINY"); more != "" {
		roots = append(roots, filepath.SplitList(more)...)
	}
	for _, root := range roots {
		entries, err := os.ReadDir(root)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if slices.Contains(refused, e.Name()) {
				continue
			}
			t.Run(e.Name(), func(t *testing.T) {
				t.Parallel()
				out := filepath.Join(t.TempDir(), "model")
				if all := os.Getenv("LIAN_TINY_OUT"); all != "" {
					out = filepath.Join(all, e.Name())
				}
				checkFolder(t, filepath.Join(root, e.Name()), out)
			})
		}
	}
}

func checkFolder(t *testing.T, dir, out string) {
	b := cpu.New(1)
	was, err := Open(dir, b, Options{Float32: true})
	if err != nil {
		t.Skip(err)
	}
	defer was.Close()
	if err := SaveFolder(out, b.NewStream(), was.Family, was.Model, FolderOptions{Type: dtype.F32}); err != nil {
		t.Fatal(err)
	}
	now, err := Open(out, b, Options{Float32: true})
	if err != nil {
		t.Fatal(err)
	}
	defer now.Close()
	if !reflect.DeepEqual(now.Model.Spec, was.Model.Spec) {
		t.Error("another configuration: ", difference("Spec", reflect.ValueOf(now.Model.Spec), reflect.ValueOf(was.Model.Spec)))
	}
	if len(now.Unread) > 0 {
		t.Errorf("nobody reads %v of what was written", now.Unread)
	}
	s := b.NewStream()
	for i, p := range was.Model.Parameters().All() {
		want, err := model.Floats(s, p.Tensor)
		if err != nil {
			t.Fatal(err)
		}
		got, err := model.Floats(s, now.Model.Parameters().All()[i].Tensor)
		if err != nil {
			t.Fatal(err)
		}
		for j := range want { // where the file's values are by 1 more or less, half a bit goes
			if d := got[j] - want[j]; d > 2e-7 || d < -2e-7 {
				t.Errorf("%s[%d] is %v, expected %v", p.Name, j, got[j], want[j])
				break
			}
		}
	}
}

// difference is where two values of one type differ first.
func difference(at string, got, want reflect.Value) string {
	if reflect.DeepEqual(got.Interface(), want.Interface()) {
		return ""
	}
	switch got.Kind() {
	case reflect.Struct:
		for i := range got.NumField() {
			if d := difference(at+"."+got.Type().Field(i).Name, got.Field(i), want.Field(i)); d != "" {
				return d
			}
		}
	case reflect.Slice:
		for i := range min(got.Len(), want.Len()) {
			if d := difference(fmt.Sprintf("%s[%d]", at, i), got.Index(i), want.Index(i)); d != "" {
				return d
			}
		}
	}
	return fmt.Sprintf("%s is %v, expected %v", at, got, want)
}
