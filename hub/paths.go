package hub

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"
)

// checkPath refuses names of files that would leave the model's folder or hide in it. They come from a hub, that is from strangers.
func checkPath(name string) error {
	switch {
	case name == "" || path.IsAbs(name) || strings.Contains(name, `\`) || path.Clean(name) != name || !filepath.IsLocal(filepath.FromSlash(name)):
		return fmt.Errorf("file name %q: expected a path inside the model's folder; the hub's list is not to be trusted", name)
	case len(name) > 1024 || strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c == 0x7f }):
		return fmt.Errorf("file name %.80q: too long or with control characters; the hub's list is not to be trusted", name)
	}
	for _, part := range strings.Split(name, "/") {
		if strings.HasPrefix(part, ".") && (strings.HasSuffix(part, partSuffix) || strings.HasSuffix(part, doneSuffix) || part == PullingFile) {
			return fmt.Errorf("file name %q: is one that Lian itself uses while it downloads", name)
		}
	}
	return nil
}

// checkFiles refuses lists that name a file twice, or a file as a folder of another.
func checkFiles(files []File) error {
	seen := map[string]bool{}
	for _, f := range files {
		if err := checkPath(f.Path); err != nil {
			return err
		}
		if f.Path == PulledFile {
			return fmt.Errorf("file name %q: is one that Lian itself uses", f.Path)
		}
		if seen[f.Path] {
			return fmt.Errorf("file %s: is listed twice by the hub; which one is meant cannot be known", f.Path)
		}
		if f.Size < -1 || f.Size < 0 && (f.SHA256 != "" || f.Git != "") {
			return fmt.Errorf("file %s: the hub lists a size of %d bytes", f.Path, f.Size)
		}
		seen[f.Path] = true
	}
	for _, f := range files {
		for dir := path.Dir(f.Path); dir != "."; dir = path.Dir(dir) {
			if seen[dir] {
				return fmt.Errorf("file %s: the hub lists %s both as a file and as a folder", f.Path, dir)
			}
		}
	}
	return nil
}
