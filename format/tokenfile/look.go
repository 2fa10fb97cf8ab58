package tokenfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// File is a file, or MDS folder, and what it is.
type File struct {
	Path string
	Kind Kind
}

// ErrUnknown is what is no file of tokens.
var ErrUnknown = errors.New("not a file of tokens that Lian knows; it knows Lian's .shard, InternEvo's .bin with .bin.meta, Megatron's .bin with .idx, llm.c's .bin, nanoGPT's .bin, MDS folders, .parquet, and .jsonl, .jsonl.gz and .jsonl.zst")

// Look says what a file or folder is, by its first bytes, then by its name. A name without an ending may be that of a Megatron pair.
func Look(path string) (File, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(path + ".idx"); err == nil {
			return File{path + ".bin", Megatron}, nil
		}
	}
	if err != nil {
		return File{}, err
	}
	if info.IsDir() {
		if isMDS(path) {
			return File{path, MDS}, nil
		}
		return File{}, fmt.Errorf("%s: a folder; %w", path, ErrUnknown)
	}
	f, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	head := make([]byte, 64)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return File{}, fmt.Errorf("%s: %w", path, err)
	}
	kind := byHead(path, head[:n])
	switch {
	case kind != "":
		if kind == Megatron {
			path, _ = megatronPair(path)
		}
		return File{path, kind}, nil
	case n == 0:
		return File{}, fmt.Errorf("%s: the file is empty", path)
	}
	return File{}, fmt.Errorf("%s: %w", path, ErrUnknown)
}

func byHead(path string, head []byte) Kind {
	ending := filepath.Ext(path)
	_, indexErr := os.Stat(strings.TrimSuffix(path, ".bin") + ".idx")
	_, metaErr := os.Stat(path + ".meta")
	name := filepath.Base(path)
	switch {
	case bytes.HasPrefix(head, []byte("LIANSHRD")):
		return Lian
	case bytes.HasPrefix(head, []byte(megatronMagic)), ending == ".bin" && indexErr == nil:
		return Megatron
	case isLLMC(head):
		return LLMC
	case bytes.HasPrefix(head, []byte("PAR1")):
		return Parquet
	case ending == ".bin" && metaErr == nil, ending == ".bin" && bytes.HasPrefix(head, []byte(`{"tokens"`)):
		return InternEvo
	case ending == ".jsonl", strings.HasSuffix(name, ".jsonl.gz"), strings.HasSuffix(name, ".jsonl.zst"), strings.HasSuffix(name, ".jsonl.zstd"):
		return JSONLines
	case ending == ".bin" && len(head) > 0 && !foreign(head):
		return NanoGPT
	}
	return ""
}

// foreign are the first bytes of other things that are called .bin: zip archives and pickles of PyTorch, GGUF, ggml, numpy.
func foreign(head []byte) bool {
	for _, magic := range []string{"PK\x03\x04", "GGUF", "FUGG", "lmgg", "ggml", npyMagic, "\x80\x02", "\x80\x03", "\x80\x04", "version https://git-lfs"} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return true
		}
	}
	return len(head) > 8 && head[8] == '{' // safetensors
}

// isMDS reports whether a folder is one of mosaicml-streaming's.
func isMDS(dir string) bool {
	raw, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		return false
	}
	var x struct {
		Shards []struct {
			Format string `json:"format"`
		} `json:"shards"`
	}
	return json.Unmarshal(raw, &x) == nil && len(x.Shards) > 0 && x.Shards[0].Format == "mds"
}

// Open opens a file whose documents are read in place; JSON lines of ids that are not packed are.
func Open(f File, o Options) (Reader, error) {
	switch f.Kind {
	case Lian:
		return openLian(f.Path, o)
	case InternEvo:
		return openInternEvo(f.Path, o)
	case Megatron:
		return openMegatron(f.Path, o)
	case LLMC:
		return openLLMC(f.Path, o)
	case NanoGPT:
		return openNanoGPT(f.Path, o)
	}
	return nil, fmt.Errorf("%s: %s is unpacked first: lian data shard makes a shard of it", f.Path, f.Kind)
}
