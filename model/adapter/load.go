package adapter

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lian/compute"
	"lian/dtype"
	"lian/format"
	"lian/format/safetensors"
	"lian/format/torch"
	"lian/model"
)

// Load reads an adapter for a model: a folder in PEFT's layout or a GGUF file.
func Load(path string, b compute.Backend, m model.Model, bindings []model.Binding) (*LoRA, error) {
	if strings.HasSuffix(path, ".gguf") {
		return loadGGUF(path, b, m, bindings)
	}
	c, err := readConfig(path)
	if err != nil {
		return nil, err
	}
	src, err := openWeights(path)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	l := loader{LoRA: &LoRA{Config: Config{Rank: c.Rank, Alpha: c.Alpha}, by: map[string]*member{}}, config: c, stream: b.NewStream(), source: src, model: m,
		view: func(b model.Binding) model.View { return b.Hub }, products: map[string]*stored{}}
	if err := l.read(bindings); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return l.LoRA, l.stream.Err()
}

// openWeights opens an adapter folder's tensors.
func openWeights(dir string) (format.Reader, error) {
	f, err := safetensors.Open(filepath.Join(dir, weightsFile))
	if errors.Is(err, fs.ErrNotExist) {
		if _, there := os.Stat(filepath.Join(dir, torchFile)); there == nil {
			return torch.Open(filepath.Join(dir, torchFile))
		}
	}
	return f, err
}

// loader makes a LoRA of an adapter's file.
type loader struct {
	*LoRA
	config   peftConfig
	stream   compute.Stream
	source   format.Reader
	model    model.Model
	view     func(model.Binding) model.View
	bindings map[string][]model.Binding // by the name of the stored tensor
	products map[string]*stored         // by module
	experts  map[string]expertOf        // by the name of a stored tensor of one expert
	parts    map[string]map[int]part    // of stacks, by parameter and expert
	order    []string
}

// stored are the names of the tensors that a module has in the file.
type stored struct{ a, b, bias, magnitude, embeddingA, embeddingB string }

// read sorts the file's tensors and makes of them what they are.
func (l *loader) read(bindings []model.Binding) error {
	l.bindings = map[string][]model.Binding{}
	for _, b := range bindings {
		l.bindings[l.view(b).Name] = append(l.bindings[l.view(b).Name], b)
	}
	l.experts = expertsOf(bindings, l.view)
	for _, name := range l.source.Names() {
		if err := l.sort(name); err != nil {
			return err
		}
	}
	if len(l.order) == 0 && len(l.changes) == 0 {
		return fmt.Errorf("no tensor belongs to a product of this model; the adapter is of another base")
	}
	for _, module := range l.order {
		if err := l.product(module, l.products[module]); err != nil {
			return err
		}
	}
	l.stack()
	return nil
}

// sort says what a tensor is by its name.
func (l *loader) sort(name string) error {
	short := strings.ReplaceAll(strings.TrimPrefix(name, prefix), ".default", "")
	short = strings.Replace(short, ".modules_to_save", "", 1)
	part := func(ending string, place func(s *stored) *string) bool {
		module, ok := strings.CutSuffix(short, ending)
		if ok {
			if l.products[module] == nil {
				l.products[module], l.order = &stored{}, append(l.order, module)
			}
			*place(l.products[module]) = name
		}
		return ok
	}
	switch {
	case part(".lora_A.weight", func(s *stored) *string { return &s.a }), part(".lora_B.weight", func(s *stored) *string { return &s.b }),
		part(".lora_B.bias", func(s *stored) *string { return &s.bias }), part(".lora_magnitude_vector", func(s *stored) *string { return &s.magnitude }),
		part(".lora_magnitude_vector.weight", func(s *stored) *string { return &s.magnitude }),
		part(".lora_embedding_A", func(s *stored) *string { return &s.embeddingA }), part(".lora_embedding_B", func(s *stored) *string { return &s.embeddingB }):
		return nil
	}
	if module, ok := strings.CutSuffix(short, ".token_adapter.trainable_tokens_delta"); ok {
		return l.tokens(name, module)
	}
	return l.whole(name, strings.Replace(short, ".base_layer.", ".", 1))
}

// find are the parameters that lie in the stored tensor of a name. Adapters of a model without its head leave out a prefix.
func (l *loader) find(tensor string) []model.Binding {
	for _, before := range []string{"", "model.", "transformer."} {
		if list := l.bindings[before+tensor]; list != nil {
			return list
		}
	}
	return nil
}

// get is a tensor of the file as float32 of a shape, in which −1 is any size.
func (l *loader) get(name string, shape ...int) ([]float32, []int, error) {
	info, ok := l.source.Info(name)
	if !ok {
		return nil, nil, fmt.Errorf("tensor %s %v is missing", name, strings.ReplaceAll(fmt.Sprint(shape), "-1", "any"))
	}
	match := len(info.Shape) == len(shape)
	for i := 0; match && i < len(shape); i++ {
		match = shape[i] < 0 || shape[i] == info.Shape[i]
	}
	if !match {
		return nil, nil, fmt.Errorf("tensor %s is %v, expected %v; the adapter is of another base", name, info.Shape, strings.ReplaceAll(fmt.Sprint(shape), "-1", "any"))
	}
	data, err := l.source.Data(name)
	if err != nil {
		return nil, nil, err
	}
	values := make([]float32, info.Elements())
	if err := dtype.Dequantize(info.Type, data, values); err != nil {
		return nil, nil, fmt.Errorf("tensor %s: %w", name, err)
	}
	return values, info.Shape, nil
}

// product makes a module of its parts.
func (l *loader) product(name string, s *stored) error {
	if e, ok := l.findExpert(name + ".weight"); ok {
		return l.expert(name, s, e)
	}
	list := l.find(name + ".weight")
	if list == nil {
		return fmt.Errorf("tensor %s belongs to no product of this model; the adapter is of another base", cmp.Or(s.a, s.embeddingA, s.b, s.magnitude))
	}
	if len(list[0].Shape) == 3 {
		return l.stacked(name, s, list)
	}
	if s.embeddingA != "" || !list[0].Adaptable {
		return l.embedding(name, s, list[0])
	}
	in := list[0].Shape[len(list[0].Shape)-1]
	a, shape, err := l.get(s.a, -1, in)
	if err != nil {
		return err
	}
	x := l.module(name)
	x.a = tensorOf(l.stream, a, shape...)
	if x.scale, err = l.config.scale(name, shape[0]); err != nil {
		return err
	}
	for _, binding := range list {
		if err := l.member(x, s, binding); err != nil {
			return err
		}
	}
	return nil
}

// member makes one parameter's part of a module.
func (l *loader) member(x *module, s *stored, binding model.Binding) error {
	rank, out := x.a.Shape[0], binding.Shape[0]
	y := &member{module: x, parameter: binding.Parameter, view: rowsOf(l.view(binding))}
	part := func(name string, columns int) ([]float32, error) {
		matrix := []int{out, columns}
		want := y.view.FileShape(matrix)
		if columns == 1 && name != s.b {
			want = want[:1]
		}
		values, _, err := l.get(name, want...)
		if err != nil {
			return nil, err
		}
		raw, _, err := y.view.Take(compute.HostBytes(values), dtype.F32, matrix)
		if err != nil {
			return nil, fmt.Errorf("tensor %s: %w", name, err)
		}
		picked := make([]float32, len(raw)/4)
		return picked, dtype.Dequantize(dtype.F32, raw, picked)
	}
	b, err := part(s.b, rank)
	if err != nil {
		return err
	}
	y.b = tensorOf(l.stream, b, out, rank)
	if s.bias != "" {
		bias, err := part(s.bias, 1)
		if err != nil {
			return err
		}
		for i := range bias {
			bias[i] *= x.scale
		}
		y.bias = tensorOf(l.stream, bias, out)
	}
	if s.magnitude != "" {
		magnitude, err := part(s.magnitude, 1)
		if err != nil {
			return err
		}
		if err := y.dora(l.stream, l.model.Parameters().Get(binding.Parameter), magnitude); err != nil {
			return err
		}
	} else if l.config.DoRA {
		return fmt.Errorf("use_dora is set, but %s.lora_magnitude_vector is missing", x.name)
	}
	l.add(y)
	return nil
}

// embedding is a low-rank update of the embedding or the head, which Prepare adds.
func (l *loader) embedding(name string, s *stored, binding model.Binding) error {
	vocab, hidden := binding.Shape[0], binding.Shape[len(binding.Shape)-1]
	c := change{parameter: binding.Parameter, embedding: s.embeddingA != "", product: s.embeddingA == ""}
	if s.magnitude != "" {
		return fmt.Errorf("tensor %s: DoRA of an embedding is not computed", s.magnitude)
	}
	aName, bName, aShape, bShape := s.a, s.b, []int{-1, hidden}, []int{vocab, -1}
	if c.embedding {
		aName, bName, aShape, bShape = s.embeddingA, s.embeddingB, []int{-1, vocab}, []int{hidden, -1}
	}
	a, shape, err := l.get(aName, aShape...)
	if err != nil {
		return err
	}
	bShape[1] = shape[0]
	b, shapeB, err := l.get(bName, bShape...)
	if err != nil {
		return err
	}
	if c.scale, err = l.config.scale(name, shape[0]); err != nil {
		return err
	}
	c.a, c.b = tensorOf(l.stream, a, shape...), tensorOf(l.stream, b, shapeB...)
	l.changes = append(l.changes, c)
	return nil
}

// whole is a tensor that takes the place of the base's: modules_to_save, biases that were trained. It goes before updates of it.
func (l *loader) whole(name, tensor string) error {
	list := l.find(tensor)
	if list == nil {
		return fmt.Errorf("tensor %s belongs to no parameter of this model; the adapter is of another base, or the base's head is its embedding", name)
	}
	for _, binding := range list {
		v := l.view(binding)
		values, _, err := l.get(name, v.FileShape(binding.Shape)...)
		if err != nil {
			return err
		}
		raw, _, err := v.Take(compute.HostBytes(values), dtype.F32, binding.Shape)
		if err != nil {
			return fmt.Errorf("tensor %s: %w", name, err)
		}
		values = make([]float32, len(raw)/4)
		if err := dtype.Dequantize(dtype.F32, raw, values); err != nil {
			return err
		}
		for i := range values {
			values[i] -= v.Offset
		}
		l.changes = slices.Insert(l.changes, 0, change{parameter: binding.Parameter, values: values, product: binding.Adaptable || binding.Parameter == "head"})
	}
	return nil
}

// tokens are rows of an embedding that were trained; the configuration says which.
func (l *loader) tokens(name, module string) error {
	list := l.find(module + ".weight")
	if list == nil {
		return fmt.Errorf("tensor %s belongs to no parameter of this model; the adapter is of another base", name)
	}
	indices, ok := l.config.Tokens.([]any)
	if by, isMap := l.config.Tokens.(map[string]any); isMap {
		for key, v := range by {
			if module == key || strings.HasSuffix(module, "."+key) {
				indices, ok = v.([]any)
			}
		}
	}
	if !ok {
		return fmt.Errorf("tensor %s: trainable_token_indices is %v, which does not name the rows of %s", name, l.config.Tokens, module)
	}
	c := change{parameter: list[0].Parameter}
	for _, v := range indices {
		row, ok := v.(float64)
		if !ok || row != float64(int(row)) || row < 0 || int(row) >= list[0].Shape[0] {
			return fmt.Errorf("trainable_token_indices: %v is not a token of the vocabulary of %d", v, list[0].Shape[0])
		}
		c.rows = append(c.rows, int(row))
	}
	var err error
	c.values, _, err = l.get(name, len(c.rows), list[0].Shape[1])
	l.changes = append(l.changes, c)
	return err
}
