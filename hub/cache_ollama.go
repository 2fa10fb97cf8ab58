package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// ollamaCache is Ollama's store: manifests/HOST/NAMESPACE/MODEL/TAG names layers by digest, blobs/sha256-… holds them. The layer
// "model" is a GGUF file. Source: github.com/ollama/ollama, packages manifest and types/model.
type ollamaCache struct{}

func (ollamaCache) name() string { return "ollama" }

func (c ollamaCache) dir() string { return c.dirs()[0] }

// dirs are the user's own store and that of the service.
func (ollamaCache) dirs() []string {
	if dir := os.Getenv("OLLAMA_MODELS"); dir != "" {
		return []string{expand(dir)}
	}
	home, _ := os.UserHomeDir()
	dirs := []string{filepath.Join(home, ".ollama", "models")}
	if runtime.GOOS == "linux" {
		dirs = append(dirs, "/usr/share/ollama/.ollama/models")
	}
	return dirs
}

// ollamaManifest is a file below manifests.
type ollamaManifest struct {
	Config ollamaLayer
	Layers []ollamaLayer
}

type ollamaLayer struct {
	MediaType string
	Digest    string
	Size      int64
}

const (
	mostManifest = 4 << 20 // bytes
	mostLayer    = 1 << 20 // bytes of a layer of text
)

// parts are the folders below manifests that a name stands for.
func (ollamaCache) parts(r Reference) string {
	host, namespace, model := "registry.ollama.ai", "library", r.Repo
	if p := strings.Split(r.Repo, "/"); len(p) == 2 {
		namespace, model = p[0], p[1]
	} else if len(p) == 3 {
		host, namespace, model = p[0], p[1], p[2]
	}
	return filepath.Join(host, namespace, model, first(r.Variant, "latest"))
}

func (c ollamaCache) find(r Reference) (*Place, error) {
	if r.Revision != "" {
		return nil, nil
	}
	for _, dir := range c.dirs() {
		path := filepath.Join(dir, "manifests", c.parts(r))
		text, err := readUpTo(path, mostManifest)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var m ollamaManifest
		if err := json.Unmarshal(text, &m); err != nil {
			return nil, fmt.Errorf("%s: not a manifest of Ollama: %w", path, err)
		}
		return c.place(dir, path, m, r)
	}
	return nil, nil
}

// place reads the layers of a manifest.
func (c ollamaCache) place(dir, path string, m ollamaManifest, r Reference) (*Place, error) {
	p := &Place{Source: c.name(), Name: "ollama:" + r.Repo + ":" + first(r.Variant, "latest"), Manifest: path}
	for _, l := range m.Layers {
		digest := hexHash(l.Digest, 64)
		if digest == "" || !strings.HasPrefix(l.Digest, "sha256") {
			return nil, fmt.Errorf("%s: layer %q has digest %q, expected sha256: and 64 hexadecimal digits", path, l.MediaType, l.Digest)
		}
		blob := filepath.Join(dir, "blobs", "sha256-"+digest)
		kind := l.MediaType[strings.LastIndexByte(l.MediaType, '.')+1:]
		switch kind {
		case "model", "adapter", "projector":
			info, err := os.Stat(blob)
			if err != nil {
				return nil, fmt.Errorf("%s: layer %s: %w; ollama pull fetches it again", path, kind, err)
			}
			if info.Size() != l.Size {
				return nil, fmt.Errorf("%s: layer %s: %s has %d bytes, expected %d; ollama pull fetches it again", path, kind, blob, info.Size(), l.Size)
			}
			switch {
			case kind == "model" && p.Path == "":
				p.Path = blob
			case kind == "adapter" && p.Adapter == "":
				p.Adapter = blob
			default:
				p.Unused = append(p.Unused, kind)
			}
		case "template", "system", "license":
			text, err := readUpTo(blob, mostLayer)
			if err != nil {
				return nil, fmt.Errorf("%s: layer %s: %w", path, kind, err)
			}
			switch kind {
			case "template":
				p.Template = string(text)
			case "system":
				p.System = string(text)
			case "license":
				p.Licence = append(p.Licence, string(text))
			}
		case "params":
			text, err := readUpTo(blob, mostLayer)
			if err == nil {
				err = json.Unmarshal(text, &p.Parameters)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: layer params: %w", path, err)
			}
		default:
			p.Unused = append(p.Unused, kind)
		}
	}
	if p.Path == "" {
		return nil, fmt.Errorf("%s: has no layer with a GGUF model (it has %s); Lian opens those only", path, strings.Join(p.Unused, ", "))
	}
	return p, nil
}

func (c ollamaCache) list() (names []string) {
	for _, dir := range c.dirs() {
		root := filepath.Join(dir, "manifests")
		filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil // what cannot be read is not ours to list
			}
			rest, err := filepath.Rel(root, path)
			part := strings.Split(filepath.ToSlash(rest), "/")
			if err != nil || len(part) != 4 || strings.HasPrefix(part[3], ".") {
				return nil
			}
			name := part[2] + ":" + part[3]
			switch {
			case part[0] != "registry.ollama.ai":
				name = part[0] + "/" + part[1] + "/" + name
			case part[1] != "library":
				name = part[1] + "/" + name
			}
			names = append(names, "ollama:"+name)
			return nil
		})
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// readUpTo reads a file that should not be larger than most.
func readUpTo(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(text)) > most {
		return nil, fmt.Errorf("%s: larger than %d bytes, which is not expected of such a file", path, most)
	}
	return text, err
}
