package house

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// root is the repository's folder; tests run in house/.
const root = ".."

// skipped are folders that hold no source of ours.
var skipped = map[string]bool{".git": true, "bin": true, "runs": true, "testdata": true, "node_modules": true}

// goFile is a parsed Go file of the repository.
type goFile struct {
	path   string // slashes, from the root
	dir    string
	text   []byte
	ast    *ast.File
	fset   *token.FileSet
	isTest bool
}

func (f goFile) generated() bool { return ast.IsGenerated(f.ast) }

// imports are the paths that the file imports.
func (f goFile) imports() []string {
	var out []string
	for _, i := range f.ast.Imports {
		out = append(out, strings.Trim(i.Path.Value, `"`))
	}
	return out
}

// goFiles are all Go files that are or could be committed, whatever platform they
// are for.
var goFiles = sync.OnceValues(func() ([]goFile, error) {
	names, err := goNames()
	if err != nil {
		return nil, err
	}
	var files []goFile
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) { // just removed
			continue
		}
		if err != nil {
			return nil, err
		}
		f := goFile{path: name, dir: path.Dir(name), text: text, fset: token.NewFileSet(), isTest: strings.HasSuffix(name, "_test.go")}
		if f.ast, err = parser.ParseFile(f.fset, f.path, text, parser.ParseComments|parser.SkipObjectResolution); err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
})

// goNames asks git, which knows what is ignored, or else walks the tree.
func goNames() ([]string, error) {
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.go")
	cmd.Dir = root
	if out, err := cmd.Output(); err == nil && len(out) > 0 {
		names := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
		return slices.DeleteFunc(names, func(name string) bool {
			return slices.ContainsFunc(strings.Split(name, "/"), func(part string) bool { return skipped[part] })
		}), nil
	}
	var names []string
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != root && (skipped[d.Name()] || strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		relative, err := filepath.Rel(root, name)
		names = append(names, filepath.ToSlash(relative))
		return err
	})
	return names, err
}

func allGoFiles(t *testing.T) []goFile {
	t.Helper()
	files, err := goFiles()
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("no Go files found")
	}
	return files
}

// tracked are the files that git knows, with slashes, from the root.
func tracked(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "-z")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("needs a git checkout: %v", err)
	}
	var files []string
	for _, name := range strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		if _, err := os.Lstat(filepath.Join(root, filepath.FromSlash(name))); err == nil { // not just removed
			files = append(files, name)
		}
	}
	return files
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// goTool runs the go command in the repository.
func goTool(t *testing.T, environment []string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), environment...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s go %s: %v\n%s", strings.Join(environment, " "), strings.Join(args, " "), err, stderr.Bytes())
	}
	return out
}

func isText(text []byte) bool { return !bytes.Contains(text[:min(len(text), 8000)], []byte{0}) }
