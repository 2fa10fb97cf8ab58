package house

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// module is a requirement of a go.mod file, as "go mod edit -json" prints it.
type module struct {
	Path     string
	Version  string
	Indirect bool
}

func requirements(t *testing.T, file string) []module {
	t.Helper()
	var mod struct{ Require []module }
	if err := json.Unmarshal(goTool(t, nil, "mod", "edit", "-json", file), &mod); err != nil {
		t.Fatal(err)
	}
	return mod.Require
}

// direct are the modules that our code imports.
func direct(t *testing.T) []string {
	t.Helper()
	required := requirements(t, "go.mod")
	used := map[string]bool{}
	for _, f := range allGoFiles(t) {
		for _, imported := range f.imports() {
			first, _, _ := strings.Cut(imported, "/")
			if !strings.Contains(first, ".") {
				continue // ours, or the standard library's
			}
			best := ""
			for _, m := range required {
				if (imported == m.Path || strings.HasPrefix(imported, m.Path+"/")) && len(m.Path) > len(best) {
					best = m.Path
				}
			}
			if best == "" {
				t.Errorf("%s imports %s, which go.mod does not require", f.path, imported)
				continue
			}
			used[best] = true
		}
	}
	return slices.Sorted(maps.Keys(used))
}

// TestEachDependencyHasAReason compares docs/deps.md with what the code imports.
func TestEachDependencyHasAReason(t *testing.T) {
	page := string(readFile(t, "docs/deps.md"))
	rows := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(page, -1) {
		rows[m[1]] = true
	}
	used := direct(t)
	for _, path := range used {
		if !rows[path] {
			t.Errorf("docs/deps.md has no row for %s: what it does for us, and why not ourselves", path)
		}
		delete(rows, path)
	}
	required := requirements(t, "go.mod")
	for path := range rows {
		if !slices.ContainsFunc(required, func(m module) bool { return m.Path == path }) {
			t.Errorf("docs/deps.md has a row for %s, which go.mod does not require", path)
		}
	}
}

// TestDirectDependenciesAreMarkedSo: "// indirect" belongs to what only others import.
func TestDirectDependenciesAreMarkedSo(t *testing.T) {
	used := direct(t)
	for _, m := range requirements(t, "go.mod") {
		if m.Indirect && slices.Contains(used, m.Path) {
			t.Errorf("go.mod marks %s as indirect, but our code imports it", m.Path)
		}
	}
}

// TestSQLiteHasTheLibcItWasBuiltWith: modernc.org/sqlite works with exactly the
// version of modernc.org/libc in its own go.mod.
func TestSQLiteHasTheLibcItWasBuiltWith(t *testing.T) {
	var sqlite struct{ GoMod, Version string }
	if err := json.Unmarshal(goTool(t, nil, "list", "-m", "-json", "modernc.org/sqlite"), &sqlite); err != nil {
		t.Fatal(err)
	}
	const libc = "modernc.org/libc"
	version := func(modules []module) string {
		for _, m := range modules {
			if m.Path == libc {
				return m.Version
			}
		}
		return "none"
	}
	theirs, ours := version(requirements(t, sqlite.GoMod)), version(requirements(t, "go.mod"))
	if theirs != ours {
		t.Errorf("go.mod requires %s %s, but modernc.org/sqlite %s was built with %s; go get %s@%s", libc, ours, sqlite.Version, theirs, libc, theirs)
	}
}
