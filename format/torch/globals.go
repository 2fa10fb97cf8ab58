package torch

import (
	"fmt"

	"lian/dtype"
	"lian/format/pickle"
)

// globals are the names that a checkpoint may use, and what they mean here. Nothing
// else is read.
var globals = map[string]*pickle.Global{}

// storageTypes are PyTorch's classes of typed storages. Quantised and complex ones
// are known so that the tensor can be named that is refused.
var storageTypes = map[string]string{
	"FloatStorage": "float32", "HalfStorage": "float16", "BFloat16Storage": "bfloat16", "DoubleStorage": "float64",
	"CharStorage": "int8", "ShortStorage": "int16", "IntStorage": "int32", "LongStorage": "int64", "ByteStorage": "uint8", "BoolStorage": "bool",
	"ComplexFloatStorage": "complex64", "ComplexDoubleStorage": "complex128",
	"QInt8Storage": "qint8", "QUInt8Storage": "quint8", "QInt32Storage": "qint32", "QUInt4x2Storage": "quint4x2", "QUInt2x4Storage": "quint2x4",
}

// otherTypes are PyTorch's element types of more than one byte that package dtype
// does not have; of the others it is asked itself. Widths are needed to check
// storages.
var otherTypes = map[string]int{
	"complex32": 4, "complex64": 8, "complex128": 16, "qint8": 1, "quint8": 1, "qint32": 4, "quint4x2": 1, "quint2x4": 1,
	"float8_e4m3fnuz": 1, "float8_e5m2fnuz": 1, "float8_e8m0fnu": 1, "float4_e2m1fn_x2": 1,
}

// width returns the bytes of an element of one of PyTorch's types.
func width(name string) (int, bool) {
	if t, err := dtype.Parse(name); err == nil && !t.Quantized() {
		return t.BlockBytes(), true
	}
	n, ok := otherTypes[name]
	return n, ok
}

func allow(name string, call func(pickle.Tuple) (any, error)) {
	globals[name] = &pickle.Global{Name: name, Call: call}
}

func init() {
	for class := range storageTypes {
		allow("torch."+class, nil)
	}
	allow("torch.storage.UntypedStorage", nil)
	for _, name := range []string{"float32", "float", "float16", "half", "bfloat16", "float64", "double", "int8", "int16", "short", "int32", "int", "int64", "long",
		"uint8", "uint16", "uint32", "uint64", "bool", "float8_e4m3fn", "float8_e5m2", "strided", "contiguous_format", "preserve_format", "per_tensor_affine", "per_channel_affine"} {
		allow("torch."+name, nil)
	}
	for name := range otherTypes {
		allow("torch."+name, nil)
	}
	allow("torch._utils._rebuild_tensor", rebuildTensor)
	allow("torch._utils._rebuild_tensor_v2", rebuildTensor)
	allow("torch._utils._rebuild_tensor_v3", rebuildTensor3)
	allow("torch._utils._rebuild_qtensor", rebuildTensor) // its storage's type is what flatten refuses
	allow("torch._utils._rebuild_parameter", firstTensor)
	allow("torch._utils._rebuild_parameter_with_state", firstTensor)
	allow("torch._tensor._rebuild_from_type_v2", rebuildFromType)
	allow("torch._utils._rebuild_sparse_tensor", rebuildSparse)
	allow("torch.serialization._get_layout", text)
	allow("torch.Tensor", nil)
	allow("torch.nn.parameter.Parameter", nil)
	allow("torch.Size", func(args pickle.Tuple) (any, error) {
		if len(args) == 1 {
			if items, ok := args[0].(pickle.Tuple); ok {
				return items, nil
			}
		}
		return nil, fmt.Errorf("a tuple is expected")
	})
	allow("torch.device", text)

	for _, class := range []string{"collections.OrderedDict", "collections.defaultdict", "collections.Counter",
		"internlm.core.context.config.Config", "internevo.core.context.config.Config",
		"pytorch_lightning.utilities.parsing.AttributeDict", "lightning_fabric.utilities.data.AttributeDict", "lightning.fabric.utilities.data.AttributeDict"} {
		allow(class, func(args pickle.Tuple) (any, error) { return dict(class, args) })
	}
	for _, class := range []string{"argparse.Namespace", "types.SimpleNamespace", "mmengine.logging.history_buffer.HistoryBuffer"} { // the last in XTuner's .pth
		allow(class, func(args pickle.Tuple) (any, error) { return &pickle.Dict{Class: class, Object: true}, none(args) })
	}
	for _, builtin := range []string{"builtins.", "__builtin__."} { // Python 3, Python 2
		for _, name := range []string{"int", "long", "float", "str", "bool", "list", "dict", "tuple"} {
			allow(builtin+name, nil)
		}
		allow(builtin+"set", set)
		allow(builtin+"frozenset", set)
	}
	allow("_codecs.encode", encode)
	for _, module := range []string{"numpy.core.multiarray.", "numpy._core.multiarray."} {
		allow(module+"scalar", numpyScalar)
		allow(module+"_reconstruct", numpyArrayOf)
	}
	allow("numpy.ndarray", nil)
	allow("numpy.dtype", numpyTypeOf)
}

func find(module, name string) (*pickle.Global, bool) {
	g, ok := globals[module+"."+name]
	return g, ok
}

func none(args pickle.Tuple) error {
	if len(args) > 0 {
		return fmt.Errorf("%d arguments, none are expected", len(args))
	}
	return nil
}

// text keeps what a name was called with: torch.device("cpu") is "cpu".
func text(args pickle.Tuple) (any, error) {
	if len(args) == 0 {
		return nil, fmt.Errorf("an argument is expected")
	}
	s, ok := args[0].(string)
	if !ok {
		return nil, fmt.Errorf("%s, a text is expected", pickle.TypeName(args[0]))
	}
	return s, nil
}

// dict makes a relative of dict: empty, or of a list of pairs as Python 2 wrote
// them. What a defaultdict makes of missing keys is of no interest here.
func dict(class string, args pickle.Tuple) (any, error) {
	d := &pickle.Dict{Class: class}
	if len(args) == 0 {
		return d, nil
	}
	switch arg := args[0].(type) {
	case *pickle.Global:
		if class == "collections.defaultdict" {
			return d, nil
		}
	case *pickle.Dict:
		d.Pairs = append(d.Pairs, arg.Pairs...)
		return d, nil
	case *pickle.List:
		for _, item := range arg.Items {
			pair, ok := item.(*pickle.List)
			if !ok || len(pair.Items) != 2 {
				return nil, fmt.Errorf("a list of pairs is expected")
			}
			d.Pairs = append(d.Pairs, pickle.Pair{Key: pair.Items[0], Value: pair.Items[1]})
		}
		return d, nil
	}
	return nil, fmt.Errorf("made of %s, which is not known", pickle.TypeName(args[0]))
}

func set(args pickle.Tuple) (any, error) {
	if len(args) == 0 {
		return &pickle.Set{}, nil
	}
	list, ok := args[0].(*pickle.List)
	if !ok {
		return nil, fmt.Errorf("%s, a list is expected", pickle.TypeName(args[0]))
	}
	return &pickle.Set{Items: append([]any(nil), list.Items...)}, nil
}

// encode is how protocol 2 stores bytes: as text of which each character is a byte.
func encode(args pickle.Tuple) (any, error) {
	if len(args) != 2 || args[1] != "latin1" {
		return nil, fmt.Errorf("a text and \"latin1\" are expected")
	}
	s, ok := args[0].(string)
	if !ok {
		return nil, fmt.Errorf("%s, a text is expected", pickle.TypeName(args[0]))
	}
	raw := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			return nil, fmt.Errorf("character %q is not a byte", r)
		}
		raw = append(raw, byte(r))
	}
	return raw, nil
}
