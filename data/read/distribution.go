package read

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// ErrNoGo says that there is nothing to read.
var ErrNoGo = errors.New("no Go distribution found on this machine and no input given; pass --corpus DIR with your own documents (txt, md, html, json, csv, source code)")

// GoRoot finds the Go distribution: GOROOT, the one this program was built
// with, else what the go command says.
func GoRoot(ctx context.Context) (string, error) {
	candidates := []string{os.Getenv("GOROOT"), builtWith()}
	for _, root := range candidates {
		if isGoRoot(root) {
			return root, nil
		}
	}
	if out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output(); err == nil {
		if root := strings.TrimSpace(string(out)); isGoRoot(root) {
			return root, nil
		}
	}
	return "", ErrNoGo
}

func builtWith() string { return runtime.GOROOT() } //nolint:staticcheck // empty with -trimpath; then the go command is asked

func isGoRoot(root string) bool {
	if root == "" {
		return false
	}
	info, err := os.Stat(filepath.Join(root, "src", "fmt", "print.go"))
	return err == nil && info.Mode().IsRegular()
}

// Distribution lists what is read of a Go distribution: below src and doc, the
// packages that linux/amd64 builds with their examples, Markdown and HTML.
// Left out, each with its reason: the go command and compiler (src/cmd), vendored
// code, test data, generated tables, tests without examples, other platforms,
// assembly and everything that is not documentation.
func Distribution(ctx context.Context, root string) ([]File, []Result, error) {
	files, left, err := Walk(ctx, []string{filepath.Join(root, "src"), filepath.Join(root, "doc")})
	if err != nil {
		return nil, nil, err
	}
	var selected []File
	for _, f := range files {
		if reason, detail := unselected(f); reason != "" {
			left = append(left, Failed(f, reason, detail))
		} else {
			selected = append(selected, f)
		}
	}
	return selected, left, nil
}

func unselected(f File) (reason, detail string) {
	name := f.Name
	switch {
	case strings.HasPrefix(name, "src/cmd/"):
		return Unselected, "the go command and compiler"
	case strings.Contains(name, "/vendor/"):
		return Unselected, "vendored"
	case strings.Contains(name, "/testdata/"):
		return Unselected, "test data"
	}
	switch FormatOf(name) {
	case "markdown", "html":
		return "", ""
	case "go":
	default:
		return Unselected, "not Go, Markdown or HTML"
	}
	if strings.HasSuffix(name, "_test.go") && !strings.HasPrefix(filepath.Base(name), "example") {
		return GoTest, "tests are not documentation"
	}
	buildable, generated := Buildable(name, head(f.Path))
	if !buildable {
		return OtherPlatform, "not built on linux/amd64"
	}
	if generated {
		return GeneratedTable, "written by a program"
	}
	return "", ""
}

// head reads enough of a file to see its build constraint.
func head(path string) []byte {
	file, err := os.Open(path)
	if err != nil {
		return nil // reading it will say why
	}
	defer file.Close()
	buffer := make([]byte, 8<<10)
	n, _ := io.ReadFull(file, buffer)
	return buffer[:n]
}
