package torch

import (
	"fmt"
	"math"
	"strings"

	"lian/format/pickle"
)

// maxDimensions bounds a tensor's dimensions; PyTorch's own limit for most of what
// it does is 64.
const maxDimensions = 64

// storage is a piece of the file that tensors are views of.
type storage struct {
	key    string
	typ    string // PyTorch's element type; "" where the storage is of bytes
	bytes  int    // as the pickle says
	from   int    // in the file, once it is placed
	placed bool
	same   *storage // where set, this one is those bytes from offset on, seen as another type or in part
	offset int
}

// start is where the storage's bytes begin in the file.
func (s *storage) start() int {
	if s.same != nil {
		return s.same.from + s.offset
	}
	return s.from
}

// tensor is a tensor as the pickle describes it.
type tensor struct {
	storage *storage
	typ     string // PyTorch's element type
	layout  string // "" is strided
	offset  int    // in elements
	shape   []int
	stride  []int // in elements
}

// rebuildTensor is _rebuild_tensor(storage, offset, size, stride) and
// _rebuild_tensor_v2, which has requires_grad, hooks and metadata behind.
func rebuildTensor(args pickle.Tuple) (any, error) {
	if len(args) < 4 {
		return nil, fmt.Errorf("%d arguments, at least a storage, an offset, a size and a stride are expected", len(args))
	}
	s, ok := args[0].(*storage)
	if !ok {
		return nil, fmt.Errorf("%s, a storage is expected", pickle.TypeName(args[0]))
	}
	t := &tensor{storage: s, typ: s.typ}
	if t.typ == "" {
		t.typ = "uint8"
	}
	return t, t.place(args)
}

// rebuildTensor3 is _rebuild_tensor_v3(storage, offset, size, stride, requires_grad,
// hooks, dtype, …), for types that have no storage class.
func rebuildTensor3(args pickle.Tuple) (any, error) {
	if len(args) < 7 {
		return nil, fmt.Errorf("%d arguments, at least 7 are expected", len(args))
	}
	s, ok := args[0].(*storage)
	if !ok {
		return nil, fmt.Errorf("%s, a storage is expected", pickle.TypeName(args[0]))
	}
	g, ok := args[6].(*pickle.Global)
	if !ok {
		return nil, fmt.Errorf("%s, an element type is expected", pickle.TypeName(args[6]))
	}
	t := &tensor{storage: s, typ: trimTorch(g.Name)}
	if _, ok := width(t.typ); !ok {
		return nil, fmt.Errorf("%s is not an element type", g.Name)
	}
	return t, t.place(args)
}

// place reads offset, size and stride and checks that all elements lie in the storage.
func (t *tensor) place(args pickle.Tuple) error {
	offset, ok := args[1].(int64)
	if !ok || offset < 0 || offset > math.MaxInt {
		return fmt.Errorf("offset %v is not a place in a storage", args[1])
	}
	var err error
	if t.shape, err = numbers(args[2]); err != nil {
		return fmt.Errorf("size: %w", err)
	}
	if t.stride, err = numbers(args[3]); err != nil {
		return fmt.Errorf("stride: %w", err)
	}
	if len(t.shape) != len(t.stride) || len(t.shape) > maxDimensions {
		return fmt.Errorf("size %v and stride %v do not belong together", t.shape, t.stride)
	}
	t.offset = int(offset)
	bytes, ok := width(t.typ)
	if !ok {
		return fmt.Errorf("element type %s is not known", t.typ)
	}
	elements, last := t.storage.bytes/bytes, t.offset
	for i, n := range t.shape {
		if n == 0 {
			return nil // no elements, nothing to lie outside
		}
		if step := t.stride[i]; step > 0 && (n-1) > (math.MaxInt-last)/step {
			return fmt.Errorf("size %v with stride %v reaches beyond any storage", t.shape, t.stride)
		}
		last += (n - 1) * t.stride[i]
	}
	if last >= elements {
		return fmt.Errorf("size %v with stride %v at offset %d reaches element %d of storage %s, which has %d", t.shape, t.stride, t.offset, last, t.storage.key, elements)
	}
	return nil
}

// numbers reads a tuple of whole numbers that are not negative.
func numbers(v any) ([]int, error) {
	var items []any
	switch v := v.(type) {
	case pickle.Tuple:
		items = v
	case *pickle.List:
		items = v.Items
	default:
		return nil, fmt.Errorf("%s, a tuple is expected", pickle.TypeName(v))
	}
	if len(items) > maxDimensions {
		return nil, fmt.Errorf("%d dimensions; at most %d are known", len(items), maxDimensions)
	}
	out := make([]int, len(items))
	for i, item := range items {
		n, ok := item.(int64)
		if !ok || n < 0 || n > math.MaxInt {
			return nil, fmt.Errorf("%v is not a whole number that fits", item)
		}
		out[i] = int(n)
	}
	return out, nil
}

// firstTensor is _rebuild_parameter and _rebuild_parameter_with_state: a tensor that
// learns, which makes no difference to what is in the file.
func firstTensor(args pickle.Tuple) (any, error) {
	if len(args) > 0 {
		if t, ok := args[0].(*tensor); ok {
			return t, nil
		}
	}
	return nil, fmt.Errorf("a tensor is expected")
}

// rebuildFromType is _rebuild_from_type_v2(func, type, args, state): a tensor with
// attributes of its own, which are about training and not read.
func rebuildFromType(args pickle.Tuple) (any, error) {
	if len(args) != 4 {
		return nil, fmt.Errorf("%d arguments, 4 are expected", len(args))
	}
	g, ok := args[0].(*pickle.Global)
	inner, isTuple := args[2].(pickle.Tuple)
	if !ok || !strings.HasPrefix(g.Name, "torch._utils._rebuild_") || !isTuple {
		return nil, fmt.Errorf("a function and its arguments are expected")
	}
	v, err := g.Call(inner)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", g.Name, err)
	}
	if t, ok := v.(*tensor); ok {
		return t, nil
	}
	return nil, fmt.Errorf("%s gives %s, a tensor is expected", g.Name, pickle.TypeName(v))
}

// rebuildSparse keeps the layout's name, so that the tensor can be refused by its own.
func rebuildSparse(args pickle.Tuple) (any, error) {
	t := &tensor{layout: "sparse"}
	if len(args) > 0 {
		if name, ok := args[0].(string); ok {
			t.layout = trimTorch(name)
		}
	}
	return t, nil
}
