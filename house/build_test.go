package house

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// platforms are where Lian must build.
var platforms = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}

// TestItBuildsOnEveryPlatform compiles all packages. Translated C (SQLite) is
// compiled without optimisation: it is nine tenths of the work, and this is only
// about whether our code builds. A second run takes seconds, from the cache.
func TestItBuildsOnEveryPlatform(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles for six platforms; not with -short")
	}
	for _, platform := range platforms {
		t.Run(platform, func(t *testing.T) {
			system, architecture := filepath.Split(platform)
			flags := []string{"build"}
			if platform != runtime.GOOS+"/"+runtime.GOARCH {
				flags = append(flags, "-gcflags=modernc.org/...=-N -l")
			}
			goTool(t, []string{"GOOS=" + system[:len(system)-1], "GOARCH=" + architecture, "CGO_ENABLED=0"}, append(flags, "./...")...)
		})
	}
}

// TestTheBuildIsReproducible: the same source gives the same bytes wherever it
// lies.
func TestTheBuildIsReproducible(t *testing.T) {
	if testing.Short() {
		t.Skip("builds twice; not with -short")
	}
	files := tracked(t)
	var sums [2][32]byte
	for i := range sums {
		dir := filepath.Join(t.TempDir(), fmt.Sprint("copy", i))
		for _, name := range files {
			text := readFile(t, name)
			to := filepath.Join(dir, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(to, text, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		program := filepath.Join(dir, "bin", "lian")
		goTool(t, []string{"CGO_ENABLED=0"}, "-C", dir, "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -X lian/cli.version=test", "-o", program, "./cmd/lian")
		text, err := os.ReadFile(program)
		if err != nil {
			t.Fatal(err)
		}
		sums[i] = sha256.Sum256(text)
		if bytes.Contains(text, []byte(dir)) {
			t.Errorf("the program holds the path of its source, %s", dir)
		}
	}
	if sums[0] != sums[1] {
		t.Errorf("two builds differ: %x and %x", sums[0], sums[1])
	}
}
