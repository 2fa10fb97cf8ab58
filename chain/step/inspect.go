package step

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"lian/event"
	"lian/format/container"
	"lian/hub"
	"lian/store"
)

// InspectOptions are the settings of lian inspect.
type InspectOptions struct {
	Tensors  bool `yaml:"tensors" help:"list every tensor"`
	Metadata bool `yaml:"metadata" help:"list the file's metadata"`
	Words    bool `yaml:"tokenizer" help:"open the tokenizer and tell all of it: hash, special tokens, what is done before and after"`
	Template bool `yaml:"template" help:"print the chat template"`
	Verify   bool `yaml:"verify" help:"read all data: SHA-256 of every file, compared with what is known of it, statistics of every tensor, NaN and infinite values"`
	Context  int  `yaml:"context" help:"tokens of context for which to count memory" default:"4096" range:"1.."`
}

// Kinds of things that Inspect knows: Inspection.What.
const (
	WhatGGUF        = "gguf"        // a GGUF file with a model, or with a vocabulary only
	WhatSafetensors = "safetensors" // tensors without a configuration
	WhatModel       = "model"       // a folder of weights and their configuration: the hub's, InternEvo's, Meta's
	WhatModelFile   = "model_file"  // one file of weights whose configuration is in it or beside it
	WhatAdapter     = "adapter"     // a folder in PEFT's layout
	WhatTokenizer   = "tokenizer"   // a tokenizer's file, or a folder that has only that
	WhatWeights     = "weights"     // tensors without a configuration, of another format than safetensors
	WhatTemplate    = "template"    // a chat template
	WhatShard       = "shard"       // token ids
	WhatTokens      = "tokens"      // token ids of another program
	WhatRun         = "run"         // a folder of ours
	WhatLines       = "lines"       // JSON lines: documents, conversations
)

// Inspection is what a file or folder is. Parts that it has not are nil.
type Inspection struct {
	Path      string           `json:"path"`
	What      string           `json:"what"`
	Bytes     int64            `json:"bytes"`
	Format    string           `json:"format,omitempty"`
	Source    string           `json:"source,omitempty"` // hub and commit it was pulled from, or the cache it lies in
	Licence   string           `json:"licence,omitempty"`
	Model     *ModelFacts      `json:"model,omitempty"`
	Types     []TypeShare      `json:"types,omitempty"`
	Quantised *QuantFacts      `json:"quantised,omitempty"`
	Memory    *MemoryFacts     `json:"memory,omitempty"`
	Tokenizer *TokenizerFacts  `json:"tokenizer,omitempty"`
	Template  *TemplateFacts   `json:"template,omitempty"`
	Adapter   *AdapterFacts    `json:"adapter,omitempty"`
	Shard     *ShardFacts      `json:"shard,omitempty"`
	Tokens    *TokenFacts      `json:"tokens,omitempty"`
	Lines     *LineFacts       `json:"lines,omitempty"`
	Run       *store.Entry     `json:"run,omitempty"`
	Holds     []string         `json:"holds,omitempty"`  // further things in the folder that can be inspected
	Unread    []string         `json:"unread,omitempty"` // fields of config.json that Lian did not need
	Problems  []string         `json:"problems,omitempty"`
	Metadata  []MetadataFact   `json:"metadata,omitempty"`
	Tensors   []TensorFacts    `json:"tensors,omitempty"`
	Verified  *VerifiedTensors `json:"verified,omitempty"`
	Files     []FileFacts      `json:"files,omitempty"` // with --verify
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
	at, place, err := find(path)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: there is no such file or folder", at)
	}
	if err != nil {
		return nil, err
	}
	i := &Inspection{Path: at, Bytes: info.Size()}
	look := inspector{Inspection: i, o: o, ctx: ctx, sink: sink}
	if info.IsDir() {
		err = look.folder(at)
	} else {
		err = look.file(at)
	}
	look.origin(at, place)
	if o.Verify && (err == nil || errors.Is(err, ErrUnsound)) {
		err = errors.Join(err, look.checksums(at))
	}
	return i, err
}

type inspector struct {
	*Inspection
	o    InspectOptions
	ctx  context.Context
	sink event.Sink
	// wrapped: the files hold a model for pictures and text, of which the language model is described
	wrapped bool
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
	case !has("config.json") && has("model/config.json"):
		return i.folder(filepath.Join(path, "model"))
	}
	if tokens, err := i.tokenFile(path); tokens || err != nil {
		return err
	}
	kind, err := container.Look(path)
	if err != nil {
		i.Holds = inside(path)
		if one, oneErr := hub.OneGGUF(path); one != "" && oneErr == nil && len(i.Holds) <= 1 {
			i.Holds = nil
			return i.gguf(one)
		}
		if len(i.Holds) > 0 {
			return fmt.Errorf("%s: a folder, but no model, adapter, tokenizer or run itself; look at %s", path, strings.Join(i.Holds, ", "))
		}
		return err
	}
	return i.container(path, kind)
}

// container is anything that package container knows.
func (i *inspector) container(path string, kind container.Kind) error {
	switch kind {
	case container.GGUF, container.GGUFBigEndian:
		return i.gguf(path)
	case container.AdapterFolder:
		return i.adapter(path)
	case container.AdapterConfig:
		return i.adapter(filepath.Dir(path))
	case container.Shard:
		return i.shard(path)
	case container.JSONLines:
		return i.lines(path)
	case container.TokenizerJSON, container.TokenizerFolder, container.SentencePiece, container.Tiktoken, container.TokenizerSettings, container.Llama2CTokenizer:
		return i.tokenizer(path, kind)
	case container.ModelConfig, container.ConfigFolder:
		return i.configOnly(path, kind)
	case container.JSON:
		return fmt.Errorf("%s: JSON, but no tokenizer.json, config.json, adapter_config.json or run.json", path)
	}
	return i.weights(path, kind)
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

// file tells files apart by their content, then by their names.
func (i *inspector) file(path string) error {
	switch {
	case filepath.Base(path) == store.InfoFile:
		return i.run(filepath.Dir(path))
	case strings.HasSuffix(path, ".jinja"):
		return i.template(path)
	case strings.HasSuffix(path, ".jsonl"):
		return i.lines(path)
	}
	kind, err := container.Look(path)
	if err == nil && kind != container.JSON && kind != container.JSONLines {
		return i.container(path, kind)
	}
	if tokens, tokensErr := i.tokenFile(path); tokens || tokensErr != nil {
		return tokensErr
	}
	if err != nil {
		return err
	}
	return i.container(path, kind)
}
