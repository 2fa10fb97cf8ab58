package house

import (
	"slices"
	"strings"
	"testing"
)

// leaves import no floor, only each other; everything may import them.
var leaves = []string{"dtype", "config", "event", "machine", "message", "random", "verify", "sandbox", "index", "store/atomicfile"}

// floors are the other packages, from the ground up, each with the floors that it
// may import. The order: compute ← model ← {quant, engine} ← train ← {eval, serve,
// agent} ← chain ← cli; tokenizer ← chat ← data stand outside compute. Whoever
// needs something from above declares an interface, and chain wires it.
var floors = []struct {
	name string
	may  []string
}{
	{"store", nil},
	{"compute", nil},
	{"format", nil},
	{"hub", []string{"store"}},
	{"tokenizer", []string{"format", "store"}},
	{"chat", []string{"tokenizer", "store"}},
	{"data", []string{"chat", "tokenizer", "format", "store"}},
	{"model", []string{"compute", "format", "store"}},
	{"quant", []string{"model", "compute", "format", "store"}},
	{"engine", []string{"model", "compute", "format", "tokenizer", "store"}},
	{"train", []string{"quant", "engine", "model", "compute", "format", "chat", "tokenizer", "store"}},
	{"eval", []string{"train", "quant", "engine", "model", "compute", "format", "data", "chat", "tokenizer", "store"}},
	{"serve", []string{"train", "quant", "engine", "model", "compute", "format", "data", "chat", "tokenizer", "store", "web"}},
	{"agent", []string{"train", "quant", "engine", "model", "compute", "format", "data", "chat", "tokenizer", "store"}},
	{"chain", []string{"eval", "serve", "agent", "train", "quant", "engine", "model", "compute", "format", "data", "chat", "tokenizer", "hub", "store", "web", "recipes"}},
	{"cli", []string{"chain", "eval", "serve", "agent", "train", "quant", "engine", "model", "compute", "format", "data", "chat", "tokenizer", "hub", "store", "web", "recipes"}},
	{"cmd", []string{"cli"}},
	{"web", nil},
	{"recipes", nil},
	{"house", nil},
	{"scripts", nil},
}

// floorOf is the first part of a package's path below the module, except that
// store/atomicfile is a leaf.
func floorOf(dir string) string {
	if slices.Contains(leaves, dir) {
		return dir
	}
	first, _, _ := strings.Cut(dir, "/")
	return first
}

func TestImportsGoDownOnly(t *testing.T) {
	for _, f := range allGoFiles(t) {
		from := floorOf(f.dir)
		isLeaf := slices.Contains(leaves, from)
		at := slices.IndexFunc(floors, func(l struct {
			name string
			may  []string
		}) bool {
			return l.name == from
		})
		if !isLeaf && at < 0 {
			t.Errorf("%s: folder %s has no place in the house; add it to house/layers_test.go", f.path, from)
			continue
		}
		for _, imported := range f.imports() {
			dir, ours := strings.CutPrefix(imported, "lian/")
			if !ours {
				continue
			}
			to := floorOf(dir)
			switch {
			case to == from || slices.Contains(leaves, to):
			case f.isTest && to != "cli": // a test may look from above
			case isLeaf:
				t.Errorf("%s imports %s: leaves import no floor", f.path, imported)
			case !slices.Contains(floors[at].may, to):
				t.Errorf("%s imports %s: %s may import %s; declare an interface and wire it in chain/step", f.path, imported, from, strings.Join(floors[at].may, ", "))
			}
		}
	}
}

// TestProgramsDoNotTest keeps package testing out of the binary.
func TestProgramsDoNotTest(t *testing.T) {
	forTests := []string{"verify/shared", "compute/computetest"}
	for _, f := range allGoFiles(t) {
		if f.isTest || slices.Contains(forTests, f.dir) || strings.HasSuffix(f.dir, "test") {
			continue
		}
		for _, imported := range f.imports() {
			if imported == "testing" || slices.Contains(forTests, strings.TrimPrefix(imported, "lian/")) {
				t.Errorf("%s imports %s, which is for tests", f.path, imported)
			}
		}
	}
}
