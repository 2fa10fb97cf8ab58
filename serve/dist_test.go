package serve_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sealOf hashes the files of a folder as web/seal.mjs does.
func sealOf(t *testing.T, dir string) string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "node_modules":
			return fs.SkipDir
		case !d.IsDir():
			name, err := filepath.Rel(dir, path)
			names = append(names, filepath.ToSlash(name))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	all := sha256.New()
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(all, "%s %x\n", name, sha256.Sum256(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))))
	}
	return fmt.Sprintf("%x", all.Sum(nil))
}

func TestTheBuiltPageIsOfTheseSources(t *testing.T) {
	seal, err := os.ReadFile("webui/seal.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(string(seal), "\r\n", "\n")
	got := fmt.Sprintf("sources %s\nbuilt %s\n", sealOf(t, "../web"), sealOf(t, "webui/dist"))
	if got != want {
		t.Errorf("the page and its sources have gone apart; run: cd web && npm ci && npm run build\nfiles: %sseal:  %s", got, want)
	}
}

func TestThePageIsSmallAndLoadsNothingFromElsewhere(t *testing.T) {
	size := 0
	err := filepath.WalkDir("webui/dist", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		size += len(text)
		for _, link := range []string{"https://", "http://"} {
			for rest := string(text); ; {
				_, after, found := strings.Cut(rest, link)
				if !found {
					break
				}
				if !strings.HasPrefix(after, "www.w3.org/") { // the name of SVG, not an address that is loaded
					t.Errorf("%s has %s%.40s", path, link, after)
				}
				rest = after
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if size > 60_000 {
		t.Errorf("the page has %d bytes, at most 60000 are allowed", size)
	}
}
