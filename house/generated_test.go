package house

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// generators write source files into the folder they are run in. docs/verbs.md is
// kept up to date by package cli, which has the command tree, docs/support.md by chain/step.
var generators = []struct {
	program string // run with "go run"
	dir     string // where its output is kept
	outputs string // which files there are its output
}{
	{"./compute/cpu/gen", "compute/cpu", "kernels_*_*_amd64.*"},
	{"./tokenizer/charmap/gen", "tokenizer/charmap", "*.bin.gz"},
}

func TestGeneratedFilesAreUpToDate(t *testing.T) {
	for _, g := range generators {
		t.Run(g.dir, func(t *testing.T) {
			t.Parallel()
			temp := t.TempDir()
			program := filepath.Join(temp, "generator")
			goTool(t, nil, "build", "-o", program, g.program)
			out := filepath.Join(temp, "out")
			if err := os.Mkdir(out, 0o777); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), program)
			cmd.Dir = out
			if text, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", g.program, err, text)
			}
			names := map[string]bool{}
			for _, dir := range []string{out, filepath.Join(root, filepath.FromSlash(g.dir))} {
				files, err := filepath.Glob(filepath.Join(dir, g.outputs))
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range files {
					names[filepath.Base(f)] = true
				}
			}
			if len(names) == 0 {
				t.Errorf("%s wrote nothing that is called %s", g.program, g.outputs)
			}
			for name := range names {
				fresh, err := os.ReadFile(filepath.Join(out, name))
				if err != nil {
					t.Errorf("%s does not write %s/%s (any more); run go generate ./%s and remove what is left over", g.program, g.dir, name, g.dir)
					continue
				}
				kept := readFile(t, g.dir+"/"+name)
				if filepath.Ext(name) != ".gz" && !bytes.Contains(kept, []byte("Code generated ")) {
					t.Errorf("%s/%s does not say that it is generated", g.dir, name)
				}
				if !bytes.Equal(fresh, kept) {
					t.Errorf("%s/%s is not what %s writes; run go generate ./%s", g.dir, name, g.program, g.dir)
				}
			}
		})
	}
}

// TestEveryGeneratorIsInTheTable finds go:generate lines that the test above would
// not know of.
func TestEveryGeneratorIsInTheTable(t *testing.T) {
	known := map[string]bool{"cli": true, "chain/step": true} // docs/verbs.md, docs/support.md
	for _, g := range generators {
		known[g.dir] = true
	}
	for _, f := range allGoFiles(t) {
		for _, line := range strings.Split(string(f.text), "\n") {
			if strings.HasPrefix(line, "//go:"+"generate ") && !known[f.dir] {
				t.Errorf("%s: %s is not checked; add it to house/generated_test.go", f.path, line)
			}
		}
	}
}
