// Package shared finds test data that is too large or too foreign to be part of
// the repository: golden vectors, model folders, corpora.
//
// It guarantees that a test without its data is skipped with one line that names
// what it needs, never passed and never failed. It refuses to download anything.
package shared

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Environment is the variable that names the folder of shared test data. When it
// is unset the folder is ../shared, relative to the repository root.
const Environment = "LIAN_SHARED"

// Path is the absolute path of a file or folder of the shared test data, such as
//
//	shared.Path(t, "testdata", "golden", "train")
//
// The test is skipped when it does not exist.
func Path(t testing.TB, elem ...string) string {
	t.Helper()
	path := filepath.Join(append([]string{Root()}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("needs shared test data: %s (set %s)", filepath.ToSlash(filepath.Join(elem...)), Environment)
	}
	return path
}

// Root is the folder of shared test data, whether or not it exists.
func Root() string {
	if dir := os.Getenv(Environment); dir != "" {
		if absolute, err := filepath.Abs(dir); err == nil {
			return absolute
		}
		return dir
	}
	return filepath.Join(filepath.Dir(repository()), "shared")
}

// repository is the nearest folder above the working folder that holds go.mod;
// tests run in their package's folder. With -trimpath, the source file's own name
// would not lead there.
func repository() string {
	dir, err := os.Getwd()
	if err != nil {
		_, file, _, _ := runtime.Caller(0)
		return filepath.Dir(filepath.Dir(filepath.Dir(file)))
	}
	for start := dir; ; {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return start
		}
		dir = parent
	}
}
