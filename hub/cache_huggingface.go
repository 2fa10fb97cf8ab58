package hub

import (
	"os"
	"path/filepath"
	"strings"
)

// huggingFaceHome is where Hugging Face's programs keep what is theirs.
func huggingFaceHome() string {
	if dir := os.Getenv("HF_HOME"); dir != "" {
		return expand(dir)
	}
	return filepath.Join(userCache(), "huggingface")
}

func userCache() string {
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return expand(dir)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ".cache"
	}
	return filepath.Join(home, ".cache")
}

// expand replaces ~ and $VARIABLES, as the programs do whose variables these are.
func expand(dir string) string {
	if rest, ok := strings.CutPrefix(dir, "~"); ok && (rest == "" || rest[0] == '/' || rest[0] == filepath.Separator) {
		if home, err := os.UserHomeDir(); err == nil {
			dir = home + rest
		}
	}
	return os.ExpandEnv(dir)
}

// huggingFaceCache is laid out as models--OWNER--NAME/{refs/BRANCH, snapshots/COMMIT/FILE → blobs/HASH}.
// Source: huggingface_hub, "Understand caching".
type huggingFaceCache struct{}

func (huggingFaceCache) name() string { return HuggingFace }

func (huggingFaceCache) dir() string {
	if dir := first(os.Getenv("HF_HUB_CACHE"), os.Getenv("HUGGINGFACE_HUB_CACHE")); dir != "" {
		return expand(dir)
	}
	return filepath.Join(huggingFaceHome(), "hub")
}

func (c huggingFaceCache) find(r Reference) (*Place, error) {
	dir := filepath.Join(c.dir(), "models--"+strings.ReplaceAll(r.Repo, "/", "--"))
	snapshots := filepath.Join(dir, "snapshots")
	at := r.Revision
	if text, err := os.ReadFile(filepath.Join(dir, "refs", filepath.FromSlash(first(r.Revision, "main")))); err == nil {
		at = strings.TrimSpace(string(text))
	}
	if at == "" || !filepath.IsLocal(at) {
		if r.Revision != "" {
			return nil, nil
		}
		here := folders(snapshots)
		if len(here) != 1 { // none, or nobody knows which
			return nil, nil
		}
		at = here[0]
	}
	return folderPlace(filepath.Join(snapshots, at), c.name(), r)
}

func (c huggingFaceCache) list() (names []string) {
	for _, entry := range folders(c.dir()) {
		if name, ok := strings.CutPrefix(entry, "models--"); ok {
			names = append(names, strings.Replace(name, "--", "/", 1))
		}
	}
	return names
}

// folders are the names of the folders in a folder, sorted.
func folders(dir string) (names []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if info, err := os.Stat(filepath.Join(dir, e.Name())); err == nil && info.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names
}
