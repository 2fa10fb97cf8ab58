package torch

import (
	"fmt"
	"math/big"
	"strconv"

	"lian/dtype"
	"lian/format/pickle"
)

// maxDepth bounds containers in containers.
const maxDepth = 100

// content is one parsed file.
type content struct {
	tensors  []named
	metadata []KeyValue
	roots    []root
	legacy   bool
}

// named is a tensor under its dotted name.
type named struct {
	info Info
	view view
}

// root is an entry of the outermost dict.
type root struct {
	key     string
	tensors int  // how many are under it
	direct  bool // it is a tensor itself
}

// flattener walks a pickle's value.
type flattener struct {
	content
	budget *pickle.Budget
	seen   map[string]bool
}

// flatten gives every tensor and every other value a dotted name.
func flatten(value any, budget *pickle.Budget) (*content, error) {
	f := &flattener{budget: budget, seen: map[string]bool{}}
	if err := f.walk("", value, 0); err != nil {
		return nil, err
	}
	return &f.content, nil
}

func (f *flattener) walk(name string, value any, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%.80s…: containers nested more than %d deep", name, maxDepth)
	}
	if err := f.budget.Take(len(name) + 64); err != nil {
		return fmt.Errorf("data.pkl %w", err)
	}
	switch v := value.(type) {
	case *tensor:
		return f.tensor(name, v)
	case *pickle.Dict:
		for _, p := range v.Pairs {
			key, err := keyText(p.Key)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if err := f.child(name, key, p.Value, depth); err != nil {
				return err
			}
		}
		return nil
	case *pickle.List:
		return f.sequence(name, v.Items, depth)
	case pickle.Tuple:
		return f.sequence(name, v, depth)
	}
	return f.leaf(name, value)
}

// child walks one entry of a container and counts the tensors of the outermost.
func (f *flattener) child(name, key string, value any, depth int) error {
	full := key
	if name != "" {
		full = name + "." + key
	}
	before := len(f.tensors)
	if err := f.walk(full, value, depth+1); err != nil {
		return err
	}
	if depth == 0 {
		_, direct := value.(*tensor)
		f.roots = append(f.roots, root{key, len(f.tensors) - before, direct})
	}
	return nil
}

// sequence is metadata as a whole where it holds plain values only, otherwise its
// items are named by their numbers.
func (f *flattener) sequence(name string, items []any, depth int) error {
	plain := true
	for _, item := range items {
		switch item.(type) {
		case *tensor, *pickle.Dict, *pickle.List, pickle.Tuple:
			plain = false
		}
	}
	if plain {
		return f.leaf(name, items)
	}
	for i, item := range items {
		if err := f.child(name, strconv.Itoa(i), item, depth); err != nil {
			return err
		}
	}
	return nil
}

func keyText(key any) (string, error) {
	switch k := key.(type) {
	case string:
		return k, nil
	case int64, bool, float64:
		return fmt.Sprint(k), nil
	}
	return "", fmt.Errorf("a key is %s; texts and numbers are known", pickle.TypeName(key))
}

// claim refuses a name that is taken.
func (f *flattener) claim(name string) error {
	if f.seen[name] {
		return fmt.Errorf("%s comes twice", name)
	}
	if err := f.budget.Take(len(name) + 128); err != nil {
		return fmt.Errorf("data.pkl %w", err)
	}
	f.seen[name] = true
	return nil
}

func (f *flattener) leaf(name string, value any) error {
	if name == "" {
		name = "value" // the file holds one value and no dict
	}
	if err := f.claim(name); err != nil {
		return err
	}
	items, isList := value.([]any)
	if set, ok := value.(*pickle.Set); ok {
		items, isList = set.Items, true
	}
	if isList {
		if err := f.budget.Take(16 * len(items)); err != nil {
			return fmt.Errorf("data.pkl %w", err)
		}
		out := make([]any, len(items))
		for i, item := range items {
			out[i] = plain(item)
		}
		f.metadata = append(f.metadata, KeyValue{name, out})
		return nil
	}
	f.metadata = append(f.metadata, KeyValue{name, plain(value)})
	return nil
}

// plain turns what is neither number nor text into text.
func plain(v any) any {
	switch v := v.(type) {
	case nil, bool, int64, *big.Int, float64, string, []byte:
		return v
	}
	return pickle.TypeName(v)
}

func (f *flattener) tensor(name string, t *tensor) error {
	if name == "" {
		name = "tensor" // the file holds one tensor and no dict
	}
	if err := f.claim(name); err != nil {
		return err
	}
	if t.layout != "" {
		return fmt.Errorf("tensor %s has the layout %s; only strided (dense) tensors are read", name, t.layout)
	}
	typ, err := dtype.Parse(t.typ)
	if err != nil || typ.Quantized() {
		return fmt.Errorf("tensor %s is of element type %s, which is not read (quantised and complex ones are not)", name, t.typ)
	}
	size, err := dtype.TensorBytes(typ, t.shape)
	if err != nil {
		return fmt.Errorf("tensor %s: %w", name, err)
	}
	from := t.storage.start()
	f.tensors = append(f.tensors, named{
		info: Info{Name: name, Type: typ, Shape: t.shape, Bytes: int64(size)},
		view: view{from: from, to: from + t.storage.bytes, offset: t.offset, stride: t.stride, width: typ.BlockBytes()},
	})
	return f.budget.Take(192)
}
