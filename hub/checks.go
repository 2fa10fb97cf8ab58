package hub

import (
	"path/filepath"
	"strings"
)

// Expected is the SHA-256 that a file should have, "" if nobody knows: by the mark of a pull, where name is the file in its folder, or by
// its own name in the caches of Hugging Face (blobs/HASH) and Ollama (blobs/sha256-HASH).
func Expected(path, name string, m *Mark) string {
	if f := m.of(name); f != nil {
		return f.SHA256
	}
	if real, err := filepath.EvalSymlinks(path); err == nil && filepath.Base(filepath.Dir(real)) == "blobs" {
		return hexHash(strings.TrimPrefix(filepath.Base(real), "sha256-"), 64)
	}
	return ""
}
