package step

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"lian/chat"
	"lian/dtype"
	"lian/engine"
	"lian/format"
	"lian/format/container"
	"lian/format/gguf"
	"lian/format/internevo"
	"lian/format/safetensors"
	"lian/format/torch"
	"lian/model"
	"lian/model/checkpoint"
	"lian/model/family"
	"lian/model/foreign"
	"lian/model/nn"
	"lian/store"
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
	Experts       int    `json:"experts,omitempty"`           // of a mixture
	Chosen        int    `json:"chosen_experts,omitempty"`    // for each token
	Active        int64  `json:"active_parameters,omitempty"` // that a token goes through, of a mixture
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
	Cache   int64 `json:"cache_bytes"`   // keys and values
	Work    int64 `json:"work_bytes"`    // activations of a chunk of a prompt, logits, the program itself
	Total   int64 `json:"total_bytes"`
}

// QuantFacts are how the weights of a folder were quantised, by its configuration.
type QuantFacts struct {
	Method string `json:"method"`
	Bits   int    `json:"bits,omitempty"`
	Group  int    `json:"group_size,omitempty"` // weights that share a scale; −1 is a row
	Format string `json:"format,omitempty"`     // units of scales where those are no groups
}

// gguf is a GGUF file.
func (i *inspector) gguf(path string) error {
	f, err := gguf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	i.What, i.Format = WhatGGUF, fmt.Sprintf("GGUF version %d", f.Version())
	i.parts(len(f.Paths()))
	architecture, _ := f.String("general.architecture")
	name, _ := f.String("general.name")
	i.Model = &ModelFacts{Name: name, Family: architecture}
	for _, key := range []string{"general.license.name", "general.license"} {
		if licence, ok := f.String(key); ok && i.Licence == "" {
			i.Licence = licence
		}
	}
	if i.o.Metadata {
		for _, kv := range f.Metadata() {
			i.Metadata = append(i.Metadata, MetadataFact{kv.Key, shortValue(kv.Value)})
		}
	}
	if kind, _ := f.String("general.type"); kind == "adapter" {
		return i.ggufAdapter(f)
	}
	i.ggufWords(f)
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

// parts says that a model is in several files.
func (i *inspector) parts(n int) {
	if n > 1 {
		i.Format += fmt.Sprintf(" in %d files", n)
	}
}

// weights are a model's: a folder or file of any format but GGUF, with config.json or one that follows from the checkpoint itself.
func (i *inspector) weights(path string, kind container.Kind) error {
	foreignModel, err := foreign.Open(path, kind)
	if err != nil {
		return err
	}
	if foreignModel != nil {
		defer foreignModel.Close()
		i.What, i.Format, i.Model = WhatModelFile, formatName(kind), &ModelFacts{Name: filepath.Base(path)}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			i.What = WhatModel
		}
		i.containerMetadata(foreignModel.Source)
		i.beside(path)
		config := family.NewConfig(path, foreignModel.Config)
		fam, spec, err := checkpoint.ReadSpec(path, config)
		i.Model.Family, i.Unread = config.String("model_type", ""), config.Unread()
		return i.model(foreignModel, fam, spec, err, func(b model.Binding) model.View { return b.Hub })
	}
	src, _, err := container.Weights(path)
	if err != nil {
		return err
	}
	defer src.Close()
	i.What, i.Format = WhatModel, formatName(kind)
	if many, ok := src.(interface{ Paths() []string }); ok {
		i.parts(len(many.Paths()))
	}
	i.containerMetadata(src)
	dir := path
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		dir = filepath.Dir(path)
	}
	if _, err := os.Stat(filepath.Join(dir, "config.json")); err != nil || dir != path && kind != container.SafetensorsIndex && kind != container.TorchIndex {
		i.What, i.Model = WhatSafetensors, &ModelFacts{}
		if i.Format != "safetensors" && !strings.HasPrefix(i.Format, "safetensors in") {
			i.What = WhatWeights
		}
		err := i.tensors(src)
		i.Model = nil
		return err
	}
	i.Model = &ModelFacts{Name: filepath.Base(dir)}
	fam, spec, err := i.config(dir)
	i.beside(dir)
	if i.wrapped {
		text := checkpoint.NewText(src)
		if src = text; len(text.Left) > 0 {
			i.problem("%d tensors are of other parts than the language model (%s …), which Lian does not run", len(text.Left), text.Left[0])
		}
	}
	return i.model(src, fam, spec, err, func(b model.Binding) model.View { return b.Hub })
}

// config reads config.json and what it says beside the model's shape.
func (i *inspector) config(dir string) (*family.Family, nn.Spec, error) {
	fam, spec, config, err := checkpoint.ReadConfig(dir)
	var said struct {
		Type          string `json:"model_type"`
		Architectures []string
		Licence       string         `json:"license"`
		Quantised     map[string]any `json:"quantization_config"`
	}
	if readErr := store.ReadJSON(filepath.Join(dir, "config.json"), &said); readErr != nil {
		return fam, spec, errors.Join(err, readErr)
	}
	i.Model.Family = first(said.Type, strings.Join(said.Architectures, " "))
	i.Licence = first(i.Licence, said.Licence)
	if said.Quantised != nil {
		method, _ := said.Quantised["quant_method"].(string)
		i.Quantised = &QuantFacts{Method: method}
	}
	i.wrapped = config != nil && config.Wrapped()
	if config != nil && err == nil {
		var q *checkpoint.Quantisation
		if q, err = checkpoint.ReadQuantisation(config); q != nil {
			i.Quantised = &QuantFacts{Method: q.Method, Bits: q.Bits, Group: q.Group}
			if q.Block != [2]int{} {
				i.Quantised.Format = fmt.Sprintf("blocks of %d × %d", q.Block[0], q.Block[1])
			}
		}
		i.Unread = config.Unread()
	}
	return fam, spec, err
}

// configOnly is a config.json whose weights are not here.
func (i *inspector) configOnly(path string, kind container.Kind) error {
	dir := path
	if kind == container.ModelConfig {
		dir = filepath.Dir(path)
		if k, err := container.Look(dir); err == nil && k != container.ConfigFolder {
			i.Path = dir
			return i.folder(dir)
		}
	}
	i.What, i.Format, i.Model = WhatModel, "config.json", &ModelFacts{Name: filepath.Base(dir)}
	_, spec, err := i.config(dir)
	i.beside(dir)
	if err != nil {
		i.problem("Lian does not run this model: %v", err)
	} else {
		i.shape(spec)
		i.Model.Parameters, i.Model.Runs = int64(spec.Count()), false
	}
	i.problem("there are no weights here: model.safetensors or pytorch_model.bin is missing")
	return nil
}

// formatName is how a kind of container is called in tables.
func formatName(kind container.Kind) string {
	switch kind {
	case container.Safetensors, container.SafetensorsFolder, container.SafetensorsIndex:
		return "safetensors"
	case container.Torch, container.TorchFolder, container.TorchIndex:
		return "PyTorch"
	}
	return string(kind)
}

// containerMetadata lists what a container says beside its tensors.
func (i *inspector) containerMetadata(r format.Reader) {
	if !i.o.Metadata {
		return
	}
	add := func(key string, value any) { i.Metadata = append(i.Metadata, MetadataFact{key, shortValue(value)}) }
	switch f := r.(type) {
	case *safetensors.File:
		m := f.Metadata()
		for _, k := range slices.Sorted(maps.Keys(m)) {
			add(k, m[k])
		}
	case *torch.State:
		for _, kv := range f.File().Metadata() {
			add(kv.Key, kv.Value)
		}
	case *internevo.Folder:
		for _, k := range slices.Sorted(maps.Keys(f.Config)) {
			add(k, f.Config[k])
		}
	}
}

// model fills in what the tensors and the specification of a model say, and whether they belong together.
func (i *inspector) model(src format.Reader, fam *family.Family, spec nn.Spec, specErr error, viewOf func(model.Binding) model.View) error {
	if specErr == nil {
		specErr = fits(src, fam, spec, i.Quantised != nil, viewOf)
	}
	if specErr != nil {
		i.problem("Lian does not run this model: %v", specErr)
	}
	if spec.Layers > 0 {
		i.shape(spec)
		i.Model.Runs = specErr == nil
		if i.Tokenizer != nil && i.Tokenizer.Tokens > spec.Vocab {
			i.problem("the tokenizer has %d tokens, the model %d: they are not of one kind", i.Tokenizer.Tokens, spec.Vocab)
		}
	}
	err := i.tensors(src)
	if specErr == nil {
		i.memory(spec)
	}
	if i.Quantised != nil && spec.Layers > 0 { // packed values are not the weights that they stand for
		i.Model.Parameters = int64(spec.Count())
	}
	return err
}

// shape is what a specification says of a model.
func (i *inspector) shape(spec nn.Spec) {
	a, m := spec.Attention, i.Model
	*m = ModelFacts{Name: m.Name, Family: spec.Family, Layers: spec.Layers, Hidden: spec.Hidden, Heads: a.Heads, KVHeads: a.KVHeads, HeadSize: a.HeadSize,
		FeedForward: spec.FeedForward.Hidden, Vocab: spec.Vocab, Context: spec.Context, TiedEmbedding: spec.TiedEmbedding}
	for l := range spec.Layers {
		if e := spec.Layer(l).FeedForward.Experts; e.Count > 0 {
			m.Experts, m.Chosen = e.Count, e.Chosen
		}
	}
	for _, w := range spec.Weights() {
		n := 1
		for _, d := range w.Shape {
			n *= d
		}
		if len(w.Shape) == 3 && m.Experts > 0 {
			n = n / m.Experts * m.Chosen
		}
		m.Active += int64(n)
	}
	if m.Experts == 0 {
		m.Active = 0
	}
}

// memory counts what one sequence takes.
func (i *inspector) memory(spec nn.Spec) {
	context := min(i.o.Context, spec.Context)
	weights := int64(0)
	for _, t := range i.Types {
		weights += t.Bytes
	}
	p, err := engine.PlanFor(spec.Info(), engine.Loaded{Weights: weights}, engine.Options{Context: context, CacheTokens: context, Sequences: 1})
	if err != nil {
		i.problem("Lian does not run this model: %v", err)
		return
	}
	i.Memory = &MemoryFacts{Context: context, Weights: weights, Cache: p.Cache, Work: program + p.Work + p.Logits, Total: program + p.Total}
}

// fits says which tensor a model lacks, or has in another shape.
func fits(src format.Reader, fam *family.Family, spec nn.Spec, packed bool, viewOf func(model.Binding) model.View) error {
	bindings, err := fam.Bindings(spec)
	if err != nil {
		return err
	}
	modules := map[string]bool{} // of packed products, whose parts have names of their own
	for _, name := range src.Names() {
		if at := strings.LastIndexByte(name, '.'); packed && at >= 0 {
			modules[strings.TrimPrefix(name[:at], fam.Prefix)] = true
		}
	}
	for n, w := range spec.Weights() {
		v := viewOf(bindings[n])
		want, name := v.FileShape(w.Shape), strings.ReplaceAll(v.Name, "{expert}", "0")
		if module, product := strings.CutSuffix(strings.TrimPrefix(name, fam.Prefix), ".weight"); product && len(want) == 2 && modules[module] {
			continue
		}
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
func (i *inspector) tensors(src format.Reader) error {
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
