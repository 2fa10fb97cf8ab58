package hub

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// put writes a file and the folders above it.
func put(t testing.TB, text string, parts ...string) string {
	t.Helper()
	path := filepath.Join(parts...)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// empty is a home without models.
func empty(t *testing.T) string {
	newFake(t, nil)
	return os.Getenv("HOME")
}

func TestTheCacheOfHuggingFaceIsUsedInPlace(t *testing.T) {
	home := empty(t)
	repo := filepath.Join(home, "hf", "hub", "models--hf-internal--tiny-model")
	blob := put(t, "{}", repo, "blobs", "aaaa")
	put(t, fakeCommit+"\n", repo, "refs", "main")
	put(t, "ffff000000000000000000000000000000000000", repo, "refs", "pr", "1")
	at := filepath.Join(repo, "snapshots", fakeCommit)
	other := filepath.Join(repo, "snapshots", "ffff000000000000000000000000000000000000")
	for _, dir := range []string{at, other} {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(blob, filepath.Join(dir, "config.json")); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"hf-internal/tiny-model": at, "hf:hf-internal/tiny-model": at, "hf-internal/tiny-model@" + fakeCommit: at, "hf-internal/tiny-model@refs/pr/1": "",
		"hf-internal/tiny-model@pr/1": other, "https://huggingface.co/hf-internal/tiny-model": at, "hf.co/hf-internal/tiny-model": at,
		"ms:hf-internal/tiny-model": "", "hf-internal/tiny": "", "hf-internal/tiny-model@v2": "",
	} {
		p, err := Find(name)
		switch {
		case want == "" && !errors.Is(err, ErrNotHere):
			t.Errorf("%s: %v, %v", name, p, err)
		case want != "" && (err != nil || p.Path != want || p.Source != "huggingface"):
			t.Errorf("%s: %+v, %v; want %s", name, p, err, want)
		}
	}
	if list := Cached(); len(list) != 1 || list[0].Name != "hf-internal/tiny-model" {
		t.Errorf("listed %+v", list)
	}
}

func TestTheCachesOfModelScopeAreUsedInPlace(t *testing.T) {
	for _, layout := range []string{"hub/Qwen/Qwen2___5-0___5B", "hub/models/Qwen/Qwen2___5-0___5B", "models/Qwen--Qwen2.5-0.5B/snapshots/master", "models/Qwen/Qwen2___5-0___5B"} {
		home := empty(t)
		want := filepath.Dir(put(t, "{}", home, ".cache", "modelscope", layout, "config.json"))
		for _, name := range []string{"Qwen/Qwen2.5-0.5B", "modelscope:Qwen/Qwen2.5-0.5B", "qwen2.5-0.5b"} {
			if p, err := Find(name); err != nil || p.Path != want {
				t.Errorf("%s as %s: %+v, %v", layout, name, p, err)
			}
		}
		if list := Cached(); len(list) != 1 || list[0].Name != "Qwen/Qwen2.5-0.5B" {
			t.Errorf("%s: listed %+v", layout, list)
		}
	}
}

func TestWeightsAreLookedForInEveryCache(t *testing.T) {
	home := empty(t)
	put(t, "{}", home, "hf", "hub", "models--o--m", "snapshots", fakeCommit, "config.json")
	if p, err := Find("o/m"); err != nil || p.Source != "huggingface" {
		t.Errorf("%+v, %v", p, err)
	}
	put(t, "{}", home, ".cache", "modelscope", "hub", "models", "o", "m", "config.json")
	put(t, "x", home, ".cache", "modelscope", "hub", "models", "o", "m", "model.safetensors")
	if p, err := Find("o/m"); err != nil || p.Source != "modelscope" {
		t.Errorf("%+v, %v", p, err)
	}
}

// ollama makes a store with one model.
func ollama(t testing.TB, dir, at string, layers map[string]string) (blob func(kind string) string) {
	var m ollamaManifest
	paths := map[string]string{}
	for kind, text := range layers {
		sum := sha256.Sum256([]byte(text))
		digest := hex.EncodeToString(sum[:])
		paths[kind] = put(t, text, dir, "blobs", "sha256-"+digest)
		m.Layers = append(m.Layers, ollamaLayer{MediaType: "application/vnd.ollama.image." + kind, Digest: "sha256:" + digest, Size: int64(len(text))})
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	put(t, string(text), dir, "manifests", at)
	return func(kind string) string { return paths[kind] }
}

func TestTheStoreOfOllamaIsUsedInPlace(t *testing.T) {
	home := empty(t)
	dir := filepath.Join(home, ".ollama", "models")
	blob := ollama(t, dir, "registry.ollama.ai/library/smollm2/135m", map[string]string{
		"model": "GGUF…", "template": "{{ .Prompt }}", "params": `{"stop": ["<|im_end|>"], "temperature": 0.5}`, "license": "Apache", "system": "Be brief.", "projector": "GGUF clip"})
	ollama(t, dir, "hf.co/someone/Model-GGUF/Q4_K_M", map[string]string{"model": "GGUF!"})
	for _, name := range []string{"ollama:smollm2:135m", "smollm2:135m", "ollama:library/smollm2:135m"} {
		p, err := Find(name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if p.Path != blob("model") || p.System != "Be brief." || p.Template == "" || p.Licence[0] != "Apache" || p.Parameters["temperature"] != 0.5 || len(p.Unused) != 1 {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if _, err := Find("ollama:hf.co/someone/Model-GGUF:Q4_K_M"); err != nil {
		t.Error(err)
	}
	if _, err := Find("ollama:smollm2"); err == nil || !strings.Contains(err.Error(), "ollama pull smollm2:latest") {
		t.Error(err)
	}
	if list := Cached(); len(list) != 2 || list[1].Name != "ollama:smollm2:135m" {
		t.Errorf("listed %+v", list)
	}
	if err := os.WriteFile(blob("model"), []byte("GG"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Find("smollm2:135m"); err == nil || !strings.Contains(err.Error(), "has 2 bytes") {
		t.Error(err)
	}
}

func TestAGGUFIsChosenByItsVariant(t *testing.T) {
	f := newFake(t, map[string][]byte{
		"M-Q4_K_M.gguf": bytesOf(100, 1), "M-Q4_K_S.gguf": bytesOf(100, 2), "M-Q8_0-00001-of-00002.gguf": bytesOf(100, 3), "M-Q8_0-00002-of-00002.gguf": bytesOf(100, 4),
		"M-IQ4_XS.gguf": bytesOf(100, 5), "mmproj-M-Q8_0.gguf": bytesOf(100, 6), "README.md": []byte("x"), "BF16/M-BF16.gguf": bytesOf(100, 7),
	})
	for variant, want := range map[string]string{"Q4_K_M": "M-Q4_K_M.gguf", "q4_k_m": "M-Q4_K_M.gguf", "Q8_0": "M-Q8_0-00001-of-00002.gguf", "IQ4_XS": "M-IQ4_XS.gguf", "BF16": "BF16/M-BF16.gguf"} {
		p, _ := f.pull(t, "o/m:"+variant, Options{})
		if p.Files[0].Path != want || p.Name != "o/m:"+variant {
			t.Errorf("%s: %+v", variant, p.Files)
		}
		if found, err := Find("o/m:" + variant); err != nil || found.Path != filepath.Join(Home(), "o", "m", filepath.FromSlash(want)) {
			t.Errorf("%s: found %+v, %v", variant, found, err)
		}
	}
	for variant, want := range map[string]string{"Q4_K": "no GGUF file is a Q4_K", "Q5_0": "there are BF16/M-BF16.gguf"} {
		if _, _, err := f.ready(t, "o/m:"+variant, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", variant, err)
		}
	}
	if _, err := Find("o/m"); err == nil || !strings.Contains(err.Error(), ":VARIANT") {
		t.Errorf("several: %v", err)
	}
	p, _, err := f.ready(t, "o/m", Options{})
	if err != nil || p.Variant != "Q4_K_M" || p.Name != "o/m:Q4_K_M" {
		t.Errorf("without a variant: %+v, %v", p, err)
	}
	if p, _, err := f.ready(t, "o/m", Options{File: "M-Q8_0-00002-of-00002.gguf"}); err != nil || len(p.Files) != 2 {
		t.Errorf("by file: %+v, %v", p, err)
	}
}

func TestSettingsNameHubsOfOnesOwn(t *testing.T) {
	f := newFake(t, aModel())
	f.token = "own"
	t.Setenv("HF_ENDPOINT", "https://example.invalid")
	t.Setenv("HF_TOKEN", "public")
	path := put(t, "hubs:\n  company: {kind: huggingface, endpoint: \""+f.hub.URL+"\", token: own}\n", Home(), "..", SettingsFile)
	f.pull(t, "company:o/m", Options{})
	if p, err := Find("company:o/m"); err != nil || p.Source != "home" {
		t.Errorf("%+v, %v", p, err)
	}
	f.pull(t, "o/m", Options{Hub: "company"})
	for text, want := range map[string]string{
		"hubs:\n  company: {endpoint: https://x}\n":                  "hubs.company.kind: is missing",
		"hubs:\n  company: {kind: huggingface}\n":                    "hubs.company.endpoint: is missing",
		"hubs:\n  company: {knid: huggingface, endpoint: https://x}": "did you mean",
	} {
		put(t, text, path)
		if _, err := Find("o/m"); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), SettingsFile) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestNamesThatAreNoneAreRefused(t *testing.T) {
	empty(t)
	for _, name := range []string{"", "a/b/c", "../x", "a/..", "o/m:", "ftp://x/y", "o/m@../x", "https://example.com/a", "a b", "o/m\x00", ".hidden/x", "hf:"} {
		if p, err := Find(name); err == nil || errors.Is(err, ErrNotHere) {
			t.Errorf("%q: %+v, %v", name, p, err)
		}
	}
	if _, err := Find("qwen3-0.6b"); !errors.Is(err, ErrNotHere) || !strings.Contains(err.Error(), "lian models pull qwen3-0.6b") {
		t.Error(err)
	}
}

func TestTheTablesAreWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range KnownModels() {
		if seen[k.Name] || k.Name != strings.ToLower(k.Name) || k.Parameters <= 0 || k.Context <= 0 || k.Licence == "" || strings.Count(k.Repo, "/") != 1 {
			t.Errorf("%+v", k)
		}
		seen[k.Name] = true
		for _, repo := range []string{k.Repo, k.ModelScope} {
			if _, err := Parse(repo); repo != "" && err != nil {
				t.Error(err)
			}
		}
	}
	if len(table().Weights) == 0 || len(table().Beside) == 0 {
		t.Error("files.yaml is empty")
	}
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{"o/m", "hf:o/m:Q4_K_M@refs/pr/1", "ollama:a/b/c:d", "https://huggingface.co/o/m/resolve/main/x/y.gguf", "https://modelscope.cn/models/o/m", "https://x/y.gguf?a=b", "a:b.gguf"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := Parse(s)
		if err != nil {
			return
		}
		if r.Web != "" {
			if dir := webFolder(r.Web); dir != "" && !filepath.IsLocal(dir) {
				t.Errorf("%q lies at %q", s, dir)
			}
			return
		}
		if !filepath.IsLocal(filepath.FromSlash(r.folder())) || r.File != "" && checkPath(r.File) != nil {
			t.Errorf("%q lies at %q %q", s, r.folder(), r.File)
		}
		if r.File == "" && r.Endpoint == "" {
			if again, err := Parse(r.String()); err != nil || again != r {
				t.Errorf("%q is %+v, as %q it is %+v (%v)", s, r, r.String(), again, err)
			}
		}
	})
}

func FuzzStoreOfOllama(f *testing.F) {
	f.Add([]byte(`{"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:` + strings.Repeat("0", 64) + `", "size": 3}]}`))
	f.Add([]byte(`{"layers": [{"mediaType": "x", "digest": "sha256:../../../../etc/passwd", "size": -1}], "config": null}`))
	dir := f.TempDir()
	put(f, "abc", dir, "blobs", "sha256-"+strings.Repeat("0", 64))
	f.Fuzz(func(t *testing.T, text []byte) {
		var m ollamaManifest
		if json.Unmarshal(text, &m) != nil {
			return
		}
		p, err := ollamaCache{}.place(dir, "manifest", m, Reference{Repo: "m"})
		if err == nil && filepath.Dir(p.Path) != filepath.Join(dir, "blobs") {
			t.Errorf("leads to %s", p.Path)
		}
	})
}
