package step

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"lian/event"
	"lian/store"
)

// InspectOptions are the settings of lian inspect.
type InspectOptions struct {
	Tensors  bool `yaml:"tensors" help:"list every tensor"`
	Metadata bool `yaml:"metadata" help:"list the file's metadata"`
	Verify   bool `yaml:"verify" help:"read all data: statistics of every tensor, NaN and infinite values, checksums"`
	Context  int  `yaml:"context" help:"tokens of context for which to count memory" default:"4096" range:"1.."`
}

// Kinds of things that Inspect knows: Inspection.What.
const (
	WhatGGUF        = "gguf"        // a GGUF file with a model, or with a vocabulary only
	WhatSafetensors = "safetensors" // tensors without a configuration
	WhatModel       = "model"       // a folder in the hub's layout
	WhatAdapter     = "adapter"     // a folder in PEFT's layout
	WhatTokenizer   = "tokenizer"   // tokenizer.json, or a folder that has only that
	WhatTemplate    = "template"    // a chat template
	WhatShard       = "shard"       // token ids
	WhatRun         = "run"         // a folder of ours
	WhatLines       = "lines"       // JSON lines: documents, conversations
)

// Inspection is what a file or folder is. Parts that it has not are nil.
type Inspection struct {
	Path      string           `json:"path"`
	What      string           `json:"what"`
	Bytes     int64            `json:"bytes"`
	Format    string           `json:"format,omitempty"`
	Model     *ModelFacts      `json:"model,omitempty"`
	Types     []TypeShare      `json:"types,omitempty"`
	Memory    *MemoryFacts     `json:"memory,omitempty"`
	Tokenizer *TokenizerFacts  `json:"tokenizer,omitempty"`
	Template  *TemplateFacts   `json:"template,omitempty"`
	Adapter   *AdapterFacts    `json:"adapter,omitempty"`
	Shard     *ShardFacts      `json:"shard,omitempty"`
	Lines     *LineFacts       `json:"lines,omitempty"`
	Run       *store.Entry     `json:"run,omitempty"`
	Holds     []string         `json:"holds,omitempty"`  // further things in the folder that can be inspected
	Unread    []string         `json:"unread,omitempty"` // fields of config.json that Lian did not need
	Problems  []string         `json:"problems,omitempty"`
	Metadata  []MetadataFact   `json:"metadata,omitempty"`
	Tensors   []TensorFacts    `json:"tensors,omitempty"`
	Verified  *VerifiedTensors `json:"verified,omitempty"`
}

func (i *Inspection) problem(format string, args ...any) {
	i.Problems = append(i.Problems, fmt.Sprintf(format, args...))
}

// MetadataFact is one entry of a file's metadata; long values are shown by their size.
type MetadataFact struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// ErrUnsound is wrapped by Inspect's error when --verify found broken data; the inspection is complete all the same.
var ErrUnsound = errors.New("broken data")

// Inspect says what a file or folder is. Without o.Verify it reads no weights.
func Inspect(ctx context.Context, path string, o InspectOptions, sink event.Sink) (*Inspection, error) {
	path, _, err := locate(path)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: there is no such file or folder", path)
	}
	if err != nil {
		return nil, err
	}
	i := &Inspection{Path: path, Bytes: info.Size()}
	look := inspector{Inspection: i, o: o, ctx: ctx, sink: sink}
	if info.IsDir() {
		return i, look.folder(path)
	}
	return i, look.file(path)
}

type inspector struct {
	*Inspection
	o    InspectOptions
	ctx  context.Context
	sink event.Sink
}

// folder tells folders apart by the files in them.
func (i *inspector) folder(path string) error {
	size, err := folderBytes(path)
	if err != nil {
		return err
	}
	i.Bytes = size
	has := func(name string) bool {
		_, err := os.Stat(filepath.Join(path, name))
		return err == nil
	}
	switch {
	case has(store.InfoFile):
		return i.run(path)
	case has("adapter_config.json"):
		return i.adapter(path)
	case has("config.json"):
		return i.modelFolder(path)
	case has("model/config.json"):
		return i.modelFolder(filepath.Join(path, "model"))
	case has("tokenizer.json"):
		return i.tokenizer(filepath.Join(path, "tokenizer.json"))
	}
	if some, _ := filepath.Glob(filepath.Join(path, "*.safetensors")); len(some) > 0 {
		return i.safetensors(path)
	}
	if i.Holds = inside(path); len(i.Holds) > 0 {
		return fmt.Errorf("%s: a folder, but no model, adapter, tokenizer or run itself; look at %s", path, strings.Join(i.Holds, ", "))
	}
	return fmt.Errorf("%s: a folder without config.json, adapter_config.json, tokenizer.json, run.json or safetensors; nothing here that Lian knows", path)
}

// inside are the files and folders of a folder that Inspect may know, at most a handful.
func inside(path string) (names []string) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		at := filepath.Join(path, e.Name())
		known := false
		switch filepath.Ext(e.Name()) {
		case ".gguf", ".safetensors", ".shard", ".jinja", ".jsonl":
			known = e.Type().IsRegular()
		}
		for _, file := range []string{store.InfoFile, "adapter_config.json", "config.json", "model/config.json", "tokenizer.json"} {
			if e.IsDir() && !known {
				_, err := os.Stat(filepath.Join(at, file))
				known = err == nil
			}
		}
		if known {
			names = append(names, at)
		}
	}
	return names
}

func folderBytes(path string) (total int64, err error) {
	err = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}

// file tells files apart by their first bytes, then by their names.
func (i *inspector) file(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	head := make([]byte, 64)
	n, err := io.ReadFull(f, head)
	f.Close()
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return err
	}
	head = head[:n]
	switch {
	case n == 0:
		return fmt.Errorf("%s: the file is empty", path)
	case bytes.HasPrefix(head, []byte("GGUF")), bytes.HasPrefix(head, []byte("FUGG")):
		return i.gguf(path)
	case bytes.HasPrefix(head, []byte("LIANSHRD")):
		return i.shard(path)
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("\x80\x02")):
		return fmt.Errorf("%s: looks like a PyTorch checkpoint or another archive; Lian runs no pickled code: convert it to safetensors where it was made (save_pretrained writes them)", path)
	case strings.HasSuffix(path, ".safetensors.index.json"), len(head) > 8 && head[8] == '{':
		return i.safetensors(path)
	case strings.HasSuffix(path, ".jinja"):
		return i.template(path)
	case strings.HasSuffix(path, ".jsonl"):
		return i.lines(path)
	case bytes.HasPrefix(bytes.TrimSpace(head), []byte("{")):
		return i.json(path)
	}
	return fmt.Errorf("%s: not a file that Lian knows; it knows .gguf, .safetensors, tokenizer.json, adapter_config.json, .shard, .jinja and .jsonl, and the folders of models and runs", path)
}

// json tells JSON files apart by their members.
func (i *inspector) json(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	switch {
	case members["peft_type"] != nil:
		return i.adapter(filepath.Dir(path))
	case members["added_tokens"] != nil && members["model"] != nil:
		return i.tokenizer(path)
	case members["architectures"] != nil:
		return i.modelFolder(filepath.Dir(path))
	case filepath.Base(path) == store.InfoFile:
		return i.run(filepath.Dir(path))
	}
	return fmt.Errorf("%s: JSON, but no tokenizer.json, config.json, adapter_config.json or run.json", path)
}
