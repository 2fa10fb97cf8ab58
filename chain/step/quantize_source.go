package step

import (
	"fmt"
	"slices"

	"lian/chat"
	"lian/dtype"
	"lian/format"
	"lian/format/gguf"
	"lian/model"
	"lian/model/checkpoint"
	"lian/model/nn"
	"lian/quant"
)

// tensorSource is a model as GGUF would hold it: the tensors in the types that they are stored in.
type tensorSource struct {
	path     string
	metadata []gguf.KeyValue
	tensors  map[string]format.Tensor
	names    []string
	model    quant.Model
	// cannotRun is why Lian does not run the model, nil if it does.
	cannotRun error
	close     func() error
}

// Close releases the model's files.
func (s *tensorSource) Close() error { return s.close() }

// infos describes the tensors.
func (s *tensorSource) infos() (infos []format.Info) {
	for _, name := range s.names {
		t := s.tensors[name]
		infos = append(infos, format.Info{Name: name, Type: t.Type, Shape: t.Shape})
	}
	return infos
}

// openStored opens a model. A GGUF file is taken as it is, with all that it says of itself; any other model is what lian convert
// would write.
func openStored(path string) (*tensorSource, error) {
	base, _, hasAdapter, err := cutAdapter(path)
	if err == nil && !hasAdapter {
		base, err = modelPath(base)
	}
	if err != nil {
		return nil, err
	}
	s := &tensorSource{path: base, tensors: map[string]format.Tensor{}}
	if !hasAdapter && isGGUF(base) {
		err = s.fromGGUF(base)
	} else {
		err = s.fromModel(path)
	}
	if err != nil {
		return nil, err
	}
	s.model = quantModel(s.metadata)
	return s, nil
}

func (s *tensorSource) fromGGUF(path string) error {
	f, err := gguf.Open(path)
	if err != nil {
		return err
	}
	s.close = f.Close
	s.metadata, s.cannotRun = f.Metadata(), runsGGUF(path, f)
	for _, name := range f.Names() {
		info, _ := f.Info(name)
		s.add(format.Tensor{Name: name, Type: info.Type, Shape: info.Shape, Make: func() ([]byte, error) { return f.Data(name) }})
	}
	return nil
}

func (s *tensorSource) fromModel(path string) error {
	b, err := Backend()
	if err != nil {
		return err
	}
	m, err := OpenModel(path, b, checkpoint.Options{})
	if err != nil {
		return err
	}
	s.close = m.Close
	end := m.Separator
	if m.Template != nil {
		if stop := chat.StopIDs(m.Tokenizer, m.Template); len(stop) > 0 {
			end = stop[0]
		}
	}
	words, err := ggufWords(m, end)
	if err != nil {
		return err
	}
	typeOf := func(b model.Binding, _ nn.Kind, _ []int) dtype.Type {
		if t := m.Model.Parameters().Get(b.Parameter).Type; t.Float() {
			return t
		}
		return dtype.F32 // another program's blocks, which float32 holds exactly
	}
	metadata, tensors, err := checkpoint.GGUFContents(b.NewStream(), m.Family, m.Model,
		checkpoint.GGUFOptions{Name: m.Name, Config: m.Config, TypeOf: typeOf, More: words})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	s.metadata, s.path = metadata, m.Path
	for _, t := range tensors {
		s.add(t)
	}
	return nil
}

func (s *tensorSource) add(t format.Tensor) {
	s.names = append(s.names, t.Name)
	s.tensors[t.Name] = t
}

// quantModel is what a mix must know, from GGUF's metadata.
func quantModel(metadata []gguf.KeyValue) (m quant.Model) {
	values := map[string]any{}
	for _, kv := range metadata {
		values[kv.Key] = kv.Value
	}
	m.Architecture, _ = values["general.architecture"].(string)
	number := func(key string) int {
		n, _ := gguf.Whole(values[m.Architecture+"."+key])
		return int(n)
	}
	m.Layers, m.Experts = number("block_count"), number("expert_count")
	m.Heads = number("attention.head_count")
	m.KeyHeads = m.Heads
	if values[m.Architecture+".attention.head_count_kv"] != nil {
		m.KeyHeads = number("attention.head_count_kv")
	}
	return m
}

// withKeys sets metadata: a key that is there already goes to the end, as in llama.cpp.
func withKeys(metadata []gguf.KeyValue, more ...gguf.KeyValue) []gguf.KeyValue {
	out := slices.Clone(metadata)
	for _, kv := range more {
		out = append(slices.DeleteFunc(out, func(old gguf.KeyValue) bool { return old.Key == kv.Key }), kv)
	}
	return out
}
