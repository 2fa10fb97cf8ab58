// Package container says what a file or folder is, by its content, and opens the tensors
// of any container under one interface.
//
// It guarantees that names do not decide: a safetensors file called model.bin is one.
// Looking reads the start and the end of a file, never its weights. It refuses what
// it does not know, naming what it knows, and a folder that is several things at
// once, naming them.
package container

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lian/format"
	"lian/format/internevo"
	"lian/format/llama2c"
	"lian/format/torch"
)

// Kind is what a file or folder is.
type Kind string

// Files.
const (
	Safetensors       Kind = "safetensors"
	SafetensorsIndex  Kind = "safetensors index"
	GGUF              Kind = "gguf"
	GGUFBigEndian     Kind = "gguf, big-endian"
	Torch             Kind = "pytorch"            // zip container
	TorchLegacy       Kind = "pytorch before 1.6" // plain pickles and storages
	TorchIndex        Kind = "pytorch index"
	Llama2C           Kind = "llama2.c"
	Npz               Kind = "numpy archive"
	Npy               Kind = "numpy array"
	Zip               Kind = "zip archive"
	Pickle            Kind = "python pickle"
	Shard             Kind = "token shard"
	TokenizerJSON     Kind = "tokenizer.json"
	SentencePiece     Kind = "sentencepiece model"
	Tiktoken          Kind = "tiktoken ranks"
	Llama2CTokenizer  Kind = "llama2.c tokenizer"
	ModelConfig       Kind = "config.json"
	AdapterConfig     Kind = "adapter_config.json"
	TokenizerSettings Kind = "tokenizer_config.json"
	JSON              Kind = "json"
	JSONLines         Kind = "json lines"
)

// Folders.
const (
	SafetensorsFolder Kind = "safetensors folder"         // weights, with or without config.json
	TorchFolder       Kind = "pytorch folder"             // pytorch_model.bin or its shards
	AdapterFolder     Kind = "adapter folder"             // PEFT's layout
	InternEvoFolder   Kind = "internevo checkpoint"       // model_tp0_pp0.pt …
	MetaFolder        Kind = "meta checkpoint"            // params.json, consolidated.00.pth …
	TokenizerFolder   Kind = "tokenizer folder"           // a tokenizer and no weights
	ConfigFolder      Kind = "configuration without data" // config.json and no weights
)

// headBytes and tailBytes are what Look reads of a file.
const (
	headBytes = 4 << 10
	tailBytes = 256 << 10
	jsonBytes = 64 << 20 // of a JSON file, which is read whole
)

// Look says what a file or folder is.
func Look(path string) (Kind, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.IsDir() {
		return folder(path)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s: not a regular file (%v)", path, info.Mode().Type())
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	head := make([]byte, min(info.Size(), headBytes))
	if _, err := io.ReadFull(f, head); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	if len(head) == 0 {
		return "", fmt.Errorf("%s: the file is empty", path)
	}
	if kind := byHead(head, info.Size()); kind != "" {
		return kind, nil
	}
	if format.IsPointer(head) {
		return "", fmt.Errorf("%s: %w", path, format.ErrPointer)
	}
	if isText(head) {
		return text(path, head, info.Size())
	}
	tail := make([]byte, min(info.Size(), tailBytes))
	if _, err := f.ReadAt(tail, info.Size()-int64(len(tail))); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return archive(head, tail), nil
	case llama2cTokenizer(head, info.Size()):
		return Llama2CTokenizer, nil
	}
	return "", fmt.Errorf("%s: not a file that Lian knows; it knows safetensors, GGUF, PyTorch checkpoints, llama2.c models, numpy arrays, tokenizers (tokenizer.json, sentencepiece, tiktoken) and token shards", path)
}

// byHead tells the formats whose first bytes, and size, say what they are.
func byHead(head []byte, size int64) Kind {
	switch {
	case bytes.HasPrefix(head, []byte("GGUF")):
		if len(head) >= 8 && binary.LittleEndian.Uint32(head[4:])&0xffff == 0 {
			return GGUFBigEndian
		}
		return GGUF
	case bytes.HasPrefix(head, []byte("FUGG")):
		return GGUFBigEndian
	case bytes.HasPrefix(head, []byte("LIANSHRD")):
		return Shard
	case bytes.HasPrefix(head, []byte("\x93NUMPY")):
		return Npy
	case torch.IsLegacy(head):
		return TorchLegacy
	case len(head) > 1 && head[0] == 0x80 && head[1] <= 5:
		return Pickle
	case len(head) > 8 && head[8] == '{' && binary.LittleEndian.Uint64(head) < uint64(size):
		return Safetensors
	case llama2c.Recognise(head, size):
		return Llama2C
	case len(head) > 4 && head[0] == 0x0a && head[2] == 0x0a && head[1] > head[3] && !isText(head): // ModelProto.pieces of SentencePiece.piece
		return SentencePiece
	}
	return ""
}

// archive tells zip archives apart by their first entry and their directory.
func archive(head, tail []byte) Kind {
	if len(head) > 30 {
		n := int(binary.LittleEndian.Uint16(head[26:]))
		if name := head[30:min(len(head), 30+n)]; bytes.HasSuffix(name, []byte(".npy")) {
			return Npz
		} else if bytes.HasSuffix(name, []byte("data.pkl")) {
			return Torch
		}
	}
	if bytes.Contains(tail, []byte("data.pkl")) {
		return Torch
	}
	return Zip
}

// llama2cTokenizer reports whether a file is max_token_length and then, of each
// token, a score, a length and the text; the first tokens are looked at.
func llama2cTokenizer(head []byte, size int64) bool {
	if len(head) < 12 {
		return false
	}
	longest := binary.LittleEndian.Uint32(head)
	at, seen := 4, 0
	for at+8 <= len(head) {
		n := binary.LittleEndian.Uint32(head[at+4:])
		if n > longest || longest > 4096 {
			return false
		}
		at += 8 + int(n)
		seen++
	}
	return seen > 1 && int64(at) <= max(size, int64(len(head))+8+int64(longest))
}

func isText(head []byte) bool {
	return !slices.ContainsFunc(head, func(b byte) bool { return b < ' ' && b != '\n' && b != '\r' && b != '\t' })
}

// text tells JSON files apart by their members, and ranks by their first line.
func text(path string, head []byte, size int64) (Kind, error) {
	first, _, whole := bytes.Cut(head, []byte("\n"))
	if word, rank, ok := strings.Cut(strings.TrimRight(string(first), "\r"), " "); ok && whole && base64Word(word) && digits(rank) {
		return Tiktoken, nil
	}
	trimmed := bytes.TrimLeft(head, " \t\r\n")
	if len(trimmed) == 0 || trimmed[0] != '{' {
		return "", fmt.Errorf("%s: text, but neither JSON nor tiktoken ranks", path)
	}
	if size > jsonBytes {
		return "", fmt.Errorf("%s: %d bytes of JSON; no configuration is larger than %d", path, size, jsonBytes)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		if whole && json.Valid(first) {
			return JSONLines, nil
		}
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return byMembers(members), nil
}

func byMembers(members map[string]json.RawMessage) Kind {
	has := func(name string) bool { return members[name] != nil }
	switch {
	case has("weight_map") && bytes.Contains(members["weight_map"], []byte(".safetensors\"")):
		return SafetensorsIndex
	case has("weight_map"):
		return TorchIndex
	case has("peft_type"):
		return AdapterConfig
	case has("model") && (has("pre_tokenizer") || has("added_tokens") || has("decoder")):
		return TokenizerJSON
	case has("architectures") || has("model_type"):
		return ModelConfig
	case has("tokenizer_class"):
		return TokenizerSettings
	}
	return JSON
}

func base64Word(s string) bool {
	return s != "" && len(s)%4 == 0 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") == ""
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// folder tells folders apart by what lies in them.
func folder(dir string) (Kind, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	has := func(match func(name string) bool) bool { return slices.ContainsFunc(names, match) }
	named := func(want ...string) bool { return has(func(n string) bool { return slices.Contains(want, n) }) }
	like := func(pattern string) bool {
		return has(func(n string) bool { ok, _ := filepath.Match(pattern, n); return ok })
	}
	switch {
	case named("adapter_config.json"):
		return AdapterFolder, nil
	case internevo.Recognise(names):
		return InternEvoFolder, nil
	case like("*.safetensors"), like("*.safetensors.index.json"):
		return SafetensorsFolder, nil
	case named("pytorch_model.bin", "pytorch_model.bin.index.json"):
		return TorchFolder, nil
	case like("consolidated.*.pth"):
		return MetaFolder, nil
	case named("config.json"):
		if _, err := torch.InFolder(dir); err == nil {
			return TorchFolder, nil
		}
		return ConfigFolder, nil
	case named("tokenizer.json", "tokenizer.model", "vocab.json"), like("*.tiktoken"):
		return TokenizerFolder, nil
	}
	return "", fmt.Errorf("%s: a folder without weights (safetensors, pytorch_model.bin, model_tp0_pp0.pt, consolidated.00.pth), adapter or tokenizer", dir)
}
