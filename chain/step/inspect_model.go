package step

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"lian/chat"
	"lian/dtype"
	"lian/format"
	"lian/format/gguf"
	"lian/format/safetensors"
	"lian/model"
	"lian/model/checkpoint"
	"lian/model/family"
	"lian/model/nn"
	"lian/store"
	"lian/tokenizer"
)

// ModelFacts are a model's family and size.
type ModelFacts struct {
	Name          string `json:"name,omitempty"`
	Family        string `json:"family"`
	Parameters    int64  `json:"parameters"`
	Layers        int    `json:"layers,omitempty"`
	Hidden        int    `json:"hidden,omitempty"`
	Heads         int    `json:"heads,omitempty"`
	KVHeads       int    `json:"kv_heads,omitempty"`
	HeadSize      int    `json:"head_size,omitempty"`
	FeedForward   int    `json:"feed_forward,omitempty"`
	Vocab         int    `json:"vocab,omitempty"`
	Context       int    `json:"context,omitempty"`
	TiedEmbedding bool   `json:"tied_embedding,omitempty"`
	Runs          bool   `json:"runs"` // Lian computes it: family known, every tensor there in its shape
}

// TypeShare is how much of a file is of one element type.
type TypeShare struct {
	Type       string `json:"type"`
	Tensors    int    `json:"tensors"`
	Parameters int64  `json:"parameters"`
	Bytes      int64  `json:"bytes"`
}

// MemoryFacts are what running a model takes, for one sequence of Context tokens.
type MemoryFacts struct {
	Context int   `json:"context"`
	Weights int64 `json:"weights_bytes"` // as stored, in the file's mapping
	Cache   int64 `json:"cache_bytes"`   // keys and values, float32
	Total   int64 `json:"total_bytes"`
}

// tensorSource is a file of tensors, whatever its format.
type tensorSource interface {
	Names() []string
	Info(name string) (format.Info, bool)
	Data(name string) ([]byte, error)
}

// gguf is a GGUF file.
func (i *inspector) gguf(path string) error {
	f, err := gguf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	i.What, i.Format = WhatGGUF, fmt.Sprintf("GGUF version %d", f.Version())
	architecture, _ := f.String("general.architecture")
	name, _ := f.String("general.name")
	i.Model = &ModelFacts{Name: name, Family: architecture}
	if i.o.Metadata {
		for _, kv := range f.Metadata() {
			i.Metadata = append(i.Metadata, MetadataFact{kv.Key, shortValue(kv.Value)})
		}
	}
	i.words(tokenizer.FromGGUF(f))
	if source, ok := f.String("tokenizer.chat_template"); ok {
		i.templateFacts(chat.ParseTemplate("tokenizer.chat_template", source))
	}
	if len(f.Names()) == 0 {
		i.Model = nil
		i.problem("the file holds a vocabulary only, no tensors")
		return nil
	}
	fam, spec, config, err := checkpoint.ReadGGUF(path, f)
	if config != nil {
		i.Unread = config.Unread()
	}
	return i.model(f, fam, spec, err, func(b model.Binding) model.View { return b.GGUF })
}

// modelFolder is a folder with config.json.
func (i *inspector) modelFolder(path string) error {
	i.What = WhatModel
	f, err := safetensors.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	i.Format = "safetensors"
	if n := len(f.Paths()); n > 1 {
		i.Format += fmt.Sprintf(" in %d files", n)
	}
	fam, spec, config, configErr := checkpoint.ReadConfig(path)
	i.Model = &ModelFacts{Name: filepath.Base(path)}
	if config != nil {
		i.Unread = config.Unread()
		i.Model.Family = config.String("model_type", "")
	} else { // an architecture that Lian does not know
		var named struct {
			Type string `json:"model_type"`
		}
		if err := store.ReadJSON(filepath.Join(path, "config.json"), &named); err != nil {
			return err
		}
		i.Model.Family = named.Type
	}
	i.fileMetadata(f.Metadata())
	if tok, err := tokenizer.Load(path); errors.Is(err, fs.ErrNotExist) {
		i.problem("there is no tokenizer.json")
	} else {
		i.words(tok, err)
	}
	if tpl, err := chat.LoadTemplate(path); !errors.Is(err, fs.ErrNotExist) {
		i.templateFacts(tpl, err)
	}
	return i.model(f, fam, spec, configErr, func(b model.Binding) model.View { return b.Hub })
}

// safetensors are tensors without a configuration.
func (i *inspector) safetensors(path string) error {
	f, err := safetensors.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	i.What, i.Format = WhatSafetensors, "safetensors"
	if n := len(f.Paths()); n > 1 {
		i.Format += fmt.Sprintf(" in %d files", n)
	}
	i.fileMetadata(f.Metadata())
	i.Model = &ModelFacts{}
	if err := i.tensors(f); err != nil {
		return err
	}
	i.Model = nil
	return nil
}

func (i *inspector) fileMetadata(m map[string]string) {
	if i.o.Metadata {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			i.Metadata = append(i.Metadata, MetadataFact{k, shortValue(m[k])})
		}
	}
}

// model fills in what the tensors and the specification of a model say, and whether they belong together.
func (i *inspector) model(src tensorSource, fam *family.Family, spec nn.Spec, specErr error, viewOf func(model.Binding) model.View) error {
	if specErr == nil {
		specErr = fits(src, fam, spec, viewOf)
	}
	if specErr != nil {
		i.problem("Lian does not run this model: %v", specErr)
	}
	if spec.Layers > 0 {
		a, m := spec.Attention, i.Model
		*m = ModelFacts{Name: m.Name, Family: spec.Family, Layers: spec.Layers, Hidden: spec.Hidden, Heads: a.Heads, KVHeads: a.KVHeads, HeadSize: a.HeadSize,
			FeedForward: spec.FeedForward.Hidden, Vocab: spec.Vocab, Context: spec.Context, TiedEmbedding: spec.TiedEmbedding, Runs: specErr == nil}
		if i.Tokenizer != nil && i.Tokenizer.Tokens > spec.Vocab {
			i.problem("the tokenizer has %d tokens, the model %d: they are not of one kind", i.Tokenizer.Tokens, spec.Vocab)
		}
	}
	if err := i.tensors(src); err != nil {
		return err
	}
	if specErr == nil {
		i.memory(spec)
	}
	return nil
}

// memory counts what one sequence takes.
func (i *inspector) memory(spec nn.Spec) {
	context := min(i.o.Context, spec.Context)
	m := &MemoryFacts{Context: context}
	for _, t := range i.Types {
		m.Weights += t.Bytes
	}
	m.Cache = int64(model.CacheBytes(spec.Info(), model.Fast, context))
	m.Total = m.Weights + m.Cache
	i.Memory = m
}

// fits says which tensor a model lacks, or has in another shape.
func fits(src tensorSource, fam *family.Family, spec nn.Spec, viewOf func(model.Binding) model.View) error {
	bindings, err := fam.Bindings(spec)
	if err != nil {
		return err
	}
	for n, w := range spec.Weights() {
		v := viewOf(bindings[n])
		want, name := v.FileShape(w.Shape), strings.ReplaceAll(v.Name, "{expert}", "0")
		info, ok := src.Info(name)
		if !ok {
			if info, ok = src.Info(strings.TrimPrefix(name, fam.Prefix)); !ok {
				return fmt.Errorf("tensor %s %v is missing", name, want)
			}
		}
		if !slices.Equal(info.Shape, want) {
			return fmt.Errorf("tensor %s is %v, expected %v from the configuration", name, info.Shape, want)
		}
	}
	return nil
}

// tensors counts what is there by type, lists it and reads it, as asked.
func (i *inspector) tensors(src tensorSource) error {
	shares := map[dtype.Type]*TypeShare{}
	for _, name := range src.Names() {
		info, _ := src.Info(name)
		s := shares[info.Type]
		if s == nil {
			s = &TypeShare{Type: info.Type.String()}
			shares[info.Type] = s
		}
		s.Tensors++
		s.Parameters += int64(info.Elements())
		s.Bytes += info.Bytes
		i.Model.Parameters += int64(info.Elements())
	}
	for _, s := range shares {
		i.Types = append(i.Types, *s)
	}
	slices.SortFunc(i.Types, func(a, b TypeShare) int {
		if a.Bytes != b.Bytes {
			return int(min(max(b.Bytes-a.Bytes, -1), 1))
		}
		return strings.Compare(a.Type, b.Type)
	})
	if !i.o.Tensors && !i.o.Verify {
		return nil
	}
	return i.eachTensor(src)
}

// shortValue shows a value of metadata; lists and long texts by their size.
func shortValue(v any) string {
	const most = 200
	if list := reflect.ValueOf(v); list.Kind() == reflect.Slice && list.Len() > 8 {
		return fmt.Sprintf("%d values: %v, %v, …", list.Len(), list.Index(0), list.Index(1))
	}
	text := fmt.Sprint(v)
	if runes := []rune(text); len(runes) > most {
		return fmt.Sprintf("%s… (%d bytes)", string(runes[:most]), len(text))
	}
	return text
}
