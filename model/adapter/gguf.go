package adapter

import (
	"fmt"
	"strings"

	"lian/compute"
	"lian/dtype"
	"lian/format/gguf"
	"lian/model"
)

// llama.cpp's adapters: a GGUF file of general.type adapter whose tensors are TENSOR.lora_a [rank, in] and TENSOR.lora_b
// [out, rank], by the base's names and in the base's order of rows. Source: llama.cpp, convert_lora_to_gguf.py and
// src/llama-adapter.cpp.

func loadGGUF(path string, b compute.Backend, m model.Model, bindings []model.Binding) (*LoRA, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	kind, _ := f.String("general.type")
	method, _ := f.String("adapter.type")
	alpha, ok := f.Float("adapter.lora.alpha")
	switch {
	case kind != "adapter":
		return nil, fmt.Errorf("%s: general.type is %q, expected adapter", path, kind)
	case method != "lora":
		return nil, fmt.Errorf("%s: adapter.type is %q, expected lora", path, method)
	case !ok:
		return nil, fmt.Errorf("%s: metadata adapter.lora.alpha is missing", path)
	}
	l := loader{LoRA: &LoRA{Config: Config{Alpha: alpha}, by: map[string]*member{}}, config: peftConfig{Alpha: alpha}, stream: b.NewStream(), source: f, model: m,
		view: func(b model.Binding) model.View { return b.GGUF }, products: map[string]*stored{}}
	if err := l.readGGUF(bindings); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return l.LoRA, l.stream.Err()
}

func (l *loader) readGGUF(bindings []model.Binding) error {
	l.bindings = map[string][]model.Binding{}
	for _, b := range bindings {
		l.bindings[b.GGUF.Name] = append(l.bindings[b.GGUF.Name], b)
	}
	for _, name := range l.source.Names() {
		module, ending, ok := strings.Cut(name, ".weight.lora_")
		if !ok || ending != "a" && ending != "b" {
			return fmt.Errorf("tensor %s: expected a name that ends in .weight.lora_a or .weight.lora_b", name)
		}
		if l.products[module] == nil {
			l.products[module], l.order = &stored{}, append(l.order, module)
		}
		if ending == "a" {
			l.products[module].a = name
		} else {
			l.products[module].b = name
		}
	}
	if len(l.order) == 0 {
		return fmt.Errorf("no tensors")
	}
	for _, module := range l.order {
		s := l.products[module]
		if s.a == "" || s.b == "" {
			return fmt.Errorf("%s.weight has only one of lora_a and lora_b", module)
		}
		if list := l.bindings[module+".weight"]; list != nil && list[0].Parameter == "embedding" {
			if err := l.embeddingGGUF(s, list[0]); err != nil {
				return err
			}
			continue
		}
		if err := l.product(module, s); err != nil {
			return err
		}
	}
	l.stack()
	return nil
}

// embeddingGGUF is an update of the embedding, whose A has a row for each token.
func (l *loader) embeddingGGUF(s *stored, binding model.Binding) error {
	vocab, hidden := binding.Shape[0], binding.Shape[1]
	a, shape, err := l.get(s.a, vocab, -1)
	if err != nil {
		return err
	}
	b, shapeB, err := l.get(s.b, hidden, shape[1])
	if err != nil {
		return err
	}
	scale, err := l.config.scale("", shape[1])
	turned := make([]float32, len(a))
	for i := range vocab {
		for r := range shape[1] {
			turned[r*vocab+i] = a[i*shape[1]+r]
		}
	}
	l.changes = append(l.changes, change{parameter: binding.Parameter, embedding: true, scale: scale,
		a: tensorOf(l.stream, turned, shape[1], vocab), b: tensorOf(l.stream, b, shapeB...)})
	return err
}

// SaveGGUF writes the adapter as llama.cpp reads it, with float32 values. architecture is the base's general.architecture.
func (l *LoRA) SaveGGUF(path string, s compute.Stream, architecture, name string, bindings []model.Binding) error {
	if len(l.changes) > 0 {
		return fmt.Errorf("%s: the adapter changes %s too, which llama.cpp's adapters cannot hold", path, l.changes[0].parameter)
	}
	if len(l.stacks) > 0 {
		return fmt.Errorf("%s: the adapter changes single experts, which Lian does not write; merge it into the base", path)
	}
	alpha := float64(0)
	var tensors []gguf.Tensor
	for _, binding := range bindings {
		x, ok := l.by[binding.Parameter]
		if !ok {
			continue
		}
		rank := x.a.Shape[0]
		own := float64(x.scale) * float64(rank)
		switch {
		case x.gain != nil || x.bias != nil:
			return fmt.Errorf("%s: %s has a magnitude or a bias, which llama.cpp's adapters cannot hold; merge it into the base", path, x.name)
		case alpha != 0 && own != alpha:
			return fmt.Errorf("%s: %s has alpha %v, others %v; llama.cpp's adapters have one", path, x.name, own, alpha)
		case !binding.GGUF.Rows.All():
			return fmt.Errorf("%s: %s is part of %s in GGUF", path, binding.Parameter, binding.GGUF.Name)
		}
		alpha = own
		a, err := model.Floats(s, x.a)
		if err != nil {
			return err
		}
		b, err := model.Floats(s, x.b)
		if err != nil {
			return err
		}
		out := make([]byte, 4*len(b))
		view := model.View{Pairs: binding.GGUF.Pairs}
		if err := view.Put(out, compute.HostBytes(b), dtype.F32, x.b.Shape); err != nil {
			return fmt.Errorf("%s: %w", binding.Parameter, err)
		}
		tensors = append(tensors, gguf.Tensor{Name: binding.GGUF.Name + ".lora_a", Type: dtype.F32, Shape: x.a.Shape, Data: compute.HostBytes(a)},
			gguf.Tensor{Name: binding.GGUF.Name + ".lora_b", Type: dtype.F32, Shape: x.b.Shape, Data: out})
	}
	_, err := gguf.Write(path, []gguf.KeyValue{{Key: "general.architecture", Value: architecture}, {Key: "general.type", Value: "adapter"}, {Key: "general.name", Value: name},
		{Key: "adapter.type", Value: "lora"}, {Key: "adapter.lora.alpha", Value: float32(alpha)}}, tensors, gguf.Options{})
	return err
}
